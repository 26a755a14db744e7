"""The arithmetic of spans, against sets of moments."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import CoverageState, Evidence, Span
from candle_sql import Merge
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
