"""`BatchDBManager`: operations on any table of a store, and candles, by priority and in bounded memory."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from candle_core.batch.candles import TABLE, CandleRows, batch_of, by_symbol
from candle_core.batch.ledger import BatchStats, Ledger
from candle_core.batch.operation import BatchOperation, OperationCallback
from candle_core.batch.parts import MB, Part, Watch, candle_parts, operation_of, table_parts
from candle_core.kernel import Kernel
from candle_core.manager import Candles
from candle_core.manager import open as open_candles
from candle_core.writer import BatchConfig, Writer
from candle_core.writer.queue import Work
from candle_hookspecs import (
    BadInputError,
    CandleError,
    MissingHookError,
    Moment,
    OperationType,
    Priority,
    Row,
    SymbolLike,
)


class BatchDBManager:
    """Takes operations, and writes them in the background through the same queue as everything else.

    CRITICAL operations go before HIGH, HIGH before NORMAL, NORMAL before LOW, and nothing waits for ever. Of one symbol
    the order is kept whatever the priorities; of one table within a priority.

        async with BatchDBManager("candle.toml", store="strategies") as manager:
            await manager.queue_operation("orders", OperationType.INSERT, rows, Priority.CRITICAL)
    """

    def __init__(
        self,
        candles: Candles | str | Path | Mapping[str, Any] | None = None,
        *,
        store: str = "",
        config: BatchConfig | None = None,
    ) -> None:
        """Prepare; `start` opens.

        Args:
            candles: an open manager, whose databases are shared; or a configuration, as for `candle_core.open`.
            store: the table under ``[stores]`` whose tables `queue_operation` means; empty: the candle database.
            config: bounds; None: ``[batch]`` of the configuration.
        """
        self._given = candles
        self._store = store
        self._config = config
        self._stack = AsyncExitStack()
        self._candles: Candles | None = None
        self._kernel: Kernel
        self._rows: CandleRows
        self._writer: Writer
        self._accepting = False
        self._ledger = Ledger()

    # ── from beginning to end ───────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Open the databases; starting twice changes nothing.

        Raises:
            ConfigError, PluginError: the configuration, or the plugin of the store.
        """
        if self._accepting:
            return
        if isinstance(self._given, Candles):
            self._candles = self._given
        else:
            self._candles = await self._stack.enter_async_context(open_candles(self._given))
        try:
            self._kernel = self._candles.kernel
            self._rows = CandleRows(self._kernel)
            self._writer = self._kernel.writer(self._store)
            self._config = self._config or self._kernel.config.batch
        except CandleError:
            self._candles = None
            await self._stack.aclose()
            raise
        self._accepting = True

    async def stop(self) -> None:
        """Write everything that was handed in, tell every callback, and close what `start` opened."""
        self._accepting = False
        if self._candles is None:
            return
        while not self._ledger.settled.is_set():
            self._writer.flush()
            with suppress(TimeoutError):  # then whoever waited for room has come in, and is flushed too
                async with asyncio.timeout(0.1):
                    await self._ledger.settled.wait()
        await self._ledger.heard()
        self._candles = None
        await self._stack.aclose()

    async def flush(self) -> None:
        """Write everything that was handed in so far."""
        self._running()
        self._writer.flush()
        await self._ledger.settled.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # ── handing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def queue_operation(
        self,
        table_name: str,
        operation_type: OperationType,
        data_rows: Sequence[Row],
        priority: Priority = Priority.NORMAL,
        callback: OperationCallback | None = None,
        *,
        key: Sequence[str] = (),
    ) -> str:
        """Hand in rows for a table. Returns as soon as there is room for them, with the operation's id.

        Rows of an operation are written all together or not at all, unless they take more than `max_memory_mb`: then
        they are written at once, in slices, and this call returns when that is done. Over a bound everything gathered
        is flushed and the caller waits, except with CRITICAL operations.

        Args:
            table_name: a table of the store, made by whoever owns it. ``candles`` in the candle database takes UPSERT
                alone: its rows name their symbol (`symbol`, and `timeframe`, `exchange`, `tradetype` where the symbol
                does not say them), `open_time` and the columns of a candle, and go the way of all candles.
            operation_type: what to do.
            data_rows: column → value.
            priority: CRITICAL and HIGH go as soon as possible; the others may wait for company
                (`flush_interval_seconds`).
            callback: told when the rows are written or have failed; plain or async.
            key: the columns that identify a row; empty: the table's primary key.

        Raises:
            BadInputError: rows that cannot be meant, or a manager that is not started. What the database refuses is
                told to the callback, or by `take_failed`.
        """
        config = self._running()
        operation = operation_of(table_name, operation_type, data_rows, priority, callback, key)
        if table_name == TABLE and not self._store:
            return await self._accept(operation, await self._candle_parts(operation, config))
        capabilities = self._kernel.storage(self._store).capabilities
        if not capabilities.executes:
            raise MissingHookError(
                f"the database of {self._store or 'the candles'!r} writes no tables but its own (it has no "
                "'candle_execute'); put the table into a store whose backend does, like sqlite"
            )
        return await self._accept(operation, table_parts(operation, config))

    async def insert_candles_batch(
        self,
        symbol: SymbolLike,
        timeframe: str | None,
        candles: object,
        priority: Priority = Priority.NORMAL,
        callback: OperationCallback | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        answered_at: Moment | None = None,
    ) -> str:
        """Hand in candles as an exchange gave them; they are decoded by its provider. Returns the operation's id.

        Candles that may still change are left out. What is stored is compared by the moment of the answer: a collection
        that asked later wins.

        Args:
            symbol: as everywhere: a `Symbol`, its text, or a market's name with timeframe, exchange, trade type.
            timeframe: ccxt's notation; None: the symbol says it.
            candles: the exchange's rows (parsed JSON, or the body's bytes), or a `CandleBatch`.
            priority: as in `queue_operation`.
            callback: as in `queue_operation`.
            exchange: e.g. ``UPBIT``; None: from the symbol or ``[defaults]``.
            tradetype: e.g. ``SPOT``; likewise.
            answered_at: when the exchange said it; None: now.

        Raises:
            BadInputError: rows that are no candles of this exchange; an unknown market. ProviderError: the market is
                not registered yet, and the exchange did not answer.
        """
        config = self._running()
        query = self._rows.query(symbol, timeframe, exchange, tradetype)
        closed = await self._rows.closed(query, candles, config, answered_at)
        rows = list(candles) if isinstance(candles, list | tuple) else [candles]
        operation = BatchOperation(
            table_name=TABLE, operation_type=OperationType.UPSERT, data_rows=rows, priority=Priority(priority),
            callback=callback, still_open=closed.still_open,
        )  # fmt: skip
        return await self._accept(operation, candle_parts(closed.answers, rows, config))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def stats(self) -> BatchStats:
        """What became of all operations so far."""
        return self._ledger.stats

    async def get_queue_status(self) -> dict[str, Any]:
        """How things stand, as plain values.

        ``queue_sizes`` by priority, ``total_queued_operations``, ``estimated_memory_mb`` of what waits, ``stats``
        (`BatchStats`), ``last_maintenance`` by task as ISO 8601 text or None, ``is_running``.
        """
        schedule = self._kernel.schedules[self._store] if self._candles is not None else None
        return {
            "is_running": self._accepting,
            "queue_sizes": {priority.name: number for priority, number in self._ledger.open.items()},
            "total_queued_operations": self._ledger.open.total(),
            "estimated_memory_mb": self._writer.size / MB if schedule else 0.0,
            "stats": asdict(self.stats),
            "last_maintenance": {
                task.value: schedule.last[task].isoformat() if task in schedule.last else None
                for task in schedule.tasks
            }
            if schedule
            else {},
        }

    def take_failed(self) -> list[BatchOperation]:
        """The failed operations that had no callback, each with its rows and the cause; they are not given twice."""
        return self._ledger.take_failed()

    # ── on the way ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _running(self) -> BatchConfig:
        if not self._accepting or self._config is None:
            raise BadInputError("this BatchDBManager takes nothing: call start() before, and nothing after stop()")
        return self._config

    async def _candle_parts(self, operation: BatchOperation, config: BatchConfig) -> list[Part]:
        if operation.operation_type is not OperationType.UPSERT:
            raise BadInputError(
                f"{TABLE!r} takes UPSERT alone, not {operation.operation_type.value}: what an exchange said is "
                "replaced by what it says later; to delete, use forget(candles=True)"
            )
        parts: list[Part] = []
        for named, rows in by_symbol(operation.data_rows).items():
            query = self._rows.query(*named)
            assert query.exchange is not None
            extra = self._kernel.provider(query.exchange).capabilities.extra_columns
            closed = await self._rows.closed(query, batch_of(rows, extra), config, None)
            operation.still_open += closed.still_open
            parts += candle_parts(closed.answers, rows, config)
        return parts

    async def _accept(self, operation: BatchOperation, parts: list[Part]) -> str:
        """Put an operation into the queue once there is room for it, or write it now if there never will be."""
        config = self._running()
        size = sum(part.size for part in parts)
        operation.estimated_size_mb = size / MB
        self._ledger.begin(operation)
        if size > config.max_memory_mb * MB:
            await self._write_now(operation, parts)
            return operation.operation_id
        try:
            if operation.priority is not Priority.CRITICAL:
                await self._room(size, config)
        except asyncio.CancelledError as error:
            self._ledger.end(operation, 0.0, [(part, error) for part in parts])
            raise
        wait = config.flush_interval_seconds if operation.priority > Priority.HIGH and self._accepting else 0.0
        works = [self._put(operation, part, wait) for part in parts]
        Watch(parts, works, partial(self._ledger.end, operation))
        return operation.operation_id

    async def _room(self, size: int, config: BatchConfig) -> None:
        def there_is() -> bool:
            fits = self._writer.size == 0 or self._writer.size + size <= config.max_memory_mb * MB
            return fits and self._writer.waiting < config.max_queue_size

        if not there_is():
            self._writer.flush()
            await self._writer.room(there_is)

    async def _write_now(self, operation: BatchOperation, parts: list[Part]) -> None:
        """Slice by slice, each when the one before is durable; what comes after a slice that failed is not written."""
        seconds = 0.0
        for number, part in enumerate(parts):
            work = self._put(operation, part, 0.0)
            try:
                await asyncio.shield(work.done)
            except (CandleError, asyncio.CancelledError) as error:
                self._ledger.end(operation, seconds + work.seconds, [(rest, error) for rest in parts[number:]])
                if isinstance(error, asyncio.CancelledError):
                    raise
                return
            seconds += work.seconds
        self._ledger.end(operation, seconds, [])

    def _put(self, operation: BatchOperation, part: Part, wait: float) -> Work:
        return self._writer.put(part.task, operation.priority, fill=part.fill, size=part.size, wait=wait)
