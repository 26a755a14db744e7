"""Upbit's wire: order, exclusive end, candles left out, errors. What is expected is said by hand or by the ledger."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig, SandboxError

from .conftest import Client, Reply

NOW = "2024-03-15T10:30:20.500"
DENSE = MarketConfig(
    "KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", trades=400_000, listed="2023-09-30T17:23:05",
    holes=[("2024-02-03T10:20:30", "2024-02-03T14:05:00")], quiet=[("2024-03-15T08:00", "2024-03-15T09:30")],
    exchange="UPBIT",
)  # fmt: skip
LONE = MarketConfig(
    "KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", trades=1, listed="2020-01-01", exchange="UPBIT"
)
ENDED = MarketConfig("BTC-OLD", "OLD", "BTC", "0.00000001", "1", "0.01", "9", delisted="2024-03-01", exchange="UPBIT")
TWIN = MarketConfig("BTCUSDT", "BTC", "USDT")
MARKETS = (DENSE, LONE, ENDED, TWIN)


@pytest.fixture
def config() -> SandboxConfig:
    return SandboxConfig(markets=MARKETS, clock=NOW, speed=0)


async def candles(client: Client, path: str = "minutes/1", market: str = "KRW-BTC", **params: Any) -> list[Any]:
    reply = await client.get(f"/v1/candles/{path}", market=market, **params)
    assert reply.status == 200, reply.text
    rows: list[Any] = reply.json
    return rows


def opened(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["candle_date_time_utc"] + "+00:00")


def assert_refused(reply: Reply, status: int, message: str) -> None:
    assert (reply.status, reply.json) == (status, {"error": {"name": status, "message": message}})


async def test_a_listing_has_its_own_markets_that_trade_now(client: Client, sandbox: Sandbox) -> None:
    plain = (await client.get("/v1/market/all")).json
    assert [set(one) for one in plain] == [{"market", "korean_name", "english_name"}] * 2
    assert [one["market"] for one in plain] == ["KRW-BTC", "KRW-LONE"]
    for spelling in ("is_details", "isDetails"):
        detailed = (await client.get(f"/v1/market/all?{spelling}=true")).json
        assert detailed[0]["market_event"]["warning"] is False
        assert len(detailed[0]["market_event"]["caution"]) == 5
    sandbox.clock.set("2024-02-29")
    assert "BTC-OLD" in (await client.get("/v1/market/all")).text
    assert [one["symbol"] for one in (await client.get("/api/v3/exchangeInfo")).json["symbols"]] == ["BTCUSDT"]
    assert (await client.get("/api/v3/klines", symbol="KRW-BTC", interval="1m")).status == 400


async def test_newest_first_one_unless_asked_and_two_hundred_at_most(client: Client) -> None:
    assert len(await candles(client)) == 1
    rows = await candles(client, count=500)
    assert len(rows) == 200
    times = [opened(row) for row in rows]
    assert times == sorted(times, reverse=True)
    assert times[0] == datetime(2024, 3, 15, 10, 30, tzinfo=UTC), "the open candle is there"


@pytest.mark.parametrize(
    "to", ["2024-03-15T07:00:00Z", "2024-03-15T07:00:00", "2024-03-15 07:00:00", "2024-03-15T16:00:00+09:00"]
)
async def test_the_end_is_exclusive_in_every_form(client: Client, to: str) -> None:
    assert opened((await candles(client, to=to))[0]) == datetime(2024, 3, 15, 6, 59, tzinfo=UTC)
    later = to.replace(":00:00", ":00:01")
    assert opened((await candles(client, to=later))[0]) == datetime(2024, 3, 15, 7, 0, tzinfo=UTC)


async def test_no_end_and_an_empty_one_are_now(client: Client) -> None:
    assert await candles(client, to="") == await candles(client)


async def test_the_wire_has_numbers_with_eight_decimals_and_two_clocks(client: Client, sandbox: Sandbox) -> None:
    text = (await client.get("/v1/candles/minutes/1", market="KRW-BTC", to="2024-03-15T07:00:00Z")).text
    (row,) = json.loads(text, parse_float=str)
    assert row["unit"] == 1
    for name in ("opening_price", "trade_price", "candle_acc_trade_price", "candle_acc_trade_volume"):
        assert len(row[name].partition(".")[2]) == 8
    korean = datetime.fromisoformat(row["candle_date_time_kst"])
    assert korean - datetime.fromisoformat(row["candle_date_time_utc"]) == timedelta(hours=9)
    start = int(opened(row).timestamp() * 1000)
    assert start < row["timestamp"] <= start + 60_050
    truth = sandbox.ledger.rows("KRW-BTC", "1m", start, start + 1)[0]
    wire = [row["opening_price"], row["high_price"], row["low_price"], row["trade_price"]]
    assert [int(value.replace(".", "")) for value in wire] == [int(truth[n]) for n in ("open", "high", "low", "close")]
    assert int(row["candle_acc_trade_volume"].replace(".", "")) == truth["volume"]
    assert int(row["candle_acc_trade_price"].replace(".", "")) == truth["quote_volume"]


async def test_a_last_trade_may_be_booked_late(client: Client) -> None:
    rows = await candles(client, "seconds", count=200)
    late = [row["timestamp"] - opened(row).timestamp() * 1000 > 1000 for row in rows]
    assert 0 < sum(late) < 30


async def test_what_did_not_trade_is_left_out(client: Client, sandbox: Sandbox) -> None:
    rows = await candles(client, market="KRW-LONE", count=100)
    assert {(opened(later).date() - opened(row).date()).days for later, row in itertools.pairwise(rows)} == {1}
    assert len({(opened(row).hour, opened(row).minute) for row in rows}) > 50, "at any time of the day"
    assert all(row["candle_acc_trade_volume"] > 0 for row in rows)
    quiet = await candles(client, to="2024-03-15T09:30:00Z")
    assert opened(quiet[0]) < datetime(2024, 3, 15, 8, tzinfo=UTC), "a quiet stretch is as empty as a hole"
    hour = await candles(client, "minutes/60", market="KRW-LONE", count=1)
    minute = await candles(client, market="KRW-LONE", count=1)
    assert hour[0]["candle_acc_trade_volume"] == minute[0]["candle_acc_trade_volume"]
    truth = sandbox.ledger.candles("KRW-LONE", "1m", 1_700_000_000_000, sandbox.clock.now())
    assert (truth["trades"] == 1).all()


@pytest.mark.parametrize(("path", "timeframe"), [("minutes/3", "3m"), ("minutes/240", "4h"), ("days", "1d")])
async def test_a_coarse_candle_is_the_sum_of_its_finer_ones(
    client: Client, sandbox: Sandbox, path: str, timeframe: str
) -> None:
    for row in await candles(client, path, count=5, to="2024-02-05T00:00:00Z"):
        start = int(opened(row).timestamp() * 1000)
        length = {"3m": 3, "4h": 240, "1d": 1440}[timeframe] * 60_000
        fine = sandbox.ledger.rows("KRW-BTC", "1s", start, start + length)
        assert row["candle_acc_trade_volume"] == fine["volume"].sum() / 10**8
        assert (row["opening_price"], row["trade_price"]) == (fine["open"][0] / 10**8, fine["close"][-1] / 10**8)
        assert (row["high_price"], row["low_price"]) == (fine["high"].max() / 10**8, fine["low"].min() / 10**8)


async def test_days_have_the_close_before_and_longer_periods_their_first_day(client: Client) -> None:
    later, earlier = await candles(client, "days", count=2)
    assert later["prev_closing_price"] == earlier["trade_price"]
    assert later["change_price"] == later["trade_price"] - earlier["trade_price"]
    assert later["change_rate"] == pytest.approx(later["change_price"] / earlier["trade_price"], abs=1e-9)
    assert "converted_trade_price" not in later
    (converted,) = await candles(client, "days", converting_price_unit="KRW")
    assert converted["converted_trade_price"] == converted["trade_price"]
    for path, day in (("weeks", "2024-03-11"), ("months", "2024-03-01"), ("years", "2024-01-01")):
        (row,) = await candles(client, path)
        assert (row["first_day_of_period"], row["candle_date_time_utc"][:10]) == (day, day)
        assert "unit" not in row


async def test_seconds_are_kept_for_three_months(client: Client) -> None:
    assert await candles(client, "seconds", to="2023-12-10T00:00:00Z") == []
    assert len(await candles(client, "seconds", to="2023-12-31T00:00:00Z", count=200)) == 200
    assert len(await candles(client, "minutes/1", to="2023-12-10T00:00:00Z", count=200)) == 200


async def test_before_the_listing_there_is_nothing(client: Client) -> None:
    assert await candles(client, to="2023-09-30T17:23:00Z", count=10) == []
    assert len(await candles(client, to="2023-09-30T17:25:00Z", count=10)) == 2


async def test_who_is_delisted_or_unknown_is_not_found(client: Client) -> None:
    for market in ("BTC-OLD", "KRW-NOPE", "BTCUSDT", "krw-btc"):
        assert_refused(await client.get("/v1/candles/days", market=market), 404, "Code not found")


async def test_a_wrong_request_is_refused_as_upbit_does(client: Client) -> None:
    invalid = "Invalid parameter. Check the given value!"
    mistyped = "Type mismatch error. Check the parameters type!"
    assert_refused(await client.get("/v1/candles/minutes/120", market="KRW-BTC"), 400, "specified unit is not valid.")
    missing = "Missing request parameter error. Check the required parameters!"
    assert_refused(await client.get("/v1/candles/days"), 400, missing)
    for params, message in (
        ({"to": "yesterday"}, invalid), ({"to": "2024-13-01T00:00:00Z"}, invalid), ({"count": 0}, invalid),
        ({"count": "ten"}, mistyped),
    ):  # fmt: skip
        assert_refused(await client.get("/v1/candles/days", market="KRW-BTC", **params), 400, message)
    # A plus that is not encoded arrives as a blank.
    to = quote("2024-03-15T16:00:00+09:00", safe="+:")
    async with client.session.get(f"{client.url}/v1/candles/days?market=KRW-BTC&to={to}") as reply:
        assert (reply.status, (await reply.json())["error"]["message"]) == (400, invalid)


async def test_instruments_tell_the_tick(client: Client) -> None:
    told = (await client.get("/v1/orderbook/instruments", markets="KRW-BTC,KRW-LONE")).json
    assert [(one["market"], one["tick_size"]) for one in told] == [("KRW-BTC", "1000"), ("KRW-LONE", "1")]
    assert_refused(await client.get("/v1/orderbook/instruments", markets="KRW-BTC,KRW-NO"), 404, "Code not found")


async def test_faults_strike_this_wire_too(client: Client, sandbox: Sandbox) -> None:
    true = await candles(client, count=4)
    sandbox.faults.script("one_row", keep="first", symbol="KRW-BTC")
    assert await candles(client, count=4) == true[3:], "the first in time stands last"
    sandbox.faults.script("duplicates")
    assert await candles(client, count=4) == [row for row in true for _ in range(2)]
    sandbox.faults.script("other_range")
    strange = await candles(client, count=4, to="2024-03-15T07:00:00Z")
    assert min(opened(row) for row in strange) == datetime(2024, 3, 15, 7, tzinfo=UTC)
    sandbox.faults.script("wrong_shape", shape="null_price")
    assert (await candles(client, count=4))[-1]["high_price"] is None
    sandbox.faults.script("nan", column=6)
    assert (await candles(client, count=4))[-1]["trade_price"] == "NaN"
    sandbox.faults.script("status", status=500)
    assert (await client.get("/v1/candles/days", market="KRW-BTC")).json["error"]["name"] == 500
    assert await candles(client, count=4) == true


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"exchange": "BITHUMB"}, "'BITHUMB'"),
        ({"symbol": "BTC-KRW"}, "'KRW-BTC'"),
        ({"turnover": "60000000"}, "50000000"),
        ({"off_grid": [object()]}, "off the grid"),
    ],
)
def test_markets_that_upbit_cannot_have(values: dict[str, Any], named: str) -> None:
    table: dict[str, Any] = {"symbol": "KRW-BTC", "base": "BTC", "quote": "KRW", "exchange": "UPBIT", **values}
    with pytest.raises(SandboxError, match=named):
        MarketConfig(**table)
