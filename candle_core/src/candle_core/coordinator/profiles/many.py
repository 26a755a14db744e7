"""Many symbols: each market in each timeframe, the shortest work first, through one buffer; what fails, fails alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from candle_core.checks import settled_until
from candle_core.collect import DATE_RESOLUTION
from candle_core.coordinator.coordinator import MarketDataCoordinator
from candle_core.coordinator.models import LargeRequest, at_least_one, texts_of
from candle_core.ranges import Bounds
from candle_core.timeframes import Grid, parse_timeframe
from candle_core.update import BUFFER_SIZE, ProgressCallback
from candle_core.update.run import Update
from candle_hookspecs import (
    BadInputError,
    CandleError,
    Moment,
    SymbolRecord,
    UpdateResult,
)


@dataclass(frozen=True, kw_only=True)
class ManyRequest(LargeRequest):
    """Candles of many markets up to the last closed one, to be stored.

    `priority` and `max_concurrency` do not apply: exchange and symbols share what pays, as in an update.

    Attributes:
        timeframes: ccxt's notation; each market in all of them.
        start, count: from where on, or how many grid slots back; one of the two.
        buffer_size: rows that are held before they are written together.

    Raises:
        BadInputError: no timeframes, a buffer of no rows. BadSpanError: both of start and count, or neither.
            UnknownTimeframeError: not a timeframe. And what `LargeRequest` raises.
    """

    timeframes: Sequence[str] | str
    start: Moment | None = None
    count: int | None = None
    buffer_size: int = BUFFER_SIZE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (names := texts_of(self.timeframes)):
            raise BadInputError(f"timeframes={self.timeframes!r} names none; give some like ['1m', '1h']")
        if self.start is not None and self.count is not None:
            raise BadInputError("start and count both say from where on; leave one out")
        at_least_one("buffer_size", self.buffer_size)
        for name in names:
            parse_timeframe(name)
        object.__setattr__(self, "timeframes", names)
        _ = self.bounds

    @cached_property
    def bounds(self) -> Bounds:
        """The range, checked."""
        return Bounds.of(self.start, count=self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyResult:
    """What came of each.

    Attributes:
        update: of each symbol (a market in a timeframe): done, nothing to ask, or failed with its cause.
        unknown: name → why it means no market. None of these stands in `update`.
    """

    update: UpdateResult
    unknown: Mapping[str, CandleError]

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not self.unknown and not self.update.failed_symbols


async def collect_many(
    coordinator: MarketDataCoordinator, request: ManyRequest, *, progress_callback: ProgressCallback | None = None
) -> ManyResult:
    """Bring many markets up to now in the database, by the engine of the updates.

    What a plain request does for each timeframe anew (who is meant, what is known, reading everything back) is done
    once, or not at all; symbols with the least to ask are done first. Nothing is read back: `Candles.load` does that.
    Ending it early is safe; the next run asks for what is left.

    Args:
        coordinator: what to ask through.
        request: what is wanted.
        progress_callback: told of every symbol when it starts, gets an answer, is done, or failed.

    Raises:
        BadInputError: a timeframe that the exchange does not have. ConfigError, PluginError: no such exchange or
            database. StorageError: the database cannot be read or written.
    """
    kernel = coordinator.candles.kernel
    provider = kernel.provider(request.exchange)
    for timeframe in request.timeframes:
        provider.grid(timeframe)
    found = await coordinator.records(request, request.timeframes, coverage=True)
    unknown = {name: error for name, error in found.items() if isinstance(error, CandleError)}
    # One market may have been named in two ways.
    records = {one.symbol: one for some in found.values() if not isinstance(some, CandleError) for one in some}

    def begin(_: SymbolRecord, grid: Grid) -> int:
        settled = settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)
        span = request.bounds.span(grid, settled)
        return settled if span is None else span.start

    update = Update(kernel, request.buffer_size, progress_callback)
    return ManyResult(update=await update.run({request.exchange: list(records.values())}, begin), unknown=unknown)
