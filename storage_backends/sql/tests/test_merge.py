"""The arithmetic of spans, against sets of moments."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import CandleBatch, CoverageState, Evidence, Span
from candle_sql import Merge
from candle_sql.facts import Fact, Standing
from candle_sql.merge import inside, union
from candle_testkit.contracts.storage.harness import answer, candles, fact, span

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: Span(pair[0], pair[0] + pair[1])))


def moments(spans: list[Span]) -> set[int]:
    return {moment for span in spans for moment in range(span.start, span.end)}


@given(spans)
def test_a_union_has_the_same_moments_once(given: list[Span]) -> None:
    united = union(given)
    assert moments(united) == moments(given)
    assert sum(span.end - span.start for span in united) == len(moments(given))
    assert all(left.end < right.start for left, right in pairwise(united))


@given(spans, st.sets(st.integers(0, 45)))
def test_inside_marks_the_moments_in_any_span(given: list[Span], times: set[int]) -> None:
    ordered = np.array(sorted(times), dtype=np.int64)
    assert ordered[inside(ordered, given)].tolist() == sorted(times & moments(given))


@given(spans, st.sets(st.integers(0, 45)))
def test_a_row_is_settled_by_the_earliest_fact_over_it(given: list[Span], times: set[int]) -> None:
    facts = [Standing(Fact(1, one.start, one.end, 1, "answered", "anchored", at), 0) for at, one in enumerate(given)]
    zeros = np.zeros(len(times))
    batch = CandleBatch(np.array(sorted(times), dtype=np.int64), zeros, zeros, zeros, zeros, zeros)
    merge = Merge(symbol_id=1, source_id=1, answer=answer(batch), settling=tuple(facts))
    covering = [[at for at, one in enumerate(given) if moment in one] for moment in sorted(times)]
    assert merge.settled_by().tolist() == [min(one, default=-1) for one in covering]
    assert merge.settled == tuple(given)


def test_a_fact_of_another_moment_proves_no_row_of_this_answer() -> None:
    merge = Merge(symbol_id=1, source_id=1, answer=answer(candles([0, 1]), at=20, facts=(fact(span(0, 2), 30),)))
    assert merge.unproven().tolist() == [True, True]


def test_what_an_answer_claims() -> None:
    facts = (
        fact(span(4, 6)),
        fact(span(20, 30), evidence=Evidence.IMPORTED),
        fact(span(40, 50), state=CoverageState.NOT_LISTED),
    )
    merge = Merge(symbol_id=1, source_id=1, answer=answer(candles([2, 5, 25, 45]), facts=facts))
    assert merge.exhaustive == [span(4, 6)], "neither an imported file nor a market that is not listed has every candle"
    assert merge.unproven().tolist() == [True, False, False, True]
    assert merge.hull == Span(span(2, 3).start, span(45, 46).start + 1)
    assert Merge(symbol_id=1, source_id=1, answer=answer(candles([]))).hull is None
