"""`candle collect`, against the sandbox and a real SQLite file that the tests read by plain SQL."""

import re
import sqlite3
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import KLINES, Candle

DAY = ("--start", "2024-02-01", "--end", "2024-02-02")
FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


def stored() -> dict[str, int]:
    """Base → candles of the day in ./candles.sqlite3. What an answer brings from beyond the range is kept as well."""
    inside = "open_time >= ? and open_time < ?"
    with sqlite3.connect("candles.sqlite3") as database:
        counts = f"select base, count(*) from v_candles where {inside} group by base"
        return dict(database.execute(counts, [FEBRUARY, FEBRUARY + 86_400_000]))


def test_what_the_exchange_has_is_in_the_database(candle: Candle, sandbox: Sandbox) -> None:
    assert candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *DAY).code == 0
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + 86_400_000)
    with sqlite3.connect("candles.sqlite3") as database:
        rows = database.execute("select open_time, open, close, trades from v_candles order by open_time").fetchall()
    names = ("open_time", "open", "close", "trades")
    assert rows[:1440] == list(zip(*(truth[name].tolist() for name in names), strict=True))


def test_the_table(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", *DAY)
    assert (outcome.code, outcome.err) == (0, "")
    caption, header, *rows = outcome.out.splitlines()
    assert caption == "BINANCE SPOT 1m, 2024-02-01T00:00:00Z to 2024-02-02T00:00:00Z"
    assert header.split() == ["symbol", "candles", "new", "revised", "requests", "missing", "took", "state"]
    assert [row.split()[:2] for row in rows] == [["BTC/USDT", "1,440"], ["ETH/USDT", "1,440"]]
    assert all(row.endswith("complete") for row in rows)


def test_the_document(candle: Candle) -> None:
    (entry,) = candle("collect", "BINANCE", "SPOT", "BTCUSDT", "1m", *DAY, "--json").document["symbols"]
    assert entry["symbol"] == "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"
    assert (entry["name"], entry["state"]) == ("BTCUSDT", "complete")
    assert (entry["collected_count"], entry["db_records_count"]) == (1440, 1440)
    assert entry["saved"]["inserted"] >= 1440
    assert entry["time_range"] == ["2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"]
    assert entry["overlap_analysis_results"]["missing"] == 0
    assert (entry["missing"], entry["problems"]) == ([], [])


@pytest.mark.usefixtures("day")
def test_a_second_time_nobody_is_asked(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    (entry,) = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *DAY, "--json").document["symbols"]
    assert (entry["api_calls_made"], entry["db_records_count"]) == (0, 1440)
    assert sandbox.ledger.count(KLINES) == 0


@pytest.mark.usefixtures("day")
def test_refetch_asks_again(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    (entry,) = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *DAY, "--refetch", "--json").document["symbols"]
    assert (entry["saved"]["inserted"], entry["saved"]["revised"]) == (0, 0)
    assert entry["saved"]["unchanged"] >= 1440
    assert sandbox.ledger.count(KLINES) > 0


def test_the_newest_by_count(candle: Candle) -> None:
    (entry,) = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1h", "--count", "48", "--json").document["symbols"]
    assert entry["db_records_count"] == 48
    # The exchange's clock stands at 2024-03-01T00:00:30, so that the hour before is closed and the present one is not.
    assert entry["time_range"] == ["2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z"]


def test_what_is_still_to_come_is_said(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2030-01-01")
    assert (outcome.code, outcome.err) == (0, "candle: BTC/USDT: no candle of this range has closed yet\n")


def test_the_same_symbol_typed_twice_is_one(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "BTC/USDT", "1h", "--count", "5", "--json")
    assert len(outcome.document["symbols"]) == 1


def test_verbose_logs_on_standard_error(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1h", "--count", "5", "--json", "--verbose")
    assert outcome.document["symbols"][0]["state"] == "complete"
    lines = outcome.err.splitlines()
    assert any(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z DEBUG candle\.binance: GET /api/v3/klines", line) for line in lines)


# ── one symbol's failure ─────────────────────────────────────────────────────────────────────────────────────────────


def test_one_unknown_market_does_not_stop_the_rest(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "NO/SUCH", "ETH/USDT", "1m", *DAY)
    assert outcome.code == 1
    states = {line.split()[0]: line.split()[-1] for line in outcome.out.splitlines()[2:]}
    assert states == {"BTC/USDT": "complete", "NO/SUCH": "failed", "ETH/USDT": "complete"}
    assert outcome.err.startswith("candle: NO/SUCH: ")
    assert "candle markets BINANCE SPOT" in outcome.err
    assert stored() == {"BTC": 1440, "ETH": 1440}


def test_the_document_tells_the_cause_of_each(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "NO/SUCH", "1m", *DAY, "--json")
    assert outcome.code == 1
    good, bad = outcome.document["symbols"]
    assert (good["state"], bad["state"]) == ("complete", "failed")
    assert bad["error"]["type"] == "UnknownMarketError"
    assert "error" not in outcome.document


def test_a_server_that_answers_html_to_one_symbol(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("html", times=1000, symbol="ETHUSDT")
    outcome = candle("collect", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1h", *DAY)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "candle: ETH/USDT: " in outcome.err
    assert stored() == {"BTC": 24}


def test_when_all_fail_the_code_is_theirs(candle: Candle) -> None:
    outcome = candle("collect", "BINANCE", "SPOT", "NO/SUCH", "NO/OTHER", "1m", *DAY, "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["type"] == "UnknownMarketError"
    assert [one["state"] for one in outcome.document["symbols"]] == ["failed", "failed"]
