"""The truth about stocks: one story in every interval, in the shares of the day, whatever happens later."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from candle_testkit.sandbox import Dividend, Sandbox, SandboxConfig, SandboxError, Split, StockConfig, default_stocks

from .stocks import AAPL, HALTED, NOW, STOCKS, ms


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(SandboxConfig(markets=1, stocks=STOCKS, clock=NOW, speed=0))


@pytest.mark.parametrize("symbol", ["AAPL", "005930.KS", "7203.T", "THIN", "HALT"])
@pytest.mark.parametrize("interval", ["5m", "30m", "1h", "90m", "1d"])
def test_a_coarse_bar_is_the_sum_of_its_minutes(sandbox: Sandbox, symbol: str, interval: str) -> None:
    start, end = ms("2024-03-04"), ms("2024-03-09")
    minutes = sandbox.stocks.rows(symbol, "1m", start, end)
    bars = sandbox.stocks.rows(symbol, interval, start, end)
    assert len(bars) > 3
    seen = 0
    for bar in bars:
        inside = minutes[(minutes["open_time"] >= bar["open_time"]) & (minutes["open_time"] <= bar["close_time"])]
        seen += len(inside)
        assert (bar["open"], bar["close"]) == (inside["open"][0], inside["close"][-1])
        assert (bar["high"], bar["low"]) == (inside["high"].max(), inside["low"].min())
        assert bar["volume"] == inside["volume"].sum()
    assert seen == len(minutes)


@pytest.mark.parametrize("interval", ["1wk", "1mo", "3mo"])
def test_weeks_and_months_are_the_sum_of_their_days(sandbox: Sandbox, interval: str) -> None:
    start, end = ms("2022-12-20"), ms("2024-03-09")
    days = sandbox.stocks.rows("AAPL", "1d", ms("2022-10-01"), end)
    bars = sandbox.stocks.rows("AAPL", interval, start, end)
    assert len(bars) >= 4
    for bar in bars:
        inside = days[(days["open_time"] >= bar["open_time"]) & (days["open_time"] <= bar["close_time"])]
        assert (bar["open"], bar["close"]) == (inside["open"][0], inside["close"][-1])
        assert (bar["high"], bar["volume"]) == (inside["high"].max(), inside["volume"].sum())
        opened = datetime.fromtimestamp(bar["open_time"] / 1000, ZoneInfo("America/New_York"))
        assert (opened.hour, opened.minute) == (0, 0)
        assert opened.weekday() == 0 if interval == "1wk" else opened.day == 1


def test_a_split_moves_the_price_as_traded_and_no_other_scale(sandbox: Sandbox) -> None:
    span = ms("2020-08-24"), ms("2020-09-05")
    traded = sandbox.stocks.candles("AAPL", "1d", *span)
    split = sandbox.stocks.candles("AAPL", "1d", *span, scale="split")
    at = int(np.searchsorted(traded["open_time"], ms("2020-08-31")))
    assert 3.8 < traded["close"][at - 1] / traded["open"][at] < 4.2
    assert 0.95 < split["close"][at - 1] / split["open"][at] < 1.05
    np.testing.assert_allclose(split["close"][:at] * 4, traded["close"][:at])
    np.testing.assert_array_equal(split["volume"][:at], traded["volume"][:at] * 4)
    np.testing.assert_array_equal(split["close"][at:], traded["close"][at:])
    assert sandbox.stocks.splits("AAPL", 0, ms(NOW)) == [(ms("2020-08-31T13:30"), Fraction(4))]


def test_the_past_as_traded_does_not_change_when_a_split_happens(sandbox: Sandbox) -> None:
    span = ms("2020-08-10"), ms("2020-08-20")
    sandbox.clock.set("2020-08-28T23:00")
    before = sandbox.stocks.candles("AAPL", "1d", *span)
    scaled = sandbox.stocks.candles("AAPL", "1d", *span, scale="split")
    np.testing.assert_array_equal(scaled["close"], before["close"])
    sandbox.clock.set("2020-09-01T23:00")
    np.testing.assert_array_equal(sandbox.stocks.candles("AAPL", "1d", *span)["close"], before["close"])
    after = sandbox.stocks.candles("AAPL", "1d", *span, scale="split")
    np.testing.assert_allclose(after["close"] * 4, before["close"])


def test_a_week_with_a_split_in_it_is_told_in_the_shares_at_its_end() -> None:
    midweek = StockConfig("MID", splits=[Split("2024-01-10", "1:8")])
    stocks = Sandbox(SandboxConfig(markets=1, stocks=[midweek], clock=NOW, speed=0)).stocks
    span = ms("2024-01-08T05:00"), ms("2024-01-13")
    (week,) = stocks.rows("MID", "1wk", *span)
    days = stocks.candles("MID", "1d", *span, scale="split")
    assert week["high"] / 1e8 == pytest.approx(days["high"].max())
    assert week["open"] / 1e8 == pytest.approx(days["open"][0])
    assert week["volume"] / 1e8 == pytest.approx(days["volume"].sum())


def test_dividends_are_taken_out_of_all_before_them() -> None:
    payer = StockConfig("PAY", dividends=[Dividend("2024-01-10", "2"), Dividend("2024-02-14", "1.5")])
    stocks = Sandbox(SandboxConfig(markets=1, stocks=[payer], clock=NOW, speed=0)).stocks
    traded = stocks.candles("PAY", "1d", ms("2024-01-01"), ms("2024-03-01"))
    full = stocks.candles("PAY", "1d", ms("2024-01-01"), ms("2024-03-01"), scale="full")
    first, second = (int(np.searchsorted(traded["open_time"], ms(day))) for day in ("2024-01-10", "2024-02-14"))
    late = 1 - 1.5 / traded["close"][second - 1]
    early = late * (1 - 2 / traded["close"][first - 1])
    np.testing.assert_allclose(full["close"][:first], traded["close"][:first] * early)
    np.testing.assert_allclose(full["close"][first:second], traded["close"][first:second] * late)
    np.testing.assert_array_equal(full["close"][second:], traded["close"][second:])
    assert [amount for _, amount in stocks.dividends("PAY", 0, ms(NOW))] == [2, Fraction("1.5")]


def test_bars_stand_where_sessions_are(sandbox: Sandbox) -> None:
    days = sandbox.stocks.rows("AAPL", "1d", ms("2023-01-01"), ms("2024-01-01"))
    sessions = sandbox.stocks.sessions("AAPL", ms("2023-01-01"), ms("2024-01-01"))
    assert days["open_time"].tolist() == [session.open for session in sessions]
    assert len(days) == 250
    tokyo = sandbox.stocks.rows("7203.T", "1m", ms("2024-03-04"), ms("2024-03-05"))
    clock = {datetime.fromtimestamp(one / 1000, UTC).strftime("%H:%M") for one in tokyo["open_time"]}
    assert {"00:00", "02:29", "03:30", "05:59"} <= clock
    assert not {"02:30", "03:29", "06:00"} & clock


def test_what_did_not_trade_has_no_bar(sandbox: Sandbox) -> None:
    thin = sandbox.stocks.rows("THIN", "1m", ms("2024-03-04"), ms("2024-03-05"))
    assert 3 < len(thin) < 60
    halted = sandbox.stocks.rows("HALT", "1m", ms("2024-03-05"), ms("2024-03-06"))
    (start, end) = HALTED.idle_spans[0]
    assert not ((halted["open_time"] >= start) & (halted["open_time"] < end)).any()
    assert len(halted) == 390 - (end - start) // 60_000
    assert (
        ms("2024-03-06T14:30") not in sandbox.stocks.rows("HALT", "1d", ms("2024-03-04"), ms("2024-03-09"))["open_time"]
    )


def test_the_open_bar_is_told_only_when_asked_for(sandbox: Sandbox) -> None:
    sandbox.clock.set("2024-03-15T15:10:20")
    span = ms("2024-03-15"), ms("2024-03-16")
    assert len(sandbox.stocks.rows("AAPL", "1d", *span)) == 0
    (day,) = sandbox.stocks.rows("AAPL", "1d", *span, include_open=True)
    minutes = sandbox.stocks.rows("AAPL", "1m", *span, include_open=True)
    assert day["volume"] == minutes["volume"].sum()
    assert datetime.fromtimestamp(minutes["open_time"][-1] / 1000, UTC).strftime("%H:%M") == "15:10"
    sandbox.clock.set("2024-03-15T23:00")
    settled = sandbox.stocks.rows("AAPL", "1m", *span)
    np.testing.assert_array_equal(settled[: len(minutes) - 1], minutes[:-1])


def test_a_seed_is_a_history() -> None:
    def closes(seed: int) -> list[int]:
        stocks = Sandbox(SandboxConfig(markets=1, stocks=[AAPL], clock=NOW, seed=seed)).stocks
        closed: list[int] = stocks.rows("AAPL", "1d", ms("2024-01-01"), ms("2024-02-01"))["close"].tolist()
        return closed

    assert closes(1) == closes(1) != closes(2)


def test_the_common_ledger_knows_stocks_too(sandbox: Sandbox) -> None:
    span = ms("2024-03-04"), ms("2024-03-05")
    assert sandbox.ledger.rows("AAPL", "1h", *span).tolist() == sandbox.stocks.rows("AAPL", "1h", *span).tolist()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"venue": "LSE"}, "'LSE'"),
        ({"price": "0.001"}, "'0.001'"),
        ({"listed": "2009-01-01"}, "2009"),
        ({"listed": "yesterday"}, "'yesterday'"),
        ({"listed": "2020-01-01", "delisted": "2019-01-01"}, "follow one another"),
        ({"former": (("OLD", "2010-01-01"),)}, "follow one another"),
        ({"halts": [("2024-01-02T10:00:30", "2024-01-02T11:00")]}, "whole minutes"),
        ({"splits": [Split("2024-01-02", "2:1")], "dividends": [Dividend("2024-01-02", "1")]}, "one day"),
        ({"kind": "BOND"}, "'BOND'"),
    ],
)
def test_a_wrong_stock_is_named(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(SandboxError, match=told):
        StockConfig("X", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", ["4", "4:0", "4/1", "-4:1"])
def test_a_wrong_ratio_is_named(ratio: str) -> None:
    with pytest.raises(SandboxError, match="ratio"):
        Split("2024-01-02", ratio)


def test_defaults_are_as_many_as_asked_for() -> None:
    stocks = default_stocks(600)
    assert len({stock.symbol for stock in stocks}) == 600
    with pytest.raises(SandboxError, match="-1"):
        default_stocks(-1)
