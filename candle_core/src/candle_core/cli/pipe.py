"""Writing to standard output while other work goes on."""

import asyncio
import os
import select
import sys
from typing import Final

_PIECE: Final = select.PIPE_BUF
"""Bytes that a pipe takes without blocking once it says that it is ready (POSIX)."""


async def write_out(data: bytes) -> None:
    """Write to standard output; a slow reader is waited for without holding up the event loop.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    sys.stdout.flush()
    out = sys.stdout.fileno()
    left = memoryview(data)
    while left:
        await _ready(out)
        left = left[os.write(out, left[:_PIECE]) :]


async def _ready(out: int) -> None:
    if select.select((), (out,), (), 0)[1]:
        return
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(out, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(out)
