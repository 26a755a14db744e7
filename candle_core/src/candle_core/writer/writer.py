"""The one way to the database: answers, operations and upkeep, each transaction at its priority."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from candle_core.dispatch import StorageHooks
from candle_core.writer.config import BatchConfig
from candle_core.writer.queue import UPKEEP, Task, Work, WorkQueue
from candle_core.writer.sizes import size_of_batch
from candle_hookspecs import (
    Answer,
    BadInputError,
    MaintenanceReport,
    MaintenanceTask,
    Operation,
    PluginError,
    Priority,
    SaveReceipt,
    SaveWrite,
    StorageConstraintError,
)

TRANSACTION_ROWS: Final = 10_000
BUFFER_ROWS: Final = 50_000

_ONES_OWN: Final = (BadInputError, StorageConstraintError, PluginError)
"""Errors that one work of a transaction may have brought upon the others. Any other is of the database itself."""


@dataclass(slots=True)
class WriterTotals:
    """What a writer has done since it was made; works are answers and operations."""

    transactions: int = 0
    works: int = 0
    rows: int = 0
    failed: int = 0
    seconds: float = 0.0


class Writer:
    """Gathers works of one line (a symbol, a table) into transactions, and runs them by priority.

    It starts nothing that outlives the work: a task for each transaction under way, and a timer while works wait for
    company.
    """

    def __init__(
        self,
        storage: StorageHooks,
        *,
        config: BatchConfig | None = None,
        transaction_rows: int = TRANSACTION_ROWS,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        self.config = config or BatchConfig()
        self.totals = WriterTotals()
        self._storage = storage
        self._transaction_rows = transaction_rows
        self._buffer_rows = buffer_rows
        self._free = max(1, min(self.config.max_concurrent_batches, storage.capabilities.writers))
        self._queue = WorkQueue()
        self._room = asyncio.Condition()
        self._coming = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Works that are not written yet, those under way included."""
        return self._queue.works

    @property
    def size(self) -> int:
        """Bytes of memory that they take."""
        return self._queue.size

    # ── handing in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def save(self, answer: Answer, priority: Priority = Priority.NORMAL) -> SaveReceipt:
        """Commit an answer; returns when it is durable.

        It goes as soon as there is nothing more urgent; what has come while the last transaction ran goes together.
        Whoever brings more than about `buffer_rows` rows waits. Cancelling the wait does not take the answer back.

        Returns:
            What became of the rows, this answer's and those of the same symbol that shared its transaction since the
            last receipt: the receipts of one symbol add up.

        Raises:
            StorageError: nothing of the answer was stored.
        """
        await self.room(lambda: self._queue.rows < self._buffer_rows)
        work = self.put(answer, priority, fill=self._transaction_rows, size=size_of_batch(answer.batch))
        receipt: SaveReceipt = await self._finished(work)
        return receipt

    async def save_all(self, answers: Sequence[Answer], priority: Priority = Priority.NORMAL) -> SaveReceipt:
        """Commit answers of any symbols; returns when all are durable.

        They go in transactions of about `transaction_rows` rows, each answer whole in one of them. Cancelling the wait
        does not take back what is in the queue by then.

        Returns:
            What became of the rows of all of them.

        Raises:
            StorageError: not everything was stored.
        """
        works = []
        for write in _writes(answers, self._transaction_rows):
            await self.room(lambda: self._queue.rows < self._buffer_rows)
            size = sum(size_of_batch(answer.batch) for answer in write.answers)
            works.append(self.put(write, priority, fill=0, size=size))
        receipts: list[SaveReceipt] = await asyncio.gather(*map(self._finished, works))
        return sum(receipts, SaveReceipt())

    def put(self, task: Task, priority: int, *, fill: int, size: int, wait: float = 0.0) -> Work:
        """Queue something, without a bound; `Work.done` gets what the database says.

        That is a `SaveReceipt` for an answer, a number of rows for an operation (both: since its last neighbour was
        told), a `MaintenanceReport` for a step of upkeep.

        Args:
            task: an answer of a registered symbol, a transaction of several, rows for a table, or upkeep.
            priority: when it goes.
            fill: rows that make a transaction.
            size: bytes that it holds in memory until then.
            wait: seconds for which it may wait for company.
        """
        loop = asyncio.get_running_loop()
        line, kind, rows = _place(task, priority)
        work = Work(
            line=line, kind=kind, priority=priority, task=task, rows=rows, size=size, fill=fill,
            due=loop.time() + wait if wait else 0.0, done=loop.create_future(),
        )  # fmt: skip
        self._queue.put(work, loop.time())
        self._wake()
        return work

    async def maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Do a task to its end, step by step, each when nothing that a user waits for is in the queue.

        Raises:
            StorageError: a step failed.
        """
        seconds, changed, problems = 0.0, 0, list[str]()
        while True:
            report: MaintenanceReport = await self._finished(self.put(task, UPKEEP, fill=1, size=0))
            seconds, changed = seconds + report.seconds, changed + report.changed
            problems += report.problems
            if not report.more:
                return MaintenanceReport(task=task, seconds=seconds, changed=changed, problems=tuple(problems))

    async def _finished(self, work: Work) -> Any:
        return await asyncio.shield(work.done)

    # ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def room(self, there_is: Callable[[], bool]) -> None:
        """Wait until there is room; asked again whenever a transaction ended."""
        if there_is():
            return
        self._coming += 1
        try:
            async with self._room:
                await self._room.wait_for(there_is)
        finally:
            self._coming -= 1

    def flush(self) -> None:
        """Let nothing wait for company any longer."""
        self._queue.flush()
        self._wake()

    async def close(self) -> None:
        """Wait until everything handed in is committed, what still waits for room too."""
        while self._coming or self._queue.works:
            self.flush()
            if self._workers:
                await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # whoever waited for room comes in now
        if self._timer is not None:
            self._timer.cancel()

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _wake(self) -> None:
        """Start as many transactions as may run, and come back when the next work is due."""
        now = asyncio.get_running_loop().time()
        while self._free and (works := self._queue.take(now)):
            self._free -= 1
            worker = asyncio.create_task(self._drain(works), name="candle-writer")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        if self._timer is not None:
            self._timer.cancel()
        due = self._queue.due if self._free else None  # else whoever ends first looks again
        self._timer = None if due is None else asyncio.get_running_loop().call_at(due, self._wake)

    async def _drain(self, works: list[Work]) -> None:
        loop = asyncio.get_running_loop()
        while works:
            await self._commit(works)
            self._queue.release(works, loop.time())
            async with self._room:
                self._room.notify_all()
            works = self._queue.take(loop.time())
        self._free += 1
        self._wake()

    async def _commit(self, works: list[Work]) -> None:
        """Write works in one transaction; if one of them may be at fault, each in a transaction of its own."""
        self.totals.transactions += 1
        began = time.perf_counter()
        try:
            results = await self._write([work.task for work in works])
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            if len(works) > 1 and isinstance(error, _ONES_OWN):
                for work in works:
                    await self._commit([work])
            else:
                self._took(works, began)
                for work in works:
                    self._fail(work, error)
        else:
            self._took(works, began)
            for work, result in zip(works, results, strict=True):
                if work.priority != UPKEEP:
                    self.totals.works += 1
                    self.totals.rows += work.rows
                work.done.set_result(result)

    def _took(self, works: list[Work], began: float) -> None:
        seconds = time.perf_counter() - began
        self.totals.seconds += seconds
        for work in works:
            work.seconds = seconds / len(works)

    def _fail(self, work: Work, error: Exception) -> None:
        self.totals.failed += 1
        work.done.set_exception(error)
        work.done.exception()  # whoever was cancelled meanwhile will not fetch it

    async def _write(self, tasks: list[Task]) -> list[Any]:
        first = tasks[0]
        if isinstance(first, Answer):
            answers = tuple(task for task in tasks if isinstance(task, Answer))
            receipt = await self._storage.save(SaveWrite(answers=answers))
            return [receipt, *([SaveReceipt()] * (len(tasks) - 1))]
        if isinstance(first, SaveWrite):
            return [await self._storage.save(first)]
        if isinstance(first, Operation):
            operations = [task for task in tasks if isinstance(task, Operation)]
            rows = tuple(row for operation in operations for row in operation.rows)
            together = Operation(table=first.table, type=first.type, rows=rows, key=first.key)
            return [await self._storage.execute(together), *([0] * (len(tasks) - 1))]
        return [await self._storage.maintain(task) for task in tasks if isinstance(task, MaintenanceTask)]


def _place(task: Task, priority: int) -> tuple[Hashable, Hashable, int]:
    """The line of a task, with whom it may share a transaction, and its rows."""
    if isinstance(task, Answer):
        return task.symbol, "save", len(task.batch)
    if isinstance(task, SaveWrite):
        return ("answers", id(task)), "answers", task.rows  # a line of its own: it is a transaction already
    if isinstance(task, Operation):
        return (task.table, priority), (task.type, task.table, task.key), len(task.rows)
    return "upkeep", task, 0


def _writes(answers: Sequence[Answer], rows: int) -> Iterator[SaveWrite]:
    """Cut answers into transactions, each full as soon as it has so many rows."""
    gathered: list[Answer] = []
    count = 0
    for answer in answers:
        gathered.append(answer)
        count += len(answer.batch)
        if count >= rows:
            yield SaveWrite(answers=tuple(gathered))
            gathered, count = [], 0
    if gathered:
        yield SaveWrite(answers=tuple(gathered))
