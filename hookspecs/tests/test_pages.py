"""What `Page.of` derives from an ordinary answer, against a plain reading of the contract."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Anchor,
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    LimitFeedback,
    MalformedAnswerError,
    Market,
    Page,
    Span,
)

MARKET = Market(
    archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
SPAN = Span(100, 200)


def batch_of(times: list[int]) -> CandleBatch:
    columns: dict[str, Any] = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS}
    return CandleBatch.from_columns(columns | {"open_time": np.array(times, np.int64)})


def page_of(anchor: Anchor, times: list[int], limit: int = 5, span: Span = SPAN) -> Page:
    request = FetchRequest(markets=(MARKET,), timeframe="1m", span=span, anchor=anchor, limit=limit)
    return Page.of(request, batch_of(times), answered_at=1_000, size=77)


START, END = Anchor.START, Anchor.END


@pytest.mark.parametrize(
    ("anchor", "times", "proven", "asserted"),
    [
        pytest.param(START, [120, 140], (100, 141), (141, 200), id="short"),
        pytest.param(START, [100, 120, 140, 160, 180], (100, 181), None, id="full"),
        pytest.param(START, [100, 120, 140, 160, 180, 190], (100, 191), None, id="more-than-full"),
        pytest.param(START, [], None, (100, 200), id="empty"),
        pytest.param(START, [150, 260], (100, 261), None, id="row-beyond"),
        pytest.param(START, [260], (100, 261), None, id="only-a-row-beyond"),
        pytest.param(START, [199], (100, 200), None, id="last-moment"),
        pytest.param(START, [140, 120], (100, 141), (141, 200), id="newest-first"),
        pytest.param(START, [120, 120, 140, 140, 160], (100, 161), None, id="repeats-fill-a-page"),
        pytest.param(END, [140, 120], (120, 200), (100, 120), id="end-short"),
        pytest.param(END, [110, 120, 140, 160, 180], (110, 200), None, id="end-full"),
        pytest.param(END, [], None, (100, 200), id="end-empty"),
        pytest.param(END, [40, 150], (40, 200), None, id="end-row-before"),
        pytest.param(END, [100], (100, 200), None, id="end-first-moment"),
    ],
)
def test_what_an_answer_proves(
    anchor: Anchor, times: list[int], proven: tuple[int, int] | None, asserted: tuple[int, int] | None
) -> None:
    page = page_of(anchor, times)
    assert [(proof.span, proof.evidence, proof.state) for proof in page.proofs] == (
        [(Span(*proven), Evidence.ANCHORED, CoverageState.ANSWERED)] if proven else []
    )
    assert page.asserted == (Span(*asserted) if asserted else None)
    assert page.batch.open_time.tolist() == sorted(set(times))
    assert (page.answered_at, page.size, page.feedback) == (1_000, 77, LimitFeedback())


@pytest.mark.parametrize(
    ("anchor", "times"),
    [(START, [99, 120]), (START, [40]), (END, [150, 200]), (END, [260]), (START, [120, 110, 130]), (END, [2, 1, 3])],
    ids=["before", "far-before", "at-the-end", "behind", "disordered", "end-disordered"],
)
def test_an_answer_that_contradicts_its_request_is_malformed(anchor: Anchor, times: list[int]) -> None:
    with pytest.raises(MalformedAnswerError) as caught:
        page_of(anchor, times)
    assert "BTC/USDT" in str(caught.value)


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[set[int], Span, int, Anchor]:
    start = draw(st.integers(0, 40))
    span = Span(start, start + draw(st.integers(1, 40)))
    return draw(st.sets(st.integers(0, 90))), span, draw(st.integers(1, 8)), draw(st.sampled_from(Anchor))


@given(exchanges(), st.booleans())
def test_no_proof_covers_a_candle_that_did_not_come(
    exchange: tuple[set[int], Span, int, Anchor], bounded: bool
) -> None:
    """An honest exchange, whether it stops at the far end of the span or not."""
    candles, span, limit, anchor = exchange
    if anchor is START:
        came = sorted(time for time in candles if time >= span.start and not (bounded and time >= span.end))[:limit]
    else:
        came = sorted(time for time in candles if time < span.end and not (bounded and time < span.start))[-limit:]
    page = page_of(anchor, came, limit, span)
    said = [proof.span for proof in page.proofs] + ([page.asserted] if page.asserted else [])
    for stretch in said:
        assert {time for time in candles if time in stretch} <= set(came)
    if len(came) < limit:
        assert set(range(span.start, span.end)) <= {
            moment for stretch in said for moment in range(stretch.start, stretch.end)
        }, "a short page speaks of its whole span"


def test_a_page_of_candles_needs_a_span() -> None:
    with pytest.raises(ValueError, match="span"):
        Page.of(FetchRequest(markets=(MARKET,)), batch_of([]), answered_at=0)


def test_a_request_says_what_it_asks() -> None:
    request = FetchRequest(markets=(MARKET,), timeframe="1m", span=Span.of("2024-01-01", "2024-01-02"), anchor=END)
    assert str(request) == "candles of BTC/USDT 1m [2024-01-01T00:00:00Z, 2024-01-02T00:00:00Z) from the end"
    assert request.market is MARKET
    two = FetchRequest(kind=Kind.TICKERS, markets=(MARKET, MARKET))
    with pytest.raises(ValueError, match="too many"):
        _ = two.market
