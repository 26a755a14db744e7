"""Stopped half way: what was committed stays, the command says so, and the next run goes on."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import COMMAND, KLINES, NOW, Candle

WORDS = ("collect", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", "--count", "30000")


@pytest.fixture
def stuck(folder: Path) -> Iterator[Sandbox]:
    """An exchange that never answers for one minute of February: who wants it is half way until he is stopped."""
    with Sandbox(SandboxConfig(clock=NOW, speed=0, limits=Limits(weight=None))) as sandbox:
        sandbox.faults.script("slow", times=1000, symbol="ETHUSDT", at="2024-02-20", seconds=3_600)
        (folder / "candle.toml").write_text(f'[providers.binance]\nrest_url = "{sandbox.url}"\n')
        yield sandbox


def stored() -> int:
    try:
        with closing(sqlite3.connect("file:candles.sqlite3?mode=ro", uri=True)) as database:
            count: int = database.execute("select count(*) from v_candles").fetchone()[0]
    except sqlite3.OperationalError:  # the file is not there yet, or its tables are not
        return 0
    return count


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"])
def test_stopped_half_way(stuck: Sandbox, candle: Candle, number: int, code: int) -> None:
    process = subprocess.Popen([COMMAND, *WORDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while stored() < 20_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (code, "")
    kept = stored()
    assert 0 < kept < 60_000
    said = re.fullmatch(
        r"candle: interrupted; at least ([\d,]+) candles were committed and stay, "
        r"and the same command goes on from there\n",
        err,
    )
    assert said, err
    assert 0 < int(said[1].replace(",", "")) <= kept

    stuck.faults.clear()
    outcome = candle(*WORDS, "--json")
    assert outcome.code == 0
    assert sum(one["saved"]["inserted"] for one in outcome.document["symbols"]) == 60_000 - kept
    assert stored() == 60_000


@pytest.mark.parametrize("words", [("update", "active", "BINANCE", "SPOT"), ("warmup", "BINANCE")])
def test_who_stops_reading_ends_what_would_go_on_for_a_day(config: Path, words: tuple[str, ...]) -> None:
    """It says nothing until tomorrow, and so would not meet the closed pipe."""
    script = f"set -o pipefail; '{COMMAND}' {' '.join(words)} --every 1d | head -n 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (141, 1)
    assert "Traceback" not in done.stderr


def test_a_pipe_that_is_open_at_both_ends_is_not_taken_for_one_that_nobody_reads(config: Path) -> None:
    """What it wrote is still in there, and no reader has left."""
    os.mkfifo("pipe")
    both = os.open("pipe", os.O_RDWR | os.O_NONBLOCK)
    process = subprocess.Popen([COMMAND, "warmup", "BINANCE", "--every", "1s"], stdout=both, stderr=subprocess.PIPE)
    text, deadline = b"", time.monotonic() + 120
    while text.count(b"\n") < 2 and process.poll() is None and time.monotonic() < deadline:  # a line for each run
        time.sleep(0.05)
        with suppress(BlockingIOError):
            text += os.read(both, 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    os.close(both)
    assert (process.returncode, text.count(b"\n") >= 2) == (130, True), err


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_nobody_to_tell(config: Path, closed: str) -> None:
    script = f"'{COMMAND}' warmup BINANCE --json {closed}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=120, check=False)
    assert (done.returncode, b"defect" in done.stderr) == (0, False), done.stderr


def test_json_has_its_document_too(stuck: Sandbox) -> None:
    typed = [COMMAND, *WORDS, "--json"]
    process = subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None and stuck.ledger.count(KLINES) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out.startswith('{"error": {"type": "Interrupted"')
