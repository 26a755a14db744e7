"""`candle verify`, against the sandbox's truth and rows spoiled by plain SQL."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import KLINES, Candle

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")
SYMBOL = "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


def execute(statement: str) -> int:
    """Rows touched in ./candles.sqlite3."""
    with sqlite3.connect("candles.sqlite3") as database:
        touched = database.execute(statement).rowcount
    database.close()
    return touched


def picked(document: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Values of the one symbol."""
    (symbol,) = document["symbols"]
    return tuple(symbol[name] for name in names)


@pytest.mark.usefixtures("day")
def test_a_day_without_flaw(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    outcome = candle("verify")
    assert (outcome.code, outcome.err) == (0, "")
    header, row = outcome.out.splitlines()
    assert header.split() == [
        "symbol", "rows", "covered", "missing", "empty", "not", "listed", "out", "of", "reach", "off", "grid",
        "anomalies", "revised", "first", "last", "state",
    ]  # fmt: skip
    assert row.split() == [
        SYMBOL, "1,440", "1,440", *["0"] * 7, "2024-02-01T00:00:00Z", "2024-02-01T23:59:00Z", "clean",
    ]  # fmt: skip
    assert sandbox.ledger.count() == 0, "nobody is asked"


@pytest.mark.usefixtures("day")
def test_a_candle_that_was_given_otherwise_later_is_counted(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("stale_open", at="2024-02-01T12:00:00")
    collect = ("collect", *MARKET, "--start", "2024-02-01", "--end", "2024-02-02", "--refetch", "--json")
    changed = candle(*collect).document["symbols"][0]["saved"]["revised"]
    again = candle(*collect).document["symbols"][0]["saved"]["revised"]
    assert changed == again == 1
    assert picked(candle("verify", "--json").document, "revisions", "state") == (2, "clean")


@pytest.mark.usefixtures("day")
def test_a_gap_between_what_is_known_is_a_problem(candle: Candle) -> None:
    assert candle("collect", *MARKET, "--start", "2024-02-03", "--end", "2024-02-04").code == 0
    outcome = candle("verify", "--json")
    assert outcome.code == 1
    assert not outcome.document["clean"]
    assert picked(outcome.document, "rows", "covered", "missing", "gaps", "state") == (
        2880, 2880, 1440, [["2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z"]], "problems",
    )  # fmt: skip
    assert candle("verify").err == (
        f"candle: {SYMBOL}: no answer covers 2024-02-02T00:00:00Z to 2024-02-03T00:00:00Z yet; "
        "`candle collect` asks for it\n"
    )


@pytest.mark.usefixtures("day")
def test_what_lies_outside_of_what_is_known_is_missing_but_no_problem(candle: Candle) -> None:
    outcome = candle("verify", "--start", "2024-01-31", "--end", "2024-02-04", "--json")
    assert (outcome.code, picked(outcome.document, "slots", "missing", "gaps")) == (0, (4 * 1440, 3 * 1440, []))


@pytest.mark.usefixtures("day")
def test_candles_that_cannot_be_true(candle: Candle) -> None:
    at = {
        name: 1_706_745_600_000 + minute * 60_000
        for name, minute in {"high": 5, "low": 7, "price": 9, "volume": 11}.items()
    }
    assert execute(f"update candles set high = low - 1 where open_time = {at['high']}") == 1
    assert execute(f"update candles set low = high + 1 where open_time = {at['low']}") == 1
    assert execute(f"update candles set open = -1, low = -1 where open_time >= {at['price']} "
                   f"and open_time < {at['price'] + 120_000}") == 2  # fmt: skip
    assert execute(f"update candles set volume = -0.5 where open_time = {at['volume']}") == 1
    outcome = candle("verify", "--json")
    assert outcome.code == 1
    (symbol,) = outcome.document["symbols"]
    # A high below the low is a low above the high as well.
    assert symbol["anomalies"] == [
        {"kind": "high", "count": 2, "first": "2024-02-01T00:05:00Z"},
        {"kind": "low", "count": 2, "first": "2024-02-01T00:05:00Z"},
        {"kind": "price", "count": 2, "first": "2024-02-01T00:09:00Z"},
        {"kind": "volume", "count": 1, "first": "2024-02-01T00:11:00Z"},
    ]
    assert (symbol["missing"], symbol["gaps"]) == (0, [])
    assert candle("verify").err.splitlines()[2:] == [
        f"candle: {SYMBOL}: 2 × a negative price, the first at 2024-02-01T00:09:00Z",
        f"candle: {SYMBOL}: 1 × a negative volume, the first at 2024-02-01T00:11:00Z",
    ]


def test_a_day_of_maintenance_and_a_row_off_the_grid(candle: Candle, sandbox: Sandbox) -> None:
    start, end = 1_517_961_600_000, 1_518_307_200_000  # 2018-02-07 to 2018-02-11
    words = ("BINANCE", "SPOT", "BTC/USDT", "1h", "--start", "2018-02-07", "--end", "2018-02-11")
    assert candle("collect", *words).code == 0
    # What an answer brings from behind a hole is kept as well.
    outcome = candle("verify", *words[4:], "--json")
    times = sandbox.ledger.rows("BTCUSDT", "1h", start, end)["open_time"].tolist()
    on_grid = [time for time in times if time % 3_600_000 == 0]
    assert outcome.code == 0
    assert picked(outcome.document, "slots", "covered", "rows", "filled", "off_grid", "proven_empty", "missing") == (
        96, 96, len(times), len(on_grid), 1, 96 - len(on_grid), 0,
    )  # fmt: skip


def test_before_the_market_was_listed(candle: Candle) -> None:
    words = ("BINANCE", "SPOT", "SOL/USDT", "1d", "--start", "2020-08-01", "--end", "2020-09-01")
    assert candle("collect", *words).code == 0
    # Listed on 2020-08-11: ten days before it, 21 with it.
    whole = candle("verify", *words[4:], "--json").document
    assert picked(whole, "slots", "not_listed", "filled", "missing", "covered") == (31, 10, 21, 0, 31)
    assert picked(candle("verify", *words[6:], "--json").document, "slots", "not_listed", "first") == (
        21, 0, "2020-08-11T00:00:00Z",
    )  # fmt: skip


@pytest.mark.usefixtures("day")
def test_candles_without_proof_are_not_covered(candle: Candle) -> None:
    assert candle("forget", *MARKET, "--start", "2024-02-01T12:00").code == 0
    outcome = candle("verify", "--json")
    assert outcome.code == 0
    assert picked(outcome.document, "rows", "covered", "missing", "gaps") == (1440, 720, 0, [])


@pytest.mark.usefixtures("day")
def test_a_lost_row_among_those_without_proof_is_a_gap(candle: Candle) -> None:
    assert candle("forget", *MARKET).code == 0
    assert execute("delete from candles where open_time = 1706745600000 + 600 * 60000") == 1
    outcome = candle("verify", "--json")
    assert outcome.code == 1
    assert picked(outcome.document, "missing", "gaps") == (1, [["2024-02-01T10:00:00Z", "2024-02-01T10:01:00Z"]])


# ── which symbols ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def three(candle: Candle) -> None:
    """Three symbols of two markets."""
    for market, timeframe in (("BTC/USDT", "1h"), ("BTC/USDT", "1d"), ("ETH/USDT", "1h")):
        assert candle("collect", "BINANCE", "SPOT", market, timeframe, "--count", "5").code == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["BTC-USDT-1d", "BTC-USDT-1h", "ETH-USDT-1h"]),
        (("BTC/USDT",), ["BTC-USDT-1d", "BTC-USDT-1h"]),
        (("btcusdt", "--timeframe", "1h"), ["BTC-USDT-1h"]),
        (("CRYPTO-BINANCE-SPOT-ETH-USDT-1h", "BTC/USDT"), ["BTC-USDT-1d", "BTC-USDT-1h", "ETH-USDT-1h"]),
        (("--timeframe", "1h", "--exchange", "binance", "--tradetype", "spot"), ["BTC-USDT-1h", "ETH-USDT-1h"]),
    ],
    ids=["all", "market", "native", "symbol", "filters"],
)
def test_which_symbols(candle: Candle, words: tuple[str, ...], found: list[str]) -> None:
    symbols = candle("verify", *words, "--json").document["symbols"]
    assert [symbol["symbol"] for symbol in symbols] == [f"CRYPTO-BINANCE-SPOT-{name}" for name in found]
    assert {symbol["rows"] for symbol in symbols} == {5}


@pytest.mark.usefixtures("three")
def test_a_symbol_that_is_not_stored(candle: Candle) -> None:
    candle("verify", "BTC/USDT", "DOGE/USDT").failed_with(2, "'DOGE/USDT'", "candle symbols")


@pytest.mark.usefixtures("three")
def test_an_exchange_that_is_not_installed_any_more_fails_alone(candle: Candle) -> None:
    copied = (
        "tradetype, base, quote, contract, settle, native_id, ccxt_symbol, status, price_tick, amount_step, "
        "min_amount, max_amount, min_price, max_price, min_notional, listed, delisted, title, extra"
    )
    assert (
        execute(f"insert into markets select 99, archetype, 'NOWHERE', {copied} from markets where base = 'ETH'") == 1
    )
    assert execute("insert into symbols values (99, 99, '1h', 0, 0, 0)") == 1
    outcome = candle("verify", "--timeframe", "1h", "--json")
    assert outcome.code == 1
    assert [one["state"] for one in outcome.document["symbols"]] == ["clean", "clean", "failed"]
    assert outcome.err.startswith("candle: CRYPTO-NOWHERE-SPOT-ETH-USDT-1h: ")
    alone = candle("verify", "--exchange", "NOWHERE", "--json")
    assert (alone.code, alone.document["error"]["type"]) == (2, "MissingPluginError")


def test_an_empty_database(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("verify")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "candle: no symbols are stored yet; `candle collect` fetches candles\n"
    assert sandbox.ledger.count(KLINES) == 0


@pytest.mark.usefixtures("day")
def test_a_range_in_which_there_is_nothing(candle: Candle) -> None:
    outcome = candle("verify", "--start", "2025-01-01", "--json")
    assert (outcome.code, picked(outcome.document, "slots", "rows", "first")) == (0, (0, 0, None))


def test_a_range_that_cannot_be(candle: Candle) -> None:
    candle("verify", "--start", "2024-02-02", "--end", "2024-02-01").failed_with(2, "2024-02-01")
