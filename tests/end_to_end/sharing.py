"""Three processes that share one limit of one exchange, by a clock that nobody moves on but their test.

So a minute lasts until it has been used up, and whoever is stopped for a while by a busy machine is late for nothing.
"""

import json
import mmap
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig
from tests.end_to_end.world import bitcoin

ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60_000
WEIGHT = 200
"""A hundred pages a minute."""
UNUSED = WEIGHT // 4
"""Weight that may be left over in a minute: what is under way when it turns counts on both sides, and what a process
had under way that was killed counts for long. Nothing may be spent beyond the limit."""
YEARS = (2020, 2021, 2022)
PATIENCE = 120
QUIET = 3
"""Seconds in which one who may ask would have asked."""
_STEP = 400
_MOMENT = struct.Struct("=q")


class Hands:
    """A clock in a file, for all processes that know its name."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(bytes(_MOMENT.size))
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), _MOMENT.size)

    def read(self) -> int:
        return int(_MOMENT.unpack(self._memory)[0])

    def set(self, moment: int) -> None:
        self._memory[:] = _MOMENT.pack(moment)


class Three:
    """The processes, each with a database and the seconds of a year of its own, which is more than it will get."""

    def __init__(
        self, folder: Path, sandbox: Sandbox, hands: Hands, processes: list["subprocess.Popen[bytes]"]
    ) -> None:
        self.sandbox, self.processes = sandbox, processes
        self._folder, self._hands = folder, hands

    @property
    def minute(self) -> int:
        """The number of the one that runs."""
        return self.sandbox.clock.now() // MINUTE

    def spent(self) -> Counter[int]:
        """Weight asked for by minute, refused or not, by the exchange's own account."""
        weights = Counter[int]()
        for request in self.sandbox.ledger.requests():
            weights[request.at // MINUTE] += request.weight
        return weights

    def said(self) -> list[str]:
        """What each of them said on standard error."""
        return [log.read_text() for log in sorted(self._folder.glob("*.log"))]

    def are_there(self) -> bool:
        return all(process.poll() is None for process in self.processes)

    def stand_until(self, is_so: Callable[[], object], otherwise: str) -> None:
        """Wait while the clock stands."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, otherwise
            assert self.are_there(), self.said()
            time.sleep(0.02)

    def go_on_until(self, is_so: Callable[[], object], otherwise: str) -> None:
        """Wait while it goes twenty times as fast as the machine's, at most."""

        def has_come() -> object:
            if found := is_so():
                return found
            self.sandbox.clock.advance(_STEP)
            self._hands.set(self.sandbox.clock.now())
            return False

        self.stand_until(has_come, otherwise)

    def go_on_to(self, moment: int) -> None:
        self.go_on_until(lambda: self.sandbox.clock.now() >= moment, "the clock does not move")

    def go_on_until_all_are_at_work(self) -> None:
        """All three ask for candles, of years of their own."""

        def years() -> set[int]:
            asked = [int(request.params.get("startTime", 0)) for request in self.sandbox.ledger.requests()]
            return {datetime.fromtimestamp(moment / 1000, UTC).year for moment in asked}

        self.go_on_until(lambda: years() >= set(YEARS), "not all of them are at work")

    def use_up(self, minute: int) -> None:
        """Let the clock stand late in a minute until its limit is used."""
        self.go_on_to(minute * MINUTE + 45_000)
        self.stand_until(lambda: self.spent()[minute] >= WEIGHT - UNUSED, "the limit is not used")

    def be_quiet(self) -> None:
        """Let the clock stand until nobody has asked for a while."""
        asked, since = self.sandbox.ledger.count(), time.monotonic()

        def is_quiet() -> bool:
            nonlocal asked, since
            if (now := self.sandbox.ledger.count()) != asked:
                asked, since = now, time.monotonic()
            return time.monotonic() >= since + QUIET

        self.stand_until(is_quiet, "they go on asking")


@contextmanager
def three(folder: Path, redis: str = "", skews: tuple[int, int, int] = (0, 0, 0)) -> Iterator[Three]:
    """They share a file, or a Redis and nothing else; their clocks are so many milliseconds off.

    The exchange refuses little, so that it sees all that is asked of it.
    """
    limits = Limits(weight=WEIGHT, ban_after=1_000)
    config = SandboxConfig(markets=(bitcoin("2019-01-01"),), clock="2024-06-01", speed=0, limits=limits)
    processes: list[subprocess.Popen[bytes]] = []
    with Sandbox(config) as sandbox:
        hands = Hands(folder / "clock")
        hands.set(sandbox.clock.now())
        for year, skew in zip(YEARS, skews, strict=True):
            cache = folder / (f"cache-{year}" if redis else "cache")
            told = {
                "url": sandbox.url, "redis": redis, "skew": skew, "weight": WEIGHT, "clock": str(folder / "clock"),
                "database": str(folder / f"{year}.sqlite3"), "start": f"{year}-01-01", "end": f"{year}-12-31",
            }  # fmt: skip
            command = [sys.executable, "-m", "tests.end_to_end.collector", json.dumps(told)]
            with (folder / f"{year}.log").open("wb") as log:
                environment = {**os.environ, "CANDLE_CACHE_DIR": str(cache)}
                processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log))
        try:
            yield Three(folder, sandbox, hands, processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()
