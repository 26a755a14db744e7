"""A process that collects, by the clock of a sandbox that runs fast: ``python -m tests.end_to_end.collector …``.

Its clock is set by two readings that the parent took at one moment: of the sandbox's clock, and of the machine's
monotonic one, which all processes share. It is told how much weight a minute the sandbox allows, which is less than
Binance does.
"""

import asyncio
import sys
from pathlib import Path

import candle_core
from candle_core.budget import tally
from candle_hookspecs import LimitFeedback
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.world import tables

LEASE = tally.LEASE


class CommonClock(FastClock):
    """Runs from a reading of the monotonic clock, wherever that was taken."""

    def __init__(self, moment: int, factor: float, began: float) -> None:
        super().__init__(moment, factor)
        self._began = began
        # For five seconds of ours one is believed to have requests under way, as at any other speed.
        tally.LEASE = int(LEASE * factor)  # type: ignore[misc]


async def collect(url: str, path: Path, clock: CommonClock, weight: float, start: str, end: str) -> None:
    async with candle_core.open(tables(url, path), clock=clock) as candles:
        candles._kernel.provider("binance").budget.observe(LimitFeedback(amounts={"weight": weight}))
        await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)


if __name__ == "__main__":
    url, path, moment, factor, began, weight, start, end = sys.argv[1:]
    common = CommonClock(int(moment), float(factor), float(began))
    asyncio.run(collect(url, Path(path), common, float(weight), start, end))
