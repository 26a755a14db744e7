"""`candle symbols`, against what was collected from the sandbox and counted by plain SQL."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import Candle

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


@pytest.fixture
def three(candle: Candle, sandbox: Sandbox) -> None:
    """Three symbols of two markets; nobody was asked yet."""
    for market, timeframe, *words in (
        ("BTC/USDT", "1h", "--start", "2024-02-01", "--end", "2024-02-11"),
        ("BTC/USDT", "1d", "--start", "2024-01-01"),
        ("ETH/BTC", "1h", "--start", "2024-02-20", "--end", "2024-02-21"),
    ):
        assert candle("collect", "BINANCE", "SPOT", market, timeframe, *words).code == 0
    sandbox.ledger.clear()


def counted(symbol: dict[str, Any]) -> tuple[int, int, int]:
    """Rows, first and last open time of a symbol, by SQL."""
    with closing(sqlite3.connect("candles.sqlite3")) as database:
        (row,) = database.execute(
            "select count(*), min(open_time), max(open_time) from v_candles where base = ? and quote = ? "
            "and timeframe = ?",
            [symbol[name] for name in ("base", "quote", "timeframe")],
        )
    return tuple(row)


@pytest.mark.usefixtures("three")
def test_the_table(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("symbols", "--timeframe", "1h")
    assert (outcome.code, outcome.err) == (0, "")
    header, *rows = (line.split() for line in outcome.out.splitlines())
    assert header == ["symbol", "first", "last", "rows", "share", "status"]
    assert [row[:4] + row[5:] for row in rows] == [
        ["CRYPTO-BINANCE-SPOT-BTC-USDT-1h", "2024-02-01T00:00:00Z", "2024-02-10T23:00:00Z", "240", "TRADING"],
        ["CRYPTO-BINANCE-SPOT-ETH-BTC-1h", "2024-02-20T00:00:00Z", "2024-02-20T23:00:00Z", "24", "TRADING"],
    ]
    assert sandbox.ledger.count() == 0, "nobody is asked"


@pytest.mark.usefixtures("three")
def test_the_document(candle: Candle) -> None:
    document = candle("symbols", "--json").document
    assert [one["symbol"] for one in document["symbols"]] == [
        f"CRYPTO-BINANCE-SPOT-{name}" for name in ("BTC-USDT-1d", "BTC-USDT-1h", "ETH-BTC-1h")
    ]
    for one in document["symbols"]:
        rows, first, last = counted(one)
        assert one["rows"] == rows
        assert [one["first"], one["last"]] == [_iso(first), _iso(last)]
        assert one["share"] == one["proven"] / one["slots"] < 1
        assert (one["proven"], one["exchange"], one["tradetype"], one["status"]) == (
            rows, "BINANCE", "SPOT", "TRADING",
        )  # fmt: skip
    assert [one["ccxt_symbol"] for one in document["symbols"]] == ["BTC/USDT", "BTC/USDT", "ETH/BTC"]


def _iso(ms: int) -> str:
    with closing(sqlite3.connect(":memory:")) as database:
        (text,) = database.execute("select strftime('%Y-%m-%dT%H:%M:%SZ', ?, 'unixepoch')", [ms // 1000]).fetchone()
    return str(text)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["BTC-USDT-1d", "BTC-USDT-1h", "ETH-BTC-1h"]),
        (("binance",), ["BTC-USDT-1d", "BTC-USDT-1h", "ETH-BTC-1h"]),
        (("BINANCE", "spot", "1h"), ["BTC-USDT-1h", "ETH-BTC-1h"]),
        (("BINANCE", "1d"), ["BTC-USDT-1d"]),
        (("BINANCE", "SPOT", "1d", "--timeframe", "1d"), ["BTC-USDT-1d"]),
        (("BINANCE", "SWAP"), []),
        (("UPBIT",), []),
        (("--timeframe", "1h", "--quote", "btc"), ["ETH-BTC-1h"]),
        (("--base", "BTC", "--status", "trading"), ["BTC-USDT-1d", "BTC-USDT-1h"]),
        (("--status", "halted"), []),
        (("--name", "ethbtc"), ["ETH-BTC-1h"]),
        (("--name", "*btc*", "--timeframe", "1h"), ["BTC-USDT-1h", "ETH-BTC-1h"]),
    ],
    ids=" ".join,
)
def test_which_symbols(candle: Candle, words: tuple[str, ...], found: list[str]) -> None:
    outcome = candle("symbols", *words, "--json")
    assert outcome.code == 0
    assert [one["symbol"] for one in outcome.document["symbols"]] == [f"CRYPTO-BINANCE-SPOT-{name}" for name in found]


@pytest.mark.usefixtures("three")
def test_100_percent_means_all(candle: Candle) -> None:
    """All hours since 1970 but the last ones are not all of them, though hardly one in 100,000 is missing."""
    now = time.time_ns() // 1_000_000
    with closing(sqlite3.connect("candles.sqlite3")) as database, database:
        assert database.execute("delete from coverage").rowcount > 0
        for timeframe, end in (("1h", now - 3 * HOUR), ("1d", now + DAY)):
            database.execute(
                "insert into coverage select id, 0, ?, 1, 'answered', 'anchored', 1 from symbols where timeframe = ?",
                [end, timeframe],
            )
    lines = [line.split() for line in candle("symbols").out.splitlines()[1:]]
    assert [(line[0][-2:], line[4]) for line in lines] == [("1d", "100%"), ("1h", "99.9%"), ("1h", "99.9%")]


@pytest.mark.usefixtures("three")
def test_nothing_is_like_that(candle: Candle) -> None:
    outcome = candle("symbols", "--base", "DOGE")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "candle: no stored symbol is like that; `candle symbols` lists all\n"


def test_an_empty_database(candle: Candle) -> None:
    outcome = candle("symbols")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "candle: no symbols are stored yet; `candle collect` fetches candles\n"
    assert candle("symbols", "--json").document == {"symbols": []}
    assert not Path("candles.sqlite3").exists(), "asking makes no database"


def test_conditions_that_cannot_be(candle: Candle) -> None:
    candle("symbols", "BINANCE", "SPOT", "1d", "--timeframe", "1h").failed_with(2, "'1h'", "'1d'")
    candle("symbols", "--timeframe", "1x").failed_with(2, "'1x'")
    candle("symbols", "--status", "gone").failed_with(2, "'--status'", "'gone'")
