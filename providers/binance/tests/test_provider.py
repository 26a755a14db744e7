"""What goes over the wire, and what only this provider can get wrong."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from candle_binance.provider import BinanceProvider
from candle_hookspecs import (
    Anchor,
    BadRequestError,
    FetchRequest,
    MalformedAnswerError,
    MarketQuery,
    RateLimitedError,
    Span,
    TransientError,
    WarmupScope,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Sandbox, SandboxConfig

DAY = Span.of("2024-01-01", "2024-01-02")


def build(url: str, tmp_path: Path, gate: OpenGate | None = None, **settings: Any) -> BinanceProvider:
    checked = BinanceProvider.Settings.model_validate({"rest_url": url, **settings})
    return BinanceProvider(checked, make_context(tmp_path, "binance", budget=gate))


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with Sandbox(SandboxConfig(markets=2, clock="2024-03-01", speed=0)) as sandbox:
        yield sandbox


@pytest.fixture
async def provider(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[BinanceProvider]:
    sandbox.faults.clear()
    sandbox.forgive()
    provider = build(sandbox.url, tmp_path)
    yield provider
    await provider.candle_close()


async def request(provider: BinanceProvider, **changes: Any) -> FetchRequest:
    (market,) = await provider.candle_markets(MarketQuery(name="BTC/USDT"))
    return replace(FetchRequest(markets=(market,), timeframe="1m", span=DAY, limit=10), **changes)


@pytest.mark.parametrize(
    ("anchor", "end"), [(Anchor.START, {"startTime": str(DAY.start)}), (Anchor.END, {"endTime": str(DAY.end - 1)})]
)
async def test_the_far_end_is_left_open(
    provider: BinanceProvider, sandbox: Sandbox, anchor: Anchor, end: dict[str, str]
) -> None:
    await provider.candle_fetch(await request(provider, anchor=anchor))
    assert sandbox.ledger.requests()[-1].params == {"symbol": "BTCUSDT", "interval": "1m", "limit": "10", **end}


async def test_before_1970_nothing_is_asked_for(provider: BinanceProvider, sandbox: Sandbox) -> None:
    page = await provider.candle_fetch(await request(provider, span=Span(-86_400_000, DAY.end)))
    assert sandbox.ledger.requests()[-1].params["startTime"] == "0"
    assert page.proofs[0].span.start == -86_400_000


@pytest.mark.parametrize("limit", [0, 5_000])
async def test_a_page_is_a_thousand_at_most(provider: BinanceProvider, sandbox: Sandbox, limit: int) -> None:
    page = await provider.candle_fetch(await request(provider, limit=limit))
    assert sandbox.ledger.requests()[-1].params["limit"] == "1000"
    assert (len(page.batch), page.asserted) == (1_000, None)


@pytest.mark.parametrize("changes", [{"span": None}, {"timeframe": None}, {"source": "archive"}])
async def test_what_rest_does_not_have_is_a_bad_request(provider: BinanceProvider, changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="BTCUSDT"):
        await provider.candle_fetch(await request(provider, **changes))


async def test_the_size_is_that_on_the_wire(provider: BinanceProvider) -> None:
    page = await provider.candle_fetch(await request(provider, limit=1_000))
    assert 1_000 < page.size < 100_000, "170 kB travel packed"


async def test_a_silent_server_is_given_up(provider: BinanceProvider, sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = await request(provider)
    sandbox.faults.script("slow", seconds=600)
    hasty = build(sandbox.url, tmp_path, timeout=0.5)
    with pytest.raises(TransientError, match=r"within 0\.5 s"):
        await hasty.candle_fetch(wanted)
    await hasty.candle_close()


async def test_nobody_there_is_transient(tmp_path: Path) -> None:
    provider = build("http://127.0.0.1:9", tmp_path)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9"):
        await provider.candle_warmup(WarmupScope())
    await provider.candle_close()


async def test_a_limit_met_on_its_own_account_pauses_the_gate(sandbox: Sandbox, tmp_path: Path) -> None:
    gate = OpenGate()
    provider = build(sandbox.url, tmp_path, gate)
    sandbox.faults.script("rate_limited", path="/api/v3/time", retry_after=9)
    with pytest.raises(RateLimitedError):
        await provider.candle_warmup(WarmupScope())
    assert gate.paused == [9.0]
    await provider.candle_close()


@asynccontextmanager
async def server(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server that answers everything in one way."""
    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def test_without_a_date_nothing_is_believed(provider: BinanceProvider, tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"[]", headers={"Date": "yesterday"})

    async with server(answer) as url:
        undated = build(url, tmp_path)
        with pytest.raises(MalformedAnswerError, match="'Date'"):
            await undated.candle_fetch(await request(provider))
        await undated.candle_close()


async def test_a_redirection_is_not_followed(provider: BinanceProvider, tmp_path: Path) -> None:
    seen = []

    async def answer(asked: web.Request) -> web.Response:
        seen.append(asked.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with server(answer) as url:
        moved = build(url, tmp_path)
        with pytest.raises(MalformedAnswerError, match="rest_url"):
            await moved.candle_fetch(await request(provider))
        await moved.candle_close()
    assert seen == ["/api/v3/klines"]


async def test_a_path_in_rest_url_stays(tmp_path: Path) -> None:
    async def answer(asked: web.Request) -> web.Response:
        return web.json_response({"serverTime": 17} if asked.path == "/mirror/api/v3/time" else {})

    async with server(answer) as url:
        mirrored = build(f"{url}/mirror/", tmp_path)
        assert (await mirrored.candle_warmup(WarmupScope())).server_time == 17
        await mirrored.candle_close()


async def test_what_is_no_time_is_refused(tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>welcome to this hotel</html>")

    async with server(answer) as url:
        astray = build(url, tmp_path)
        with pytest.raises(MalformedAnswerError, match="hotel"):
            await astray.candle_warmup(WarmupScope())
        await astray.candle_close()


@pytest.mark.parametrize(
    "settings", [{"rest_url": "api.binance.com"}, {"rest_url": "ftp://x"}, {"timeout": 0}, {"tiemout": 3}]
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BinanceProvider.Settings.model_validate(settings)


def test_settings_default_to_binance() -> None:
    assert str(BinanceProvider.Settings().rest_url) == "https://api.binance.com/"
