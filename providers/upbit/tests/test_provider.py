"""What goes over the wire, how far back the exchange answers, and what only this provider can get wrong."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from candle_hookspecs import (
    Anchor,
    BadRequestError,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    MarketQuery,
    RateLimitedError,
    Span,
    WarmupScope,
    Window,
    to_ms,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from candle_upbit.provider import PATHS, UpbitProvider

NOW = to_ms("2024-03-15T10:30:20.500")
LATELY = NOW - NOW % 1000
DAYS = 86_400_000
DAY = Span.of("2024-01-20", "2024-01-21")
MARKETS = [
    MarketConfig("KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", trades=2_000_000,
                 listed="2022-12-15T10:00", exchange="UPBIT"),
    MarketConfig("KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", trades=1, listed="2020-01-01",
                 exchange="UPBIT"),
]  # fmt: skip


def build(url: str, tmp_path: Path, gate: OpenGate | None = None, **settings: Any) -> UpbitProvider:
    checked = UpbitProvider.Settings.model_validate({"rest_url": url, **settings})
    return UpbitProvider(checked, make_context(tmp_path, "upbit", budget=gate))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(group=None))) as sandbox:
        yield sandbox


@pytest.fixture
async def provider(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[UpbitProvider]:
    sandbox.faults.clear()
    sandbox.ledger.clear()
    sandbox.forgive()
    provider = build(sandbox.url, tmp_path)
    yield provider
    await provider.candle_close()


async def request(provider: UpbitProvider, name: str = "KRW-BTC", **changes: Any) -> FetchRequest:
    (market,) = await provider.candle_markets(MarketQuery(name=name))
    wish = FetchRequest(markets=(market,), timeframe="1m", span=DAY, anchor=Anchor.END, limit=10)
    return replace(wish, **changes)


# ── over the wire ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("end", "to"),
    [
        ("2024-01-20T10:00:00", "2024-01-20T10:00:00Z"),
        ("2024-01-20T10:00:00.001", "2024-01-20T10:00:01Z"),
        ("2024-01-20T09:59:59.999", "2024-01-20T10:00:00Z"),
    ],
)
async def test_the_end_is_whole_seconds_and_lets_nothing_else_in(
    provider: UpbitProvider, sandbox: Sandbox, end: str, to: str
) -> None:
    span = Span(DAY.start, to_ms(end))
    page = await provider.candle_fetch(await request(provider, span=span, timeframe="1s", limit=3))
    sent = sandbox.ledger.requests()[-1]
    assert (sent.path, dict(sent.params)) == ("/v1/candles/seconds", {"market": "KRW-BTC", "to": to, "count": "3"})
    there = sandbox.ledger.candles("KRW-BTC", "1s", DAY.start, span.end)["open_time"]
    assert page.batch.open_time.tolist() == there[-3:].tolist()


@pytest.mark.parametrize(("limit", "count"), [(0, "200"), (200, "200"), (201, "200"), (1, "1")])
async def test_no_more_is_asked_than_a_page_holds(
    provider: UpbitProvider, sandbox: Sandbox, limit: int, count: str
) -> None:
    page = await provider.candle_fetch(await request(provider, limit=limit))
    assert (sandbox.ledger.requests()[-1].params["count"], len(page.batch)) == (count, int(count))
    assert page.request.limit == int(count), "else a full page would be taken for a short one"


async def test_every_request_is_charged_to_its_own_group_and_names_no_origin(
    provider: UpbitProvider, sandbox: Sandbox
) -> None:
    for timeframe in PATHS:
        page = await provider.candle_fetch(await request(provider, timeframe=timeframe, limit=1))
        assert set(page.feedback.remaining) == {"candles"}
    for kind, group in ((Kind.TICKERS, "ticker"), (Kind.ORDERBOOKS, "orderbook"), (Kind.TRADES, "trades")):
        page = await provider.candle_fetch(await request(provider, kind=kind, span=None, limit=1))
        assert set(page.feedback.remaining) == {group}
    await provider.candle_warmup(WarmupScope(markets=True))
    limits = {one.limit for one in sandbox.ledger.requests()}
    groups = {"candles", "market", "ticker", "orderbook", "crix-trades"}
    assert limits == groups, "a request with an origin would be charged to 'origin'"
    assert {limit.name for limit in provider.capabilities.limits} == groups - {"crix-trades"} | {"trades"}
    assert {(limit.amount, limit.period, limit.window) for limit in provider.capabilities.limits} == {
        (10, 1, Window.SLIDING)
    }


async def test_the_clock_comes_of_the_head_of_one_listing(provider: UpbitProvider, sandbox: Sandbox) -> None:
    gate = provider.context.budget
    assert isinstance(gate, OpenGate)
    info = await provider.candle_warmup(WarmupScope())
    assert (info.server_time, info.markets) == (NOW - NOW % 1000, ())
    assert [one.path for one in sandbox.ledger.requests()] == ["/v1/market/all"]
    assert gate.spent == [{"market": 1}]
    assert gate.observed[0].remaining == {"market": 9}


@pytest.mark.parametrize("refusal", ["json", "text"])
async def test_a_refused_listing_pauses_everything(tmp_path: Path, refusal: str) -> None:
    limits = Limits(group=1, ban_after=1, ban_seconds=60, refusal=refusal)
    gate = OpenGate()
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=limits)) as sandbox:
        provider = build(sandbox.url, tmp_path, gate)
        await provider.candle_markets(MarketQuery())
        for banned in (False, True):
            with pytest.raises(RateLimitedError) as caught:
                await provider.candle_markets(MarketQuery())
            assert caught.value.banned is banned
        await provider.candle_close()
    assert gate.paused == [1, 60]


@pytest.mark.parametrize(
    "change",
    [{"anchor": Anchor.START}, {"span": None}, {"timeframe": "2h"}, {"timeframe": None}, {"source": "archive"},
     {"kind": Kind.TRADES, "limit": 0}],
    ids=repr,
)  # fmt: skip
async def test_what_the_wire_cannot_say_is_refused_before_it_is_sent(
    provider: UpbitProvider, sandbox: Sandbox, change: dict[str, Any]
) -> None:
    wish = await request(provider, **change)
    sandbox.ledger.clear()
    with pytest.raises(BadRequestError):
        await provider.candle_fetch(wish)
    assert sandbox.ledger.count() == 0


async def test_candles_of_another_market_are_refused(tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        row = {"market": "KRW-ETH", "candle_date_time_utc": "2024-01-20T10:00:00", "opening_price": 1.0,
               "high_price": 1.0, "low_price": 1.0, "trade_price": 1.0, "candle_acc_trade_volume": 1.0,
               "candle_acc_trade_price": 1.0}  # fmt: skip
        return web.json_response([row])

    async def listing(_: web.Request) -> web.Response:
        return web.json_response([{"market": "KRW-BTC"}])

    application = web.Application()
    application.add_routes([web.get("/v1/candles/minutes/1", answer), web.get("/v1/market/all", listing)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    provider = build(f"http://{host}:{port}", tmp_path)
    try:
        with pytest.raises(MalformedAnswerError, match="KRW-ETH"):
            await provider.candle_fetch(await request(provider))
    finally:
        await provider.candle_close()
        await runner.cleanup()


def test_settings_are_checked() -> None:
    for wrong in ({"rest_url": "upbit"}, {"timeout": 0}, {"api_key": "x"}):
        with pytest.raises(ValidationError):
            UpbitProvider.Settings.model_validate(wrong)
    assert str(UpbitProvider.Settings().rest_url).startswith("https://api.upbit.com")


# ── what is left out, and what is out of reach ──────────────────────────────────────────────────────────────────────


async def test_days_without_a_trade_in_between_are_proven_by_the_rows(provider: UpbitProvider) -> None:
    page = await provider.candle_fetch(await request(provider, "LONE/KRW", limit=200))
    assert len(page.batch) == 200
    (proof,) = page.proofs
    assert (proof.span, proof.evidence) == (Span(page.batch.first, DAY.end), Evidence.ANCHORED)
    assert proof.span.end - proof.span.start > 198 * 86_400_000
    assert page.asserted is None


async def test_seconds_of_long_ago_are_out_of_reach_and_never_empty(provider: UpbitProvider) -> None:
    span = Span.of("2023-06-01", "2023-06-02")
    page = await provider.candle_fetch(await request(provider, span=span, timeframe="1s", limit=200))
    assert (len(page.batch), page.asserted) == (0, None)
    (proof,) = page.proofs
    assert (proof.state, proof.evidence) == (CoverageState.OUT_OF_REACH, Evidence.DECLARED)
    assert proof.span == Span(0, span.end), "one answer is enough for everything before"


async def test_the_edge_of_the_reach_lies_within_what_is_kept(provider: UpbitProvider) -> None:
    span = Span(LATELY - 100 * DAYS, LATELY - 30 * DAYS)
    page = await provider.candle_fetch(await request(provider, "KRW-LONE", span=span, timeframe="1s", limit=200))
    out, answered = sorted(page.proofs, key=lambda proof: proof.span)
    assert (out.state, answered.state) == (CoverageState.OUT_OF_REACH, CoverageState.ANSWERED)
    assert out.span == Span(0, page.batch.first), "older rows than are promised came, and count"
    assert answered.span == Span(page.batch.first, span.end)
    assert LATELY - 92 * DAYS <= page.batch.first < LATELY - 89 * DAYS
    assert page.asserted is None


async def test_nothing_is_out_of_reach_of_a_recent_window(provider: UpbitProvider, sandbox: Sandbox) -> None:
    span = Span(LATELY - 20 * DAYS, LATELY - 20 * DAYS + 10_000)
    wish = await request(provider, span=span, timeframe="1s", limit=200)
    sandbox.faults.script("lying_empty")
    page = await provider.candle_fetch(wish)
    assert (page.proofs, page.asserted) == ((), span)


async def test_a_short_lie_declares_no_more_than_is_gone(provider: UpbitProvider, sandbox: Sandbox) -> None:
    span = Span(LATELY - 120 * DAYS, LATELY - 30 * DAYS)
    wish = await request(provider, span=span, timeframe="1s", limit=200)
    sandbox.faults.script("lying_empty")
    page = await provider.candle_fetch(wish)
    edge = LATELY - 89 * DAYS
    (proof,) = page.proofs
    assert (proof.span, proof.state) == (Span(0, edge), CoverageState.OUT_OF_REACH)
    assert page.asserted == Span(edge, span.end), "what is kept is not believed to be empty"


async def test_minutes_reach_back_to_the_beginning(provider: UpbitProvider) -> None:
    span = Span.of("2022-12-15T09:00", "2022-12-15T10:30")
    page = await provider.candle_fetch(await request(provider, span=span, limit=200))
    assert 0 < len(page.batch) <= 30
    assert page.asserted == Span(span.start, page.batch.first)
