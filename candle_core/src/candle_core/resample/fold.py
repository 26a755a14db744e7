"""Candles of a coarser grid out of finer ones. Pure.

A coarse candle is made only where every slot within it is known: filled, or proven empty. Its open is that of the first
candle, its close that of the last, volumes are sums in float64, added in time order as `numpy.add.reduceat` does
it (which is what pandas does too).
"""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from candle_core.resample.periods import PeriodGrid
from candle_core.resample.slots import Slots
from candle_core.sessions import SessionGrid
from candle_core.spans import Spans
from candle_core.timeframes import EvenGrid, Grid, parse_timeframe
from candle_hookspecs import UNKNOWN_COUNT, CandleBatch, Ints

_Number = TypeVar("_Number", np.float64, np.int64)

DAY: Final = 86_400_000


def can_make(fine: Grid, coarse: Grid) -> bool:
    """Whether each slot of a grid is a union of slots of another.

    Months begin on any day, so they are made of what divides a day, or of shorter months, never of weeks. At an
    exchange that closes, intraday slots count from each opening, and everything longer is made of whole sessions.
    """
    if isinstance(fine, EvenGrid) and isinstance(coarse, EvenGrid):
        if fine.monthly and not coarse.monthly:
            return False
        step, origin = (coarse.step, coarse.origin) if coarse.monthly == fine.monthly else (DAY, 0)
        return step % fine.step == 0 and (origin - fine.origin) % fine.step == 0
    if isinstance(fine, SessionGrid) and isinstance(coarse, SessionGrid):
        daily = [parse_timeframe(grid.timeframe)[1] == "d" for grid in (fine, coarse)]
        return daily[1] or (not daily[0] and coarse.step % fine.step == 0)
    return isinstance(fine, SessionGrid) and isinstance(coarse, PeriodGrid)


def resample(batch: CandleBatch, fine: Grid, coarse: Grid, known: Spans) -> CandleBatch:
    """The candles of a coarser grid.

    A candle off the fine grid belongs to the coarse slot that holds its open time. A slot without any candle has none.
    What an extra column means only its provider knows, so there is none in the result.

    Args:
        batch: every candle of the stretches that are `known`.
        fine: the grid of the batch.
        coarse: the grid wanted; `can_make` says whether that is possible.
        known: where it is proven which candles there are.
    """
    return fold(batch, coarse, whole_slots(batch, fine, coarse, Slots.opening_in(known, fine)))


def whole_slots(batch: CandleBatch, fine: Grid, coarse: Grid, known: Slots) -> Slots:
    """The coarse slots of which every part is known, or filled by a candle of the batch."""
    filled = Slots.at(fine.indices(batch.open_time[fine.on_grid(batch.open_time)]))
    return (known | filled).coarser(fine, coarse)


def fold(batch: CandleBatch, coarse: Grid, wanted: Slots) -> CandleBatch:
    """One candle for each wanted slot in which candles of the batch open."""
    slots = coarse.indices(batch.open_time)
    mine = wanted.hold(slots)
    if not mine.all():
        batch, slots = batch[mine], slots[mine]
    if not len(batch):
        return CandleBatch.empty()
    first = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    last = np.append(first[1:], len(slots)) - 1
    return CandleBatch(
        open_time=coarse.opens(slots[first]),
        open=batch.open[first],
        high=np.maximum.reduceat(batch.high, first),
        low=np.minimum.reduceat(batch.low, first),
        close=batch.close[last],
        volume=np.add.reduceat(batch.volume, first),
        quote_volume=_sums(batch.quote_volume, first),
        trades=_counts(batch.trades, first),
        taker_buy_volume=_sums(batch.taker_buy_volume, first),
    )


def _sums(column: NDArray[np.float64] | None, first: Ints) -> NDArray[np.float64] | None:
    return None if column is None else np.add.reduceat(column, first)


def _counts(trades: Ints | None, first: Ints) -> Ints | None:
    """Sums; unknown where one of the counts is."""
    if trades is None:
        return None
    unknown = np.logical_or.reduceat(trades == UNKNOWN_COUNT, first)
    return np.where(unknown, UNKNOWN_COUNT, np.add.reduceat(trades, first))
