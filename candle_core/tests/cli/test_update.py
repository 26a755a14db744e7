"""`candle update`, against the sandbox and a real SQLite file that the tests read by plain SQL."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import COMMAND, KLINES, NOW, Candle, seen, terminal

ACTIVE = ("update", "active", "BINANCE", "SPOT")
FOUR = ("--count", "4", "--quote", "USDT", "--timeframe", "1h", "--start", "2024-02-29")  # ADA, BNB, BTC, DOGE
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here has a candle.toml, and caches of its own: bans are remembered there."""
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(config.parent / "cache"))


def stored() -> dict[tuple[str, str], int]:
    """Base and timeframe → candles."""
    counts = "select base || '/' || quote, timeframe, count(*) from v_candles group by 1, 2"
    with sqlite3.connect("candles.sqlite3") as database:
        return {(name, frame): count for name, frame, count in database.execute(counts)}


def truth(sandbox: Sandbox, symbol: str, timeframe: str) -> int:
    return len(sandbox.ledger.candles(symbol, timeframe, 0, 2**53)["open_time"])


# ── active ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exchange_is_listed_and_collected(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle(*ACTIVE, "--quote", "BTC", "--timeframe", "1d", "--timeframe", "1w")
    assert (outcome.code, outcome.err) == (0, "")
    header, row = outcome.out.splitlines()
    assert header.split() == ["exchange", "done", "failed", "skipped", "rows", "revised", "requests", "took"]
    counts = {
        (f"{base}/BTC", frame): truth(sandbox, f"{base}BTC", frame)
        for base in ("BNB", "ETH", "LTC")
        for frame in ("1d", "1w")
    }
    assert stored() == counts
    assert row.split()[:6] == ["BINANCE", "6", "0", "0", f"{sum(counts.values()):,}", "0"]


@pytest.mark.parametrize("words", [("BINANCE",), ("crypto", "binance"), ("CRYPTO", "BINANCE", "SPOT")], ids=" ".join)
def test_archetype_and_trade_type_may_be_left_out(candle: Candle, words: tuple[str, ...]) -> None:
    document = candle("update", "active", *words, "--base", "ADA", "--json").document
    assert document["success_symbols"] == ["CRYPTO-BINANCE-SPOT-ADA-USDT-1d"]


def test_the_document(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("html", times=1000, symbol="BTCUSDT")
    outcome = candle(*ACTIVE, *FOUR, "--json")
    assert outcome.code == 1
    document = outcome.document
    names = ("ADA", "BNB", "DOGE")
    assert document["success_symbols"] == [f"CRYPTO-BINANCE-SPOT-{name}-USDT-1h" for name in names]
    (failed,) = document["failed_symbols"]
    assert failed["symbol"] == "CRYPTO-BINANCE-SPOT-BTC-USDT-1h"
    assert "html" in failed["cause"]
    assert (document["skipped_symbols"], document["total_rows"]) == ([], 3 * 24)
    (counts,) = document["exchanges"]
    named = ("exchange", "done", "failed", "skipped", "total_rows", "revised")
    assert [counts[name] for name in named] == ["BINANCE", 3, 1, 0, 72, 0]
    assert counts["requests"] == sandbox.ledger.count(KLINES)


def test_failures_are_named_but_not_without_end(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("banned", retry_after=3_600)  # longer than anybody waits
    outcome = candle(*ACTIVE, "--status", "any", "--timeframe", "1h", "--timeframe", "1d", "--timeframe", "4h")
    assert outcome.code == 1
    *named, rest = outcome.err.splitlines()
    assert len(named) == 20
    assert all(line.startswith("candle: CRYPTO-BINANCE-SPOT-") for line in named)
    failed = int(outcome.out.splitlines()[1].split()[2])
    sandbox.forgive()
    assert rest == f"candle: and {failed - 20} more failed; --json names all"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("active", "BINANCE", "FUTURE"), ["'FUTURE'", "SPOT"]),
        (("active", "STOCK", "BINANCE", "SPOT"), ["'STOCK'", "CRYPTO"]),
        (("active", "BINNANCE"), ["'binnance'", "did you mean 'binance'?"]),
        (("active", "BINANCE", "SPOT", "1m"), ["'BINANCE SPOT 1m'", "BINANCE SPOT"]),
        (("active",), ["Missing argument"]),
        (("active", "BINANCE", "--timeframe", "7m"), ["'7m'"]),
        (("active", "BINANCE", "--start", "soon"), ["'soon'"]),
        (("active", "BINANCE", "--every", "often"), ["'often' is not a timeframe"]),
        (("passive", "BINANCE", "SPOTT"), ["'SPOTT' is not a timeframe"]),
        (("passive", "BINANCE", "1h", "--timeframe", "1m"), ["'1m' contradicts '1h'"]),
        (("passive", "BINANCE", "SPOT", "1h", "1d"), ["'BINANCE SPOT 1h 1d' is too much"]),
        (("passive", "--every", "1m"), ["no stored symbol", "`candle update active`"]),
        (("passiv",), ["'passiv'", "'passive'"]),
        ((), ["Missing command"]),
    ],
    ids=" ".join,
)
def test_bad_input(candle: Candle, sandbox: Sandbox, words: tuple[str, ...], said: list[str]) -> None:
    candle("update", *words).failed_with(2, *said)
    assert sandbox.ledger.count(KLINES) == 0


def test_an_exchange_that_is_not_there(candle: Candle, config: Path) -> None:
    config.write_text('[providers.binance]\nrest_url = "http://127.0.0.1:9"\n')
    candle(*ACTIVE).failed_with(3, "http://127.0.0.1:9")


# ── passive ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def four(candle: Candle) -> None:
    """A day of hours of four markets is in the database."""
    assert candle(*ACTIVE, *FOUR).code == 0


@pytest.mark.usefixtures("four")
def test_known_symbols_go_on_from_where_they_stand(candle: Candle, sandbox: Sandbox) -> None:
    try:
        sandbox.clock.advance(3 * HOUR)
        sandbox.ledger.clear()
        outcome = candle("update", "passive", "BINANCE", "SPOT", "1h")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.splitlines()[1].split()[:7] == ["BINANCE", "4", "0", "0", "12", "0", "4"]
        assert sandbox.ledger.count(KLINES) == 4
        assert set(stored().values()) == {27}
        sandbox.ledger.clear()
        again = candle("update", "passive", "--json").document
        assert (len(again["skipped_symbols"]), again["total_rows"], sandbox.ledger.count(KLINES)) == (4, 0, 0)
    finally:
        sandbox.clock.set(NOW)


@pytest.mark.usefixtures("four")
def test_only_those_that_match(candle: Candle, sandbox: Sandbox) -> None:
    def updated(*words: str) -> list[str]:
        sandbox.clock.advance(HOUR)
        document = candle("update", "passive", *words, "--json").document
        return [name.split("-")[3] for name in document["success_symbols"]]

    try:
        assert updated("--base", "ada") == ["ADA"]
        assert updated("crypto", "binance", "--timeframe", "1h", "--quote", "usdt") == ["ADA", "BNB", "BTC", "DOGE"]
        assert updated("--timeframe", "1m") == []
        assert candle("update", "passive", "STOCK").err.startswith("candle: no stored symbol is like that")
    finally:
        sandbox.clock.set(NOW)


@pytest.mark.usefixtures("four")
def test_holes_are_mended_unless_told_otherwise(candle: Candle) -> None:
    ada = ("BINANCE", "SPOT", "ADA/USDT", "1h")
    hole = ("--start", "2024-02-29T05:00", "--end", "2024-02-29T07:00")
    assert candle("forget", *ada, *hole, "--candles", "--yes").code == 0
    assert candle("update", "passive", "--no-mend", "--json").document["total_rows"] == 0
    assert candle("update", "passive", "--json").document["total_rows"] == 2


# ── one at a time ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def keeping(candle: Candle, config: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that keeps this database fresh."""
    assert candle(*ACTIVE, *FOUR).code == 0
    words = [COMMAND, "update", "passive", "--every", "1h", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["skipped"] == 4
        yield process
        process.kill()


def test_the_second_ends_at_once_and_names_the_first(
    candle: Candle, config: Path, keeping: "subprocess.Popen[str]"
) -> None:
    other = config.with_name("other.toml")
    other.write_text(config.read_text() + f"[storage]\npath = '{config.parent}/./candles.sqlite3'\nreaders = 2\n")
    for words in (("passive",), ("active", "BINANCE"), ("passive", "--config", str(other))):
        candle("update", *words).failed_with(4, f"process {keeping.pid}, since 20", "candles.sqlite3")
    assert candle("update", "passive", "--json").document["error"]["type"] == "UpdateRunningError"
    assert candle("collect", "BINANCE", "SPOT", "SOL/USDT", "1d", "--count", "2").code == 0
    other.write_text(config.read_text() + "[storage]\npath = 'another.sqlite3'\n")
    assert candle("update", "passive", "--config", str(other)).code == 0


def test_a_process_that_was_killed_holds_nothing(candle: Candle, keeping: "subprocess.Popen[str]") -> None:
    assert candle("update", "passive").code == 4
    keeping.kill()
    keeping.wait()
    assert candle("update", "passive").code == 0


@pytest.mark.filterwarnings("default::candle_core.budget.BudgetNotSharedWarning")
def test_where_caches_cannot_be_written_nobody_is_kept_out(
    candle: Candle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(folder / "file"))
    outcome = candle(*ACTIVE, *FOUR)
    assert outcome.code == 0
    assert "candle: warning: limits are not shared with other processes" in outcome.err
    assert "whether another update runs cannot be told" in outcome.err


# ── ended, and watched ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"])
def test_what_came_before_a_signal_is_written(folder: Path, candle: Candle, number: int, code: int) -> None:
    words = (*ACTIVE, "--quote", "BTC", "--timeframe", "1m", "--start", "2024-02-20")
    with Sandbox(SandboxConfig(clock=NOW, speed=0, limits=Limits(weight=None))) as stuck:
        (folder / "candle.toml").write_text(f'[providers.binance]\nrest_url = "{stuck.url}"\n')
        stuck.faults.script("slow", times=1000, symbol="ETHBTC", at="2024-02-25", seconds=3_600)
        process = subprocess.Popen([COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while stuck.ledger.count(KLINES) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (code, "")
        said = re.fullmatch(
            r"candle: interrupted; the ([\d,]+) candles that came are written, "
            r"and the same command goes on from there\n",
            err,
        )
        assert said, err
        kept = sum(stored().values())
        assert 0 < kept == int(said[1].replace(",", "")) < 3 * 10 * 1440
        stuck.faults.clear()
        assert candle(*words, "--json").document["total_rows"] == 3 * 10 * 1440 - kept


def test_a_table_is_drawn_and_the_document_stays_clean(sandbox: Sandbox) -> None:
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    words = [COMMAND, *ACTIVE, "--quote", "BTC", "--timeframe", "1m", "--start", "2024-02-26", "--json"]
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True)
        os.close(theirs)
        drawn = seen(ours)
        out, _ = process.communicate(timeout=120)
    assert len(json.loads(out)["success_symbols"]) == 3
    assert re.search(r"exchange +done +failed +skipped +total +rows +requests +left", drawn), drawn
    assert re.search(r"BINANCE +\d +0 +0 +3 +[\d,]+ +\d+ ", drawn), drawn
    assert re.search(r"CRYPTO-BINANCE-SPOT-[A-Z]{3}-BTC-1m  [\d,]+ rows", drawn), drawn


def test_runs_are_told_above_the_table(candle: Candle, sandbox: Sandbox) -> None:
    """Both streams are the terminal."""
    assert candle(*ACTIVE, *FOUR).code == 0
    sandbox.clock.advance(HOUR)
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    words = [COMMAND, "update", "passive", "--every", "1h"]
    try:
        with terminal(100) as (ours, theirs):
            process = subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment)
            os.close(theirs)
            drawn = seen(ours, until=" requests, ")
            process.send_signal(signal.SIGINT)
            drawn += seen(ours)
            assert process.wait(120) == 130
    finally:
        sandbox.clock.set(NOW)
    assert "BINANCE  4 done, 0 failed, 0 skipped, 4 rows, 4 requests, " in drawn
    assert re.search(r"BINANCE.* 4 +0 +0 +4 +[\d,]+ +4 ", drawn), drawn
    assert "candle: interrupted after 1 run; all that came is written" in drawn
