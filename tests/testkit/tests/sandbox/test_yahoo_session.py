"""Yahoo's cookie, crumb and screener over plain HTTP."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from candle_testkit.sandbox import Sandbox, SandboxConfig, YahooConfig

from .conftest import Client, Reply
from .stocks import ms

US = {"operator": "EQ", "operands": ["region", "us"]}
SCREENER = "/v1/finance/screener"


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=1, stocks=600, clock="2024-03-15T15:00", speed=0)


@pytest.fixture
async def client(sandbox: Sandbox) -> Any:
    # An address has no cookies of its own unless the jar is told so.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Client(session, sandbox.url)


async def crumb(client: Client) -> str:
    assert (await client.get("/")).status == 404, "the cookie comes with an error page"
    reply = await client.get("/v1/test/getcrumb")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    return reply.text


async def post(client: Client, body: Any, **params: str) -> Reply:
    async with client.session.post(client.url + SCREENER, params=params, json=body) as reply:
        return Reply(reply.status, reply.headers, await reply.text())


async def test_a_crumb_belongs_to_a_cookie(client: Client) -> None:
    refused = await client.get("/v1/test/getcrumb")
    assert (refused.status, refused.json["finance"]["error"]["description"]) == (401, "Invalid Cookie")
    first = await crumb(client)
    assert len(first) == 11
    assert await crumb(client) == first, "who has a cookie keeps it"
    client.session.cookie_jar.clear()
    second = await crumb(client)
    assert second != first
    assert (await post(client, {"query": US}, crumb=second)).status == 200
    stale = await post(client, {"query": US}, crumb=first)
    assert (stale.status, stale.json["finance"]["error"]["description"]) == (401, "Invalid Crumb")
    client.session.cookie_jar.clear()
    assert (await post(client, {"query": US}, crumb=second)).json["finance"]["error"]["description"] == "Invalid Cookie"


async def test_consent_leads_to_a_cookie_too(client: Client) -> None:
    assert 'name="csrfToken"' in (await client.get("/consent")).text
    assert (await client.get("/copyConsent", sessionId="x")).status == 200
    assert (await client.get("/v1/test/getcrumb")).status == 200


async def test_a_crumb_may_be_refused_by_order(client: Client, sandbox: Sandbox) -> None:
    known = await crumb(client)
    sandbox.faults.script("status", path=SCREENER, status=401)
    refused = await post(client, {"query": US}, crumb=known)
    assert (refused.status, refused.json["finance"]["error"]["description"]) == (401, "Invalid Crumb")
    assert (await post(client, {"query": US}, crumb=known)).status == 200


async def test_the_chart_asks_for_a_crumb_only_when_told_to(client: Client) -> None:
    assert (await client.get("/v8/finance/chart/AAPL")).status == 200
    with Sandbox(SandboxConfig(markets=1, yahoo=YahooConfig(chart_crumb=True), clock="2024-03-15T15:00")) as strict:
        client.url = strict.url
        assert (await client.get("/v8/finance/chart/AAPL")).status == 401
        assert (await client.get("/v8/finance/chart/AAPL", crumb=await crumb(client))).status == 200


async def test_a_search_is_paged(client: Client, sandbox: Sandbox) -> None:
    known = await crumb(client)
    symbols: list[str] = []
    totals = set()
    query = {"operator": "AND", "operands": [US, {"operator": "OR", "operands": [
        {"operator": "EQ", "operands": ["exchange", name]} for name in ("NMS", "NYQ", "ASE")]}]}  # fmt: skip
    for offset in (0, 250, 500):
        body = {"query": query, "offset": offset, "size": 250, "sortField": "ticker", "sortType": "ASC"}
        (result,) = (await post(client, body, crumb=known)).json["finance"]["result"]
        assert (result["start"], result["count"]) == (offset, len(result["quotes"]))
        symbols += [quote["symbol"] for quote in result["quotes"]]
        totals.add(result["total"])
    listed = {
        stock.symbol_at(sandbox.clock.now()) or ""
        for stock in sandbox.stocks
        if stock.config.venue in ("NMS", "NYQ", "ASE") and stock.config.kind == "EQUITY"
    } - {""}
    assert symbols == sorted(listed)
    assert totals == {len(listed)}
    assert len(listed) > 250
    assert {"TWTR", "NEWCO", "FB", "SPY"}.isdisjoint(symbols), "dead, not born, renamed, a fund"
    assert [one.params["offset"] for one in sandbox.ledger.requests(SCREENER)] == ["0", "250", "500"]


async def test_a_quote_says_what_a_listing_needs(client: Client) -> None:
    known = await crumb(client)
    query = {"operator": "EQ", "operands": ["exchange", "KSC"]}
    body = {"query": query, "count": 1, "sortField": "ticker", "sortType": "ASC"}
    ((quote,),) = [one["quotes"] for one in (await post(client, body, crumb=known)).json["finance"]["result"]]
    assert quote["symbol"] == "000660.KS"
    assert (quote["currency"], quote["exchange"], quote["fullExchangeName"]) == ("KRW", "KSC", "KSE")
    assert (quote["exchangeTimezoneName"], quote["quoteType"]) == ("Asia/Seoul", "EQUITY")
    assert quote["longName"] == "SK hynix Inc."
    found = await client.get("/v7/finance/quote", symbols="AAPL,NOSUCH", crumb=known)
    assert [one["symbol"] for one in found.json["quoteResponse"]["result"]] == ["AAPL"]
    assert (await client.get("/v10/finance/quoteSummary/TWTR", crumb=known)).status == 404


async def test_funds_and_prices_can_be_searched_for(client: Client) -> None:
    known = await crumb(client)
    funds = await post(client, {"query": US, "quoteType": "ETF"}, crumb=known)
    assert [one["symbol"] for one in funds.json["finance"]["result"][0]["quotes"]] == ["SPY"]
    dear = {"operator": "AND", "operands": [US, {"operator": "GT", "operands": ["intradayprice", 100]}]}
    quotes = (await post(client, {"query": dear, "size": 250}, crumb=known)).json["finance"]["result"][0]["quotes"]
    assert quotes
    assert all(one["regularMarketPrice"] > 100 for one in quotes)


@pytest.mark.parametrize(
    "body",
    [
        {"query": US, "size": 251},
        {"query": US, "offset": -1},
        {"query": {"operator": "EQ", "operands": ["colour", "red"]}},
        {"query": {"operator": "LIKE", "operands": ["region", "us"]}},
        {"query": {"operator": "AND", "operands": []}},
        {},
        [],
    ],
)
async def test_wrong_searches(client: Client, body: Any) -> None:
    reply = await post(client, body, crumb=await crumb(client))
    assert (reply.status, reply.json["finance"]["error"]["code"]) == (400, "Bad Request")


async def quotes(client: Client, *symbols: str) -> list[dict[str, Any]]:
    reply = await client.get("/v7/finance/quote", symbols=",".join(symbols), crumb=await crumb(client))
    assert reply.status == 200, reply.text
    found: list[dict[str, Any]] = reply.json["quoteResponse"]["result"]
    return found


async def test_a_quote_adds_up_to_the_day(client: Client, sandbox: Sandbox) -> None:
    now = sandbox.clock.now()
    (told,) = await quotes(client, "AAPL")
    minutes = sandbox.stocks.candles("AAPL", "1m", now - 86_400_000, now + 1, include_open=True)
    today = minutes["open_time"] >= 1710509400000
    assert told["regularMarketOpen"] == minutes["open"][today][0]
    assert told["regularMarketPrice"] == minutes["close"][-1]
    assert told["regularMarketDayHigh"] == minutes["high"][today].max()
    assert told["regularMarketDayLow"] == minutes["low"][today].min()
    assert told["regularMarketVolume"] == minutes["volume"][today].sum()
    assert (told["regularMarketTime"], told["marketState"]) == (now // 1000, "REGULAR")
    spread = told["regularMarketPrice"] - told["bid"], told["ask"] - told["regularMarketPrice"]
    assert spread == pytest.approx((0.01, 0.01))


@pytest.mark.parametrize(
    ("now", "state", "at"),
    [("2024-03-15T22:00", "CLOSED", "2024-03-15T20:00"), ("2023-11-24T18:30", "CLOSED", "2023-11-24T18:00")],
    ids=["evening", "half-day"],
)
async def test_no_bid_and_no_ask_after_a_session(
    client: Client, sandbox: Sandbox, now: str, state: str, at: str
) -> None:
    sandbox.clock.set(now)
    (told,) = await quotes(client, "AAPL")
    assert (told["bid"], told["ask"], told["bidSize"], told["askSize"]) == (0, 0, 0, 0)
    assert (told["marketState"], told["regularMarketTime"]) == (state, ms(at) // 1000)
    truth = sandbox.ledger.ticker("AAPL")
    assert (truth["at"], truth["bid"], truth["last"]) == (ms(at), 0, round(told["regularMarketPrice"] * 10**8))


async def test_a_hundred_names_are_one_too_many(client: Client) -> None:
    names = [f"X{number}" for number in range(100)]
    assert await quotes(client, *names[:99]) == []
    refused = await client.get("/v7/finance/quote", symbols=",".join(names), crumb=await crumb(client))
    assert (refused.status, refused.json["quoteResponse"]["error"]["code"]) == (400, "Bad Request")
