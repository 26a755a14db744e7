"""Which operations are under way, what became of those that have ended, and who is told."""

import asyncio
import inspect
import logging
from collections import Counter, deque
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from candle_core.batch.operation import BatchOperation
from candle_core.batch.parts import Failures
from candle_hookspecs import Priority

KEPT_FAILURES: Final = 1_000
"""So many failed operations without a callback are kept for `take_failed`; the oldest go first."""

_log = logging.getLogger("candle.batch")


@dataclass(slots=True)
class BatchStats:
    """What became of operations. total = successful + failed; `total_processing_time` in seconds."""

    total_operations: int = 0
    successful_operations: int = 0
    failed_operations: int = 0
    total_processing_time: float = 0.0

    def add(self, operation: BatchOperation) -> None:
        """Count one that has ended."""
        self.total_operations += 1
        self.successful_operations += operation.is_processed
        self.failed_operations += not operation.is_processed
        self.total_processing_time += operation.processing_time


class Ledger:
    """The operations of one manager, from when they are taken to when their callbacks were told.

    Attributes:
        open: operations that have not ended, by priority.
        settled: set while there are none.
        stats: of those that have ended.
    """

    def __init__(self) -> None:
        self.open = Counter(dict.fromkeys(Priority, 0))
        self.settled = asyncio.Event()
        self.settled.set()
        self.stats = BatchStats()
        self._callbacks: set[asyncio.Future[None]] = set()
        self._failed: deque[BatchOperation] = deque(maxlen=KEPT_FAILURES)

    def begin(self, operation: BatchOperation) -> None:
        """Note one that is taken."""
        self.open[operation.priority] += 1
        self.settled.clear()

    def end(self, operation: BatchOperation, seconds: float, failures: Failures) -> None:
        """Note what became of it, and tell its callback.

        Args:
            operation: one that `begin` was told of.
            seconds: in transactions.
            failures: its parts that are not written, with the cause of each.
        """
        operation.processing_time = seconds
        operation.processed_at = datetime.now(UTC)
        operation.is_processed = not failures
        if failures:
            error = failures[0][1]
            operation.error = f"{type(error).__name__}: {error}"
            operation.cause = error if isinstance(error, Exception) else None
            operation.data_rows = [row for part, _ in failures for row in part.rows]
        self.open[operation.priority] -= 1
        self.stats.add(operation)
        self._tell(operation)
        if not self.open.total():
            self.settled.set()

    async def heard(self) -> None:
        """Wait until every async callback has ended."""
        if self._callbacks:
            await asyncio.wait(self._callbacks)

    def take_failed(self) -> list[BatchOperation]:
        """See `BatchDBManager.take_failed`."""
        failed = list(self._failed)
        self._failed.clear()
        return failed

    def _tell(self, operation: BatchOperation) -> None:
        if operation.error:
            _log.log(
                logging.INFO if operation.callback else logging.ERROR,
                "operation %s on %r failed: %s", operation.operation_id, operation.table_name, operation.error,
            )  # fmt: skip
        if operation.callback is None:
            if operation.error:
                self._failed.append(operation)
            return
        try:
            answer = operation.callback(operation)
        except Exception:  # noqa: BLE001 - a caller's code, which must not stop the writer
            _log.exception("the callback of operation %s failed", operation.operation_id)
            return
        if inspect.isawaitable(answer):
            task = asyncio.ensure_future(_heard(operation, answer))
            self._callbacks.add(task)
            task.add_done_callback(self._callbacks.discard)


async def _heard(operation: BatchOperation, answer: Awaitable[None]) -> None:
    try:
        await answer
    except Exception:  # noqa: BLE001 - a caller's code, which must not stop the writer
        _log.exception("the callback of operation %s failed", operation.operation_id)
