"""Processes that may be killed: forked from one that has imported everything, a new one costs milliseconds."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeAlias

PATIENCE: Final = 120.0  # seconds that an answer may take before the test is given up

Work: TypeAlias = "Callable[..., None]"
"""``work(pipe, *values)``: what a child does, talking over its end of a pipe."""


class Died(Exception):
    """A child ended, or failed, instead of answering; its traceback is the message."""


@dataclass
class Child:
    """A process forked by a `Nursery`."""

    pid: int
    pipe: Connection

    def tell(self, value: Any) -> None:
        """Send a value, and do not wait."""
        self.pipe.send(value)

    def hear(self) -> Any:
        """Wait for the next value.

        Raises:
            Died: it was killed, or raised.
        """
        if not self.pipe.poll(PATIENCE):
            raise Died(f"process {self.pid} said nothing for {PATIENCE:g} s")
        try:
            value = self.pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise Died(f"process {self.pid} is gone") from error
        if isinstance(value, Failure):
            raise Died(value.text)
        return value

    def ask(self, value: Any) -> Any:
        """Send a value and wait for the answer."""
        self.tell(value)
        return self.hear()

    def kill(self) -> list[Any]:
        """End it by SIGKILL, wait until it is gone, and return what it had still said."""
        os.kill(self.pid, signal.SIGKILL)
        said: list[Any] = []
        while True:
            try:
                said.append(self.hear())
            except Died as death:
                self.pipe.close()
                if isinstance(death.__cause__, EOFError | ConnectionResetError):
                    return said
                raise


@dataclass(frozen=True)
class Failure:
    """Sent by a child that raised."""

    text: str


class Nursery:
    """Forks children that do one kind of work. The work, and what is given to it, must be picklable."""

    def __init__(self, work: Work, *values: Any) -> None:
        context = multiprocessing.get_context("spawn")  # forked from a process of one thread, which this is not
        self._pipe, theirs = context.Pipe()
        self._server = context.Process(target=_serve, args=(theirs, work, *values), daemon=True)
        self._server.start()
        theirs.close()

    def fork(self, *values: Any) -> Child:
        """A new child; its work gets these values behind those of the nursery."""
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        self._pipe.send(values)
        reduction.send_handle(self._pipe, theirs.fileno(), self._server.pid)
        theirs.close()
        if not self._pipe.poll(PATIENCE):
            raise Died(f"no child came within {PATIENCE:g} s")
        return Child(self._pipe.recv(), ours)

    def close(self) -> None:
        """End the process that forks. Children still alive see their pipe end."""
        self._pipe.close()
        self._server.join(PATIENCE)
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _serve(pipe: Connection, work: Work, *values: Any) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a child ended
    while True:
        try:
            more = pipe.recv()
        except EOFError:
            return
        handle = reduction.recv_handle(pipe)
        pid = os.fork()
        if not pid:
            pipe.close()
            _live(Connection(handle), work, (*values, *more))
        os.close(handle)
        pipe.send(pid)


def _live(pipe: Connection, work: Work, values: tuple[Any, ...]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        work(pipe, *values)
    except (EOFError, BrokenPipeError):
        pass  # the parent has ended
    except BaseException:  # noqa: BLE001 - it is reported, and nothing of the parent's may run behind it
        pipe.send(Failure(traceback.format_exc()))
    finally:
        os._exit(0)
