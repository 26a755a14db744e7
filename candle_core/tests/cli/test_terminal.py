"""What a person at a terminal sees: a progress bar on standard error, tables that fit the width."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import COMMAND, seen, terminal

FOUR_DAYS = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2024-01-28", "--end", "2024-02-01")
LAST_PAGE = "2024-01-31T12:00"
DAY = ("load", "BINANCE", "SPOT", "BTC/USDT", "1m", "--count", "5")


@pytest.mark.usefixtures("config")
def test_a_bar_is_drawn_and_the_document_stays_clean(sandbox: Sandbox) -> None:
    sandbox.faults.script("slow", at=LAST_PAGE, seconds=3.0)  # a bar is drawn ten times a second
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with terminal(100) as (ours, theirs):
        process = subprocess.Popen(
            [COMMAND, *FOUR_DAYS, "--json"], stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
        )
        os.close(theirs)
        drawn = seen(ours)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["symbols"][0]["state"] == "complete"
    assert re.search(r"BTC/USDT ━+.* \d+% +[\d,]+ candles", drawn), drawn


@pytest.mark.usefixtures("config")
def test_a_bar_is_drawn_while_candles_stream_elsewhere(sandbox: Sandbox) -> None:
    sandbox.faults.script("slow", at=LAST_PAGE, seconds=3.0)  # a bar is drawn ten times a second
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with terminal(100) as (ours, theirs):
        words = [COMMAND, "stream", *FOUR_DAYS[1:]]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True)
        os.close(theirs)
        with ThreadPoolExecutor(1) as aside:  # whoever leaves the terminal unread stops the bar, and with it the stream
            watched = aside.submit(seen, ours)
            out, _ = process.communicate(timeout=120)
            drawn = watched.result()
    assert process.returncode == 0
    assert out.count("\n") == 4 * 1440
    assert re.search(r"BTC/USDT ━+.* \d+% +[\d,]+ candles", drawn), drawn


def test_no_bar_where_there_is_no_terminal(config: Path) -> None:
    done = subprocess.run([COMMAND, *FOUR_DAYS], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize(("width", "spared"), [(80, True), (160, False)])
def test_a_table_fits_the_terminal(width: int, spared: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with terminal(width) as (ours, theirs):
        process = subprocess.Popen([COMMAND, *DAY], stdout=theirs, stdin=theirs, env=environment | {"TERM": "xterm"})
        os.close(theirs)
        lines = seen(ours).splitlines()
        assert process.wait(120) == 0
    assert max(map(len, lines)) <= width
    assert ("taker_buy_volume" in lines[0]) is not spared
    assert bool(re.fullmatch(r"this terminal is too narrow for: .*\btaker_buy_volume", lines[-1])) is spared
    assert len(lines) == 1 + 1 + 5 + spared
