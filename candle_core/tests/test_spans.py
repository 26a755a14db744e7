"""Interval arithmetic against sets of whole numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from candle_core.spans import Spans
from candle_hookspecs import Span

span = st.builds(lambda start, length: Span(start, start + length), st.integers(-30, 30), st.integers(1, 12))
lists = st.lists(span, max_size=8)
sets = lists.map(Spans.of)


def moments(spans: Spans | list[Span]) -> set[int]:
    return {moment for one in spans for moment in range(one.start, one.end)}


def assert_normal(spans: Spans) -> None:
    """Sorted, and no two overlap or touch: so equal sets are equal values."""
    assert all(before.end < after.start for before, after in pairwise(spans.parts))


@given(lists)
def test_union_of_any_spans(spans: list[Span]) -> None:
    united = Spans.of(spans)
    assert moments(united) == moments(spans)
    assert_normal(united)
    assert Spans.of(reversed(spans)) == united


@given(sets, sets)
def test_arithmetic_is_that_of_sets(first: Spans, second: Spans) -> None:
    for result, expected in (
        (first | second, moments(first) | moments(second)),
        (first & second, moments(first) & moments(second)),
        (first - second, moments(first) - moments(second)),
    ):
        assert moments(result) == expected
        assert_normal(result)


@given(sets)
def test_nothing_is_left_of_a_set_without_itself(spans: Spans) -> None:
    assert spans - spans == Spans()
    assert spans - Spans() == spans
    assert bool(spans) == bool(moments(spans))


@given(sets, st.integers(-35, 50))
def test_membership_and_front(spans: Spans, start: int) -> None:
    inside = moments(spans)
    assert (start in spans) == (start in inside)
    reached = start
    while reached in inside:
        reached += 1
    assert spans.front(start) == reached
