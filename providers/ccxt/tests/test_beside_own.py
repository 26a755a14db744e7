"""Collected through ccxt and by the exchange's own plugin: the same candles, the same proof of what is not there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import candle_core
from candle_hookspecs import MarketStatus, to_ms
from candle_testkit.sandbox import Limits, MarketConfig, OffGrid, Sandbox, SandboxConfig
from providers.ccxt.tests.clocks import JumpingClock

NOW: Final = "2024-03-10T12:34:30.500"
COLUMNS: Final = "open_time, open, high, low, close, volume"

HISTORY: Final[dict[str, Any]] = {
    "listed": "2023-12-15T10:00",
    "holes": [("2024-02-01T12:00", "2024-02-02T13:00"), ("2024-02-10", "2024-02-14T07:30")],
    "quiet": [("2024-02-01T10:00", "2024-02-01T10:45")],
}
MARKETS: Final = [
    MarketConfig("BTCUSDT", "BTC", "USDT", price="42000", turnover="300000000", **HISTORY,
                 off_grid=[OffGrid("1m", "2024-02-02T13:00", 17_001)]),
    MarketConfig("ENDUSDT", "END", "USDT", listed="2023-12-01", delisted="2024-02-03T05:00"),
    MarketConfig("KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", 5_000_000, exchange="UPBIT",
                 **HISTORY),
    MarketConfig("KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", 1, listed="2020-01-01", exchange="UPBIT"),
]  # fmt: skip

CASES: Final = {
    "binance-holes": ("binance", "BTC/USDT", "1m", "2024-01-31", "2024-02-15"),
    "binance-beginning": ("binance", "BTC/USDT", "1m", "2023-12-10", "2023-12-16"),
    "binance-present": ("binance", "BTC/USDT", "1m", "2024-03-08", "2024-03-11"),
    "binance-ended": ("binance", "END/USDT", "5m", "2024-02-01", "2024-02-20"),
    "binance-days": ("binance", "BTC/USDT", "1d", "2023-01-01", "2024-03-11"),
    "binance-off-the-grid": ("binance", "BTC/USDT", "1m", "2024-02-02T12:30:17.500", "2024-02-03T00:00:00.001"),
    "upbit-hole": ("upbit", "BTC/KRW", "1m", "2024-02-01T06:00", "2024-02-03"),
    "upbit-long-hole": ("upbit", "BTC/KRW", "1m", "2024-02-09T12:00", "2024-02-14T12:00"),
    "upbit-beginning": ("upbit", "BTC/KRW", "1m", "2023-12-10", "2023-12-16"),
    "upbit-present": ("upbit", "BTC/KRW", "1m", "2024-03-09", "2024-03-11"),
    "upbit-thin": ("upbit", "LONE/KRW", "1m", "2023-06-01", "2024-03-01"),
    "upbit-weeks": ("upbit", "BTC/KRW", "1w", "2023-06-01", "2024-03-11"),
    "upbit-months": ("upbit", "LONE/KRW", "1M", "2019-06-01", "2024-03-11"),
    "upbit-off-the-grid": ("upbit", "BTC/KRW", "1m", "2024-02-02T12:30:17.500", "2024-02-03T00:00:30.001"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=None, group=None))) as sandbox:
        yield sandbox


async def collected(
    sandbox: Sandbox, path: Path, wanted: tuple[str, ...], **table: Any
) -> tuple[list[Any], list[Any], list[dict[str, str]]]:
    """Rows, facts and the requests for candles of a collection with a table for the provider."""
    exchange, market, timeframe, start, end = wanted
    provider = {exchange: {"rest_url": sandbox.url, **table}}
    # One after the other, so that the facts come in the same order.
    tables = {"storage": {"path": str(path)}, "collect": {"concurrency": 1}, "providers": provider}
    sandbox.ledger.clear()
    async with candle_core.open(tables, clock=JumpingClock()) as candles:
        await candles.collect_candles_only(market, timeframe, exchange=exchange, tradetype="SPOT", start=start, end=end)
    asked = [one for one in sandbox.ledger.requests() if one.rows is not None]
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM v_candles ORDER BY open_time").fetchall()
        facts = connection.execute(
            "SELECT state, evidence, span_start, span_end FROM coverage ORDER BY span_start, span_end, state"
        ).fetchall()
    return rows, facts, [dict(one.params) for one in asked]


@pytest.mark.parametrize("wanted", CASES.values(), ids=CASES)
async def test_as_by_the_exchanges_own_plugin(sandbox: Sandbox, tmp_path: Path, wanted: tuple[str, ...]) -> None:
    own = await collected(sandbox, tmp_path / "own.sqlite3", wanted)
    through = await collected(sandbox, tmp_path / "ccxt.sqlite3", wanted, plugin="ccxt", tradetypes=["SPOT"])
    assert own[0], "there is nothing to compare"
    assert through[0] == own[0]
    assert through[1] == own[1]
    assert len(through[2]) == len(own[2])


@pytest.mark.parametrize("case", ["binance-holes", "binance-ended", "upbit-hole", "upbit-long-hole"])
async def test_who_does_not_know_the_way_gets_the_same_for_more_requests(
    sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    wanted = CASES[case]
    start, end = to_ms(wanted[3]), to_ms(wanted[4])
    own = await collected(sandbox, tmp_path / "own.sqlite3", wanted)
    table = {"plugin": "ccxt", "tradetypes": ["SPOT"], "paging": "bounded"}
    through = await collected(sandbox, tmp_path / "ccxt.sqlite3", wanted, **table)
    assert [row for row in through[0] if start <= row[0] < end] == [row for row in own[0] if start <= row[0] < end]
    covered = start
    for _, _, first, last in through[1]:
        assert first <= covered, "nothing is left out"
        covered = max(covered, last)
    assert covered >= min(end, to_ms("2024-03-10"))
    assert len(through[2]) >= len(own[2])


async def test_the_listing_is_that_of_the_exchanges_own_plugin(sandbox: Sandbox) -> None:
    """But for whether a market that does not trade has ended, which ccxt does not tell."""
    listings = []
    for table in ({}, {"plugin": "ccxt", "tradetypes": ["SPOT"]}):
        tables = {"storage": {"backend": "memory"}, "providers": {"binance": {"rest_url": sandbox.url, **table}}}
        async with candle_core.open(tables) as candles:
            listings.append(await candles.markets("BINANCE", "SPOT"))
    own, through = listings
    assert [market.native_id for market in own] == ["BTCUSDT", "ENDUSDT"]
    assert [replace(market, status=MarketStatus.UNKNOWN, extra={}) for market in through] == [
        replace(market, status=MarketStatus.UNKNOWN, extra={}) for market in own
    ]
    assert [market.status for market in own] == [MarketStatus.TRADING, MarketStatus.CLOSED]
    assert [market.status for market in through] == [MarketStatus.TRADING, MarketStatus.HALTED]
