"""`candle copy`: from a sandbox's candles in one file to the same candles in another, and what was known when."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import COMMAND, Candle, seen, terminal

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")
SYMBOL = "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"
DAY = ("--start", "2024-02-01", "--end", "2024-02-02")
STALE = "2024-02-01T12:00:00Z"
BETWEEN = "2024-03-01T01:00:00"


@pytest.fixture
def other(folder: Path) -> Path:
    """The configuration of another database."""
    file = folder / "other.toml"
    file.write_text('[storage]\npath = "other.sqlite3"\n')
    return file


@pytest.fixture
def later(folder: Path) -> Iterator[Sandbox]:
    """The same exchange two hours on."""
    with Sandbox(SandboxConfig(clock="2024-03-01T02:00:30", speed=0, limits=Limits(weight=None))) as sandbox:
        (folder / "later.toml").write_text(f'[providers.binance]\nrest_url = "{sandbox.url}"\n')
        yield sandbox


@pytest.fixture
def revised(config: Path, candle: Candle, sandbox: Sandbox, later: Sandbox) -> None:
    """A day of which one minute was given unfinished, and two hours later as it was."""
    sandbox.faults.script("stale_open", at="2024-02-01T12:00:00")
    assert candle("collect", *MARKET, *DAY).code == 0
    again = candle("collect", *MARKET, *DAY, "--refetch", "--json", "--config", "later.toml")
    assert again.document["symbols"][0]["saved"]["revised"] == 1


def picked(document: Any, *names: str) -> list[Any]:
    (symbol,) = document["symbols"]
    return [symbol[name] for name in names]


@pytest.mark.usefixtures("revised")
def test_candles_coverage_and_what_was_replaced_are_brought_along(candle: Candle, other: Path) -> None:
    outcome = candle("copy", "--to", str(other))
    assert (outcome.code, outcome.err) == (0, "")
    first, header, row = outcome.out.splitlines()
    assert re.fullmatch(r"\S+/candles.sqlite3 to \S+/other.sqlite3, [\d.]+ s", first)
    assert header.split() == ["symbol", "rows", "earlier", "facts", "copied", "state"]
    facts = len(sqlite3.connect("candles.sqlite3").execute("SELECT 1 FROM coverage").fetchall())
    assert row.split() == [SYMBOL, "1,440", "1", str(facts), "1,441", "copied"]
    for words in (
        ("load", *MARKET, "--format", "csv"),
        ("load", *MARKET, "--format", "csv", "--as-of", BETWEEN),
        ("verify", "--revisions", "--json"),
        ("collect", *MARKET, *DAY, "--json"),
    ):
        told, here = (candle(*words, "--config", file) for file in ("later.toml", str(other)))
        if words[0] != "collect":
            assert told == here
    assert candle("collect", *MARKET, *DAY, "--json").document["symbols"][0]["api_calls_made"] == 0
    again = candle("copy", "--to", str(other), "--json")
    assert (again.code, again.document["complete"]) == (0, True)
    assert picked(again.document, "symbol", "rows", "revisions", "copied", "state", "cause") == [
        SYMBOL, 1440, 1, 0, "copied", "",
    ]  # fmt: skip


@pytest.mark.usefixtures("revised")
def test_a_spoiled_row_in_the_target_makes_the_exit_code_1(candle: Candle, other: Path) -> None:
    assert candle("copy", "--to", str(other)).code == 0
    database = sqlite3.connect("other.sqlite3")
    for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("UPDATE candles SET high = high + 1 WHERE open_time = 1706745660000")
    database.commit()
    database.close()
    outcome = candle("copy", "--to", str(other))
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1].split()[-1] == "different"
    assert f"candle: {SYMBOL}: 1 candles are not as in the source" in outcome.err
    assert "2024-02-01T00:01:00Z" in outcome.err
    document = candle("copy", "--to", str(other), "--json").document
    assert document["complete"] is False
    assert picked(document, "state", "copied") == ["different", 0]


@pytest.mark.usefixtures("day")
def test_words_say_which_symbols(candle: Candle, other: Path) -> None:
    assert candle("collect", "BINANCE", "SPOT", "ETH/USDT", "1h", "--count", "10").code == 0
    for words, names in (
        (("BINANCE", "SPOT", "ETH/USDT"), ["ETH"]),
        (("binance", "BTCUSDT"), ["BTC"]),
        (("BINANCE",), ["BTC", "ETH"]),
        (("--timeframe", "1h"), ["ETH"]),
        (("UPBIT",), []),
        (("BINANCE", "SPOT", SYMBOL), ["BTC"]),
        ((SYMBOL,), ["BTC"]),
        ((SYMBOL.lower(),), ["BTC"]),
    ):
        outcome = candle("copy", *words, "--to", str(other), "--json")
        assert outcome.code == 0
        assert [one["symbol"].split("-")[3] for one in outcome.document["symbols"]] == names
    candle("copy", "BINANCE", "SPOT", "DOGE/USDT", "--to", str(other)).failed_with(2, "'DOGE/USDT'")
    month = SYMBOL.removesuffix("1m") + "1M"
    candle("copy", month, "--to", str(other)).failed_with(2, month)


def test_nothing_stored_is_nothing_to_copy(config: Path, candle: Candle, other: Path) -> None:
    outcome = candle("copy", "--to", str(other))
    assert (outcome.code, outcome.out) == (0, "")
    assert "no symbols of this kind are stored" in outcome.err
    assert not Path("candles.sqlite3").exists()
    assert not Path("other.sqlite3").exists()


@pytest.mark.usefixtures("day")
def test_what_cannot_be_copied_to(candle: Candle, config: Path, folder: Path) -> None:
    candle("copy", "--to", str(config)).failed_with(2, "one database", "candles.sqlite3")
    candle("copy", "--to", "nowhere.toml").failed_with(2, "'nowhere.toml'")
    (folder / "gone.toml").write_text('[storage]\npath = "no/such/folder/x.sqlite3"\n')
    candle("copy", "--to", "gone.toml").failed_with(3, "no/such/folder")


def begun_and_stopped(database: Path) -> tuple[Path, int, str, str]:
    """Where a copy went that was stopped when a third of it was there; its exit code, output and terminal."""
    Path("other.toml").write_text(f'[storage]\npath = "{database}"\n')
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    words = [COMMAND, "copy", "--to", "other.toml"]
    with terminal(100) as (ours, theirs), ThreadPoolExecutor(1) as aside:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True)
        os.close(theirs)
        watched = aside.submit(seen, ours)  # whoever leaves the terminal unread stops the bar, and with it the copy
        while stored(database) < 20_000 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        return database, process.returncode, out, watched.result()


def test_stopped_half_way(config: Path, candle: Candle, folder: Path) -> None:
    assert candle("collect", *MARKET, "--count", "60000").code == 0
    # On a busy machine a copy may be through before anybody looks.
    copies = (begun_and_stopped(folder / f"{number}.sqlite3") for number in range(30))
    database, code, out, drawn = next(copy for copy in copies if stored(copy[0]) < 60_000)
    assert (code, out) == (130, "")
    assert re.search(r"copy ━+.* \d+% +[\d,]+ candles +[\d.]+ s left", drawn), drawn
    assert "the same command goes on from there" in drawn
    kept = stored(database)
    outcome = candle("copy", "--to", "other.toml", "--json")
    assert (outcome.code, *picked(outcome.document, "state", "rows", "copied")) == (0, "copied", 60_000, 60_000 - kept)
    assert stored(database) == 60_000


def stored(database: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            count: int = connection.execute("SELECT count(*) FROM candles").fetchone()[0]
    except sqlite3.OperationalError:  # the file is not there yet, or its tables are not
        return 0
    return count


# ── what was known then, and what was changed ────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("revised")
def test_a_revision_is_shown(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("verify", "--revisions")
    assert outcome.code == 0
    table = outcome.out.splitlines()[-2:]
    assert table[0].split("  ")[0] == "symbol"
    assert table[1].startswith(f"{SYMBOL}  {STALE}  ")
    assert "2024-03-01T00:00:30Z  2024-03-01T02:00:30Z  binance:rest" in table[1]

    (change,) = picked(candle("verify", "--revisions", "--json").document, "revised")[0]
    truth = sandbox.ledger.candles("BTCUSDT", "1m", 1_706_788_800_000, 1_706_788_860_000)
    before = candle("load", *MARKET, "--start", STALE, "--count", "1", "--as-of", BETWEEN, "--json").document
    (stale,) = before["candles"]
    assert change["open_time"] == STALE
    assert (change["answered_before"], change["answered_after"]) == ("2024-03-01T00:00:30Z", "2024-03-01T02:00:30Z")
    for name, (old, new) in change["changes"].items():
        assert old == stale[name] != new == truth[name][0]
    assert "volume" in change["changes"]
    assert "revised" not in candle("verify", "--json").document["symbols"][0]


@pytest.mark.usefixtures("revised")
def test_what_was_known_at_a_moment(candle: Candle) -> None:
    load = ("load", *MARKET, *DAY, "--format", "csv")
    now, then, never = (candle(*load, *more) for more in ((), ("--as-of", BETWEEN), ("--as-of", "2024-02-29")))
    differing = [line for line, other in zip(now.out.splitlines(), then.out.splitlines(), strict=True) if line != other]
    assert [line.split(",")[0] for line in differing] == [STALE]
    assert never.out.splitlines() == now.out.splitlines()[:1]
    assert candle(*load, "--as-of", "2024-03-01T02:00:30").out == now.out
    candle(*load, "--as-of", "yesterday").failed_with(2, "'yesterday'")
    newest = candle("load", *MARKET, "--count", "1", "--as-of", BETWEEN, "--format", "csv")
    assert newest.out.splitlines()[1].startswith("2024-02-01T23:59:00Z,")
