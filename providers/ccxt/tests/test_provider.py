"""What goes out and is paid for, what comes in by whom it belongs to, and what only this provider can get wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from pydantic import ValidationError

from candle_ccxt.loading import known
from candle_ccxt.markets import parse_all
from candle_ccxt.provider import CcxtProvider
from candle_ccxt.site import FRESH, NEWS
from candle_hookspecs import (
    Anchor,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketQuery,
    MarketStatus,
    ProviderError,
    RateLimitedError,
    Span,
    TransientError,
    WarmupScope,
)
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from providers.ccxt.tests.servers import served

NOW: Final = "2024-03-10T12:34:30.500"
DAY: Final = Span.of("2024-01-20", "2024-01-21")
MARKETS: Final = [
    MarketConfig("BTCUSDT", "BTC", "USDT", price="42000", turnover="300000000", listed="2022-12-15T10:00"),
    MarketConfig("XXBTZUSD", "BTC", "USD", "0.1", "0.00001", price="42000", exchange="KRAKEN"),
    MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", price="42000", exchange="OKX"),
]


@pytest.fixture(scope="module")
def exchanges() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=None))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(exchanges: Sandbox) -> Sandbox:
    exchanges.faults.clear()
    exchanges.forgive()
    exchanges.ledger.clear()
    return exchanges


Opened = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens a provider under a name, and closes it behind the block."""

    @asynccontextmanager
    async def open_one(name: str, url: str, gate: OpenGate | None = None, **table: Any) -> AsyncIterator[CcxtProvider]:
        table = {"rest_url": url, "tradetypes": ["SPOT"], "timeout": 5, **table}
        provider = CcxtProvider(CcxtProvider.Settings.model_validate(table), make_context(tmp_path, name, budget=gate))
        yield provider
        await provider.candle_close()

    return open_one


async def request(provider: CcxtProvider, name: str = "BTC/USDT", **changes: Any) -> FetchRequest:
    (market,) = await provider.candle_markets(MarketQuery(name=name))
    anchor = provider.capabilities.anchors[0]
    return replace(FetchRequest(markets=(market,), timeframe="1m", span=DAY, anchor=anchor, limit=10), **changes)


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def build(tmp_path: Path, name: str, **table: Any) -> CcxtProvider:
    return CcxtProvider(CcxtProvider.Settings.model_validate(table), make_context(tmp_path, name))


async def test_under_its_own_name_it_is_built_and_refuses_at_first_use(tmp_path: Path) -> None:
    provider = build(tmp_path, "ccxt")
    with pytest.raises(ConfigError, match=r"\[providers\.kraken\]"):
        await provider.candle_markets(MarketQuery())
    await provider.candle_close()


def test_a_table_may_have_another_name_than_the_exchange(tmp_path: Path) -> None:
    by_name, by_setting = build(tmp_path, "kraken"), build(tmp_path, "anything", exchange="kraken")
    assert by_name.capabilities == by_setting.capabilities
    assert build(tmp_path, "ccxt", exchange="kraken").capabilities == by_name.capabilities


@pytest.mark.parametrize(("name", "said"), [("krakenn", "kraken"), ("zzz", "binance"), ("__init__", "binance")])
def test_an_unknown_exchange_is_told_with_those_near(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"knows no exchange '{name}'; it has .*{said}"):
        build(tmp_path, name)


def test_an_exchange_without_candles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no candles of 'bit2c'"):
        build(tmp_path, "bit2c")


@pytest.mark.parametrize("table", [{"page_limit": 0}, {"tradetypes": []}, {"paging": "sideways"}, {"unknown": 1}])
def test_wrong_settings_are_refused(tmp_path: Path, table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build(tmp_path, "kraken", **table)


def test_every_exchange_of_ccxt_is_described(tmp_path: Path) -> None:
    """Built from ccxt's description alone; nothing is asked. Those without candles are refused, and no others."""
    import ccxt

    assert known() == sorted(ccxt.exchanges)
    ours = 0
    for name in known():
        try:
            able = build(tmp_path, name).capabilities
        except ConfigError as error:
            if f"no candles of {name!r}" not in str(error) or getattr(ccxt, name)().has["fetchOHLCV"]:
                raise
            continue
        ours += 1
        assert able.tradetypes, name
        assert set(able.batch) <= able.kinds, name
        assert able.kinds == set(able.costs), name
        (limit,) = able.limits
        assert 0 < able.costs[Kind.CANDLES]["cost"] <= limit.amount, name
        assert limit.period >= 0.99, name
        assert able.timeframes, name
        assert 1 <= able.concurrency <= 8, name
        assert able.page_limit >= 1, name
    assert ours >= 90


def test_markets_are_put_together_by_their_kind_however_they_are_mixed(tmp_path: Path) -> None:
    bases = [f"C{number:03}" for number in range(150)]
    mixed = [
        Market(
            archetype="CRYPTO", exchange="BINANCE", tradetype=tradetype, base=base, quote="USDT", settle=settle,
            native_id=f"{base}{tradetype}", ccxt_symbol=f"{base}/USDT:{settle}",
        )
        for base in bases
        for tradetype, settle in (("SPOT", ""), ("SWAP", "USDT"))
    ]  # fmt: skip
    calls = build(tmp_path, "binance").candle_split(FetchRequest(kind=Kind.TICKERS, markets=tuple(mixed)))
    assert calls is not None
    told = [(call.markets[0].tradetype, [market.base for market in call.markets]) for call in calls]
    assert told == [(kind, part) for kind in ("SPOT", "SWAP") for part in (bases[:100], bases[100:])]
    assert all(len({market.tradetype for market in call.markets}) == 1 for call in calls)


def test_what_ccxt_says_of_some(tmp_path: Path) -> None:
    """By hand from ccxt 4.5.90's own `describe`."""
    kraken = build(tmp_path, "kraken").capabilities
    assert (kraken.tradetypes, kraken.page_limit, kraken.anchors) == (("SPOT",), 720, (Anchor.END,))
    assert kraken.timeframes == ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "2w")
    # OHLC costs 1.2 units of a second each.
    assert (kraken.limits[0].amount, kraken.limits[0].period, kraken.cost(Kind.CANDLES)) == (1.2, 1.2, {"cost": 1.2})
    upbit = build(tmp_path, "upbit").capabilities
    assert (upbit.page_limit, upbit.limits[0].amount, upbit.cost(Kind.CANDLES)) == (200, 20, {"cost": 2})
    assert build(tmp_path, "gate").capabilities.page_limit == 1000 - 2
    assert build(tmp_path, "gate", page_limit=500).capabilities.page_limit == 500 - 2


# ── what is paid ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_that_is_sent_is_paid_once(sandbox: Sandbox, opened: Opened) -> None:
    """The kernel has paid for the candles; who asks without it pays, and pays the rest of a cost that is higher."""
    gate = OpenGate()
    async with opened("kraken", sandbox.url, gate) as provider:
        wanted = await request(provider, "BTC/USD")
        assert [costs["cost"] for costs in gate.spent] == [1, 1], "currencies and pairs"
        for prepaid, due in ((1.2, []), (0.0, [1.2]), (1.0, [0.2]), (5.0, [])):
            gate.spent.clear()
            await provider.candle_fetch(replace(wanted, costs={"cost": prepaid}))
            assert [costs["cost"] for costs in gate.spent] == pytest.approx(due)
    assert [one.path for one in sandbox.ledger.requests()].count("/0/public/OHLC") == 4


async def test_a_listing_that_the_candles_need_is_paid_beside_them(sandbox: Sandbox, opened: Opened) -> None:
    gate = OpenGate()
    async with opened("okx", sandbox.url) as other:
        wanted = await request(other)
    sandbox.ledger.clear()
    async with opened("okx", sandbox.url, gate) as provider:
        pages = await asyncio.gather(*(provider.candle_fetch(replace(wanted, costs={"cost": 0.5})) for _ in range(5)))
    assert {len(page.batch) for page in pages} == {10}
    paths = [one.path for one in sandbox.ledger.requests()]
    assert sorted(paths) == ["/api/v5/market/history-candles"] * 5 + ["/api/v5/public/instruments"]
    # What is older costs 1, twice what was paid for; and that was long ago for the one that listed before.
    assert sorted(costs["cost"] for costs in gate.spent) == [*[0.5] * 4, 1, 1]


async def test_a_ticker_is_had_where_ccxt_has_them_all_at_once_alone(opened: Opened) -> None:
    """As at Deepcoin."""
    pair = {
        "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
        "tickSz": "0.1", "lotSz": "0.00001", "minSz": "0.00001",
    }  # fmt: skip
    told = {"instType": "SPOT", "instId": "BTC-USDT", "last": "42000.10", "ts": "1710073800000"}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": [told if request.path.endswith("tickers") else pair]})

    async with serving(answer, at="") as url, opened("deepcoin", url) as provider:
        wanted = await request(provider, kind=Kind.TICKERS, span=None, limit=0, timeframe="")
        (ticker,) = (await provider.candle_fetch(wanted)).tickers
    assert (str(ticker.last), ticker.at) == ("42000.10", 1710073800000)


async def test_what_costs_more_than_the_limit_is_paid_in_parts(sandbox: Sandbox, opened: Opened) -> None:
    gate = OpenGate()
    async with opened("kraken", sandbox.url, gate) as provider:
        provider._site.ccxt.calculate_rate_limiter_cost = lambda *_: 3.0  # dearer than the 1.2 of its limit
        await provider.candle_warmup(WarmupScope())
    assert [costs["cost"] for costs in gate.spent] == pytest.approx([1.2, 1.2, 0.6])


async def test_ccxt_neither_waits_nor_repeats(sandbox: Sandbox, opened: Opened) -> None:
    options = {"maxRetriesOnFailure": 3, "maxRetriesOnFailureDelay": 1}
    async with opened("binance", sandbox.url, options=options) as provider:
        wanted = await request(provider)
        sandbox.faults.script("status", status=500, times=1)
        sandbox.ledger.clear()
        with pytest.raises(TransientError):
            await provider.candle_fetch(wanted)
        assert sandbox.ledger.count() == 1
        start = asyncio.get_running_loop().time()
        await asyncio.gather(*(provider.candle_fetch(wanted) for _ in range(20)))
        # Its own throttle would let fifty a second pass at this cost, one after the other.
        assert not provider._site.ccxt.enableRateLimit
        assert asyncio.get_running_loop().time() - start < 5


async def test_a_pause_that_the_exchange_wants_holds_for_all(sandbox: Sandbox, opened: Opened) -> None:
    gate = OpenGate()
    async with opened("binance", sandbox.url, gate) as provider:
        sandbox.faults.script("rate_limited", path="*", retry_after=7)
        with pytest.raises(RateLimitedError) as caught:
            await provider.candle_markets(MarketQuery())
    assert (caught.value.retry_after, caught.value.banned, gate.paused) == (7, False, [7])


# ── markets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_listing_answers_for_a_while_for_markets_by_name(
    sandbox: Sandbox, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened("okx", sandbox.url) as provider:
        await request(provider)
        await request(provider)
        assert sandbox.ledger.count() == 1
        assert await provider.candle_markets(MarketQuery(name="NOPE/USDT")) == []
        assert sandbox.ledger.count() == 2, "what is not known may have been listed since"
        now = provider.context.clock.now()
        monkeypatch.setattr(type(provider.context.clock), "now", lambda _: now + FRESH)
        await request(provider)
        await provider.candle_markets(MarketQuery())
        assert sandbox.ledger.count() == 4


async def test_a_market_that_others_have_heard_of_since_is_not_taken_for_gone(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes share a cache of what is listed, and an error of a market that is gone is written down."""
    listed, sent = ["OLD"], []

    def instrument(base: str) -> dict[str, str]:
        return {
            "instType": "SPOT", "instId": f"{base}-USDT", "baseCcy": base, "quoteCcy": "USDT", "state": "live",
            "tickSz": "0.1", "lotSz": "0.00001", "minSz": "0.00001",
        }  # fmt: skip

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.path.rpartition("/")[2])
        found = [instrument(base) for base in listed] if sent[-1] == "instruments" else []
        return web.json_response({"code": "0", "data": found})

    async with serving(answer, at="") as url, opened("okx", url) as provider, opened("okx", url) as other:
        old = await request(provider, "OLD/USDT")
        listed.append("NEW")
        new = await request(other, "NEW/USDT")
        with pytest.raises(MarketGoneError):
            await provider.candle_fetch(new)  # what was listed just now is believed
        now = provider.context.clock.now()
        monkeypatch.setattr(type(provider.context.clock), "now", lambda _: now + NEWS)
        sent.clear()
        await provider.candle_fetch(old)
        assert "instruments" not in sent
        await asyncio.gather(*(provider.candle_fetch(new) for _ in range(5)))
        assert sent.count("instruments") == 1


async def test_nobody_waits_for_a_listing_that_others_want(opened: Opened) -> None:
    listings, asked_again, let_go = 0, asyncio.Event(), asyncio.Event()
    row = {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
           "tickSz": "0.1", "lotSz": "0.00001", "minSz": "0.00001"}  # fmt: skip

    async def answer(request: web.Request) -> web.Response:
        nonlocal listings
        if not request.path.endswith("instruments"):
            return web.json_response({"code": "0", "data": []})
        listings += 1
        if listings > 1:
            asked_again.set()
            await let_go.wait()
        return web.json_response({"code": "0", "data": [row]})

    async with serving(answer, at="") as url, opened("okx", url, timeout=60) as provider:
        wanted = await request(provider)
        again = asyncio.create_task(provider.candle_markets(MarketQuery()))
        await asked_again.wait()
        await provider.candle_fetch(wanted)
        assert not again.done()
        let_go.set()
        assert len(await again) == 1


async def test_a_listing_is_read_once_for_however_many_names(
    sandbox: Sandbox, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def reading(found: Any, *others: Any) -> list[Market]:
        read.append(len(found))
        return parse_all(found, *others)

    monkeypatch.setattr("candle_ccxt.site.parse_all", reading)
    async with opened("okx", sandbox.url) as provider:
        for _ in range(10):
            await request(provider)
        assert read == [1]
        await provider.candle_markets(MarketQuery())
        assert read == [1, 1]


async def test_a_listing_that_failed_is_asked_for_again(sandbox: Sandbox, opened: Opened) -> None:
    async with opened("okx", sandbox.url) as provider:
        sandbox.faults.script("status", status=500, path="*", times=2)
        for _ in range(2):
            with pytest.raises(TransientError):
                await provider.candle_markets(MarketQuery())
        assert [market.native_id for market in await provider.candle_markets(MarketQuery())] == ["BTC-USDT"]
        assert sandbox.ledger.count() == 3


async def test_only_the_kinds_that_are_wanted_are_listed(sandbox: Sandbox, opened: Opened) -> None:
    async with opened("okx", sandbox.url, tradetypes=["SPOT", "FUTURE"]) as provider:
        await provider.candle_markets(MarketQuery())
        assert provider.capabilities.tradetypes == ("SPOT", "FUTURE")
        asked = [one.params["instType"] for one in sandbox.ledger.requests()]
    assert sorted(asked) == ["FUTURES", "SPOT"]


async def test_steps_and_bounds_are_exact(sandbox: Sandbox, opened: Opened) -> None:
    async with opened("kraken", sandbox.url) as provider:
        (market,) = await provider.candle_markets(MarketQuery())
    assert market == Market(
        archetype="CRYPTO", exchange="KRAKEN", tradetype="SPOT", base="BTC", quote="USD", native_id="XXBTZUSD",
        ccxt_symbol="BTC/USD", status=MarketStatus.TRADING, price_tick=Decimal("0.1"), amount_step=Decimal("0.00001"),
        min_amount=Decimal("0.00001"), min_notional=Decimal("0.5"),
    )  # fmt: skip


async def test_a_name_that_has_passed_to_another_market_is_gone(sandbox: Sandbox, opened: Opened) -> None:
    async with opened("okx", sandbox.url) as provider:
        wanted = await request(provider)
        former = replace(wanted.market, native_id="BTC-OLD")
        with pytest.raises(MarketGoneError, match="BTC-OLD"):
            await provider.candle_fetch(replace(wanted, markets=(former,)))


@pytest.mark.parametrize(
    "change",
    [{"anchor": Anchor.START}, {"timeframe": "7m"}, {"source": "archive"}, {"span": None}],
)
async def test_what_it_cannot_be_asked_for(sandbox: Sandbox, opened: Opened, change: dict[str, Any]) -> None:
    async with opened("okx", sandbox.url) as provider:
        wanted = await request(provider, **change)
        sandbox.ledger.clear()
        with pytest.raises(BadRequestError, match="okx is asked for candles"):
            await provider.candle_fetch(wanted)
        assert sandbox.ledger.count() == 0


# ── whose answer it is ──────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Any], at: str = "instruments") -> AsyncIterator[str]:
    """A server of one function, beside a listing of OKX with one market; with nothing beside it if `at` is empty."""
    listed = {
        "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
        "tickSz": "0.1", "lotSz": "0.00001", "minSz": "0.00001",
    }  # fmt: skip

    async def handle(request: web.Request) -> web.StreamResponse:
        if at and request.path.endswith(at):
            return web.json_response({"code": "0", "data": [listed]})
        response: web.StreamResponse = await answer(request)
        return response

    async with served(handle) as url:
        yield url


async def test_requests_under_way_together_keep_their_own_clocks(opened: Opened) -> None:
    """ccxt holds one set of headers; the last to come would give all of them its time."""

    async def answer(request: web.Request) -> web.Response:
        end = int(request.query["after"]) - 60_000  # a slot more than is wanted
        # The earlier it was asked for, the later it comes.
        await asyncio.sleep(max(0.0, 0.3 - (end - DAY.start) / 60_000 / 100))
        row = [str(end - 60_000), "1", "1", "1", "1", "1", "1", "1", "1"]
        date = formatdate(end / 1000, usegmt=True)
        return web.json_response({"code": "0", "data": [row]}, headers={"Date": date})

    ends = [DAY.start + minutes * 60_000 for minutes in range(2, 22)]
    async with serving(answer) as url, opened("okx", url) as provider:
        wanted = await request(provider)
        spans = [Span(end - 60_000, end) for end in ends]
        pages = await asyncio.gather(*(provider.candle_fetch(replace(wanted, span=span, limit=1)) for span in spans))
    assert [page.answered_at for page in pages] == ends
    assert [page.batch.last for page in pages] == [end - 60_000 for end in ends]


BODIES: Final = {
    "429-text": (429, "slow down", {"Retry-After": "3"}, RateLimitedError),
    "418-json": (418, '{"code":"1","msg":"no"}', {}, RateLimitedError),
    "limit-in-the-body": (200, '{"code":"50011","msg":"Too Many Requests","data":[]}', {}, RateLimitedError),
    "key": (401, '{"code":"50103","msg":"key","data":[]}', {}, AuthenticationError),
    "symbol": (200, '{"code":"51001","msg":"gone","data":[]}', {}, MarketGoneError),
    "unnamed-refusal": (200, '{"code":"99999","msg":"?","data":[]}', {}, BadRequestError),
    "unnamed-500": (500, '{"code":"99999","msg":"?","data":[]}', {}, TransientError),
    "busy": (200, '{"code":"50013","msg":"Systems are busy","data":[]}', {}, TransientError),
    "404-page": (404, "<html>", {}, BadRequestError),
    "503-page": (503, "<html>", {}, TransientError),
    "200-page": (200, "<html>", {}, MalformedAnswerError),
    "empty": (200, "", {}, MalformedAnswerError),
    "no-rows": (200, '{"code":"0","data":[["x"]]}', {}, MalformedAnswerError),
    "null": (200, '{"code":"0","data":[null]}', {}, MalformedAnswerError),
}


@pytest.mark.parametrize(("status", "body", "head", "error"), BODIES.values(), ids=BODIES)
async def test_what_an_answer_becomes(
    opened: Opened, status: int, body: str, head: dict[str, str], error: type[ProviderError]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        kind = "application/json" if body.startswith("{") else "text/html"
        return web.Response(text=body, status=status, headers=head, content_type=kind)

    async with serving(answer) as url, opened("okx", url) as provider:
        wanted = await request(provider)
        with pytest.raises(error) as caught:
            await provider.candle_fetch(wanted)
    assert type(caught.value) is error
    if isinstance(caught.value, RateLimitedError):
        told = {"429-text": 3.0}.get(next(name for name, one in BODIES.items() if one[1] == body))
        assert caught.value.retry_after == (told or (300 if status == 418 else 10))
        assert caught.value.banned == (status == 418)


async def test_an_answer_without_a_clock_is_no_answer(opened: Opened) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"code": "0", "data": []}, headers={"Date": "soon"})

    async with serving(answer) as url, opened("okx", url) as provider:
        wanted = await request(provider)
        with pytest.raises(MalformedAnswerError, match="Date"):
            await provider.candle_fetch(wanted)


async def test_who_does_not_answer_is_given_up(opened: Opened) -> None:
    enough = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await enough.wait()
        return web.Response()

    async with serving(answer) as url, opened("okx", url) as patient, opened("okx", url, timeout=0.2) as provider:
        wanted = await request(patient)
        with pytest.raises(TransientError):
            await provider.candle_fetch(wanted)
        enough.set()


async def test_nobody_listens(opened: Opened) -> None:
    async with opened("okx", "http://127.0.0.1:9") as provider:
        with pytest.raises(TransientError):
            await provider.candle_markets(MarketQuery())


async def test_who_waits_for_its_turn_while_all_is_closed_is_told_so(sandbox: Sandbox, opened: Opened) -> None:
    waits, turn = asyncio.Event(), asyncio.Event()
    turn.set()

    class SlowGate(OpenGate):
        @asynccontextmanager
        async def under_way(self, *_: Any) -> AsyncIterator[None]:
            waits.set()
            await turn.wait()
            yield

    async with opened("okx", sandbox.url, SlowGate()) as provider:
        wanted = await request(provider)
        turn.clear()
        waits.clear()
        fetching = asyncio.create_task(provider.candle_fetch(wanted))
        await waits.wait()
        await provider.candle_close()
        turn.set()
        with pytest.raises(TransientError, match="closed"):
            await fetching


async def test_it_opens_again_after_it_was_closed(sandbox: Sandbox, opened: Opened) -> None:
    async with opened("okx", sandbox.url) as provider:
        wanted = await request(provider)
        await provider.candle_close()
        assert len((await provider.candle_fetch(wanted)).batch) == 10
