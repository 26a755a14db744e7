"""Collecting: history from the exchange, or from a file, into the database."""

import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from os import PathLike
from pathlib import Path

from candle_core.api.base import Base
from candle_core.collect import ProgressCallback, collect, find_task
from candle_core.importing import Import, ImportCallback, query_for
from candle_core.ranges import Bounds
from candle_core.reading import CHUNK_ROWS, read_all
from candle_core.streaming import stream
from candle_hookspecs import (
    CandleBatch,
    CollectionConfig,
    CollectionSummary,
    ImportSummary,
    LoadRead,
    MemoryLimitError,
    Moment,
    StreamingConfig,
    StreamingMeta,
    SymbolLike,
)


class Collecting(Base):
    """Calls that fetch and store."""

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


def _too_many(slots: int, config: CollectionConfig) -> bool:
    if slots <= config.max_memory_objects:
        return False
    too_many = f"{slots} candles are more than max_memory_objects={config.max_memory_objects}"
    if not config.fallback_to_streaming:
        raise MemoryLimitError(f"{too_many}; use stream_candles or collect_candles_only, or raise the bound")
    if config.enable_memory_warning:
        warnings.warn(f"{too_many}; the batch is put together from a stream", ResourceWarning, stacklevel=3)
    return True
