"""Running a coroutine so that Ctrl-C and SIGTERM end it in good order."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

from candle_core.cli.errors import Interrupted

_Result = TypeVar("_Result")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run_async(work: Coroutine[Any, Any, _Result], *, while_read: bool = False) -> _Result:
    """Run to the end, on an event loop of its own.

    The first SIGINT or SIGTERM cancels the work, which closes what it opened; a second one ends the process at once.

    Args:
        work: what to run.
        while_read: cancel it as soon as whoever reads our output through a pipe leaves, for work that writes seldom.

    Raises:
        Interrupted: a signal came. BrokenPipeError: with `while_read`, the reader left.
    """
    received: list[int] = []
    unread = False

    async def watched() -> _Result:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(number: int, _: FrameType | None) -> None:
            received.append(number)
            for one in _SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            loop.call_soon_threadsafe(task.cancel)

        def leave(out: int) -> None:
            nonlocal unread
            unread = True
            loop.remove_reader(out)
            task.cancel()

        if while_read and (out := _pipe()) is not None:
            # There is nothing to be read at its writing end, so this tells of the close of the other one.
            loop.add_reader(out, leave, out)

        before = [(number, signal.signal(number, stop)) for number in _SIGNALS]
        try:
            return await task
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    try:
        with asyncio.Runner() as runner:
            return runner.run(watched())
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        if unread:
            raise BrokenPipeError from None
        raise


def _pipe() -> int | None:
    """Standard output, if it is the writing end of a pipe."""
    if sys.platform == "win32":  # where event loops do not watch pipes
        return None
    import fcntl

    try:
        out = sys.stdout.fileno()
    except OSError:  # a stream of Python's
        return None
    # A named pipe may be open at both ends, and then what we write ourselves is there to be read.
    writing_alone = fcntl.fcntl(out, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    return out if stat.S_ISFIFO(os.fstat(out).st_mode) and writing_alone else None
