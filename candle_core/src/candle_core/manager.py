"""`Candles`: the async API that users call."""

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

from candle_core.adjust import Adjust
from candle_core.chart import Chart, make_chart
from candle_core.collect import ProgressCallback, collect, find_task
from candle_core.config import load_config
from candle_core.copying import CopyCallback, copy
from candle_core.estimate import estimate
from candle_core.importing import Import, ImportCallback, query_for
from candle_core.kernel import Kernel, PluginState, check_plugins
from candle_core.quality import slot_report, verify
from candle_core.ranges import Bounds, open_span
from candle_core.reading import CHUNK_ROWS, read_adjusted, read_all
from candle_core.retry import with_retries
from candle_core.revisions import need_revisions, read_revisions
from candle_core.streaming import stream
from candle_core.symbols import Catalogue
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    CandleBatch,
    Clock,
    CollectionConfig,
    CollectionPlan,
    CollectionSummary,
    CopySummary,
    Forget,
    ImportSummary,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Market,
    MarketQuery,
    MemoryLimitError,
    Moment,
    Revision,
    SlotReport,
    Span,
    StorageStatus,
    StreamingConfig,
    StreamingMeta,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    VerifyReport,
    to_ms,
)

_UPKEEP: Final = (
    MaintenanceTask.COMPACT,
    MaintenanceTask.VACUUM,
    MaintenanceTask.ANALYZE,
    MaintenanceTask.CHECKPOINT,
    MaintenanceTask.CHECK,
)
"""Every task, in the order in which each gains from the one before."""


@asynccontextmanager
async def open(
    config: str | Path | Mapping[str, Any] | None = None, *, clock: Clock | None = None
) -> AsyncIterator["Candles"]:
    """A candle manager, closed at the end of the block.

    Args:
        config: a TOML file, or its contents as a mapping; None: ``CANDLE_CONFIG``, else ``./candle.toml``, else
            defaults.
        clock: another clock than the machine's, for tests.

    Raises:
        ConfigError: the configuration is wrong. Plugins are loaded, and their errors raised, when first needed.
    """
    kernel = Kernel(load_config(config), clock)
    candles = Candles(kernel)
    try:
        yield candles
    finally:
        await candles.close()


class Candles:
    """Collects, keeps and reads candles. Made by `open`.

    Every method that takes a symbol takes a `Symbol`, its text form, or a market's name (``BTC/USDT``, ``BTCUSDT``)
    with `timeframe`, `exchange`
    and `tradetype` beside it; the last two default from ``[defaults]``. Moments are timezone-aware datetimes, ISO 8601
    texts (UTC
    where they name no offset) or UTC milliseconds. Ranges are half-open.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._catalogue = Catalogue(kernel)

    @property
    def kernel(self) -> Kernel:
        """The wiring underneath, for the rooms of this package."""
        return self._kernel

    async def close(self) -> None:
        """Commit what was handed in, then close every plugin. `open` calls it."""
        await self._kernel.close()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def markets(
        self, exchange: str, tradetype: str | None = None, *, query: MarketQuery | None = None
    ) -> Sequence[Market]:
        """What the exchange lists now, sorted by name.

        Raises:
            PluginError: no such provider. ProviderError: the exchange did not answer.
        """
        provider = self._kernel.provider(exchange)
        query = replace(query or MarketQuery(), tradetype=tradetype and tradetype.upper())
        markets = await with_retries(self._kernel, provider, lambda: provider.hooks.markets(query))
        wanted = [market for market in markets if query.status in (None, market.status)]
        return sorted(wanted, key=lambda market: market.ccxt_symbol)

    async def symbols(self, query: SymbolQuery | None = None) -> Sequence[SymbolRecord]:
        """What the database knows."""
        return await self._kernel.storage().symbols(query or SymbolQuery())

    async def slots(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment,
        end: Moment,
    ) -> SlotReport:
        """Where every grid slot of a range stands, by what is stored; nobody is asked.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        provider = self._kernel.provider(record.symbol.exchange)
        return await slot_report(self._kernel, provider, record, Span.of(start, end))

    async def verify(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> VerifyReport:
        """Look at every stored candle of a symbol, and at what of its history is missing; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first moment that is stored or proven.
            end: first open time no longer looked at; None: up to the last moment that is stored or proven.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        record = await self._catalogue.known(replace(query, statistics=True))
        return await verify(self._kernel, self._kernel.provider(record.symbol.exchange), record, start, end)

    async def revisions(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> AsyncGenerator[Revision, None]:
        """How later answers changed stored candles, in the order of open time, then of the answers; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: first open time no longer looked at; None: to the last candle.

        Raises:
            UnknownSymbolError: the database holds no such symbol. MissingHookError: it forgets what it replaces.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        found = read_revisions(self._kernel.storage(), record.symbol, open_span(start, end))
        async with aclosing(found):
            async for revision in found:
                yield revision

    async def chart(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        bars: int = 100,
    ) -> Chart:
        """What is stored of a range, fitted into so many bars, with what is known of each; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: by `count`, or one slot for each bar.
            end: first open time no longer drawn; None: behind the newest stored candle.
            count: instead of one of the bounds: so many grid slots, forward from `start`, or back from `end`.
            bars: most bars, two or more. Each holds as many slots as it takes, rounded up to a length that people like.

        Raises:
            UnknownSymbolError: the database holds no such symbol. BadSpanError: an impossible range, or nothing is
                stored to tell where it ends.
        """
        if bars < 2:
            raise BadInputError(f"{bars!r} bars are no chart; give at least 2")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        bounds = Bounds.of(start, end, bars if start is None and count is None else count)
        return await make_chart(self._kernel, self._kernel.provider(record.symbol.exchange), record, bounds, bars)

    async def check_plugins(self) -> list[PluginState]:
        """Import every installed plugin, build it from its table, and say how it fares."""
        return check_plugins(self._kernel.config)

    async def plan_collection(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        refetch: bool = False,
    ) -> CollectionPlan:
        """What `collect_candles_only` would ask for with the same arguments, and what that costs; it asks for nothing.

        The exchange is asked for its clock, and for a market that the database does not know; nothing is written.

        Raises:
            BadInputError: unknown market or timeframe, an impossible range. PluginError: no such provider or storage.
            ProviderError: the exchange did not answer.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        return await estimate(self._kernel, query, Bounds.of(start, end, count, to), refetch=refetch)

    # ── collecting ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def collect_candles_only(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        refetch: bool = False,
        progress_callback: ProgressCallback | None = None,
    ) -> CollectionSummary:
        """Fetch what is missing and commit it; hand back a summary only. Memory stays flat, however long the range.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time.
            end: first open time no longer wanted; None: up to the last closed candle.
            to: the newest bound, exclusive; with `start` or `end` beside it, the two are the ends of one range in
                either order.
            count: instead of one of the bounds: so many grid slots, forward from `start`, or back from `end` or `to`.
            refetch: ask again for what is proven already.
            progress_callback: called after each commit.

        Raises:
            BadInputError: unknown market or timeframe, an impossible range. PluginError: no such provider or storage.
            ProviderError: the exchange did not give it. StorageError: the database did not take it. What was committed
                before stays.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        task = await find_task(self._kernel, query, Bounds.of(start, end, count, to), refetch=refetch)
        return await collect(self._kernel, self._kernel.writer(), task, refetch=refetch, callback=progress_callback)

    async def get_candles(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        config: CollectionConfig | None = None,
    ) -> CandleBatch:
        """Fetch what is missing, commit it, and hand back the whole range.

        The range is given as to `collect_candles_only`.

        Raises:
            MemoryLimitError: the range has more slots than `config.max_memory_objects` and
            `config.fallback_to_streaming` is
                off; raised before any history is asked for. And what `collect_candles_only` raises.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        task = await find_task(self._kernel, query, Bounds.of(start, end, count, to))
        if task.span is None:
            return CandleBatch.empty()
        if _too_many(task.grid.count(task.span), config or CollectionConfig()):
            chunks = stream(self._kernel, self._kernel.writer(), task, StreamingConfig(chunk_yield_size=CHUNK_ROWS))
            return CandleBatch.concat([chunk async for chunk, _ in chunks])
        await collect(self._kernel, self._kernel.writer(), task)
        return await read_all(self._kernel.storage(), LoadRead(symbol=task.record.symbol, span=task.span))

    async def stream_candles(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        config: StreamingConfig | None = None,
    ) -> AsyncGenerator[tuple[CandleBatch, StreamingMeta], None]:
        """Fetch what is missing and yield the range in time order, chunk by chunk, while it is being collected.

        The range is given as to `collect_candles_only`. A slow reader slows the collection; leaving the loop stops it,
        and what was
        committed stays.

        Raises:
            ProviderError, StorageError: after everything before the failure was yielded. And what
            `collect_candles_only` raises.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        task = await find_task(self._kernel, query, Bounds.of(start, end, count, to))
        chunks = stream(self._kernel, self._kernel.writer(), task, config or StreamingConfig())
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def import_candles(
        self,
        file: str | PathLike[str],
        symbol: SymbolLike | None = None,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        offline: bool = False,
        progress_callback: ImportCallback | None = None,
    ) -> ImportSummary:
        """Store the candles of a CSV, Parquet or Feather file. Memory stays flat, however long it is.

        Imported candles are never asked for again, and never stand against what an exchange says, whichever comes
        first; a slot that the file leaves out is not taken for empty. A candle still open is left out.

        Args:
            file: its columns are told by their names, its times may be texts, timestamps, seconds, milli- or
                microseconds.
            symbol: see the class. What of these four is not given is taken from the file's name where it is one of
                freqtrade's (``binance/BTC_USDT-1m.feather``) or of Binance's archives (``BTCUSDT-1m-2024-01.csv``).
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            offline: register an unknown market by its name, without asking the exchange. Without it that happens
                only where the exchange cannot be reached.
            progress_callback: called with the number of rows done, and of all; while the file is being checked the
                second is None.

        Raises:
            BadInputError: the file cannot be read or a row of it is no candle (the whole file is looked at before
                anything is stored), or the market cannot be told or does not exist. PluginError, ProviderError,
                StorageError: as in `collect_candles_only`.
        """
        path = Path(file)
        query = query_for(self._kernel, path, symbol, timeframe, exchange, tradetype)
        return await Import(self._kernel, self._kernel.writer(), path, progress_callback).run(query, offline=offline)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def load(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        columns: Sequence[str] | None = None,
        as_of: Moment | None = None,
        adjust: str = "raw",
    ) -> CandleBatch:
        """What is stored, without asking anybody.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: first open time no longer wanted; None: to the last candle.
            count: most candles: the oldest from `start` on, or, without a start, the newest before `end`.
            columns: which optional columns to read besides the six of every candle; None: all.
            as_of: the candles as the answers given up to this moment had them, by the exchange's clock; those that no
                answer had given by then are not there. None: as they stand now.
            adjust: ``raw``: as traded. ``splits``: in the shares after the newest split that is known. ``all``: and
                with dividends reinvested.

        Raises:
            UnknownSymbolError: the database holds no such symbol. MissingHookError: `as_of`, and the database forgets
                what it replaces; `adjust`, and it keeps no splits and dividends.
        """
        if count is not None and count < 1:
            raise BadSpanError(f"a count of {count!r} is no range; give at least 1")
        if as_of is not None:
            need_revisions(self._kernel.storage(), "what was known then")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        read = LoadRead(
            symbol=record.symbol,
            span=open_span(start, end),
            columns=None if columns is None else tuple(columns),
            limit=count or 0,
            newest_first=start is None and count is not None,
            as_of=None if as_of is None else to_ms(as_of),
        )
        return await read_adjusted(self._kernel.storage(), read, Adjust.of(adjust))

    # ── taking back ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def forget(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        candles: bool = False,
    ) -> int:
        """Take proof back, so that the next collection asks again.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: from this open time on; None: from the beginning.
            end: up to this open time, exclusive; None: to the end.
            candles: delete the candles of the range as well.

        Returns:
            How many candles were deleted.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        span = None if start is None and end is None else open_span(start, end)
        return await self._kernel.storage().forget(Forget(symbol=record.symbol, span=span, candles=candles))

    # ── the database itself ─────────────────────────────────────────────────────────────────────────────────────────

    async def status(self, store: str = "") -> StorageStatus:
        """How a database stands; one that is not there yet holds nothing, and is not made.

        Args:
            store: one of ``[stores]``; empty: that of the candles.

        Raises:
            StorageError: it is there, and cannot be read. ConfigError: no such store.
        """
        return await self._kernel.storage(store).status()

    async def maintain(
        self, tasks: Iterable[MaintenanceTask | str] = (), *, store: str = ""
    ) -> list[MaintenanceReport]:
        """Do upkeep, each task to its end, and behind everything that somebody waits for.

        Args:
            tasks: in this order; ``"analyze"`` is the same as `MaintenanceTask.ANALYZE`. Empty: all of them.
            store: one of ``[stores]``; empty: that of the candles.

        Returns:
            What each did, and the problems that a check found.

        Raises:
            BadInputError: no such task. StorageError: a task failed; those before it are done.
        """
        wanted = [_task(task) for task in tasks] or _UPKEEP
        return [await self._kernel.writer(store).maintain(task) for task in wanted]

    async def copy_to(
        self,
        target: "Candles | str | Path | Mapping[str, Any]",
        symbols: Sequence[SymbolLike] = (),
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        timeframe: str | None = None,
        progress_callback: CopyCallback | None = None,
    ) -> CopySummary:
        """Bring what is stored to another database: candles, what they replaced, and coverage.

        What is there already is compared and not sent again, so a copy that was interrupted goes on where it was. In
        the end everything is compared. Memory stays flat, however much it is.

        Args:
            target: another open `Candles`, or the configuration of one, as `open` takes it.
            symbols: symbols, or names of markets; empty: all.
            exchange: only those of this exchange.
            tradetype: only those of this trade type.
            timeframe: only those of this timeframe.
            progress_callback: called after every 10,000 candles or so.

        Returns:
            What came of each symbol; one that failed, or that the target says otherwise, stands there with its cause.

        Raises:
            BadInputError: both are one database. UnknownSymbolError: a name means no stored symbol. ConfigError,
                PluginError, StorageError: a database cannot be opened.
        """
        query = SymbolQuery(exchange=exchange, tradetype=tradetype, timeframe=timeframe)
        async with _opened(target, self._kernel.clock) as other:
            return await copy(self._kernel, other._kernel, symbols, query, progress_callback)


@asynccontextmanager
async def _opened(target: "Candles | str | Path | Mapping[str, Any]", clock: Clock) -> AsyncIterator[Candles]:
    if isinstance(target, Candles):
        yield target
    else:
        async with open(target, clock=clock) as candles:
            yield candles


def _task(task: MaintenanceTask | str) -> MaintenanceTask:
    try:
        return MaintenanceTask(task)
    except ValueError:
        raise BadInputError(f"no task {task!r}; there are {', '.join(MaintenanceTask)}") from None


def _too_many(slots: int, config: CollectionConfig) -> bool:
    if slots <= config.max_memory_objects:
        return False
    too_many = f"{slots} candles are more than max_memory_objects={config.max_memory_objects}"
    if not config.fallback_to_streaming:
        raise MemoryLimitError(f"{too_many}; use stream_candles or collect_candles_only, or raise the bound")
    if config.enable_memory_warning:
        warnings.warn(f"{too_many}; the batch is put together from a stream", ResourceWarning, stacklevel=3)
    return True
