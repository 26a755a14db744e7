"""Coarse candles, against what pandas makes of the same rows, slot by slot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_core.resample import can_make, resample
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import UNKNOWN_COUNT, CandleBatch, Span, to_ms

from .rows import DAY, HOUR, MINUTE, assert_same, by_pandas, candles, milliseconds

EVEN = {
    "7m": ("1m", {"rule": "7min", "origin": "epoch"}),
    "15m": ("5m", {"rule": "15min", "origin": "epoch"}),
    "1h": ("1m", {"rule": "1h", "origin": "epoch"}),
    "3d": ("8h", {"rule": "72h", "origin": "epoch"}),
    "1w": ("1d", {"rule": "W-MON"}),
    "1M": ("1d", {"rule": "MS"}),
    "3M": ("6h", {"rule": "QS"}),
    "1y": ("1M", {"rule": "YS"}),
}
"""Timeframe → what it is made of, and what pandas calls it."""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(EVEN)), st.data())
def test_what_pandas_makes_of_everything_that_is_proven(timeframe: str, data: st.DataObject) -> None:
    """Leap days and turns of years are in the range; holes are proven empty."""
    source, options = EVEN[timeframe]
    fine, coarse = Grid.of(source), Grid.of(timeframe)
    first = fine.index(to_ms("2023-12-30")) + data.draw(st.integers(0, 100))
    kept = data.draw(st.lists(st.booleans(), min_size=1, max_size=400))
    times = fine.opens(first + np.flatnonzero(kept))
    batch = candles(times, data.draw(st.integers(0, 9)))
    if not len(batch):
        return
    known = Spans((Span(0, to_ms("2090-01-01")),))
    assert_same(resample(batch, fine, coarse, known), by_pandas(batch, **options))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(EVEN)), st.data())
def test_only_of_slots_that_are_wholly_known(timeframe: str, data: st.DataObject) -> None:
    """Asked of every slot one by one: is each of its parts filled or proven?"""
    source, options = EVEN[timeframe]
    fine, coarse = Grid.of(source), Grid.of(timeframe)
    first = fine.index(to_ms("2024-02-27"))
    count = data.draw(st.integers(1, 200))
    opens = fine.opens(first + np.arange(count + 1)).tolist()
    filled = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    edges = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, 60)), max_size=5))
    known = Spans.of(Span(opens[start], opens[min(start + length, count)]) for start, length in edges)
    batch = candles([opening for opening, one in zip(opens, filled, strict=False) if one])
    stored = set(batch.open_time.tolist())
    whole = []
    for opening in sorted({coarse.floor(moment) for moment in stored}):
        parts, part = [], opening
        while part < coarse.after(opening):
            parts.append(part in known or part in stored)
            part = fine.after(part)
        if all(parts):
            whole.append(opening)
    made = resample(batch, fine, coarse, known)
    assert made.open_time.tolist() == whole
    if whole:
        wanted = by_pandas(batch, **options)
        assert_same(made, wanted[np.isin(milliseconds(wanted), whole)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=120, unique=True), st.sampled_from(["7m", "1h"]))
def test_rows_off_the_grid_belong_to_the_slot_that_holds_them(moments: list[int], timeframe: str) -> None:
    start = to_ms("2018-02-09T09:00")
    batch = candles(sorted(start + moment for moment in moments))
    made = resample(batch, Grid.of("1m"), Grid.of(timeframe), Spans((Span(start - DAY, start + DAY),)))
    assert_same(made, by_pandas(batch, **EVEN[timeframe][1]))


def test_a_slot_that_is_still_open_is_left_out() -> None:
    minutes = [n * MINUTE for n in range(17)]
    made = resample(candles(minutes), Grid.of("1m"), Grid.of("7m"), Spans((Span(0, 17 * MINUTE),)))
    assert made.open_time.tolist() == [0, 7 * MINUTE]
    proven = Spans((Span(0, 20 * MINUTE + 1),))  # proof ends 1 ms behind the last opening
    assert resample(candles(minutes), Grid.of("1m"), Grid.of("7m"), proven).open_time[-1] == 14 * MINUTE


def test_columns_that_are_not_there_and_values_that_are_not_known() -> None:
    times = np.arange(4) * MINUTE
    ones, known = np.ones(4), Spans((Span(0, 4 * MINUTE),))
    bare = CandleBatch(times, ones, ones, ones, ones, ones, extra={"vwap": ones})
    made = resample(bare, Grid.of("1m"), Grid.of("2m"), known)
    assert (made.quote_volume, made.trades, made.taker_buy_volume, dict(made.extra)) == (None, None, None, {})
    quote, trades = np.array([1.0, 2, 3, np.nan]), np.array([5, UNKNOWN_COUNT, 5, 6])
    part = CandleBatch(times, ones, ones, ones, ones, ones, quote_volume=quote, trades=trades)
    made = resample(part, Grid.of("1m"), Grid.of("2m"), known)
    assert made.trades is not None
    assert made.quote_volume is not None
    assert made.trades.tolist() == [UNKNOWN_COUNT, 11]
    np.testing.assert_array_equal(made.quote_volume, [3, np.nan])


def test_nothing_comes_of_nothing() -> None:
    known = Spans((Span(0, DAY),))
    assert len(resample(CandleBatch.empty(), Grid.of("1m"), Grid.of("1h"), known)) == 0
    assert len(resample(candles([0]), Grid.of("1m"), Grid.of("1h"), Spans())) == 0


@pytest.mark.parametrize(
    ("fine", "coarse", "possible"),
    [
        ("1m", "7m", True), ("15m", "1h", True), ("1h", "60m", True), ("7h", "1d", False), ("45m", "1h", False),
        ("1d", "1w", True), ("1d", "1M", True), ("8h", "1M", True), ("7h", "1M", False), ("1w", "1M", False),
        ("3d", "1M", False), ("3d", "1w", False), ("1M", "1y", True), ("1M", "1w", False), ("5M", "1y", False),
        ("1w", "2w", True), ("1h", "1m", False), ("1d", "3d", True), ("7d", "1w", False),
    ],
)  # fmt: skip
def test_what_can_be_made_of_what(fine: str, coarse: str, possible: bool) -> None:
    """As the calendar says: each opening of a coarse slot is an opening of a fine one, for a hundred years."""
    assert can_make(Grid.of(fine), Grid.of(coarse)) is possible
    long = Grid.of(coarse)
    openings = long.opens(np.arange(long.index(0), long.index(to_ms("2070-01-01")), 1 if long.monthly else 997))
    finer = Grid.of(fine).count(Span(0, 10_000 * DAY)) >= long.count(Span(0, 10_000 * DAY))
    assert bool(finer and Grid.of(fine).on_grid(openings).all()) is possible


def test_the_anchor_of_a_provider_decides() -> None:
    thursday, monday = Grid.of("1w", 0), Grid.of("1w")
    assert can_make(Grid.of("1d"), thursday)
    assert not can_make(monday, Grid.of("2w", 0))
    batch = candles(np.arange(14) * DAY)  # 1970-01-01 was a Thursday
    known = Spans((Span(-DAY, 14 * DAY),))
    assert resample(batch, Grid.of("1d"), thursday, known).open_time.tolist() == [0, 7 * DAY]
    assert resample(batch, Grid.of("1d"), monday, known).open_time.tolist() == [4 * DAY]
