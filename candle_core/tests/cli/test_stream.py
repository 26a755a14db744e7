"""`candle stream`: NDJSON as it is collected, slowed by whoever reads, against the sandbox."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, KLINES, Candle

MARKET = ("BINANCE", "SPOT", "BTC/USDT", "1m")
DAY = ("--start", "2024-02-01", "--end", "2024-02-02")
YEAR = ("--start", "2023-02-01", "--end", "2024-02-01")
FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


def settled_count(sandbox: Sandbox) -> int:
    """How many requests for candles were made, once no more come."""
    count, deadline = -1, time.monotonic() + 120
    while (now := sandbox.ledger.count(KLINES)) != count or not now:
        assert time.monotonic() < deadline
        count = now
        time.sleep(0.5)
    return count


def test_what_the_exchange_has_is_printed_in_order(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("stream", *MARKET, *DAY, "--chunk", "100")
    assert (outcome.code, outcome.err) == (0, "")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + 86_400_000)
    assert [row["close"] for row in rows] == truth["close"].tolist()
    assert [row["trades"] for row in rows] == truth["trades"].tolist()
    assert (rows[0]["open_time"], rows[-1]["open_time"]) == ("2024-02-01T00:00:00Z", "2024-02-01T23:59:00Z")


@pytest.mark.usefixtures("day")
def test_it_is_what_load_prints_and_nobody_is_asked_twice(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    streamed = candle("stream", *MARKET, *DAY).out
    assert streamed == candle("load", *MARKET, *DAY, "--format", "ndjson").out
    assert streamed.count("\n") == 1440
    assert sandbox.ledger.count(KLINES) == 0


def test_json_changes_nothing(candle: Candle) -> None:
    words = ("stream", *MARKET, "--count", "3")
    assert candle(*words, "--json").out == candle(*words).out


def test_what_was_streamed_is_kept(candle: Candle) -> None:
    assert candle("stream", *MARKET, *DAY).code == 0
    assert candle("verify", "--json").document["symbols"][0]["rows"] == 1440


def test_a_slow_reader_slows_the_fetching(sandbox: Sandbox) -> None:
    words = [COMMAND, "stream", *MARKET, *YEAR, "--chunk", "100"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    waiting = settled_count(sandbox)
    assert waiting < 50, "of 526 pages, while nobody reads"
    assert process.stdout is not None
    for _ in range(100_000):
        assert process.stdout.readline()
    assert settled_count(sandbox) > waiting
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.startswith(b"candle: interrupted; what was committed stays")
    assert 100_000 + out.count(b"\n") < 525_600


def test_a_reader_who_leaves_ends_it_quietly(config: Path, sandbox: Sandbox) -> None:
    script = f"set -o pipefail; '{COMMAND}' stream {' '.join((*MARKET, *YEAR))} | head -n 2"
    done = subprocess.run(["bash", "-c", script], cwd=config.parent, capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr, done.returncode) == (2, "", 141)
    assert sandbox.ledger.count(KLINES) < 100


def test_what_precedes_a_failure_is_printed(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("status", times=1000, at="2024-02-04T20:00", status=404)
    words = ("stream", *MARKET, "--start", "2024-02-01", "--end", "2024-02-08", "--chunk", "100")
    outcome = candle(*words)
    assert outcome.code == 1
    assert outcome.err.startswith("candle: ")
    assert "Traceback" not in outcome.err
    lines = outcome.out.splitlines()
    truth = sandbox.ledger.candles("BTCUSDT", "1m", FEBRUARY, FEBRUARY + 7 * 86_400_000)["close"].tolist()
    assert 0 < len(lines) <= 5000, "the sixth page fails"
    assert [json.loads(line)["close"] for line in lines] == truth[: len(lines)]
    *same, last = candle(*words, "--json").out.splitlines()
    assert same[: len(lines)] == lines
    assert json.loads(last)["error"]["type"] == "BadRequestError"


def test_a_page_that_was_on_its_way_when_the_next_failed_is_printed(candle: Candle, sandbox: Sandbox) -> None:
    sandbox.faults.script("status", times=1000, at="2024-02-01T20:00", status=404)
    outcome = candle("stream", *MARKET, *DAY)
    assert outcome.code == 1
    assert outcome.out.count("\n") == 1000, "the first of two pages"


def test_nothing_in_the_range(candle: Candle) -> None:
    outcome = candle("stream", *MARKET, "--start", "2030-01-01")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "candle: there are no candles in this range\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("BINANCE", "SPOT", "BTC/USDT", "ETH/USDT", "1m", "--count", "5"), ["one symbol at a time"]),
        (MARKET, ["--start", "--count"]),
        ((*MARKET, "--count", "5", "--chunk", "0"), ["--chunk", "0"]),
        ((*MARKET, "--start", "2024-02-02", "--end", "2024-02-01"), ["2024-02-01"]),
        (("BINANCE", "SPOT", "NO/SUCH", "1m", "--count", "5"), ["'NO/SUCH'"]),
    ],
    ids=["two", "no-range", "chunk", "order", "market"],
)
def test_bad_input(candle: Candle, words: tuple[str, ...], said: list[str]) -> None:
    candle("stream", *words).failed_with(2, *said)
