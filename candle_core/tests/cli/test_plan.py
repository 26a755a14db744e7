"""`candle plan`: what it says before is what `candle collect` then does, by the sandbox's ledger."""

import sqlite3
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import KLINES, Candle

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")
DAY = ("--start", "2024-02-01", "--end", "2024-02-02")
DAYS = ("--start", "2024-01-30", "--end", "2024-02-05")


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


@pytest.mark.parametrize(
    "wanted",
    [
        DAY,
        DAYS,
        (*DAYS, "--refetch"),
        ("--start", "2024-02-01T00:00:30", "--end", "2024-02-03T12:00:01"),
        ("--count", "3000"),
        ("--count", "3001"),
        ("--start", "2024-02-01", "--count", "5000"),
        ("--start", "2024-02-29T12:00", "--end", "2024-03-05"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("known", [False, True], ids=["nothing-known", "a-day-known"])
def test_the_requests_are_those_of_the_collection(
    candle: Candle, sandbox: Sandbox, wanted: tuple[str, ...], known: bool
) -> None:
    if known:
        assert candle("collect", *MARKET, *DAY).code == 0
    sandbox.ledger.clear()
    (planned,) = candle("plan", *MARKET, *wanted, "--json").document["symbols"]
    assert sandbox.ledger.count(KLINES) == 0
    (done,) = candle("collect", *MARKET, *wanted, "--json").document["symbols"]
    assert planned["requests"] == done["api_calls_made"] == sandbox.ledger.count(KLINES)
    assert sum(one.weight for one in sandbox.ledger.requests(KLINES)) == planned["spending"][0]["cost"]
    assert {name: planned[name] for name in ("wanted", "already_covered", "asked")} == {
        name: done["overlap_analysis_results"][name] for name in ("wanted", "already_covered", "asked")
    }
    assert planned["time_range"] == done["time_range"]


def test_the_table_by_arithmetic(candle: Candle) -> None:
    outcome = candle("plan", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", *DAY)
    assert (outcome.code, outcome.err) == (0, "")
    caption, header, *rows = outcome.out.splitlines()
    assert caption == "BINANCE SPOT 1m, 2024-02-01T00:00:00Z to 2024-02-02T00:00:00Z"
    assert header.split() == [
        "symbol", "wanted", "covered", "missing", "stretches", "requests", "weight", "takes", "up", "to",
    ]  # fmt: skip
    # 1,440 slots are two pages of 1,000 at weight 2 each, of 6,000 a minute.
    assert [row.split() for row in rows] == [
        ["BTC/USDT", "1,440", "0", "1,440", "1", "2", "4", "0.0", "s"],
        ["ETH/USDT", "1,440", "0", "1,440", "1", "2", "4", "0.0", "s"],
        ["total", "2,880", "0", "2,880", "2", "4", "8", "0.1", "s"],
    ]


def test_ten_years_of_minutes(candle: Candle) -> None:
    words = ("plan", *MARKET, "--start", "2014-01-01", "--end", "2024-01-01", "--json")
    (planned,) = candle(*words).document["symbols"]
    slots = (365 * 10 + 2) * 1440
    pages = -(-slots // 1000)
    assert (planned["wanted"], planned["requests"]) == (slots, pages)
    assert planned["estimated_seconds"] == pytest.approx(pages * 2 / 6000 * 60)


@pytest.mark.usefixtures("day")
def test_the_missing_stretches(candle: Candle) -> None:
    (planned,) = candle("plan", *MARKET, *DAYS, "--json").document["symbols"]
    assert planned["missing"] == [
        ["2024-01-30T00:00:00Z", "2024-02-01T00:00:00Z"],
        ["2024-02-02T00:00:00Z", "2024-02-05T00:00:00Z"],
    ]
    assert planned["already_covered"] == 1440
    assert candle("plan", *MARKET, *DAYS).out.splitlines()[3:] == [
        "BTC/USDT lacks 2024-01-30T00:00:00Z to 2024-02-01T00:00:00Z",
        "BTC/USDT lacks 2024-02-02T00:00:00Z to 2024-02-05T00:00:00Z",
    ]


@pytest.mark.usefixtures("day")
def test_what_is_known_costs_nothing(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    document = candle("plan", *MARKET, *DAY, "--json").document
    assert (document["total"]["requests"], document["total"]["estimated_seconds"]) == (0, 0.0)
    assert sandbox.ledger.count() == 0


def test_nothing_is_written(candle: Candle, folder: Path) -> None:
    assert candle("plan", *MARKET, *DAY).code == 0
    assert sorted(file.name for file in folder.iterdir()) == ["candle.toml"]


@pytest.mark.usefixtures("day")
def test_nothing_is_added(candle: Candle) -> None:
    assert candle("plan", "BINANCE", "SPOT", "ETH/USDT", "1m", *DAY).code == 0
    with sqlite3.connect("candles.sqlite3") as database:
        bases = database.execute("select base from markets").fetchall()
    database.close()
    assert bases == [("BTC",)]


def test_nothing_is_closed_yet(candle: Candle) -> None:
    (planned,) = candle("plan", *MARKET, "--start", "2030-01-01", "--json").document["symbols"]
    assert (planned["wanted"], planned["requests"], planned["missing"]) == (0, 0, [])


def test_one_unknown_market_does_not_stop_the_rest(candle: Candle) -> None:
    outcome = candle("plan", "BINANCE", "SPOT", "NO/SUCH", "BTC/USDT", "1m", *DAY)
    assert outcome.code == 1
    assert [line.split()[-1] for line in outcome.out.splitlines()[2:]] == ["failed", "s"]
    assert outcome.err.startswith("candle: NO/SUCH: BINANCE lists no SPOT market")


def test_when_all_fail_the_code_is_theirs(candle: Candle) -> None:
    outcome = candle("plan", "BINANCE", "SPOT", "NO/SUCH", "1m", *DAY, "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["type"] == "UnknownMarketError"
    assert outcome.document["symbols"][0]["state"] == "failed"


def test_a_range_is_needed(candle: Candle) -> None:
    candle("plan", *MARKET).failed_with(2, "--start", "--count")
