"""A way to an exchange that takes its time: a proxy on loopback that holds what is asked back, each time as long as it
likes, before the exchange gets to see and count it."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from urllib.parse import urlsplit

CHUNK = 65_536

Stop = tuple[int, asyncio.AbstractEventLoop, asyncio.Event]


@contextmanager
def delayed(url: str, least: float, most: float) -> Iterator[str]:
    """The URL of an exchange behind a way of `least` to `most` seconds; answers come back at once."""
    opened: SimpleQueue[Stop] = SimpleQueue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(url, least, most, opened)))
    thread.start()
    port, loop, stop = opened.get(timeout=120)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(url: str, least: float, most: float, opened: "SimpleQueue[Stop]") -> None:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    chance, stop = random.Random(7), asyncio.Event()
    connections: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_asked: bool) -> None:
        try:
            while data := await reader.read(CHUNK):
                if is_asked:  # a question fits into one piece
                    await asyncio.sleep(chance.uniform(least, most))
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        ways = carry(reader, back, is_asked=True), carry(there, writer, is_asked=False)
        await asyncio.gather(*ways, return_exceptions=True)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(connect(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1") as server:
        opened.put((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        await stop.wait()
    for task in connections:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*connections, return_exceptions=True)
    await asyncio.sleep(0)  # what was closed says so in the next round
