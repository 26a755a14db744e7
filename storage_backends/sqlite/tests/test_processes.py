"""Several processes, and processes that are killed."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from candle_hookspecs import CoverageQuery, LoadRead, MaintenanceTask, SaveWrite
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import MINUTE, SYMBOL, answer, candles, span

HEAD = """
import sys
from pathlib import Path
from candle_hookspecs import Registration, SaveWrite
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, span

storage = SqliteStorage(SqliteStorage.Settings(), make_context(Path(sys.argv[1]), "sqlite"))
number = int(sys.argv[2])
"""

OPEN_AND_SAVE = (
    HEAD
    + """
sys.stdin.read()
storage.candle_register([Registration(market=BTC, timeframes=("1m", f"{number}h"))])
for page in range(5):
    first = (number * 5 + page) * 100
    storage.candle_save(
        SaveWrite(answers=(answer(candles(range(first, first + 100)), at=1, proven=span(first, first + 100)),))
    )
storage.candle_close()
"""
)

WRITE_UNTIL_KILLED = (
    HEAD
    + """
storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
page = number
while True:
    pages = [(first, first + 700) for first in range(page * 2100, page * 2100 + 2100, 700)]
    storage.candle_save(
        SaveWrite(answers=tuple(answer(candles(range(*one)), at=1, proven=span(*one)) for one in pages))
    )
    page += 1
    print(page, flush=True)
"""
)


def start(code: str, folder: Path, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, str(folder), str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def reopen(folder: Path) -> SqliteStorage:
    return SqliteStorage(SqliteStorage.Settings(), make_context(folder, "sqlite"))


@pytest.mark.slow
def test_processes_that_open_a_new_file_together(tmp_path: Path) -> None:
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        processes = [start(OPEN_AND_SAVE, folder, number) for number in range(4)]
        time.sleep(1.0)  # all wait for their standard input to end, and then begin at once
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            assert process.wait(60) == 0, process.stderr and process.stderr.read()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()
        storage = reopen(folder)
        assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(2_000))
        assert len(storage.candle_coverage(CoverageQuery(symbol=SYMBOL))) == 20
        assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
        storage.candle_close()


@pytest.mark.slow
def test_a_process_killed_at_any_moment(tmp_path: Path) -> None:
    """What was acknowledged is there, nothing is half there, and no fact claims rows that are not."""
    dice = random.Random(2024)
    page = 0
    for _ in range(6):
        process = start(WRITE_UNTIL_KILLED, tmp_path, page)
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(dice.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        acknowledged = max(
            [acknowledged, *(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))]
        )
        with closing(sqlite3.connect(tmp_path / "candles.sqlite3")) as anyone:
            assert anyone.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            stored = [time for (time,) in anyone.execute("SELECT open_time FROM candles ORDER BY open_time")]
            facts = anyone.execute("SELECT span_start, span_end FROM coverage ORDER BY span_start").fetchall()
            (counted,) = anyone.execute("SELECT candle_count FROM symbols").fetchone()
        pages, remainder = divmod(len(stored), 2_100)
        assert remainder == 0, "half a write was stored"
        assert counted == len(stored)
        assert stored == candles(range(len(stored))).open_time.tolist()
        assert facts == [(low, low + 700 * MINUTE) for low in stored[::700]]
        assert pages - acknowledged in (0, 1), "a write was acknowledged and lost"
        page = pages
    storage = reopen(tmp_path)
    pages_again = [range(first, first + 700) for first in (0, 700)]
    again = tuple(answer(candles(slots), proven=span(slots.start, slots.stop)) for slots in pages_again)
    assert storage.candle_save(SaveWrite(answers=again)).unchanged == 1_400
    storage.candle_close()
