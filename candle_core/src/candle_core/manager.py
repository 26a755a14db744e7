"""`Candles`: the async API that users call."""

import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from candle_core.collect import CollectionWish, ProgressCallback, collect, wanted_range
from candle_core.config import load_config
from candle_core.kernel import Kernel, PluginState, check_plugins
from candle_core.quality import slot_report
from candle_core.ranges import open_span
from candle_core.reading import read_all
from candle_core.retry import with_retries
from candle_core.symbols import Catalogue
from candle_core.writer import Writer
from candle_hookspecs import (
    BadSpanError,
    CandleBatch,
    Clock,
    CollectionConfig,
    CollectionSummary,
    LoadRead,
    Market,
    MarketQuery,
    MemoryLimitError,
    Moment,
    SlotReport,
    Span,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
)


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
        self._writer: Writer | None = None

    async def close(self) -> None:
        """Commit what was handed in, then close every plugin. `open` calls it."""
        if self._writer is not None:
            await self._writer.close()
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

    async def check_plugins(self) -> list[PluginState]:
        """Import every installed plugin, build it from its table, and say how it fares."""
        return check_plugins(self._kernel.config)

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
            count: instead of one of the bounds: so many grid slots, forward from `start`, or back from `end`.
            refetch: ask again for what is proven already.
            progress_callback: called after each commit.

        Raises:
            BadInputError: unknown market or timeframe, an impossible range. PluginError: no such provider or storage.
            ProviderError: the exchange did not give it. StorageError: the database did not take it. What was committed
            before stays.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        wish = CollectionWish(
            query=query, start=start, end=end, count=count, refetch=refetch, progress_callback=progress_callback
        )
        return await collect(self._kernel, self._write(), wish)

    async def get_candles(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        config: CollectionConfig | None = None,
    ) -> CandleBatch:
        """Fetch what is missing, commit it, and hand back the whole range.

        Raises:
            MemoryLimitError: the range has more slots than `config.max_memory_objects` and
            `config.fallback_to_streaming` is off;
                raised before any history is asked for. And what `collect_candles_only` raises.
        """
        config = config or CollectionConfig()
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        record = await self._catalogue.resolve(query)
        provider = self._kernel.provider(record.symbol.exchange)
        wish = CollectionWish(query=query, start=start, end=end, count=count)
        first, last = await wanted_range(self._kernel, provider, record, wish)
        if first == last:
            return CandleBatch.empty()
        span = Span(first, last)
        _mind_memory(provider.grid(record.symbol.timeframe).count(span), config)
        await collect(self._kernel, self._write(), replace(wish, start=first, end=last, count=None))
        return await read_all(self._kernel.storage(), LoadRead(symbol=record.symbol, span=span))

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

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        if count is not None and count < 1:
            raise BadSpanError(f"a count of {count!r} is no range; give at least 1")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        read = LoadRead(
            symbol=record.symbol,
            span=open_span(start, end),
            columns=None if columns is None else tuple(columns),
            limit=count or 0,
            newest_first=start is None and count is not None,
        )
        return await read_all(self._kernel.storage(), read)

    def _write(self) -> Writer:
        if self._writer is None:
            self._writer = Writer(self._kernel.storage())
        return self._writer


def _mind_memory(slots: int, config: CollectionConfig) -> None:
    if slots <= config.max_memory_objects:
        return
    too_many = f"{slots} candles are more than max_memory_objects={config.max_memory_objects}"
    if not config.fallback_to_streaming:
        raise MemoryLimitError(f"{too_many}; use collect_candles_only and read in parts, or raise the bound")
    if config.enable_memory_warning:
        warnings.warn(f"{too_many}; the batch is put together from a stream", ResourceWarning, stacklevel=3)
