"""Windows, and facts made of proofs."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.plan import as_facts, cut
from candle_core.timeframes import EvenGrid, Grid
from candle_hookspecs import (
    Anchor,
    Coverage,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    Market,
    Proof,
    ProviderCapabilities,
    Span,
    to_ms,
)

MARKET = Market(
    archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip


def able(page_limit: int) -> ProviderCapabilities:
    return ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=page_limit,
        costs={Kind.CANDLES: {"weight": 2}},
    )  # fmt: skip


def wish(span: Span, anchor: Anchor) -> FetchRequest:
    return FetchRequest(markets=(MARKET,), timeframe="1m", span=span, anchor=anchor)


def spans_of(windows: list[FetchRequest]) -> list[Span]:
    return [window.span for window in windows if window.span is not None]


@given(
    st.integers(0, 500), st.integers(1, 400), st.integers(1, 12), st.integers(1, 20), st.integers(0, 19),
    st.sampled_from(Anchor),
)  # fmt: skip
def test_windows_partition_the_span(start: int, length: int, size: int, step: int, origin: int, anchor: Anchor) -> None:
    span, grid = Span(start, start + length), EvenGrid("any", step, origin % step)
    windows = cut(wish(span, anchor), grid, able(size))
    spans = spans_of(windows)
    assert (spans[0].start, spans[-1].end) == (span.start, span.end)
    assert all(before.end == after.start for before, after in pairwise(spans))
    opens = [moment for moment in range(span.start, span.end) if (moment - origin) % step == 0]
    assert len(windows) == max(1, -(-len(opens) // size)), "no more calls than pages"
    for window, inside in zip(windows, spans, strict=True):
        slots = [moment for moment in opens if moment in inside]
        assert 1 <= window.limit <= size
        assert window.limit >= min(size, len(slots)), "a full page can hold every slot of its window"
        assert (window.anchor, window.costs) == (anchor, {"weight": 2})
    for before, after in pairwise(spans):
        if anchor is Anchor.START:
            assert before.end - 1 in opens, "ends 1 ms behind an open time: a full page proves it to the end"
        else:
            assert after.start in opens, "starts at an open time"


def test_months_are_cut_as_months() -> None:
    span = Span.of("2023-11-15", "2024-06-01")  # six first days of a month lie inside
    windows = cut(wish(span, Anchor.START), Grid.of("1M"), able(3))
    edge = to_ms("2024-02-01") + 1
    assert spans_of(windows) == [Span(span.start, edge), Span(edge, span.end)]
    windows = cut(wish(span, Anchor.END), Grid.of("1M"), able(4))
    edge = to_ms("2024-02-01")
    assert spans_of(windows) == [Span(span.start, edge), Span(edge, span.end)]


def test_the_present_state_is_one_call() -> None:
    request = FetchRequest(kind=Kind.TICKERS, markets=(MARKET, MARKET))
    assert cut(request, Grid.of("1m"), able(5)) == [replace(request, costs={})]


def test_facts_unite_what_touches_and_is_alike() -> None:
    proofs = [
        Proof(Span(10, 20), Evidence.ANCHORED),
        Proof(Span(0, 10), Evidence.ANCHORED),
        Proof(Span(20, 30), Evidence.REPEATED),
        Proof(Span(30, 40), Evidence.LISTING, CoverageState.NOT_LISTED),
        Proof(Span(50, 60), Evidence.ANCHORED),
    ]
    answered = CoverageState.ANSWERED
    assert sorted(as_facts(proofs, "x:rest", 7), key=lambda fact: fact.span) == [
        Coverage(Span(0, 20), answered, Evidence.ANCHORED, "x:rest", 7),
        Coverage(Span(20, 30), answered, Evidence.REPEATED, "x:rest", 7),
        Coverage(Span(30, 40), CoverageState.NOT_LISTED, Evidence.LISTING, "x:rest", 7),
        Coverage(Span(50, 60), answered, Evidence.ANCHORED, "x:rest", 7),
    ]
    assert as_facts([], "x:rest", 7) == ()


@pytest.mark.parametrize("anchor", list(Anchor))
def test_ten_years_of_minutes_are_cut_by_pages(anchor: Anchor) -> None:
    windows = cut(wish(Span.of("2024-01-01", "2024-02-01"), anchor), Grid.of("1m"), able(1_000))
    assert len(windows) == 45
    assert sum(window.limit for window in windows) in range(44_640, 44_642)
