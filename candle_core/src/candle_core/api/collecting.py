"""Collecting: history from the exchange, or from a file, into the database."""

import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from os import PathLike
from pathlib import Path

from candle_core.api.base import Base
from candle_core.collect import ProgressCallback, collect, collect_and_read, find_task
from candle_core.importing import Import, ImportCallback, query_for
from candle_core.ranges import Bounds
from candle_core.reading import CHUNK_ROWS
from candle_core.streaming import stream
from candle_hookspecs import (
    CandleBatch,
    CollectionConfig,
    CollectionSummary,
    ImportSummary,
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
        """Fetch the candles that are missing and store them; return a summary, not the candles.

        Memory use does not grow with the length of the range.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time.
            end: end of the range, exclusive. None: up to the last closed candle.
            to: end of the range too, as exchanges call it. Given together with `start` or `end`, the earlier of the
                two moments begins the range and the later one ends it.
            count: so many grid slots in place of one end of the range: forward from `start`, or back from `end`
                or `to`.
            refetch: ask the exchange again for what is already proven.
            progress_callback: called after each commit.

        Raises:
            BadInputError: unknown market or timeframe, or an impossible range.
            PluginError: no such provider or storage.
            ProviderError: the exchange did not give the candles. What was committed before stays.
            StorageError: the database did not take them. What was committed before stays.
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
        """Fetch the candles that are missing, store them, and return the whole range.

        The arguments say the range as in `collect_candles_only`.

        Raises:
            MemoryLimitError: the range has more slots than `config.max_memory_objects`, and
                `config.fallback_to_streaming` is off. It is raised before any history is asked for.
            CandleError: any error that `collect_candles_only` raises.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        task = await find_task(self._kernel, query, Bounds.of(start, end, count, to))
        if task.span is None:
            return CandleBatch.empty()
        if _too_many(task.grid.count(task.span), config or CollectionConfig()):
            chunks = stream(self._kernel, self._kernel.writer(), task, StreamingConfig(chunk_yield_size=CHUNK_ROWS))
            return CandleBatch.concat([chunk async for chunk, _ in chunks])
        return await collect_and_read(self._kernel, self._kernel.writer(), task)

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
        """Fetch the candles that are missing, and yield the range in time order while it is being collected.

        The arguments say the range as in `collect_candles_only`. A slow reader slows the collection down. Leaving the
        loop stops it, and what was committed stays.

        Raises:
            CandleError: any error that `collect_candles_only` raises. A `ProviderError` or `StorageError` comes after
                everything before the failure was yielded.
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
        """Store the candles of a CSV, Parquet or Feather file.

        Memory use does not grow with the length of the file. Imported candles are not asked for again. Where an
        exchange says something else, the exchange is believed, whichever came first. A slot that the file leaves out is
        not taken for empty, and a candle that is still open is not stored.

        Args:
            file: its columns are recognised by their names; times may be texts, timestamps, seconds, milliseconds or
                microseconds.
            symbol: see `Candles`. Of `symbol`, `timeframe`, `exchange` and `tradetype`, what is not given is read from
                the file's name, if it is named as freqtrade (``binance/BTC_USDT-1m.feather``) or Binance's archive
                (``BTCUSDT-1m-2024-01.csv``) name their files.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            offline: register an unknown market by its name, without asking the exchange. When it is off, that happens
                only if the exchange cannot be reached.
            progress_callback: called with the number of rows done and the number of all rows. The latter is None while
                the file is being checked.

        Raises:
            BadInputError: the file cannot be read, or a row of it is not a candle; the whole file is checked before
                anything is stored. Or nothing says which market it is, or there is no such market.
            PluginError, ProviderError, StorageError: as in `collect_candles_only`.
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
