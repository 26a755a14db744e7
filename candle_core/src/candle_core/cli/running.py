"""Running a coroutine so that Ctrl-C and SIGTERM end it in good order."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

from candle_core.cli.errors import Interrupted

_Result = TypeVar("_Result")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run_async(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run to the end, on an event loop of its own.

    The first SIGINT or SIGTERM cancels the work, which closes what it opened; a second one ends the process at once.

    Raises:
        Interrupted: a signal came.
    """
    received: list[int] = []

    async def watched() -> _Result:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(number: int, _: FrameType | None) -> None:
            received.append(number)
            for one in _SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            loop.call_soon_threadsafe(task.cancel)

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
        raise
