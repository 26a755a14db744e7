"""A market of an exchange that leaves out every candle in which nothing was traded."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.stretches import NORMAL
from candle_testkit.sandbox.synth import LEVEL_MS, ROWS, TRADES, Ints, fold
from candle_testkit.sandbox.timeframes import Timeframe

_UNTRADED: Final = np.empty((ROWS, 0), dtype=np.int64)


class TradedMarket(Market):
    """The same history, told only where it traded: a quiet stretch is as empty as a hole.

    Its price in between stays where the last trade left it, so a bar opens where the one before it closed.
    """

    # Whole stretches cost by what traded in them, so they may be long.
    chunk: ClassVar[int] = 1 << 17

    def _chunk(self, grid: Timeframe, first: int, stop: int, now: int) -> Rows:
        """Undisturbed slots from the trades alone; those that an edge cuts, or that are not over, one by one."""
        slots, bars = self._plain_traded(grid, first, stop)
        opens, ends = grid.starts(slots), grid.starts(slots + 1)
        plain = (self.stretches.segments(opens) == self.stretches.segments(ends - 1)) & (ends <= now)
        plain &= self.stretches.kinds[self.stretches.segments(opens)] == NORMAL
        special = self._special(grid, first, stop, now)
        cut = [self._cut(grid, slot, now) for slot in special]
        there = np.array([bar.shape[1] > 0 for bar in cut], dtype=bool)
        slots = np.concatenate((slots[plain], np.array(special, dtype=np.int64)[there]))
        bars = np.concatenate((bars[:, plain], *cut), axis=1)
        order = np.argsort(slots)
        slots = slots[order]
        return self._rows(bars[:, order], grid.starts(slots), grid.starts(slots + 1))

    def _special(self, grid: Timeframe, first: int, stop: int, now: int) -> list[int]:
        """Slots that an edge of a stretch lies inside of, and the unfinished one."""
        edges = self.stretches.edges
        inside = edges[(edges >= grid.open(first)) & (edges < grid.open(stop))].tolist()
        cut = {grid.slot(edge) for edge in inside if grid.open(grid.slot(edge)) != edge}
        return sorted(slot for slot in {*cut, grid.slot(now)} if first <= slot < stop)

    def _cut(self, grid: Timeframe, slot: int, now: int) -> Ints:
        start, end = grid.open(slot), min(grid.open(slot + 1), now - now % 1000)
        bar = self._known(start, end) if start < end else _UNTRADED
        return bar if bar.shape[1] and bar[TRADES].any() else _UNTRADED

    def _plain_traded(self, grid: Timeframe, first: int, stop: int) -> tuple[Ints, Ints]:
        """Slots that traded and their bars, as if nothing disturbed them."""
        unit = LEVEL_MS[grid.base]
        numbers, bars = self.synth.traded(grid.base, grid.open(first) // unit, grid.open(stop) // unit)
        if grid.size == unit:
            return numbers, bars
        slots, starts = np.unique(grid.slots(numbers * unit), return_index=True)
        return slots, fold(bars, starts)
