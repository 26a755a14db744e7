"""Stopped half way: what was committed stays, the command says so, and the next run goes on."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

from .conftest import COMMAND, KLINES, NOW, Candle

WORDS = ("collect", "BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", "--count", "60000")


@pytest.fixture
def far(folder: Path) -> Iterator[Sandbox]:
    """An exchange whose answers take their time."""
    config = SandboxConfig(clock=NOW, speed=0, limits=Limits(weight=None), latency_ms=100)
    with Sandbox(config) as sandbox:
        (folder / "candle.toml").write_text(f'[providers.binance]\nrest_url = "{sandbox.url}"\n')
        yield sandbox


def stored() -> int:
    with sqlite3.connect("candles.sqlite3") as database:
        count: int = database.execute("select count(*) from v_candles").fetchone()[0]
    database.close()
    return count


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"])
def test_stopped_half_way(far: Sandbox, candle: Candle, number: int, code: int) -> None:
    process = subprocess.Popen([COMMAND, *WORDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while far.ledger.count(KLINES) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    kept = stored()
    assert 0 < kept < 120_000
    said = re.fullmatch(
        r"candle: interrupted; at least ([\d,]+) candles were committed and stay, "
        r"and the same command goes on from there\n",
        err,
    )
    assert said, err
    assert 0 < int(said[1].replace(",", "")) <= kept

    outcome = candle(*WORDS, "--json")
    assert outcome.code == 0
    assert sum(one["saved"]["inserted"] for one in outcome.document["symbols"]) == 120_000 - kept
    assert stored() == 120_000


@pytest.mark.parametrize("words", [("update", "active", "BINANCE", "SPOT"), ("warmup", "BINANCE")])
def test_who_stops_reading_ends_what_would_go_on_for_a_day(far: Sandbox, folder: Path, words: tuple[str, ...]) -> None:
    """It says nothing until tomorrow, and so would not meet the closed pipe."""
    script = f"set -o pipefail; '{COMMAND}' {' '.join(words)} --every 1d | head -n 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (141, 1)
    assert "Traceback" not in done.stderr


def test_a_pipe_that_is_open_at_both_ends_is_not_taken_for_one_that_nobody_reads(far: Sandbox, folder: Path) -> None:
    """What it wrote is still in there, and no reader has left."""
    os.mkfifo("pipe")
    both = os.open("pipe", os.O_RDWR | os.O_NONBLOCK)
    process = subprocess.Popen([COMMAND, "warmup", "BINANCE", "--every", "1s"], stdout=both, stderr=subprocess.PIPE)
    text, deadline = b"", time.monotonic() + 60
    while text.count(b"\n") < 2 and process.poll() is None and time.monotonic() < deadline:  # a line for each run
        time.sleep(0.05)
        with suppress(BlockingIOError):
            text += os.read(both, 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    os.close(both)
    assert (process.returncode, text.count(b"\n") >= 2) == (130, True), err


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_nobody_to_tell(far: Sandbox, folder: Path, closed: str) -> None:
    script = f"'{COMMAND}' warmup BINANCE --json {closed}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60, check=False)
    assert (done.returncode, b"defect" in done.stderr) == (0, False), done.stderr


def test_json_has_its_document_too(far: Sandbox) -> None:
    typed = [COMMAND, *WORDS, "--json"]
    process = subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None and far.ledger.count(KLINES) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.startswith('{"error": {"type": "Interrupted"')
