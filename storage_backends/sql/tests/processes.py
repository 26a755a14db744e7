"""Processes that write to one database side by side, or are killed while they do."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from candle_testkit.contracts.storage.harness import MINUTE, candles

_HEAD: Final = """
import random
import sys
from pathlib import Path
from candle_hookspecs import Registration, SaveWrite
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, answer, candles, market, span

where, number = sys.argv[1], int(sys.argv[2])
"""

OPEN_AND_SAVE: Final = """
storage.candle_register([Registration(market=BTC, timeframes=("1m", f"{number}h"))])
for page in range(5):
    first = (number * 5 + page) * 100
    storage.candle_save(
        SaveWrite(answers=(answer(candles(range(first, first + 100)), at=1, proven=span(first, first + 100)),))
    )
storage.candle_close()
"""
"""Registers the same market in a timeframe of its own, and saves five pages of 100 candles, each with its fact."""

_AT_ONCE: Final = """
print("ready", flush=True)
sys.stdin.read()
"""

_WRITE_UNTIL_KILLED: Final = """
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


class Writers:
    """Starts processes that have a storage open.

    Args:
        opening: Python that makes a `storage` of the text `where`.
        where: the database.
    """

    def __init__(self, opening: str, where: str | Path) -> None:
        self._opening, self._where = opening, str(where)

    def start(self, code: str, number: int) -> "subprocess.Popen[str]":
        """One process, which knows `storage` and its number."""
        command = [sys.executable, "-c", _HEAD + self._opening + code, self._where, str(number)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def together(self, code: str, count: int) -> list[str]:
        """What each of so many printed. They begin at once: when all are ready, their standard inputs end."""
        processes = [self.start(_AT_ONCE + code, number) for number in range(count)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        told = [process.communicate(timeout=120) for process in processes]
        for process, (_, error) in zip(processes, told, strict=True):
            assert process.returncode == 0, error
        return [output for output, _ in told]


class Stored(NamedTuple):
    """What lies in the database, read past the storage and in the order of time."""

    open_times: list[int]
    facts: list[tuple[int, int]]
    counted: int


def kill_at_any_moment(writers: Writers, look: Callable[[], Stored]) -> None:
    """Kill six writers, one after the other.

    What each had acknowledged is there, nothing is half there, and no fact claims rows that are not.
    """
    dice = random.Random(2024)
    page = 0
    for _ in range(6):
        process = writers.start(_WRITE_UNTIL_KILLED, page)
        assert process.stdout is not None
        acknowledged = int(process.stdout.readline())
        time.sleep(dice.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        whole = (line for line in rest.splitlines(keepends=True) if line.endswith("\n"))
        acknowledged = max([acknowledged, *map(int, whole)])
        stored = look()
        pages, remainder = divmod(len(stored.open_times), 2_100)
        assert remainder == 0, "half a write was stored"
        assert stored.counted == len(stored.open_times)
        assert stored.open_times == candles(range(len(stored.open_times))).open_time.tolist()
        assert stored.facts == [(low, low + 700 * MINUTE) for low in stored.open_times[::700]]
        assert pages - acknowledged in (0, 1), "a write was acknowledged and lost"
        page = pages
