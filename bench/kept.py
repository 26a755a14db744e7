"""A server before a sandbox that keeps each answer, and gives it again after as long as a distant exchange takes.

What a sandbox needs to make up an answer would else be counted as the kernel's.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from aiohttp import ClientSession, web
from anyio.from_thread import start_blocking_portal

_HEADERS: Final = ("Date", "Content-Type")


@contextmanager
def kept(url: str, latency_ms: int) -> Iterator[str]:
    """The address of such a server, in a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_serve(url, latency_ms / 1000)) as address,
    ):
        yield address


@asynccontextmanager
async def _serve(url: str, latency: float) -> AsyncIterator[str]:
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
    async with ClientSession() as session:

        async def answer(request: web.Request) -> web.Response:
            if request.path_qs not in answers:
                async with session.get(url + request.path_qs) as found:
                    headers = {name: found.headers[name] for name in _HEADERS if name in found.headers}
                    answers[request.path_qs] = found.status, headers, await found.read()
            await asyncio.sleep(latency)
            status, headers, body = answers[request.path_qs]
            return web.Response(status=status, headers=headers, body=body)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()
