"""Yahoo's chart over plain HTTP: scales, live rows, reach, errors. Expected is what the ledger or a hand says."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from candle_testkit.sandbox import Sandbox, SandboxConfig, YahooConfig

from .conftest import Client, Reply
from .stocks import NOW, STOCKS, ms

DAY = 86_400_000


@pytest.fixture
def yahoo() -> YahooConfig:
    return YahooConfig()


@pytest.fixture
def config(yahoo: YahooConfig) -> SandboxConfig:
    return SandboxConfig(markets=1, stocks=STOCKS, clock=NOW, speed=0, yahoo=yahoo)


async def ask(client: Client, symbol: str = "AAPL", **params: Any) -> Reply:
    for name in ("start", "end"):
        if name in params:
            params[{"start": "period1", "end": "period2"}[name]] = ms(params.pop(name)) // 1000
    return await client.get(f"/v8/finance/chart/{symbol}", **params)


async def chart(client: Client, symbol: str = "AAPL", **params: Any) -> Any:
    reply = await ask(client, symbol, **params)
    assert reply.status == 200, reply.text
    assert reply.json["chart"]["error"] is None
    (result,) = reply.json["chart"]["result"]
    return result


def column(result: Any, name: str) -> list[Any]:
    values: list[Any] = result["indicators"]["quote"][0][name]
    return values


def assert_refused(reply: Reply, status: int, code: str, told: str) -> None:
    error = reply.json["chart"]["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert told in error["description"]
    assert reply.json["chart"]["result"] is None


async def test_days_are_stamped_with_the_open_in_shares_of_now(client: Client, sandbox: Sandbox) -> None:
    result = await chart(client, start="2020-08-24", end="2020-09-05", interval="1d")
    truth = sandbox.stocks.candles("AAPL", "1d", ms("2020-08-24"), ms("2020-09-05"), scale="split")
    assert [stamp * 1000 for stamp in result["timestamp"]] == truth["open_time"].tolist()
    assert column(result, "close") == truth["close"].astype(np.float32).astype(float).tolist()
    assert column(result, "volume") == truth["volume"].tolist()
    assert any(value != round(value, 4) for value in column(result, "close")), "the noise of float32"
    full = sandbox.stocks.candles("AAPL", "1d", ms("2020-08-24"), ms("2020-09-05"), scale="full")
    np.testing.assert_allclose(result["indicators"]["adjclose"][0]["adjclose"], full["close"], rtol=1e-6)


async def test_a_split_changes_all_earlier_answers(client: Client, sandbox: Sandbox) -> None:
    params = {"start": "2020-08-10", "end": "2020-08-15", "events": "div,splits"}
    sandbox.clock.set("2020-08-28T23:00")
    before = await chart(client, **params)
    sandbox.clock.set("2020-08-31T13:29:59")
    assert column(await chart(client, **params), "close") == column(before, "close")
    sandbox.clock.set("2020-08-31T13:30:30")
    after = await chart(client, **params)
    np.testing.assert_allclose(np.array(column(after, "close")) * 4, column(before, "close"), rtol=1e-6)
    assert column(after, "volume") == [4 * volume for volume in column(before, "volume")]
    assert "events" not in after, "the split is not in the window"


async def test_events_are_told_in_shares_of_now(client: Client) -> None:
    result = await chart(client, start="2020-08-01", end="2020-12-01", events="div,splits,capitalGains")
    split = str(ms("2020-08-31T13:30") // 1000)
    assert result["events"]["splits"] == {
        split: {"date": int(split), "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}
    }
    assert [one["amount"] for one in result["events"]["dividends"].values()] == [0.205, 0.205]
    assert "splits" not in (await chart(client, start="2020-08-01", end="2020-12-01", events="div"))["events"]
    assert "events" not in await chart(client, start="2020-08-01", end="2020-12-01")


async def test_intraday_bars_follow_the_session(client: Client, sandbox: Sandbox) -> None:
    result = await chart(client, start="2024-03-08", end="2024-03-12", interval="1h")
    truth = sandbox.stocks.candles("AAPL", "1h", ms("2024-03-08"), ms("2024-03-12"))
    assert [stamp * 1000 for stamp in result["timestamp"]] == truth["open_time"].tolist()
    assert [stamp % 86_400 // 60 for stamp in result["timestamp"]][0::7] == [870, 810], "summer time has begun"
    assert "adjclose" not in result["indicators"]
    (first,), (second,) = result["meta"]["tradingPeriods"]
    assert (first["timezone"], first["gmtoffset"]) == ("EST", -18_000)
    assert (second["timezone"], second["gmtoffset"]) == ("EDT", -14_400)
    assert second["end"] - second["start"] == 390 * 60
    assert result["meta"]["exchangeTimezoneName"] == "America/New_York"
    assert result["meta"]["gmtoffset"] == -14_400


async def test_lunch_and_the_exam_day(client: Client, sandbox: Sandbox) -> None:
    tokyo = await chart(client, "7203.T", start="2024-03-04", end="2024-03-05", interval="30m")
    assert len(tokyo["timestamp"]) == 10
    assert not [stamp for stamp in tokyo["timestamp"] if 9_000 <= stamp % 86_400 < 12_600]
    sandbox.clock.set("2024-11-15T08:00")
    seoul = await chart(client, "005930.KS", start="2024-11-13", end="2024-11-15", interval="1h")
    assert [stamp % 86_400 for stamp in seoul["timestamp"]][0::7] == [0, 3600]
    assert seoul["meta"]["currency"] == "KRW"


async def test_before_and_after_hours_come_when_asked_for_and_without_volume(client: Client) -> None:
    span = {"start": "2024-03-14T04:00", "end": "2024-03-15T04:00", "interval": "30m"}
    plain, extended = await chart(client, **span), await chart(client, includePrePost="true", **span)
    assert (len(plain["timestamp"]), len(extended["timestamp"])) == (13, 32)
    volumes = dict(zip(extended["timestamp"], column(extended, "volume"), strict=True))
    assert all((volumes[stamp] > 0) == (stamp in plain["timestamp"]) for stamp in volumes)
    assert set(extended["meta"]["tradingPeriods"]) == {"pre", "regular", "post"}


async def test_a_half_day_goes_on_until_the_usual_close(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.set("2023-11-28")
    result = await chart(client, start="2023-11-24", end="2023-11-25", interval="30m")
    ((period,),) = result["meta"]["tradingPeriods"]
    late = [stamp >= period["end"] for stamp in result["timestamp"]]
    assert (len(late), sum(late)) == (13, 6)
    assert {volume for volume, after in zip(column(result, "volume"), late, strict=True) if after} == {0}


async def test_today_comes_as_a_row_that_is_not_aligned(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.set("2024-03-15T15:10:20")
    now = ms("2024-03-15T15:10:20") // 1000
    days = await chart(client, range="5d")
    assert days["timestamp"][-1] == now
    assert days["timestamp"][-2] == ms("2024-03-14T13:30") // 1000
    minutes = await chart(client, range="1d", interval="1m")
    assert minutes["timestamp"][-2:] == [now - 20, now]
    quote = minutes["indicators"]["quote"][0]
    assert quote["volume"][-1] == 0
    assert len({quote[name][-1] for name in ("open", "high", "low", "close")}) == 1
    assert quote["close"][-1] == pytest.approx(days["meta"]["regularMarketPrice"])
    weeks = await chart(client, range="1mo", interval="1wk")
    assert weeks["timestamp"][-2:] == [ms("2024-03-11T04:00") // 1000, now]
    early = await chart(client, start="2024-03-14", end="2024-03-15T14:00")
    assert early["timestamp"][-1] == now, "though it lies behind the end that was asked for"
    sandbox.clock.set("2024-03-15T21:30")
    assert (await chart(client, range="5d"))["timestamp"][-1] == ms("2024-03-15T20:00") // 1000
    sandbox.clock.set("2024-03-16T05:00")
    assert (await chart(client, range="5d"))["timestamp"][-1] == ms("2024-03-15T13:30") // 1000


@pytest.mark.parametrize("yahoo", [YahooConfig(live="duplicate")])
async def test_today_may_come_twice(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.set("2024-03-15T15:10:20")
    days = await chart(client, range="5d")
    assert days["timestamp"][-2:] == [ms("2024-03-15T13:30") // 1000, ms("2024-03-15T15:10:20") // 1000]
    assert column(days, "close")[-2] == column(days, "close")[-1]
    assert column(days, "volume")[-2] < column(days, "volume")[-1]


@pytest.mark.parametrize("yahoo", [YahooConfig(live="merged", half_day_tail=False)])
async def test_today_may_come_aligned(client: Client, sandbox: Sandbox) -> None:
    sandbox.clock.set("2023-11-24T18:30:20")
    assert (await chart(client, range="1d"))["timestamp"] == [ms("2023-11-24T14:30") // 1000]
    assert len((await chart(client, range="1d", interval="30m"))["timestamp"]) == 7


async def test_rows_of_nulls(client: Client, sandbox: Sandbox) -> None:
    minutes = await chart(client, "NULLS", start="2024-03-05", end="2024-03-06", interval="1m")
    assert len(minutes["timestamp"]) == 390
    for name in ("open", "high", "low", "close", "volume"):
        nulls = [
            stamp for stamp, value in zip(minutes["timestamp"], column(minutes, name), strict=True) if value is None
        ]
        assert nulls == [ms("2024-03-05T15:00") // 1000 + 60 * number for number in range(10)]
    days = await chart(client, "NULLS", start="2024-03-04", end="2024-03-09")
    assert [value is None for value in column(days, "close")] == [False, False, True, False, False]
    assert days["indicators"]["adjclose"][0]["adjclose"][2] is None
    assert len(sandbox.stocks.rows("NULLS", "1d", ms("2024-03-04"), ms("2024-03-09"))) == 4


async def test_a_weekend_has_no_arrays(client: Client) -> None:
    result = await chart(client, start="2024-03-09", end="2024-03-10", interval="1m")
    assert "timestamp" not in result
    assert result["indicators"] == {"quote": [{}]}
    days = await chart(client, start="2024-03-09", end="2024-03-10")
    assert days["indicators"] == {"quote": [{}], "adjclose": [{}]}


@pytest.mark.parametrize(
    ("interval", "days", "told"),
    [("1m", 30, "30 days"), ("2m", 60, "60 days"), ("90m", 60, "60 days"), ("1h", 730, "730 days")],
)
async def test_reach_is_exact_to_the_second(client: Client, interval: str, days: int, told: str) -> None:
    edge = (ms(NOW) - days * DAY) // 1000
    span: dict[str, Any] = {"interval": interval, "period2": edge + 5 * 86_400}
    assert (await ask(client, period1=edge, **span)).status == 200
    refused = await ask(client, period1=edge - 1, **span)
    assert_refused(refused, 422, "Unprocessable Entity", f"must be within the last {told}.")
    assert f"{interval} data not available for startTime={edge - 1} and" in refused.text


async def test_minutes_are_given_for_eight_days_at_most(client: Client) -> None:
    start = ms("2024-03-01") // 1000
    assert (await ask(client, interval="1m", period1=start, period2=start + 8 * 86_400)).status == 200
    refused = await ask(client, interval="1m", period1=start, period2=start + 8 * 86_400 + 1)
    assert_refused(refused, 422, "Unprocessable Entity", "Only 8 days worth of 1m granularity data")
    assert_refused(await ask(client, interval="1m", range="1mo"), 422, "Unprocessable Entity", "Only 8 days")
    assert len((await chart(client, interval="15m", range="60d"))["timestamp"]) == 60 * 26 + 1


@pytest.mark.parametrize(
    ("params", "status", "code", "told"),
    [
        ({"interval": "3h"}, 422, "Unprocessable Entity", "interval=3h is not supported"),
        ({"range": "0d"}, 422, "Unprocessable Entity", "range=0d is not supported"),
        ({"range": "soon"}, 422, "Unprocessable Entity", "range=soon is not supported"),
        ({"period1": "5", "period2": "4"}, 400, "Bad Request", "start date cannot be after end date"),
        ({"period1": "x", "period2": "4"}, 400, "Bad Request", "period1=x is not a number"),
        ({"period1": "-9", "period2": "99999"}, 400, "Bad Request", "Data doesn't exist for startDate = -9"),
    ],
)
async def test_wrong_requests(client: Client, params: dict[str, str], status: int, code: str, told: str) -> None:
    assert_refused(await ask(client, **params), status, code, told)


async def test_dead_unborn_and_renamed(client: Client, sandbox: Sandbox) -> None:
    gone = "No data found, symbol may be delisted"
    for symbol in ("TWTR", "NOSUCH", "FB"):
        assert_refused(await ask(client, symbol), 404, "Not Found", gone)
    renamed = await chart(client, "META", start="2022-06-01", end="2022-06-20")
    sandbox.clock.set("2022-06-08T23:00")
    assert_refused(await ask(client, "META"), 404, "Not Found", gone)
    former = await chart(client, "FB", start="2022-06-01", end="2022-06-08")
    assert former["meta"]["symbol"] == "FB"
    assert column(former, "close") == column(renamed, "close")[: len(column(former, "close"))]
    assert (await ask(client, "TWTR")).status == 200
    sandbox.clock.set("2013-11-07T12:00")
    assert_refused(await ask(client, "TWTR"), 404, "Not Found", gone)


@pytest.mark.parametrize("span", ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"])
async def test_ranges_end_now(client: Client, span: str) -> None:
    result = await chart(client, range=span)
    assert result["timestamp"][-1] == ms("2024-03-15T20:00") // 1000
    if span in (counts := {"1d": 1, "5d": 5, "ytd": 52}):
        assert len(result["timestamp"]) == counts[span]
    if span == "max":
        assert result["timestamp"][0] == result["meta"]["firstTradeDate"] == ms("2010-01-04T14:30") // 1000


async def test_meta(client: Client, sandbox: Sandbox) -> None:
    meta = (await chart(client, start="2024-03-12", end="2024-03-14"))["meta"]
    year = sandbox.stocks.candles("AAPL", "1d", ms(NOW) - 365 * DAY, ms(NOW), scale="split")
    before = sandbox.stocks.candles("AAPL", "1d", ms("2024-03-11"), ms("2024-03-12"))
    assert meta["fiftyTwoWeekHigh"] == pytest.approx(year["high"].max())
    assert meta["chartPreviousClose"] == pytest.approx(before["close"][0])
    assert meta["regularMarketPrice"] == pytest.approx(year["close"][-1])
    assert meta["currentTradingPeriod"]["regular"]["start"] == ms("2024-03-18T13:30") // 1000
    assert meta["currentTradingPeriod"]["pre"]["start"] == ms("2024-03-18T08:00") // 1000
    assert (meta["symbol"], meta["exchangeName"], meta["dataGranularity"]) == ("AAPL", "NMS", "1d")


# ── faults, limits, and what is written down ────────────────────────────────────────────────────────────────────────


async def test_faults_strike_charts(client: Client, sandbox: Sandbox) -> None:
    span = {"start": "2024-03-04", "end": "2024-03-09"}
    true = await chart(client, **span)
    sandbox.faults.script("lying_empty")
    assert "timestamp" not in await chart(client, **span)
    sandbox.faults.script("short", rows=2, symbol="AAPL")
    assert (await chart(client, **span))["timestamp"] == true["timestamp"][:-2]
    sandbox.faults.script("duplicates")
    assert (await chart(client, **span))["timestamp"] == [one for one in true["timestamp"] for _ in range(2)]
    sandbox.faults.script("other_range")
    assert not set((await chart(client, **span))["timestamp"]) & set(true["timestamp"])
    sandbox.faults.script("stale_open")
    assert column(await chart(client, **span), "volume")[-1] == pytest.approx(column(true, "volume")[-1] / 2, abs=1)
    sandbox.faults.script("wrong_shape", shape="short_row")
    assert len(column(await chart(client, **span), "close")) == len(true["timestamp"]) - 1
    sandbox.faults.script("wrong_shape", shape="null_price")
    assert column(await chart(client, **span), "close")[-1] is None
    sandbox.faults.script("nan", column=2)
    assert column(await chart(client, **span), "high")[-1] == "NaN"
    sandbox.faults.script("truncated")
    with pytest.raises(json.JSONDecodeError):
        _ = (await ask(client, **span)).json
    sandbox.faults.script("html")
    assert (await ask(client, **span)).text.startswith("<html>")
    sandbox.faults.script("rate_limited")
    refused = await ask(client, **span)
    assert (refused.status, refused.text) == (429, "Edge: Too Many Requests")
    assert refused.headers["Content-Type"].startswith("text/html")
    assert await chart(client, **span) == true


async def test_a_dead_ticker_is_struck_by_its_name(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.script("status", symbol="TWTR", status=500)
    assert (await ask(client, "AAPL")).status == 200
    assert (await ask(client, "TWTR")).status == 500


async def test_who_asks_too_often_is_refused_and_only_here(client: Client, sandbox: Sandbox) -> None:
    statuses = [(await ask(client, range="1d")).status for _ in range(103)]
    assert statuses == [200] * 100 + [429] * 3
    assert (await client.get("/api/v3/ping")).status == 200
    sandbox.clock.advance(60_000)
    assert (await ask(client, range="1d")).status == 200


async def test_requests_are_written_down(client: Client, sandbox: Sandbox) -> None:
    await chart(client, start="2024-03-04", end="2024-03-09", interval="1d")
    (request,) = sandbox.ledger.requests("/v8/finance/chart/AAPL", interval="1d")
    assert (request.rows, request.limit, request.status) == (5, "yahoo", 200)


async def test_the_truth_is_told_over_http(client: Client, sandbox: Sandbox) -> None:
    span: dict[str, Any] = {"start": ms("2024-03-04"), "end": ms("2024-03-09")}
    told = (await client.get("/sandbox/candles", symbol="AAPL", timeframe="1d", **span)).json
    assert told["close"] == sandbox.stocks.rows("AAPL", "1d", **span)["close"].tolist()
    assert not math.isnan(told["close"][0])
