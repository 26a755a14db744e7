"""`candle status` and `candle maintain`: how the database stands, and its upkeep."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from candle_hookspecs import MaintenanceTask
from candle_testkit.sandbox import Sandbox

from .conftest import KLINES, Candle

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")


def value(out: str, name: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith(f"{name}  ")]
    return line.removeprefix(name).strip()


def test_a_database_that_is_not_there_yet(config: Path, folder: Path, candle: Candle) -> None:
    outcome = candle("status")
    assert (outcome.code, outcome.err) == (0, "candle: there are no candles yet; `candle collect` fetches them\n")
    assert value(outcome.out, "place") == str(folder / "candles.sqlite3")
    assert value(outcome.out, "schema") == "none yet"
    assert not (folder / "candles.sqlite3").exists()
    document = candle("status", "--json").document
    assert (document["schema"], document["candles"], document["size"]) == (0, 0, None)
    outcome = candle("maintain")
    assert (outcome.code, outcome.err) == (0, "")
    assert not (folder / "candles.sqlite3").exists()


@pytest.mark.usefixtures("day")
def test_a_database_in_use(folder: Path, candle: Candle) -> None:
    outcome = candle("status")
    assert (outcome.code, outcome.err) == (0, "")
    assert (value(outcome.out, "configuration"), value(outcome.out, "backend")) == ("candle.toml", "sqlite")
    assert (value(outcome.out, "symbols"), value(outcome.out, "candles")) == ("1", "1,440")
    document = candle("status", "--json").document
    database = sqlite3.connect(folder / "candles.sqlite3")
    counts = {
        "candles": database.execute("SELECT count(*) FROM candles").fetchone()[0],
        "facts": database.execute("SELECT count(*) FROM coverage").fetchone()[0],
    }
    database.close()
    size = (folder / "candles.sqlite3").stat().st_size
    assert {name: document[name] for name in counts} == counts
    assert (document["config"], document["backend"]) == ("candle.toml", "sqlite")
    assert size <= document["size"] <= size + 65_536  # the log and its index stand beside it while it is open
    assert document["place"] == str(folder / "candles.sqlite3")


@pytest.mark.usefixtures("day")
def test_what_exchanges_were_asked(sandbox: Sandbox, candle: Candle) -> None:
    asked = sandbox.ledger.requests(KLINES)
    head, titles, *rows = candle("status").out.partition("requests since ")[2].splitlines()
    assert len(head) == len("2024-01-31")
    assert titles.split()[:4] == ["exchange", "kind", "calls", "retries"]
    assert [row.split()[:4] for row in rows if " candles " in row] == [["BINANCE", "candles", str(len(asked)), "0"]]
    requests = candle("status", "--json").document["requests"]
    (told,) = [entry for entry in requests["entries"] if entry["kind"] == "candles"]
    assert (told["calls"], told["spent"]) == (len(asked), {"weight": sum(request.weight for request in asked)})
    assert told["rows"] == sum(request.rows or 0 for request in asked)
    assert candle("status", "--since", "2100-01-01", "--json").document["requests"] == {
        "since": "2100-01-01T00:00:00Z",
        "entries": [],
    }
    assert "requests" not in candle("status", "--since", "2100-01-01").out
    candle("status", "--since", "lately").failed_with(2, "'lately'")


def test_without_a_file_of_settings(folder: Path, candle: Candle) -> None:
    outcome = candle("status")
    assert value(outcome.out, "configuration") == "none, built-in defaults"
    assert candle("status", "--json").document["config"] is None


def test_a_file_that_is_no_database(config: Path, folder: Path, candle: Candle) -> None:
    (folder / "candles.sqlite3").write_text("this is a poem, and not a short one either" * 100)
    candle("status").failed_with(1, "candles.sqlite3")


@pytest.mark.usefixtures("day")
def test_all_tasks_or_those_named(candle: Candle) -> None:
    outcome = candle("maintain")
    assert (outcome.code, outcome.err) == (0, "")
    header, *rows = outcome.out.splitlines()
    assert header.split() == ["task", "changed", "problems", "took"]
    assert [row.split()[0] for row in rows] == ["compact", "vacuum", "analyze", "checkpoint", "check"]
    document = candle("maintain", "check", "ANALYZE", "--json").document
    assert document["sound"] is True
    assert [task["task"] for task in document["tasks"]] == ["check", "analyze"]
    assert set(document["tasks"][0]) == {"task", "seconds", "changed", "problems", "more"}
    candle("maintain", "polish").failed_with(2, "polish", *MaintenanceTask)


@pytest.mark.usefixtures("day")
def test_a_vacuum_is_done_to_its_end(folder: Path, candle: Candle) -> None:
    assert candle("collect", *MARKET, "--count", "100000").code == 0
    assert candle("forget", *MARKET, "--candles", "--yes").code == 0
    before = (folder / "candles.sqlite3").stat().st_size
    assert candle("maintain", "vacuum", "checkpoint").code == 0
    document = candle("status", "--json").document
    assert document["details"]["free_pages"] == 0
    assert (folder / "candles.sqlite3").stat().st_size < before / 10


@pytest.mark.usefixtures("day")
def test_damage_that_a_check_finds_makes_the_exit_code_1(folder: Path, candle: Candle) -> None:
    database = sqlite3.connect(folder / "candles.sqlite3")
    database.execute("PRAGMA foreign_keys = OFF")
    database.execute("UPDATE coverage SET source_id = 999 WHERE span_start = (SELECT min(span_start) FROM coverage)")
    database.commit()
    database.close()
    outcome = candle("maintain", "check")
    assert outcome.code == 1
    assert outcome.err.startswith("candle: check: ")
    assert candle("maintain", "check", "--json").document["sound"] is False


def test_a_store_of_the_users_own(config: Path, folder: Path, candle: Candle) -> None:
    with config.open("a") as file:
        file.write('\n[stores.strategies]\npath = "strategies.sqlite3"\n')
    with closing(sqlite3.connect(folder / "strategies.sqlite3")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO orders VALUES (?)", ((number,) for number in range(9)))
    outcome = candle("status", "--store", "strategies")
    assert (outcome.code, outcome.err) == (0, "")
    assert value(outcome.out, "place") == str(folder / "strategies.sqlite3")
    assert value(outcome.out, "schema") == "none yet"
    assert candle("maintain", "check", "analyze", "--store", "strategies", "--json").document["sound"]
    assert not (folder / "candles.sqlite3").exists()
    candle("status", "--store", "strategy").failed_with(2, "'strategy'", "did you mean 'strategies'?")
