"""The one buffer of an update: answers of all symbols, counted in rows, written together."""

import asyncio
from collections.abc import Callable
from typing import Final

from candle_core.kernel import Kernel
from candle_core.writer import Writer
from candle_hookspecs import Answer, BadInputError, Registration, SaveReceipt

BUFFER_SIZE: Final = 100_000
"""Rows, if nothing else is said: about 10 MB."""
MOST_ANSWERS: Final = 1_000
"""However few rows they have: an answer of one row takes as much memory as thirty rows of a long one."""
LONGEST: Final = 60.0
"""Seconds for which an answer waits for others: what a crash costs, and far below `IN_FLIGHT`."""


class RowBuffer:
    """Holds answers until there are `size` rows or more, then hands all of them to the writer and goes on empty.

    An answer is never divided, so that its rows and its proof are committed together. While one lot is being written
    the next gathers; whoever brings more than that waits. So at most two lots are held, each of fewer than `size` rows
    and the answers that arrived meanwhile.

    Args:
        kernel: whom to tell. writer: where it goes.
        size: rows.
        taken: called with each answer as it comes.
    """

    def __init__(
        self, kernel: Kernel, writer: Writer, size: int, taken: Callable[[Answer], object] = lambda _: None
    ) -> None:
        if size < 1:
            raise BadInputError(f"a buffer_size of {size!r} rows holds nothing; give at least 1")
        self.receipt = SaveReceipt()
        self.failure: Exception | None = None
        """Why nothing can be written any more."""
        self._kernel = kernel
        self._writer = writer
        self._size = size
        self._taken = taken
        self._rows = 0
        self._answers: list[Answer] = []
        self._learned: list[Registration] = []
        self._writing: asyncio.Task[None] | None = None
        self._writing_rows = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rows(self) -> int:
        """Rows that are held, those being written included."""
        return self._rows + self._writing_rows

    async def save(self, answer: Answer) -> None:
        """Take an answer; it is durable only later.

        Raises:
            StorageError: what was taken before could not be written.
        """
        self._refuse_after_failure()
        self._answers.append(answer)
        self._rows += len(answer.batch)
        self._taken(answer)
        if self._timer is None:
            self._wait()
        while self._full:
            await self._written()
            if self._full:  # nobody who waited as well was faster
                self._begin()

    async def register(self, registration: Registration) -> None:
        """Bring what is known of a market up to date, together with the answers that follow."""
        self._learned.append(registration)

    async def drain(self) -> None:
        """Write what is left; returns when everything is durable.

        Raises:
            StorageError: something could not be written.
        """
        await self._written()
        if self._answers or self._learned:
            self._begin()
            await self._written()
        self._rest()

    def _wait(self) -> None:
        """Write what there is when the oldest of it has waited long enough, though the buffer is not full."""
        self._timer = asyncio.get_running_loop().call_later(LONGEST, self._overdue)

    def _overdue(self) -> None:
        if self._writing is not None and not self._writing.done():
            self._wait()
        elif self._answers:
            self._begin()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    @property
    def _full(self) -> bool:
        return self._rows >= self._size or len(self._answers) >= MOST_ANSWERS

    def _begin(self) -> None:
        self._rest()
        answers, learned = self._answers, self._learned
        self._answers, self._learned = [], []
        self._rows, self._writing_rows = 0, self._rows
        # A task of its own: whoever filled the buffer may be cancelled, and the others' answers are in it.
        self._writing = asyncio.create_task(self._write(answers, learned), name="candle-buffer")

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        self._refuse_after_failure()

    def _refuse_after_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _write(self, answers: list[Answer], learned: list[Registration]) -> None:
        try:
            if learned:  # the newest of each market is the last
                await self._kernel.storage().register(learned)
            if answers:
                self.receipt += await self._writer.save_all(answers)
        except Exception as error:  # noqa: BLE001 - raised to whoever comes next, and by `drain`
            self.failure = error
            return
        finally:
            self._writing_rows = 0
        for answer in answers:
            await self._kernel.emit("save.committed", answer.symbol, rows=len(answer.batch))
