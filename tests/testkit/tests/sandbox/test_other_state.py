"""The routes of Kraken and OKX that tell of this moment, and OKX's contracts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from candle_testkit.sandbox.clock import to_ms

from .conftest import NOW, Client

MOMENT = to_ms(NOW)
DENSE: dict[str, Any] = {"price": "42000", "turnover": "300000000", "trades": 2_000_000}
KRAKEN, OKX = "/0/public/", "/api/v5/market/"


@pytest.fixture
def config() -> SandboxConfig:
    markets = [
        MarketConfig("XXBTZUSD", "BTC", "USD", "0.1", "0.00001", exchange="KRAKEN", **DENSE),
        MarketConfig("XETHXXBT", "ETH", "BTC", "0.00001", "0.001", "0.06", "90", exchange="KRAKEN"),
        MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", exchange="OKX", **DENSE),
        MarketConfig("BTC-USDT-SWAP", "BTC", "USDT", "0.1", "0.0001", exchange="OKX", **DENSE),
        MarketConfig("BTC-USDT-240329", "BTC", "USDT", "0.1", "0.0001", delisted="2024-03-29T08:00", exchange="OKX"),
        MarketConfig("BTC-USDT-240301", "BTC", "USDT", "0.1", "0.0001", delisted="2024-03-01T08:00", exchange="OKX"),
    ]
    return SandboxConfig(markets=markets, clock=NOW, speed=0)


def units(text: Any) -> int:
    return int(Decimal(str(text)) * 10**8)


async def told(client: Client, path: str, **params: Any) -> Any:
    """Kraken's result or OKX's data, with the digits of every number."""
    body = json.loads((await client.get(path, **params)).text, parse_float=Decimal)
    assert not body.get("error") and body.get("code", "0") == "0", body  # noqa: PT018
    return body["result"] if "result" in body else body["data"]


# ── Kraken ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_krakens_ticker_is_of_today_and_of_the_past_day(client: Client, sandbox: Sandbox) -> None:
    names = "XXBTZUSD,XETHXXBT"
    found = await told(client, KRAKEN + "Ticker", pair=names)
    assert list(found) == names.split(",") == list(await told(client, KRAKEN + "Ticker"))
    for name, ticker in found.items():
        truth = sandbox.ledger.ticker(name)
        today = sandbox.ledger.rows(name, "1d", to_ms(NOW[:10]), MOMENT, include_open=True)[0]
        assert [units(text) for text in ticker["v"]] == [int(today["volume"]), truth["volume"]]
        assert [units(text) for text in ticker["h"]] == [int(today["high"]), truth["high"]]
        assert (units(ticker["c"][0]), units(ticker["o"])) == (truth["last"], int(today["open"]))


async def test_krakens_book(client: Client, sandbox: Sandbox) -> None:
    found = (await told(client, KRAKEN + "Depth", pair="XXBTZUSD", count=7))["XXBTZUSD"]
    for side, truth in zip(("bids", "asks"), sandbox.ledger.book("XXBTZUSD", 7), strict=True):
        assert [(units(price), units(amount)) for price, amount, _ in found[side]] == truth.tolist()


async def test_krakens_trades_go_on_from_where_they_ended(client: Client, sandbox: Sandbox) -> None:
    """Times are in seconds; what is later than `since` comes, and `last` is the next one's."""
    start, rows = MOMENT - 600_000, list[Any]()
    since = str(start * 1_000_000 - 1)
    while page := (found := await told(client, KRAKEN + "Trades", pair="XXBTZUSD", since=since, count=300))["XXBTZUSD"]:
        rows, since = [*rows, *page], found["last"]
    truth = sandbox.ledger.trades("XXBTZUSD", start, MOMENT).tolist()
    assert len(truth) > 1_000
    assert [(row[6], int(row[2] * 1000), units(row[0]), units(row[1]), int(row[3] == "b")) for row in rows] == truth


@pytest.mark.parametrize("unit", [1, 10**9])
async def test_krakens_since_is_in_seconds_or_nanoseconds_and_left_out(client: Client, unit: int) -> None:
    second = MOMENT // 1000 - 60
    rows = (await told(client, KRAKEN + "Trades", pair="XXBTZUSD", since=second * unit, count=5))["XXBTZUSD"]
    assert len(rows) == 5
    assert all(row[2] > second for row in rows)


@pytest.mark.parametrize(
    ("path", "params", "error"),
    [
        ("Ticker", {"pair": "XXBTZUSD,GONE"}, "EQuery:Unknown asset pair"),
        ("Depth", {}, "EQuery:Unknown asset pair"),
        ("Depth", {"pair": "XXBTZUSD", "count": "many"}, "EGeneral:Invalid arguments"),
        ("Trades", {"pair": "XXBTZUSD", "since": "now"}, "EGeneral:Invalid arguments"),
    ],
)
async def test_what_kraken_refuses(client: Client, path: str, params: dict[str, Any], error: str) -> None:
    reply = await client.get(KRAKEN + path, **params)
    assert (reply.status, reply.json) == (200, {"error": [error]})


# ── OKX ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_okx_lists_each_kind_of_instrument_apart_and_forgets_what_has_ended(client: Client) -> None:
    found = {
        kind: await told(client, "/api/v5/public/instruments", instType=kind)
        for kind in ("SPOT", "SWAP", "FUTURES", "OPTION")
    }
    assert {kind: [one["instId"] for one in listed] for kind, listed in found.items()} == {
        "SPOT": ["BTC-USDT"], "SWAP": ["BTC-USDT-SWAP"], "FUTURES": ["BTC-USDT-240329"], "OPTION": [],
    }  # fmt: skip
    (dated,) = found["FUTURES"]
    assert (dated["uly"], dated["settleCcy"], dated["ctVal"], dated["ctType"]) == ("BTC-USDT", "USDT", "0.01", "linear")
    assert int(dated["expTime"]) == to_ms("2024-03-29T08:00")
    assert Decimal(dated["lotSz"]) * Decimal(dated["ctVal"]) == Decimal("0.0001")


@pytest.mark.parametrize(("name", "contracts"), [("BTC-USDT", 1), ("BTC-USDT-SWAP", 100)])
async def test_okx_counts_contracts_in_contracts(client: Client, sandbox: Sandbox, name: str, contracts: int) -> None:
    ledger, day = sandbox.ledger, sandbox.ledger.ticker(name)
    (ticker,) = await told(client, OKX + "ticker", instId=name)
    kind = "SPOT" if contracts == 1 else "SWAP"
    assert await told(client, OKX + "tickers", instType=kind) == [ticker]
    assert (units(ticker["last"]), units(ticker["vol24h"])) == (day["last"], day["volume"] * contracts)
    assert units(ticker["volCcy24h"]) == day["quote_volume" if contracts == 1 else "volume"]
    (book,) = await told(client, OKX + "books", instId=name, sz=3)
    for side, truth in zip(("bids", "asks"), ledger.book(name, 3), strict=True):
        assert [(units(row[0]), units(row[1])) for row in book[side]] == [
            (price, amount * contracts) for price, amount in truth.tolist()
        ]
    (newest,) = await told(client, OKX + "trades", instId=name, limit=1)
    number, at, price, amount, bought = ledger.newest_trades(name, 1).tolist()[0]
    assert [int(newest["tradeId"]), int(newest["ts"]), units(newest["px"]), units(newest["sz"])] == [
        number, at, price, amount * contracts,
    ]  # fmt: skip
    assert newest["side"] == ("buy" if bought else "sell")
    (minute,) = await told(client, OKX + "history-candles", instId=name, after=MOMENT // 60_000 * 60_000, limit=1)
    row = ledger.rows(name, "1m", int(minute[0]), int(minute[0]) + 1)[0]
    assert units(minute[5]) == row["volume"] * contracts
    assert units(minute[6]) == row["quote_volume" if contracts == 1 else "volume"]


async def test_okx_tells_older_trades_by_moment_and_by_id(client: Client, sandbox: Sandbox) -> None:
    end = MOMENT - 60_000
    page = await told(client, OKX + "history-trades", instId="BTC-USDT", type=2, after=end, limit=500)
    assert len(page) == 100, "at most"
    rows = page
    for _ in range(4):
        page = await told(client, OKX + "history-trades", instId="BTC-USDT", after=rows[-1]["tradeId"])
        rows = [*rows, *page]
    truth = sandbox.ledger.trades("BTC-USDT", int(rows[-1]["ts"]), end)[-500:]
    assert [int(row["tradeId"]) for row in rows] == truth["number"].tolist()[::-1]
    assert [int(row["ts"]) for row in rows] == truth["at"].tolist()[::-1]


@pytest.mark.parametrize("name", ["BTC-USDT-240301", "GONE-USDT"])
@pytest.mark.parametrize("path", ["ticker", "books", "trades", "history-trades"])
async def test_okx_knows_only_what_trades(client: Client, path: str, name: str) -> None:
    reply = await client.get(OKX + path, instId=name)
    assert (reply.status, reply.json["code"]) == (200, "51001")


async def test_okx_refuses_what_is_no_number(client: Client) -> None:
    reply = await client.get(OKX + "books", instId="BTC-USDT", sz="deep")
    assert (reply.status, reply.json["code"]) == (400, "51000")
