"""Many symbols: each market in each timeframe, the shortest work first, through one buffer; what fails, fails alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from candle_core.checks import settled_until
from candle_core.collect import DATE_RESOLUTION
from candle_core.coordinator.coordinator import MarketDataCoordinator
from candle_core.coordinator.markets import Directory
from candle_core.coordinator.models import LargeRequest
from candle_core.kernel import Kernel
from candle_core.ranges import Bounds
from candle_core.timeframes import Grid, parse_timeframe
from candle_core.update import BUFFER_SIZE, ProgressCallback
from candle_core.update.run import Update
from candle_hookspecs import (
    BadInputError,
    CandleError,
    Market,
    Moment,
    Registration,
    SymbolQuery,
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
        names = [self.timeframes] if isinstance(self.timeframes, str) else list(self.timeframes)
        if not names:
            raise BadInputError("a request needs its 'timeframes', e.g. ['1m', '1h']")
        if self.start is not None and self.count is not None:
            raise BadInputError("start and count both say from where on; leave one out")
        if self.buffer_size < 1:
            raise BadInputError(f"a buffer_size of {self.buffer_size!r} rows holds nothing; give at least 1")
        for name in names:
            parse_timeframe(name)
        object.__setattr__(self, "timeframes", tuple(dict.fromkeys(names)))
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
    records, unknown = await _records(kernel, request)

    def begin(_: SymbolRecord, grid: Grid) -> int:
        settled = settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)
        span = request.bounds.span(grid, settled)
        return settled if span is None else span.start

    update = Update(kernel, request.buffer_size, progress_callback)
    return ManyResult(update=await update.run({request.exchange: records}, begin), unknown=unknown)


async def _records(kernel: Kernel, request: ManyRequest) -> tuple[list[SymbolRecord], dict[str, CandleError]]:
    """Every symbol that is meant, with what is known of it; those that are new are registered in one go.

    The exchange is asked for its listing only if a name is not registered in any timeframe.
    """
    storage, directory = kernel.storage(), Directory(kernel)
    tradetype = directory.tradetype(request)
    query = SymbolQuery(exchange=request.exchange, tradetype=tradetype, coverage=True)
    stored = await storage.symbols(query)
    known = _by_name(record.market for record in stored)
    markets: dict[str, Market] = {}
    unknown: dict[str, CandleError] = {}
    missing = [name for name in request.symbols if name.casefold() not in known]
    listed = await directory.find(request.exchange, tradetype, missing) if missing else {}
    for name in request.symbols:
        found = listed.get(name) or known[name.casefold()]
        if isinstance(found, CandleError):
            unknown[name] = found
        else:
            markets[found.native_id] = found
    there = {(record.market.native_id, record.symbol.timeframe) for record in stored}
    lacking = {
        native_id: tuple(timeframe for timeframe in request.timeframes if (native_id, timeframe) not in there)
        for native_id in markets
    }
    if new := [Registration(market=markets[one], timeframes=wanted) for one, wanted in lacking.items() if wanted]:
        await storage.register(new)
        stored = await storage.symbols(query)
    meant = [one for one in stored if one.market.native_id in markets and one.symbol.timeframe in request.timeframes]
    return meant, unknown


def _by_name(markets: Iterable[Market]) -> dict[str, Market]:
    """What was imported and is known by its base and quote alone is left to the listing."""
    return {name.casefold(): one for one in markets if one.native_id for name in (one.ccxt_symbol, one.native_id)}
