"""A series of candles as it is read: what is stored, or what is made of it, window by window in bounded memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from candle_core.adjust import Adjust
from candle_core.coverage import Known
from candle_core.dispatch import StorageHooks
from candle_core.reading import CHUNK_ROWS, read_adjusted, read_all
from candle_core.resample.flat import fill_flat
from candle_core.resample.fold import DAY, fold, whole_slots
from candle_core.resample.slots import Slots
from candle_core.timeframes import Grid
from candle_hookspecs import CandleBatch, Ints, LoadRead, Span, SymbolRecord

_MONTH: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class View:
    """How stored candles are looked at; see `LoadRead` and `Adjust`."""

    columns: tuple[str, ...] | None = None
    as_of: int | None = None
    adjust: Adjust = Adjust.RAW


class Source:
    """One stored timeframe of a market, as a view shows it.

    Attributes:
        proven: slots of which it is known whether they have a candle. answered: those of them at which the market was
            traded.
    """

    def __init__(self, storage: StorageHooks, record: SymbolRecord, grid: Grid, known: Known, view: View) -> None:
        self.grid = grid
        self.answered = Slots.opening_in(known.answered, grid)
        self.proven = self.answered | Slots.opening_in(known.not_listed, grid)
        self._storage = storage
        self._record = record
        self._view = view

    async def read(self, span: Span) -> CandleBatch:
        """The candles that open in the span."""
        return await read_adjusted(self._storage, self._request(span), self._view.adjust)

    async def late(self, batch: CandleBatch, span: Span) -> Ints:
        """Open times in the span of candles that came later than what is looked at, which is `batch`.

        What was proven then does not hold for them: facts that were united bear the earliest of their moments.
        """
        if self._view.as_of is None:
            return np.empty(0, np.int64)
        now = await read_all(self._storage, LoadRead(symbol=self._record.symbol, span=span, columns=()))
        return np.setdiff1d(now.open_time, batch.open_time, assume_unique=True)

    async def edges(self) -> list[int]:
        """Open times of the first and the last candle; none where nothing is stored."""
        found: list[int] = []
        for newest_first in (False, True):
            read = LoadRead(symbol=self._record.symbol, columns=(), limit=1, newest_first=newest_first)
            found += (await self._storage.load(read)).open_time.tolist()
        return found

    def _request(self, span: Span) -> LoadRead:
        return LoadRead(symbol=self._record.symbol, span=span, columns=self._view.columns, as_of=self._view.as_of)


class Series(ABC):
    """Candles on a grid, from the sources that there are.

    Attributes:
        grid: theirs.
        window: how many slots to read at once.
        answered: the slots of which it is known, while the market was traded, which candle they have. What turns out to
            have come later than the moment looked at is taken out as it is met.
    """

    def __init__(self, grid: Grid, sources: Sequence[Source]) -> None:
        self.grid = grid
        self.sources = sources
        finest = min(length(source.grid) for source in sources)
        self.window = max(1, CHUNK_ROWS * finest // length(grid))
        self.answered = sources[0].answered.coarser(sources[0].grid, grid)
        for source in sources[1:]:
            self.answered |= source.answered.coarser(source.grid, grid)

    @abstractmethod
    async def between(self, first: int, behind: int) -> CandleBatch:
        """The candles of slots number `first` up to, without, `behind`."""

    async def life(self) -> tuple[int, int]:
        """The slot of the first candle that is stored, and the one behind the last that is stored or proven."""
        edges = [edge for source in self.sources for edge in await source.edges()]
        if not edges:
            return 0, 0
        behind = [self.grid.index(max(edges)) + 1, *self.answered.ends[-1:].tolist()]
        return self.grid.index(min(edges)), max(behind)

    def _span(self, first: int, behind: int) -> Span:
        return Span(self.grid.open(first), self.grid.open(behind))

    def _was_late(self, late: Ints) -> Slots:
        slots = Slots.at(np.unique(self.grid.indices(late)))
        self.answered -= slots
        return slots


class StoredSeries(Series):
    """Candles as they are stored."""

    async def between(self, first: int, behind: int) -> CandleBatch:
        """The candles of slots number `first` up to, without, `behind`; those off the grid too."""
        (source,) = self.sources
        span = self._span(first, behind)
        batch = await source.read(span)
        self._was_late(await source.late(batch, span))
        return batch


class MadeSeries(Series):
    """Candles made of finer ones: each of the coarsest source in which everything within its slot is known."""

    def __init__(self, grid: Grid, sources: Sequence[Source]) -> None:
        super().__init__(grid, sorted(sources, key=lambda source: -length(source.grid)))

    async def between(self, first: int, behind: int) -> CandleBatch:
        """The candles of slots number `first` up to, without, `behind`."""
        slots = np.arange(first, behind)
        open_still = np.ones(len(slots), bool)
        parts: list[CandleBatch] = []
        for source in self.sources:
            left = slots[open_still]
            if not len(left):
                break
            span = self._span(int(left[0]), int(left[-1]) + 1)
            batch = await source.read(span)
            whole = whole_slots(batch, source.grid, self.grid, source.proven)
            whole -= self._was_late(await source.late(batch, span))
            mine = left[whole.hold(left)]
            parts.append(fold(batch, self.grid, Slots.at(mine)))
            open_still[mine - first] = False
        return CandleBatch.concat(parts)


async def read_series(
    series: Series, span: Span, *, count: int | None = None, newest_first: bool = False, flat: bool = False
) -> CandleBatch:
    """The candles that open in a span.

    Args:
        series: what to read.
        span: may reach beyond what there is.
        count: at most so many; None: all.
        newest_first: of more, those at the end.
        flat: put flat candles into the slots that are proven empty; see `fill_flat`.
    """
    oldest, end = await series.life()
    first = max(oldest, series.grid.index(span.start))
    behind = min(end, series.grid.index(span.end - 1) + 1)
    parts: list[CandleBatch] = []
    left = count
    last = CandleBatch.empty()
    for low, high in _windows(first, behind, series.window, count or series.window, newest_first=newest_first):
        batch = real = await series.between(low, high)
        if flat:
            before = last if len(last) else await _before(series, low, oldest)
            batch = fill_flat(real, series.grid, series.answered, low, high, before)
            last = CandleBatch.empty() if newest_first else real[-1:] if len(real) else before
        batch = batch.between(span)
        if left is not None:
            batch = batch[max(0, len(batch) - left) :] if newest_first else batch[:left]
            left -= len(batch)
        parts.append(batch)
        if left == 0:
            break
    return CandleBatch.concat(parts[::-1] if newest_first else parts)


async def _before(series: Series, slot: int, oldest: int) -> CandleBatch:
    """The last candle before a slot, if everything from it to there is known."""
    run = int(np.searchsorted(series.answered.starts, slot, "right")) - 1
    if run < 0 or slot >= series.answered.ends[run]:
        return CandleBatch.empty()
    start = max(oldest, int(series.answered.starts[run]) - 1)  # a candle may stand right before what is proven
    for low, high in _windows(start, slot, series.window, 1, newest_first=True):
        batch = await series.between(low, high)
        if len(batch):
            return batch[-1:]
    return CandleBatch.empty()


def _windows(first: int, behind: int, largest: int, size: int, *, newest_first: bool) -> Iterator[tuple[int, int]]:
    """Neighbouring stretches of slots, each twice as long as the one before, up to the largest."""
    while first < behind:
        size = min(size, largest, behind - first)
        if newest_first:
            yield behind - size, behind
            behind -= size
        else:
            yield first, first + size
            first += size
        size *= 2


def length(grid: Grid) -> int:
    """About how long a slot is, milliseconds."""
    return grid.step * _MONTH if grid.monthly else grid.step
