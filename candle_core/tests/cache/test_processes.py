"""The keeper between real processes, on one file: one asks, the others get its answer, and no death holds them up."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from candle_core.cache import FileCache, Keeper, Kept
from candle_core.clock import SystemClock

KEY = "market:info:binance"
ASKER = Path(__file__).with_name("asker.py")
PROCESSES = 3


class Yesterday:
    """What was answered then is stale by now."""

    def now(self) -> int:
        return SystemClock().now() - 86_400_000

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def when_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def send(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


class Town:
    """Processes around one cache."""

    def __init__(self, folder: Path) -> None:
        self.place, self._asked = folder / "cache.sqlite3", folder / "asked"
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def asked(self) -> list[int]:
        """The processes that asked the exchange."""
        return [int(line) for line in self._asked.read_text().split()] if self._asked.exists() else []

    async def keep_old(self) -> None:
        cache = FileCache(self.place)
        await Keeper(cache, Yesterday(), ttl=60, keep=172_800).put(KEY, b'["old"]')
        await cache.close()

    @property
    def lease(self) -> float:
        """When the lock is lost, if nobody renews it: seconds since 1970."""
        with closing(sqlite3.connect(self.place)) as database:
            until: float = database.execute("SELECT until FROM cache WHERE key = ?", (f"lock:{KEY}",)).fetchone()[0]
        return until

    def pass_time(self) -> None:
        """Let everything that is kept be an hour older."""
        with closing(sqlite3.connect(self.place)) as database, database:
            database.execute("UPDATE cache SET born = born - 3600, until = until - 3600")

    def start(self, manner: str, lease: float = 600.0) -> subprocess.Popen[str]:
        """One that is not ready yet."""
        command = [sys.executable, str(ASKER), str(self.place), str(self._asked), manner, str(lease)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def go(self) -> list[dict[str, Any]]:
        """Let all ask at once, when all are ready; what they got."""
        for process in self.processes:
            when_ready(process)
        for process in self.processes:
            send(process)
        return [json.loads(process.communicate(timeout=120)[0]) for process in self.processes]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    for process in town.processes:
        process.kill()
        process.communicate()


async def test_many_processes_want_one_stale_answer_and_the_exchange_is_asked_once(town: Town) -> None:
    await town.keep_old()
    for _ in range(PROCESSES):
        town.start("answer")
    answers = town.go()
    assert len(town.asked) == 1
    assert [(one["value"], one["fresh"], one["error"]) for one in answers] == [(["new"], True, "None")] * PROCESSES
    assert sum(one["asked"] for one in answers) == 1


async def test_one_asks_a_failing_exchange_and_all_take_what_is_old(town: Town) -> None:
    await town.keep_old()
    for _ in range(PROCESSES):
        town.start("fail")
    answers = town.go()
    assert len(town.asked) == 1
    error = "TransientError('the exchange is down')"
    assert [(one["value"], one["fresh"], one["error"]) for one in answers] == [(["old"], False, error)] * PROCESSES


async def test_one_asks_a_failing_exchange_and_all_hear_of_it(town: Town) -> None:
    for _ in range(PROCESSES):
        town.start("fail")
    assert town.go() == [{"raised": "TransientError('the exchange is down')"}] * PROCESSES
    assert len(town.asked) == 1


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 # it happens in another process
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("old", [True, False])
async def test_when_the_one_who_asks_is_killed_another_asks_after_its_lease(town: Town, old: bool) -> None:
    if old:
        await town.keep_old()
    first = town.start("hang", lease=6)
    when_ready(first)
    send(first)
    await until(lambda: town.asked != [])
    cache = FileCache(town.place)

    async def ask() -> bytes:
        return b'["new"]'

    keeper = Keeper(cache, SystemClock(), ttl=600, keep=172_800, patience=600)
    waiting = asyncio.create_task(keeper.obtain(KEY, ask))
    began = town.lease
    await until(lambda: town.lease > began)
    assert not waiting.done(), "who asks lives, and renews its lease"
    first.kill()
    first.wait()
    town.pass_time()
    kept = await asyncio.wait_for(waiting, 120)
    assert kept == Kept(b'["new"]', kept.at, fresh=True, asked=True)
    await cache.close()
