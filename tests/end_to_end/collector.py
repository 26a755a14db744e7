"""A process that shares a limit with others: ``python -m tests.end_to_end.collector '{…}'``.

It is told as JSON: `url` and `weight`, the exchange and what that allows in a minute, which is less than Binance does;
`database`, `start`, `end`: what to collect and where to; `clock`, the file that tells the time; `skew`, milliseconds by
which its clock is off, which its libraries see as well; `redis`, where it counts, or nothing.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import candle_core
from candle_core.budget import distant, shared, tally
from candle_hookspecs import LimitFeedback
from candle_redis import budget
from tests.end_to_end.sharing import Hands
from tests.end_to_end.world import tables

PATIENCE = 120.0


class CommonClock:
    """The one in a file, so many milliseconds off. Who sleeps looks again after as long by the machine's own clock."""

    def __init__(self, file: Path, skew: int) -> None:
        self._hands, self._skew = Hands(file), skew

    def now(self) -> int:
        return self._hands.read() + self._skew

    async def sleep(self, seconds: float) -> None:
        wake, until = self.now() + seconds * 1000, time.monotonic() + seconds
        while self.now() < wake and time.monotonic() < until:  # noqa: ASYNC110 - another process moves it on
            await asyncio.sleep(0.005)


def be_patient() -> None:
    """Take no file and no Redis for gone that is merely slow, on a machine that may stop for a while."""
    shared._PATIENCE = shared._OPENING = PATIENCE  # type: ignore[misc]
    distant.SLOW = budget._GREETING = PATIENCE  # type: ignore[misc]


def with_redis(redis: str) -> dict[str, Any]:
    """What stands in the configuration of who counts there."""
    if not redis:
        return {}
    return {
        "budget": {"backend": "redis"},
        "extensions": {"redis": {"url": redis, "timeout": PATIENCE, "budget_timeout": PATIENCE}},
    }


def be_off(milliseconds: int) -> None:
    """Let the machine's clock be wrong."""
    true_time = time.time_ns
    time.time_ns = lambda: true_time() + milliseconds * 1_000_000


async def collect(told: dict[str, Any]) -> None:
    clock = CommonClock(Path(told["clock"]), told["skew"])
    tally.LEASE = 100_000  # type: ignore[misc]  # five seconds, at the speed at which the clock goes at most
    configured = tables(told["url"], Path(told["database"])) | with_redis(told["redis"])
    async with candle_core.open(configured, clock=clock) as candles:
        candles._kernel.provider("binance").budget.observe(LimitFeedback(amounts={"weight": told["weight"]}))
        await candles.collect_candles_only("BTC/USDT", "1s", start=told["start"], end=told["end"])


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    be_patient()
    be_off(told["skew"])
    asyncio.run(collect(told))
