"""The one way to the database for candles.

Answers are gathered into transactions by a single task, in the order they came.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from candle_core.dispatch import StorageHooks
from candle_hookspecs import Answer, SaveReceipt, SaveWrite

TRANSACTION_ROWS: Final = 10_000
BUFFER_ROWS: Final = 50_000


@dataclass(slots=True)
class _Pending:
    answer: Answer
    saved: "asyncio.Future[SaveReceipt]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Gathers answers of one symbol into transactions of about `transaction_rows` rows.

    It holds at most about `buffer_rows` rows; whoever brings more waits.
    It never waits to gather: what has come while the last transaction ran goes into the next.
    """

    def __init__(
        self, storage: StorageHooks, *, transaction_rows: int = TRANSACTION_ROWS, buffer_rows: int = BUFFER_ROWS
    ) -> None:
        self._storage = storage
        self._transaction_rows = transaction_rows
        self._buffer_rows = buffer_rows
        self._queue: deque[_Pending] = deque()
        self._rows = 0
        self._coming = 0
        self._room = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def save(self, answer: Answer) -> SaveReceipt:
        """Commit an answer; returns when it is durable.

        Cancelling the wait does not take the answer back.

        Returns:
            What became of the rows, this answer's and those of the same symbol that shared its transaction since the
            last receipt:
            the receipts of one symbol add up.

        Raises:
            StorageError: nothing of the transaction was stored.
        """
        self._coming += 1
        try:
            async with self._room:
                await self._room.wait_for(lambda: self._rows < self._buffer_rows)
        finally:
            self._coming -= 1
        pending = _Pending(answer)
        self._queue.append(pending)
        self._rows += len(answer.batch)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="candle-writer")
        return await asyncio.shield(pending.saved)

    async def close(self) -> None:
        """Wait until everything handed in is committed, what still waits for room too."""
        while self._coming or (self._task is not None and not self._task.done()):
            if self._task is not None:
                await asyncio.wait((self._task,))
            await asyncio.sleep(0)  # whoever waited for room comes in now

    async def _drain(self) -> None:
        while self._queue:
            together = self._next_transaction()
            try:
                receipt = await self._storage.save(SaveWrite(answers=tuple(pending.answer for pending in together)))
            except Exception as error:  # noqa: BLE001 - handed to those who wait for it
                for pending in together:
                    if not pending.saved.done():
                        pending.saved.set_exception(error)
                        pending.saved.exception()  # whoever was cancelled meanwhile will not fetch it
            else:
                for pending in together:
                    pending.saved.set_result(receipt)
                    receipt = SaveReceipt()
            async with self._room:
                self._rows -= sum(len(pending.answer.batch) for pending in together)
                self._room.notify_all()

    def _next_transaction(self) -> list[_Pending]:
        together = [self._queue.popleft()]
        symbol, rows = together[0].answer.symbol, len(together[0].answer.batch)
        while self._queue and rows < self._transaction_rows and self._queue[0].answer.symbol == symbol:
            together.append(self._queue.popleft())
            rows += len(together[-1].answer.batch)
        return together
