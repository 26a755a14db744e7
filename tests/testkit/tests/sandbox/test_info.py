"""exchangeInfo, time, ping and the tickers."""

from __future__ import annotations

from typing import Any

import pytest

from candle_testkit.sandbox import Sandbox, SandboxConfig, default_markets

from .conftest import Client


async def test_ping_and_time(client: Client, sandbox: Sandbox) -> None:
    assert (await client.get("/api/v3/ping")).json == {}
    assert (await client.get("/api/v3/time")).json == {"serverTime": sandbox.clock.now()}


async def test_exchange_info_lists_what_is_listed(client: Client, sandbox: Sandbox) -> None:
    everything = (await client.get("/api/v3/exchangeInfo")).json
    assert everything["serverTime"] == sandbox.clock.now()
    assert everything["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000,
    }  # fmt: skip
    assert {one["symbol"]: one["status"] for one in everything["symbols"]} == {
        "BTCUSDT": "TRADING", "ABCBTC": "TRADING", "OLDUSDT": "BREAK",
    }  # fmt: skip
    first = everything["symbols"][0]
    filters = {one["filterType"]: one for one in first["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert first["permissionSets"] == [["SPOT", "MARGIN"]]
    assert first["isMarginTradingAllowed"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"symbol": "BTCUSDT"}, ["BTCUSDT"]),
        ({"symbols": '["ABCBTC","BTCUSDT"]'}, ["ABCBTC", "BTCUSDT"]),
        ({"symbolStatus": "BREAK"}, ["OLDUSDT"]),
        ({"permissions": "MARGIN"}, ["BTCUSDT"]),
        ({"symbol": "NEWUSDT"}, -1121),
        ({"symbols": '["BTCUSDT","NOPE"]'}, -1121),
        ({"symbols": '["BTCUSDT", "ABCBTC"]'}, -1100),
        ({"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ({"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ({"symbol": "BTCUSDT", "symbolStatus": "TRADING"}, -1128),
        ({"symbolStatus": "OPEN"}, -1122),
        ({"permissions": "ALL"}, -1130),
        ({"showPermissionSets": "no"}, -1130),
    ],
)
async def test_exchange_info_selects(client: Client, params: dict[str, Any], expected: Any) -> None:
    reply = await client.get("/api/v3/exchangeInfo", **params)
    if isinstance(expected, int):
        assert (reply.status, reply.json["code"]) == (400, expected)
    else:
        assert [one["symbol"] for one in reply.json["symbols"]] == expected


async def test_permission_sets_can_be_left_out(client: Client) -> None:
    reply = await client.get("/api/v3/exchangeInfo", symbol="BTCUSDT", showPermissionSets="false")
    assert "permissionSets" not in reply.json["symbols"][0]


async def test_tickers_tell_the_candles_story(client: Client) -> None:
    now = await client.klines(limit=1)
    price = (await client.get("/api/v3/ticker/price", symbol="BTCUSDT")).json
    assert price == {"symbol": "BTCUSDT", "price": now[-1][4]}
    day = (await client.get("/api/v3/ticker/24hr", symbol="BTCUSDT")).json
    assert day["lastPrice"] == now[-1][4]
    assert day["closeTime"] - day["openTime"] == 86_400_000
    assert day["lastId"] - day["firstId"] + 1 == day["count"]
    seconds = [int(row[8]) for row in await client.klines(interval="1h", limit=24)]
    assert day["count"] == pytest.approx(sum(seconds), rel=0.1)
    mini = (await client.get("/api/v3/ticker/24hr", symbols='["BTCUSDT","OLDUSDT"]', type="MINI")).json
    assert [one["symbol"] for one in mini] == ["BTCUSDT", "OLDUSDT"]
    assert mini[1]["count"] == 0
    (last,) = await client.klines(symbol="OLDUSDT", limit=1)
    assert mini[1]["lastPrice"] == last[4]
    book = (await client.get("/api/v3/ticker/bookTicker", symbolStatus="TRADING")).json
    assert [one["symbol"] for one in book] == ["BTCUSDT", "ABCBTC"]
    assert float(book[0]["bidPrice"]) < float(price["price"]) < float(book[0]["askPrice"])
    mismatch = await client.get("/api/v3/ticker/price", symbol="OLDUSDT", symbolStatus="TRADING")
    assert mismatch.json["code"] == -1220


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("ping", {}, 1),
        ("exchangeInfo", {}, 20),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1000}, 2),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {}, 80),
        ("ticker/price", {"symbol": "BTCUSDT"}, 2),
        ("ticker/bookTicker", {}, 4),
    ],
)
async def test_weights(client: Client, path: str, params: dict[str, Any], weight: int) -> None:
    reply = await client.get(f"/api/v3/{path}", **params)
    assert reply.headers["x-mbx-used-weight-1m"] == reply.headers["x-mbx-used-weight"] == str(weight)


@pytest.mark.parametrize("count", [1, 20, 2000])
def test_as_many_markets_as_wanted(count: int) -> None:
    markets = default_markets(count)
    assert len({market.symbol for market in markets}) == count
    sandbox = Sandbox(SandboxConfig(markets=count, clock="2026-09-01", speed=0))
    for symbol in list(sandbox.markets)[-2:]:
        market = sandbox.markets[symbol]
        start = market.config.listed_ms
        rows = sandbox.ledger.rows(symbol, "1h", start, start + 48 * 3_600_000)
        assert 0 < len(rows) <= 49
        assert len(set(rows["close"].tolist())) > 10
