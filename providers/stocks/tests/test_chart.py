"""Which rows of a chart are candles. The bodies are the sandbox's, and changed by hand where it says so."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from candle_hookspecs import MalformedAnswerError, to_ms
from candle_stocks.yahoo.chart import parse
from candle_testkit.sandbox import Sandbox, SandboxConfig, YahooConfig
from providers.stocks.tests.stand import NOW, STOCKS, chart_body


def sandbox(live: str = "separate", clock: str = NOW) -> Sandbox:
    return Sandbox(SandboxConfig(markets=1, stocks=STOCKS, clock=clock, speed=0, yahoo=YahooConfig(live=live)))


@pytest.mark.parametrize("live", ["separate", "duplicate"])
@pytest.mark.parametrize("clock", ["2024-03-15T14:10:20", NOW])
def test_the_day_that_is_told_live_is_left_out(live: str, clock: str) -> None:
    with sandbox(live, clock) as exchange:
        body = chart_body(exchange, "AAPL", "1d", "2024-03-11", "2024-03-16")
        truth = exchange.stocks.candles("AAPL", "1d", to_ms("2024-03-11"), to_ms("2024-03-15"))
    stamps = json.loads(body)["chart"]["result"][0]["timestamp"]
    assert len(stamps) == (5 if live == "separate" else 6), "the wire does tell it"
    assert parse(body, "1d").open_time.tolist() == truth["open_time"].tolist()


def test_after_midnight_the_day_is_history() -> None:
    with sandbox(clock="2024-03-16T04:00:01") as exchange:
        chart = parse(chart_body(exchange, "AAPL", "1d", "2024-03-11", "2024-03-16"), "1d")
        truth = exchange.stocks.candles("AAPL", "1d", to_ms("2024-03-11"), to_ms("2024-03-16"))
    assert chart.open_time.tolist() == truth["open_time"].tolist()
    assert len(chart.open_time) == 5


@pytest.mark.parametrize("clock", ["2024-03-15T15:10:20", NOW])
def test_the_last_trade_is_no_minute(clock: str) -> None:
    with sandbox(clock=clock) as exchange:
        body = chart_body(exchange, "AAPL", "1m", "2024-03-15", "2024-03-16")
        truth = exchange.stocks.candles("AAPL", "1m", to_ms("2024-03-15"), to_ms("2024-03-16"), include_open=True)
    raw = json.loads(body)["chart"]["result"][0]
    assert raw["timestamp"][-1] == raw["meta"]["regularMarketTime"]
    assert parse(body, "1m").open_time.tolist() == truth["open_time"].tolist()


def test_rows_of_nulls_are_no_candles() -> None:
    with sandbox() as exchange:
        body = chart_body(exchange, "NULLS", "1m", "2024-03-05", "2024-03-07")
        truth = exchange.stocks.candles("NULLS", "1m", to_ms("2024-03-05"), to_ms("2024-03-07"))
    assert None in json.loads(body)["chart"]["result"][0]["indicators"]["quote"][0]["close"]
    chart = parse(body, "1m")
    assert chart.open_time.tolist() == truth["open_time"].tolist()
    assert all(np.isfinite(column).all() for column in chart.columns.values())


def test_what_is_told_after_a_half_day_is_left_out() -> None:
    with sandbox(clock="2023-12-20") as exchange:
        body = chart_body(exchange, "AAPL", "1h", "2023-11-24", "2023-11-25")
        truth = exchange.stocks.candles("AAPL", "1h", to_ms("2023-11-24"), to_ms("2023-11-25"))
    assert len(json.loads(body)["chart"]["result"][0]["timestamp"]) > len(truth["open_time"]) == 4
    assert parse(body, "1h").open_time.tolist() == truth["open_time"].tolist()


def test_nothing_traded_is_an_empty_chart() -> None:
    with sandbox() as exchange:
        chart = parse(chart_body(exchange, "AAPL", "1m", "2024-03-09", "2024-03-10"), "1m")
    assert not len(chart.open_time)


def change(body: bytes, how: Callable[[dict[str, Any]], object]) -> bytes:
    told = json.loads(body)
    how(told["chart"]["result"][0])
    return json.dumps(told).encode()


def quote(result: dict[str, Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = result["indicators"]["quote"][0]
    return columns


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda result: quote(result)["close"].pop(), "columns of other lengths: {'close': 3}"),
        (lambda result: quote(result).pop("volume"), "columns of other lengths: {'volume': 0}"),
        (lambda result: result.pop("timestamp"), "0 times came"),
        (lambda result: quote(result)["low"].__setitem__(1, None), "the candle of 2024-03-12T13:30:00Z lacks a price"),
        (lambda result: quote(result)["low"].__setitem__(1, "NaN"), "not a chart"),
        (lambda result: result["timestamp"].reverse(), "do not rise"),
        (lambda result: result["meta"].update(dataGranularity="1mo"), "asked for '1d', Yahoo answered '1mo'"),
        (lambda result: result.pop("meta"), "not a chart"),
    ],
)
def test_anything_else_is_refused(how: Callable[[dict[str, Any]], object], said: str) -> None:
    with sandbox() as exchange:
        body = chart_body(exchange, "AAPL", "1d", "2024-03-11", "2024-03-15")
    with pytest.raises(MalformedAnswerError, match=said):
        parse(change(body, how), "1d")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"chart":{"result":[],"error":null}}', b"[1]"])
def test_what_is_no_chart_is_shown(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match="the answer begins"):
        parse(body, "1d")


def test_a_volume_that_is_not_told_is_none_traded() -> None:
    with sandbox() as exchange:
        body = chart_body(exchange, "AAPL", "1d", "2024-03-11", "2024-03-13")
    chart = parse(change(body, lambda result: quote(result)["volume"].__setitem__(0, None)), "1d")
    assert chart.columns["volume"][0] == 0


def test_a_funds_gains_are_paid_with_its_dividend() -> None:
    paid = {"1710163800": {"amount": 0.5, "date": 1710163800}}

    def add(result: dict[str, Any]) -> None:
        result["events"] = {"dividends": paid, "capitalGains": paid}

    with sandbox() as exchange:
        body = chart_body(exchange, "SPY", "1d", "2024-03-11", "2024-03-13")
    assert parse(change(body, add), "1d").dividends == ((1710163800_000, 1.0),)
