"""The session before a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    TransientError,
    to_ms,
)
from candle_http import Client, Refusal, error_for, used_in
from candle_testkit.context import OpenGate, make_context

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DATE = {"Date": "Fri, 15 Mar 2024 23:30:00 GMT"}


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def client(
    handler: Handler, folder: Path, gate: OpenGate | None = None, patience: float = 5
) -> AsyncIterator[Client]:
    context = make_context(folder, "test", budget=gate)
    async with served(handler) as url:
        made = Client(
            url, patience, context, refuse=partial(error_for, gone="-1121"), feedback=used_in({"weight": "X-Used"})
        )
        yield made
        await made.close()


async def test_an_answer_has_its_body_its_moment_and_the_limits(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"asked": request.query_string}, headers={**DATE, "X-Used": "17"})

    async with client(handler, tmp_path) as made:
        answer = await made.get("/klines", {"limit": 3})
    assert answer.parsed(lambda told: told["asked"]) == "limit=3"
    assert answer.moment == answer.feedback.server_time == to_ms("2024-03-15T23:30:00Z")
    assert answer.feedback.used == {"weight": 17}
    assert answer.size == len(answer.body)
    with pytest.raises(MalformedAnswerError, match=r"KeyError: 'rows'; the answer begins '{"):
        answer.parsed(lambda told: told["rows"])


async def test_a_request_of_the_plugins_own_passes_the_gate(tmp_path: Path) -> None:
    statuses = iter([200, 429])

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses), headers={**DATE, "X-Used": "20", "Retry-After": "7"})

    gate = OpenGate()
    async with client(handler, tmp_path, gate) as made:
        await made.get_own("/info", costs={"weight": 20})
        with pytest.raises(RateLimitedError) as caught:
            await made.get_own("/info", costs={"weight": 20})
    assert gate.spent == [{"weight": 20}] * 2
    assert [one.used for one in gate.observed] == [{"weight": 20}]
    assert gate.paused == [caught.value.retry_after] == [7]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b"wrong", BadRequestError), (400, b'{"code":-1121}', MarketGoneError), (401, b"", AuthenticationError),
        (403, b"<html>", BadRequestError), (404, b"", BadRequestError), (418, b"", RateLimitedError),
        (429, b"", RateLimitedError), (451, b"", BadRequestError), (500, b"-1121", TransientError),
        (503, b"", TransientError), (302, b"", MalformedAnswerError),
    ],
)  # fmt: skip
def test_a_refusal_is_a_typed_error(status: int, body: bytes, error: type[ProviderError]) -> None:
    found = error_for(Refusal(status, body), gone="-1121")
    assert type(found) is error
    assert str(status) in str(found)
    if isinstance(found, RateLimitedError):
        assert (found.retry_after, found.banned) == (60, status == 418)


async def test_nothing_is_repeated_when_a_connection_breaks(tmp_path: Path) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(headers=DATE)

    async with client(handler, tmp_path) as made:
        await made.get("/")
        with pytest.raises(TransientError):
            await made.get("/")
    assert asked == 2


async def test_who_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with client(handler, tmp_path, patience=0.05) as made:
        with pytest.raises(TransientError, match=r"did not answer within 0\.05 s"):
            await made.get("/slow")


async def test_nobody_there_is_a_typed_error(tmp_path: Path) -> None:
    made = Client("http://127.0.0.1:9", 1, make_context(tmp_path))
    with pytest.raises(TransientError, match="1:9/klines"):
        await made.get("/klines")
    await made.close()
    await made.close()


async def test_an_answer_without_a_date_knows_no_moment(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": "yesterday"})

    async with client(handler, tmp_path) as made:
        answer = await made.get("/")
    assert answer.feedback.server_time is None
    with pytest.raises(MalformedAnswerError, match="'yesterday'"):
        _ = answer.moment
