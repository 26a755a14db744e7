"""One market: the synthesis, disturbed by its listing dates, holes, quiet stretches and off-grid rows."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.config import MarketConfig, OffGrid
from candle_testkit.sandbox.stretches import ABSENT, FOREVER, NORMAL, QUIET, Stretches
from candle_testkit.sandbox.synth import (
    CLOSE,
    DAY,
    HIGH,
    LEVEL_MS,
    LOW,
    OPEN,
    QUOTE,
    ROWS,
    SECOND,
    TRADES,
    VOLUME,
    Ints,
    Shape,
    Synth,
    draw,
    fold,
)
from candle_testkit.sandbox.timeframes import TIMEFRAMES, Timeframe

#: A candle, all integers: instants in UTC ms, everything with a decimal point in units of 1e-8.
CANDLE: Final = np.dtype(
    [
        (name, np.int64)
        for name in (
            "open_time", "open", "high", "low", "close", "volume", "close_time",
            "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume",
        )
    ]
)  # fmt: skip

Rows = NDArray[np.void]

_CHUNK: Final = 16_384
_LONGEST_STEP: Final = 4_000_000
_SECOND_MS: Final = LEVEL_MS[SECOND]


class Market:
    """The truth about one market. Every method is pure: what it answers depends on its arguments alone."""

    chunk: ClassVar[int] = _CHUNK

    def __init__(self, config: MarketConfig, seed: int) -> None:
        self.config = config
        self._units = config.tick_units, config.step_units, config.quote_units
        self._listed = config.listed_ms
        letters = np.frombuffer(config.symbol.encode(), dtype=np.uint8).astype(np.int64)
        key = seed & 0xFFFF_FFFF
        for letter in letters:
            key = int(draw(key, 7, np.array([letter]))[0])
        self.synth = Synth(Shape(key, config.price_ticks, config.daily_steps, config.daily_trades))
        before = [(-FOREVER, self._listed)]
        after = [] if config.delisted_ms is None else [(config.delisted_ms, FOREVER)]
        self.stretches = Stretches([*before, *config.hole_spans, *after], config.quiet_spans)
        self._off_grid: dict[str, dict[int, OffGrid]] = {}
        for row in config.off_grid:
            grid = TIMEFRAMES[row.timeframe]
            self._off_grid.setdefault(row.timeframe, {})[grid.slot(row.slot_ms)] = row
        self._known = lru_cache(maxsize=4096)(self._over)

    def candles(self, timeframe: str, first: int, stop: int, now: int) -> Rows:
        """Every row of the slots ``first <= slot < stop`` that exists at ``now``, the unfinished one included."""
        grid = TIMEFRAMES[timeframe]
        stop = min(stop, grid.slot(now) + 1)
        parts = [
            self._chunk(grid, start, min(start + self.chunk, stop), now) for start in range(first, stop, self.chunk)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=CANDLE)

    def page(self, timeframe: str, start: int | None, end: int | None, limit: int, now: int, *, reach: int = 0) -> Rows:
        """What the wire answers: both ends inclusive on the open time; oldest first from ``start``, else newest.

        The newest are sought back to ``reach``.
        """
        last = now if end is None else min(end, now)
        if start is not None:
            return self._forward(TIMEFRAMES[timeframe], start, last, limit, now)
        return self._backward(TIMEFRAMES[timeframe], last, limit, now, reach)

    def price_at(self, instant: int) -> int:
        """Price at the opening of the second that holds ``instant``, in units of 1e-8."""
        return self._price(instant) * self._units[0]

    def over(self, start: int, end: int) -> Rows:
        """One row for ``[start, end)``, cut to whole seconds; none when nothing was there."""
        bars = self._over(start - start % _SECOND_MS, end - end % _SECOND_MS)
        return self._rows(bars, np.full(bars.shape[1], start), np.full(bars.shape[1], end))

    def _forward(self, grid: Timeframe, start: int, last: int, limit: int, now: int) -> Rows:
        slot, final = grid.slot(max(start, self._listed)), grid.slot(last)
        parts: list[Rows] = []
        wanted = limit
        while wanted > 0 and slot <= final:
            present = self.stretches.present_from(grid.open(slot))
            if present >= FOREVER:
                break
            slot = max(slot, grid.slot(present))
            stop = min(final + 1, slot + max(wanted + 1, 16))
            rows = self._within(self.candles(grid.name, slot, stop, now), start, last)
            parts.append(rows[:wanted])
            wanted, slot = wanted - len(rows), stop
        return np.concatenate(parts) if parts else np.empty(0, dtype=CANDLE)

    def _backward(self, grid: Timeframe, last: int, limit: int, now: int, reach: int) -> Rows:
        stop, first = grid.slot(last) + 1, grid.slot(max(self._listed, reach))
        parts: list[Rows] = []
        wanted, size = limit, max(limit, 16)
        while wanted > 0 and stop > first:
            stop = min(stop, grid.slot(self.stretches.present_before(grid.open(stop) - 1)) + 1)
            start = max(first, stop - size)
            rows = self._within(self.candles(grid.name, start, stop, now), reach, last)
            parts.append(rows[max(len(rows) - wanted, 0) :])
            wanted, stop, size = wanted - len(rows), start, min(size * 4, _LONGEST_STEP)
        return np.concatenate(parts[::-1]) if parts else np.empty(0, dtype=CANDLE)

    @staticmethod
    def _within(rows: Rows, start: int, last: int) -> Rows:
        return rows[(rows["open_time"] >= start) & (rows["open_time"] <= last)]

    def _chunk(self, grid: Timeframe, first: int, stop: int, now: int) -> Rows:
        bounds = grid.opens(first, stop + 1)
        opens, ends = bounds[:-1], bounds[1:]
        segments, last_segments = self.stretches.segments(opens), self.stretches.segments(ends - 1)
        whole = (segments == last_segments) & (ends <= now)
        kinds = self.stretches.kinds[segments]
        bars = np.empty((ROWS, stop - first), dtype=np.int64)
        present = whole & (kinds == NORMAL)
        if present.any():
            low, high = int(present.argmax()), stop - first - int(present[::-1].argmax())
            bars[:, low:high] = self._plain(grid, first + low, first + high)
        for index in np.flatnonzero(~present & ~(whole & (kinds == ABSENT))):
            one = (
                self._known(int(opens[index]), int(ends[index]))
                if ends[index] <= now
                else self._unfinished(int(opens[index]), now)
            )
            if one.shape[1]:
                present[index], bars[:, index] = True, one[:, 0]
        rows = self._rows(bars[:, present], opens[present], ends[present])
        return self._displaced(grid, rows, first, stop, now)

    def _plain(self, grid: Timeframe, first: int, stop: int) -> Ints:
        """Undisturbed bars of a timeframe."""
        unit = LEVEL_MS[grid.base]
        bounds = grid.opens(first, stop + 1) // unit
        bars = self.synth.bars(grid.base, int(bounds[0]), int(bounds[-1]))
        return bars if grid.size == unit else fold(bars, bounds[:-1] - bounds[0])

    def _unfinished(self, start: int, now: int) -> Ints:
        """The bar so far: its closed seconds, or flat at the price it opened at when there are none yet."""
        bars = self._over(start, now - now % _SECOND_MS)
        if bars.shape[1] or self.stretches.kind(now) == ABSENT:
            return bars
        return self._flat(self._price(now))

    def _over(self, start: int, end: int) -> Ints:
        """One bar ``(10, 1)`` over whole seconds ``[start, end)``, or ``(10, 0)``: the sum of what is there."""
        parts: list[Ints] = []
        for a, b, kind in self.stretches.pieces(start, end):
            if kind == QUIET:
                parts.append(self._flat(self._price(a)))
            elif kind == NORMAL:
                parts.extend(self.synth.bars(level, i, j) for level, i, j in level_runs(a, b))
        bars = np.concatenate(parts, axis=1) if parts else np.empty((ROWS, 0), dtype=np.int64)
        return fold(bars, np.zeros(min(bars.shape[1], 1), dtype=np.int64))

    def _price(self, instant: int) -> int:
        while self.stretches.kind(instant) == QUIET:
            anchor = self.stretches.quiet_anchor(instant)
            if self.stretches.kind(anchor - 1) != QUIET:
                return self.synth.price_at(anchor)
            instant = anchor - 1
        return self.synth.price_at(instant)

    @staticmethod
    def _flat(price: int) -> Ints:
        bar = np.zeros((ROWS, 1), dtype=np.int64)
        bar[OPEN : CLOSE + 1] = price
        return bar

    def _displaced(self, grid: Timeframe, rows: Rows, first: int, stop: int, now: int) -> Rows:
        """Move or double the rows that the configuration wants off the grid, once their slot has closed."""
        special = self._off_grid.get(grid.name, {})
        for slot in sorted(slot for slot in special if first <= slot < stop and grid.open(slot + 1) <= now):
            row, opened, end = special[slot], grid.open(slot), grid.open(slot + 1)
            at = np.searchsorted(rows["open_time"], opened)
            if at == len(rows) or rows["open_time"][at] != opened:
                continue
            moved = opened + row.offset_ms
            if row.extra:
                # Both parts are cut at a whole second, the wire shows the configured instant.
                pair = np.concatenate((self.over(opened, moved), self.over(moved, end)))
                rows = np.concatenate((rows[:at], pair, rows[at + 1 :]))
            else:
                rows["open_time"][at] = moved
        return rows

    def _rows(self, bars: Ints, opens: Ints, ends: Ints) -> Rows:
        ticks, steps, quotes = self._units
        rows = np.empty(bars.shape[1], dtype=CANDLE)
        rows["open_time"], rows["close_time"] = opens, ends - 1
        for name, row in (("open", OPEN), ("high", HIGH), ("low", LOW), ("close", CLOSE)):
            rows[name] = bars[row] * ticks
        rows["trades"] = bars[TRADES].sum(axis=0)
        rows["volume"] = bars[VOLUME].sum(axis=0) * steps
        rows["quote_volume"] = bars[QUOTE].sum(axis=0) * quotes
        rows["taker_buy_volume"] = bars[VOLUME][1] * steps
        rows["taker_buy_quote_volume"] = bars[QUOTE][1] * quotes
        return rows


def level_runs(start: int, end: int, level: int = DAY) -> list[tuple[int, int, int]]:
    """``[start, end)`` in the fewest runs of whole bars, as ``(level, first, stop)`` in time order."""
    unit = LEVEL_MS[level]
    first, stop = -(-start // unit), end // unit
    if level == SECOND:
        return [(level, first, stop)] if first < stop else []
    if first >= stop:
        return level_runs(start, end, level + 1)
    before, after = level_runs(start, first * unit, level + 1), level_runs(stop * unit, end, level + 1)
    return [*before, (level, first, stop), *after]
