"""`candle forget`: proof is taken back; candles go only when somebody agreed."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, KLINES, Candle, seen, terminal

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")
NOON = "2024-02-01T12:00:00Z"

pytestmark = pytest.mark.usefixtures("day")


def stored() -> list[int]:
    """Minutes since 2024-02-01 of the candles in ./candles.sqlite3."""
    with sqlite3.connect("candles.sqlite3") as database:
        rows = database.execute("select (open_time - 1706745600000) / 60000 from v_candles order by 1").fetchall()
    database.close()
    return [minute for (minute,) in rows]


def asked_again(candle: Candle, sandbox: Sandbox) -> int:
    """Slots that a collection of the day asks for now."""
    sandbox.ledger.clear()
    words = ("collect", *MARKET, "--start", "2024-02-01", "--end", "2024-02-02", "--json")
    (entry,) = candle(*words).document["symbols"]
    assert (entry["api_calls_made"] > 0) == (sandbox.ledger.count(KLINES) > 0)
    asked: int = entry["overlap_analysis_results"]["asked"]
    return asked


def test_proof_is_taken_back_and_the_candles_stay(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("forget", *MARKET, "--start", "2024-02-01T12:00", "--end", "2024-02-01T18:00")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "forgot what was proven of BINANCE SPOT BTC/USDT 1m from 2024-02-01T12:00:00Z to 2024-02-01T18:00:00Z; "
        "the candles stay\n"
    )
    assert stored() == list(range(1440))
    assert asked_again(candle, sandbox) == 6 * 60
    assert asked_again(candle, sandbox) == 0


def test_all_proof(candle: Candle, sandbox: Sandbox) -> None:
    assert candle("forget", *MARKET).code == 0
    assert asked_again(candle, sandbox) == 1440


def test_candles_go_too(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("forget", *MARKET, "--start", NOON, "--candles", "--yes")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"forgot BINANCE SPOT BTC/USDT 1m from {NOON}, and deleted 720 candles\n"
    assert stored() == list(range(720))
    assert asked_again(candle, sandbox) == 720
    assert stored() == list(range(1440))


def test_the_document(candle: Candle) -> None:
    assert candle("forget", *MARKET, "--end", NOON, "--candles", "--yes", "--json").document == {
        "exchange": "BINANCE", "tradetype": "SPOT", "name": "BTC/USDT", "timeframe": "1m",
        "time_range": [None, NOON], "forgotten": True, "deleted": 720,
    }  # fmt: skip


def test_nobody_to_ask(shell: Candle) -> None:
    shell("forget", *MARKET, "--candles").failed_with(2, "BINANCE SPOT BTC/USDT 1m", "--yes")
    assert stored() == list(range(1440))


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 720), (b"n\n", 1, 1440), (b"\n", 1, 1440)])
def test_a_terminal_is_asked(config: Path, answer: bytes, code: int, left: int) -> None:
    words = [COMMAND, "forget", *MARKET, "--start", NOON, "--candles", "--json"]
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        os.write(ours, answer)
        out, _ = process.communicate(timeout=120)
        said = " ".join(seen(ours).split())
    assert process.returncode == code, said
    assert f"delete the candles of BINANCE SPOT BTC/USDT 1m from {NOON}? [y/N]:" in said
    document = json.loads(out)
    assert (document["forgotten"], document["deleted"]) == (code == 0, 1440 - left)
    assert len(stored()) == left


def test_who_says_no_is_told_that_nothing_happened(config: Path) -> None:
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(
            [COMMAND, "forget", *MARKET, "--candles"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        os.write(ours, b"n\n")
        assert process.wait(120) == 1
        assert seen(ours).splitlines()[-1].endswith("[y/N]: candle: nothing was forgotten")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("BINANCE", "SPOT", "DOGE/USDT", "1m"), ["'DOGE/USDT'"]),
        (("BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m"), ["one symbol at a time"]),
        ((*MARKET, "--start", "2024-02-02", "--end", "2024-02-01"), ["2024-02-01"]),
    ],
    ids=["unknown", "two", "order"],
)
def test_bad_input(candle: Candle, words: tuple[str, ...], said: list[str]) -> None:
    candle("forget", *words, "--candles", "--yes").failed_with(2, *said)
    assert stored() == list(range(1440))
