"""Candles as a chart draws them: a range cut into bars of equal length, each told apart by what is known of it."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_core.coverage import Known
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, read_facts
from candle_core.provider import Provider
from candle_core.ranges import Bounds
from candle_core.reading import read_chunks
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import (
    BadSpanError,
    CandleBatch,
    Floats,
    Ints,
    LoadRead,
    Span,
    Symbol,
    SymbolRecord,
)

STATES: Final = ("filled", "proven_empty", "not_listed", "out_of_reach", "missing")
"""What a slot can be, in the words of `SlotReport`."""

_SECOND: Final = 1_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND
_ROUND: Final = sorted(
    count * unit
    for unit, counts in {
        _SECOND: (1, 2, 5, 10, 15, 30),
        _MINUTE: (1, 2, 3, 5, 10, 15, 30),
        _HOUR: (1, 2, 3, 4, 6, 8, 12),
        _DAY: (1, 2, 3, 7, 14, 28, 56, 91, 182, 364, 728),
    }.items()
    for count in counts
)
"""Lengths that people like a bar to have, milliseconds;"""

_MONTHS: Final = (1, 2, 3, 4, 6, 12, 24, 36, 60, 120)
"""the same in months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars of equal length, in time order; each takes up `slots_per_bar` slots of the grid.

    Attributes:
        name: of the market, as ccxt spells it.
        span: the range drawn; the first and the last bar may reach over it.
        bar_length: what a bar takes up, such as ``4h``.
        open_time: int64, UTC ms: where each bar's first slot opens.
        open, high, low, close, volume: float64; the first, highest, lowest, last value and the sum of the candles
            that open inside the bar; NaN where there is none.
        candles: int64, how many these are.
        slots: state → int64, how many of the bar's slots, inside the range, are in it; see `STATES`.
    """

    symbol: Symbol
    name: str
    span: Span
    slots_per_bar: int
    bar_length: str
    open_time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    candles: Ints
    slots: dict[str, Ints]

    def __len__(self) -> int:
        return len(self.open_time)

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which bars have a candle."""
        return self.candles > 0


async def make_chart(kernel: Kernel, provider: Provider, record: SymbolRecord, bounds: Bounds, bars: int) -> Chart:
    """Read a range and fit it into so many bars. One chunk of rows is in memory at a time.

    A range without an end ends with the newest stored candle; one without a start either has as many slots as there
    are bars.

    Raises:
        BadSpanError: nothing is stored, and the range does not say where it lies; or it lies behind what is stored.
    """
    grid = await provider.open_grid(record.symbol.timeframe)
    span = await _range(kernel, record, bounds, grid)
    first, behind = grid.index(span.start - 1) + 1, grid.index(span.end - 1) + 1
    if first >= behind:
        raise BadSpanError(f"{span!s} holds no slot of {record.symbol.timeframe!r}; take a longer range")
    each = _slots_per_bar(grid, first, behind, bars)
    edges = np.arange(first // each, -(-behind // each) + 1) * each
    known = Known.of(await read_facts(kernel, record, span), Pipeline.sources(provider))
    whole = Spans((span,))
    states = {
        "proven_empty": known.answered & whole,
        "not_listed": known.not_listed & whole,
        "out_of_reach": known.out_of_reach & whole,
        "missing": whole - known.covered,
    }
    slots = {name: _counts(spans, grid, edges) for name, spans in states.items()}
    slots["filled"] = np.zeros(len(edges) - 1, np.int64)
    fold = _Fold(len(edges) - 1)
    async for batch in read_chunks(kernel.storage(), LoadRead(symbol=record.symbol, span=span, columns=())):
        bar = grid.indices(batch.open_time) // each - edges[0] // each
        fold.add(batch, bar)
        on_grid = grid.on_grid(batch.open_time)
        _count(slots["filled"], bar[on_grid], 1)
        for name, spans in states.items():
            _count(slots[name], bar[on_grid & _inside(batch.open_time, spans)], -1)
    return Chart(
        symbol=record.symbol,
        name=record.market.ccxt_symbol,
        span=span,
        slots_per_bar=each,
        bar_length=_length(grid, each),
        open_time=grid.opens(edges[:-1]),
        slots={name: slots[name] for name in STATES},
        **fold.columns(),
    )


async def _range(kernel: Kernel, record: SymbolRecord, bounds: Bounds, grid: Grid) -> Span:
    end = bounds.end
    if end is None and (bounds.start is None or bounds.count is None):
        newest = await kernel.storage().load(LoadRead(symbol=record.symbol, columns=(), limit=1, newest_first=True))
        if not len(newest):
            raise BadSpanError(
                f"nothing is stored of {record.symbol!s}; `candle collect` fetches it, or say where to look"
            )
        end = grid.after(newest.last)
        if bounds.start is not None and bounds.start >= end:
            raise BadSpanError("the range begins behind the newest stored candle; say where it ends as well")
    if bounds.start is None:
        assert bounds.count is not None
        assert end is not None
        return Span(grid.after(end - 1, 1 - bounds.count), end)
    if bounds.count is not None:
        end = grid.after(grid.ceil(bounds.start), bounds.count)
    assert end is not None
    return Span(bounds.start, end)


def _slots_per_bar(grid: Grid, first: int, behind: int, bars: int) -> int:
    """The least number of slots, of a round length if there is one, that fits a range into so many bars.

    Bars begin at multiples of their length since 1970, so a range may touch one bar more than its length tells.
    """

    def fits(each: int) -> bool:
        return -(-behind // each) - first // each <= bars

    least = math.ceil((behind - first) / bars)
    lengths = [length // grid.step for length in (_MONTHS if grid.monthly else _ROUND) if length % grid.step == 0]
    near = (each for each in [1, *lengths] if least <= each <= 3 * least and fits(each))
    # Two bars or more: one of them may be the one too many, so this ends at the length that fits one bar less.
    return next(near, None) or next(each for each in itertools.count(least) if fits(each))


def _length(grid: Grid, slots: int) -> str:
    """In ccxt's notation, by the largest unit that fits."""
    units = {"y": 12, "M": 1} if grid.monthly else {"d": _DAY, "h": _HOUR, "m": _MINUTE, "s": _SECOND}
    length = grid.step * slots
    unit = next(unit for unit, size in units.items() if length % size == 0)
    return f"{length // units[unit]}{unit}"


# ── counting slots ───────────────────────────────────────────────────────────────────────────────────────────────────


def _counts(spans: Spans, grid: Grid, edges: Ints) -> Ints:
    """How many slots of the spans lie between each edge (a slot number) and the next."""
    found = [(grid.index(span.start - 1) + 1, grid.index(span.end - 1) + 1) for span in spans]
    starts, ends = np.array(found, np.int64).reshape(-1, 2).T
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    index = np.searchsorted(starts, edges, side="right")
    running = np.minimum(edges, np.concatenate([[0], ends])[index]) - np.concatenate([[0], starts])[index]
    until = before[np.maximum(index - 1, 0)] + np.where(index > 0, running, 0)
    return np.diff(until)


def _count(counts: Ints, bars: Ints, by: int) -> None:
    counts += by * np.bincount(bars, minlength=len(counts)).astype(np.int64)


def _inside(moments: Ints, spans: Spans) -> NDArray[np.bool_]:
    starts = np.array([span.start for span in spans], np.int64)
    ends = np.array([-(2**63), *(span.end for span in spans)], np.int64)
    return moments < ends[np.searchsorted(starts, moments, side="right")]


# ── folding candles into bars ────────────────────────────────────────────────────────────────────────────────────────


class _Fold:
    """First open, highest high, lowest low, last close, summed volume of each bar, from candles in time order."""

    def __init__(self, bars: int) -> None:
        self._candles = np.zeros(bars, np.int64)
        self._volume = np.zeros(bars)
        self._open, self._close = np.full(bars, np.nan), np.full(bars, np.nan)
        self._high, self._low = np.full(bars, -np.inf), np.full(bars, np.inf)

    def add(self, batch: CandleBatch, bar: Ints) -> None:
        """Take in candles, each with the number of its bar; later ones than before."""
        bars, first, count = np.unique(bar, return_index=True, return_counts=True)
        fresh = self._candles[bars] == 0
        self._open[bars[fresh]] = batch.open[first[fresh]]
        self._close[bars] = batch.close[first + count - 1]
        self._high[bars] = np.maximum(self._high[bars], np.maximum.reduceat(batch.high, first))
        self._low[bars] = np.minimum(self._low[bars], np.minimum.reduceat(batch.low, first))
        self._volume[bars] += np.add.reduceat(batch.volume, first)
        self._candles[bars] += count

    def columns(self) -> dict[str, Any]:
        """By name; NaN where a bar has no candle."""
        prices = {"open": self._open, "high": self._high, "low": self._low, "close": self._close}
        columns = {name: np.where(self._candles > 0, column, np.nan) for name, column in prices.items()}
        return columns | {"volume": np.where(self._candles > 0, self._volume, np.nan), "candles": self._candles}
