"""Only what is final is kept, and proof reaches no further than the exchange can know."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.checks import check, settled_until
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Anchor,
    CandleBatch,
    FetchRequest,
    MalformedAnswerError,
    Market,
    Page,
    ProviderCapabilities,
    Span,
    to_ms,
)

MINUTE = 60_000
NOON = to_ms("2024-01-01T12:00")
GRID = Grid.of("1m")
MARKET = Market(
    archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip


def able(settle: int = 2_000, doubt: int = 0) -> ProviderCapabilities:
    return ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=1_000, settle=settle, doubt=doubt
    )


def batch_of(times: list[int], **changes: Any) -> CandleBatch:
    columns: dict[str, Any] = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS}
    return CandleBatch.from_columns(columns | {"open_time": np.array(times, np.int64)} | changes)


def page_of(
    times: list[int], answered_at: int, span: Span, anchor: Anchor = Anchor.START, limit: int = 1_000, **changes: Any
) -> Page:
    request = FetchRequest(markets=(MARKET,), timeframe="1m", span=span, anchor=anchor, limit=limit)
    return Page.of(request, batch_of(times, **changes), answered_at=answered_at)


def test_the_open_candle_is_left_out() -> None:
    span = Span(NOON - 3 * MINUTE, NOON + 5 * MINUTE)
    page = page_of([NOON - 3 * MINUTE, NOON - 2 * MINUTE, NOON - MINUTE, NOON], NOON + 30_000, span)
    checked = check(page, GRID, able())
    assert checked.batch.open_time.tolist() == [NOON - 3 * MINUTE, NOON - 2 * MINUTE, NOON - MINUTE]
    assert checked.open_rows == 1
    assert [proof.span for proof in checked.proofs] == [Span(span.start, NOON)]
    assert checked.settled == NOON


@pytest.mark.parametrize(("late", "kept"), [(0, False), (1_999, False), (2_000, True), (2_001, True)], ids=str)
def test_a_candle_is_final_when_it_closed_and_settled(late: int, kept: bool) -> None:
    page = page_of([NOON - MINUTE], NOON + late, Span(NOON - 5 * MINUTE, NOON))
    checked = check(page, GRID, able(settle=2_000))
    assert len(checked.batch) == kept
    assert settled_until(GRID, NOON + late, 2_000) == (NOON if kept else NOON - MINUTE)


def test_a_candle_off_the_grid_closes_one_slot_after_its_own_open_time() -> None:
    shifted = NOON - 30_000  # as on 2018-02-11 at Binance; closes at 12:00:30
    span = Span(NOON - MINUTE + 1, NOON)
    early, late = (check(page_of([shifted], moment, span), GRID, able(settle=0)) for moment in (NOON, NOON + 30_000))
    assert (len(early.batch), len(late.batch)) == (0, 1)
    assert [proof.span for proof in early.proofs] == [Span(span.start, shifted)]
    assert [proof.span for proof in late.proofs] == [Span(span.start, shifted + 1)]


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_condemns_the_page(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: [1, value]}
    page = page_of([NOON - MINUTE, NOON], NOON + 10 * MINUTE, Span(NOON - MINUTE, NOON + MINUTE), **changes)
    with pytest.raises(MalformedAnswerError, match=rf"'{name}' at 2024-01-01T12:00:00Z"):
        check(page, GRID, able())


def test_an_unknown_optional_value_is_no_fault() -> None:
    page = page_of([NOON], NOON + 10 * MINUTE, Span(NOON, NOON + MINUTE), quote_volume=[float("nan")])
    assert len(check(page, GRID, able()).batch) == 1


@given(
    st.sets(st.integers(0, 40 * MINUTE), max_size=12),
    st.integers(0, 45 * MINUTE),
    st.sampled_from([0, 1_500, 2_000, 90_000]),
    st.sampled_from([0, 5 * MINUTE]),
    st.sampled_from(Anchor),
    st.sampled_from([3, 1_000]),
)
def test_nothing_that_may_still_change_is_kept_or_proven(
    offsets: set[int], now: int, settle: int, doubt: int, anchor: Anchor, limit: int
) -> None:
    span = Span(NOON, NOON + 41 * MINUTE)
    there = sorted(NOON + offset for offset in offsets if offset <= now)
    came = there[:limit] if anchor is Anchor.START else there[-limit:]
    checked = check(page_of(came, NOON + now, span, anchor, limit), GRID, able(settle, doubt))
    final = [
        time for time in came
        if (time - time % MINUTE + MINUTE) + time % MINUTE + settle <= NOON + now
    ]  # fmt: skip
    open_from = min([time for time in came if time not in final], default=2**62)
    assert checked.batch.open_time.tolist() == [time for time in final if time < min(open_from, checked.settled)]
    assert len(checked.batch) + checked.open_rows == len(came)
    said = [proof.span for proof in checked.proofs] + list(checked.asserted)
    assert all(span.end <= min(open_from, NOON + now - settle) for span in said)
    # Emptiness behind the newest candle is believed only when old enough; one that fills its slot runs to its end.
    runs_until = NOON if not came else came[-1] + (1 if came[-1] % MINUTE else MINUTE)
    for proof in checked.proofs:
        assert proof.span.end <= max(runs_until, NOON + now - settle - doubt)
    if len(came) < limit:
        spoken = Spans.of(said)
        until = min(span.end, checked.settled)
        assert not span.start < until or Spans((Span(span.start, until),)) - spoken == Spans(), (
            "it speaks of all it knows"
        )


def test_the_exchange_may_say_until_when_its_newest_candle_runs() -> None:
    span = Span(NOON, NOON + 10 * MINUTE)
    page = page_of([NOON, NOON + MINUTE], NOON + 60 * MINUTE, span, limit=2)
    (own,) = check(page, GRID, able()).proofs
    (told,) = check(replace(page, reach=NOON + MINUTE + 20_000), GRID, able()).proofs
    assert own.span == Span(NOON, NOON + 2 * MINUTE), "a candle on the grid fills its slot"
    assert told.span == Span(NOON, NOON + MINUTE + 20_000)
