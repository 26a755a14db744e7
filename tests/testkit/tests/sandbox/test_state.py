"""The routes that tell of this moment: depth and trades of Binance, tickers, books and trades of Upbit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from candle_testkit.sandbox.clock import to_ms

from .conftest import MARKETS as BINANCE
from .conftest import NOW, Client
from .test_upbit import MARKETS as UPBIT

MOMENT = to_ms(NOW)
DAY = 86_400_000
PAGED = MarketConfig("BTC-ETH", "ETH", "BTC", "0.00000001", "1", "0.06", "40", trades=4_000, exchange="UPBIT")
DEPTH, TRADES, TICKS = "/api/v3/depth", "/api/v3/aggTrades", "/v1/trades/ticks"


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=[*BINANCE, *UPBIT[:3], PAGED], clock=NOW, speed=0)


def units(text: Any) -> int:
    return int(Decimal(str(text)) * 10**8)


# ── Binance ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limit", "weight"), [(1, 5), (100, 5), (101, 25), (500, 25), (501, 50), (1001, 250), (9999, 250)]
)
async def test_depth_weighs_by_its_levels(client: Client, sandbox: Sandbox, limit: int, weight: int) -> None:
    reply = await client.get(DEPTH, symbol="BTCUSDT", limit=limit)
    assert sandbox.ledger.requests()[-1].weight == weight
    assert len(reply.json["bids"]) == len(reply.json["asks"]) == min(limit, 5000)


async def test_the_book_straddles_the_last_price(client: Client) -> None:
    book = (await client.get(DEPTH, symbol="BTCUSDT")).json
    last = units((await client.get("/api/v3/ticker/price", symbol="BTCUSDT")).json["price"])
    best = (await client.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")).json
    bids, asks = ([units(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert bids[0] < last < asks[0]
    assert (bids, asks) == (sorted(set(bids), reverse=True), sorted(set(asks)))
    assert (book["bids"][0], book["asks"][0]) == (
        [best["bidPrice"], best["bidQty"]], [best["askPrice"], best["askQty"]],
    )  # fmt: skip


async def test_aggregate_trades_of_a_span(client: Client, sandbox: Sandbox) -> None:
    start = MOMENT - 60_000
    rows = (await client.get(TRADES, symbol="BTCUSDT", startTime=start, limit=1000)).json
    truth = sandbox.ledger.trades("BTCUSDT", start, MOMENT).tolist()
    assert [(one["a"], one["T"], units(one["p"]), units(one["q"]), int(not one["m"])) for one in rows] == truth
    assert truth
    inside = rows[1:-1]
    ends = {"startTime": inside[0]["T"], "endTime": inside[-1]["T"]}
    again = (await client.get(TRADES, symbol="BTCUSDT", **ends, limit=1000)).json
    assert [one["a"] for one in again] == [one["a"] for one in rows if ends["startTime"] <= one["T"] <= ends["endTime"]]
    by_number = (await client.get(TRADES, symbol="BTCUSDT", fromId=rows[3]["a"], limit=4)).json
    assert by_number == rows[3:7]
    newest = (await client.get(TRADES, symbol="BTCUSDT", endTime=inside[-1]["T"], limit=2)).json
    assert newest == again[-2:]
    assert (await client.get(TRADES, symbol="BTCUSDT", limit=5)).json == rows[-5:]
    assert sandbox.ledger.requests()[-1].weight == 4


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        (TRADES, {"symbol": "NOPE"}, -1121), (DEPTH, {"symbol": "NOPE"}, -1121), (DEPTH, {}, -1102),
        (TRADES, {"symbol": "NEWUSDT"}, -1121), (TRADES, {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
        (TRADES, {"symbol": "BTCUSDT", "limit": 0}, -1130), (DEPTH, {"symbol": "BTCUSDT", "count": 1}, -1104),
    ],
)  # fmt: skip
async def test_complaints(client: Client, path: str, params: dict[str, Any], code: int) -> None:
    reply = await client.get(path, **params)
    assert (reply.status, reply.json["code"]) == (400, code)


# ── Upbit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_upbit_tickers_tell_the_candles_story(client: Client, sandbox: Sandbox) -> None:
    (row,) = (await client.get("/v1/ticker", markets="KRW-BTC")).json
    (day,) = (await client.get("/v1/candles/days", market="KRW-BTC", count=1)).json
    (minute,) = (await client.get("/v1/candles/minutes/1", market="KRW-BTC", count=1)).json
    assert row["trade_price"] == minute["trade_price"]
    same = ("opening_price", "high_price", "low_price", "trade_price", "prev_closing_price")
    assert [row[name] for name in same] == [day[name] for name in same]
    assert (row["acc_trade_volume"], row["acc_trade_price"]) == (
        day["candle_acc_trade_volume"], day["candle_acc_trade_price"],
    )  # fmt: skip
    assert row["trade_date"] == day["candle_date_time_utc"][:10].replace("-", "")
    assert units(row["acc_trade_volume_24h"]) == sandbox.ledger.ticker("KRW-BTC")["volume"]
    assert row["timestamp"] == MOMENT


async def test_upbit_tells_whole_quote_markets(client: Client) -> None:
    rows = (await client.get("/v1/ticker/all", quote_currencies="KRW")).json
    listed = (await client.get("/v1/market/all")).json
    assert [one["market"] for one in rows] == [one["market"] for one in listed if one["market"].startswith("KRW-")]


async def test_one_unknown_name_spoils_the_answer_for_all(client: Client) -> None:
    for path in ("/v1/ticker", "/v1/orderbook"):
        reply = await client.get(path, markets="KRW-BTC,KRW-NOPE")
        assert (reply.status, reply.json["error"]["message"]) == (404, "Code not found")


async def test_upbit_books(client: Client, sandbox: Sandbox) -> None:
    (book,) = (await client.get("/v1/orderbook", markets="KRW-BTC", count=50)).json
    bids, asks = sandbox.ledger.book("KRW-BTC", 30)
    told = [
        [units(one[name]) for name in ("bid_price", "bid_size", "ask_price", "ask_size")]
        for one in book["orderbook_units"]
    ]
    assert told == [[*bid, *ask] for bid, ask in zip(bids.tolist(), asks.tolist(), strict=True)]
    assert book["orderbook_units"][0]["bid_price"] < book["orderbook_units"][0]["ask_price"]


async def test_ticks_page_back_through_one_day_by_cursor(client: Client, sandbox: Sandbox) -> None:
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    start = (MOMENT // DAY - 1) * DAY
    for _ in range(500):
        page = (await client.get(TICKS, market="BTC-ETH", days_ago=1, count=500, **cursor)).json
        if not page:
            break
        found += page
        cursor = {"cursor": page[-1]["sequential_id"]}
    truth = sandbox.ledger.trades("BTC-ETH", start, start + DAY).tolist()
    told = [
        (one["timestamp"], units(one["trade_price"]), units(one["trade_volume"]), int(one["ask_bid"] == "BID"))
        for one in found
    ]
    assert sorted(told) == sorted(row[1:] for row in truth)
    assert told
    assert len({one["sequential_id"] for one in found}) == len(found)


async def test_ticks_before_a_time_of_day(client: Client) -> None:
    for to in ("03:00:00", "030000"):
        (one,) = (await client.get(TICKS, market="KRW-BTC", days_ago=2, to=to)).json
        assert one["timestamp"] < (MOMENT // DAY - 2) * DAY + 3 * 3_600_000
        assert one["timestamp"] > (MOMENT // DAY - 2) * DAY


@pytest.mark.parametrize(
    "params", [{"days_ago": 8}, {"to": "25:00:00"}, {"to": "12:00"}, {"count": 0}, {"cursor": "x"}]
)
async def test_ticks_that_cannot_be_asked_for(client: Client, params: dict[str, Any]) -> None:
    assert (await client.get(TICKS, market="KRW-BTC", **params)).status == 400


@pytest.mark.parametrize(
    ("path", "name", "group"),
    [("/v1/ticker", "markets", "ticker"), ("/v1/orderbook", "markets", "orderbook"), (TICKS, "market", "crix-trades")],
)
async def test_each_group_has_its_own_limit(client: Client, path: str, name: str, group: str) -> None:
    params: dict[str, Any] = {name: "KRW-BTC"}
    replies = [await client.get(path, **params) for _ in range(11)]
    assert [reply.status for reply in replies] == [200] * 10 + [429]
    assert replies[0].headers["Remaining-Req"] == f"group={group}; min=600; sec=9"
