"""A machine of its own that collects, sharing the budget through Redis: ``python -m tests.end_to_end.machine …``.

As `tests.end_to_end.collector`, with a cache folder of its own (`CANDLE_CACHE_DIR`), and with a clock that is so many
milliseconds off, which its libraries see as well.
"""

import asyncio
import sys
import time
from pathlib import Path

import candle_core
from candle_hookspecs import LimitFeedback
from tests.end_to_end.collector import CommonClock
from tests.end_to_end.world import tables


async def collect(url: str, redis: str, path: Path, clock: CommonClock, weight: float, start: str, end: str) -> None:
    shared = {"budget": {"backend": "redis"}, "extensions": {"redis": {"url": redis}}}
    async with candle_core.open(tables(url, path) | shared, clock=clock) as candles:
        candles._kernel.provider("binance").budget.observe(LimitFeedback(amounts={"weight": weight}))
        await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)


if __name__ == "__main__":
    url, redis, path, skew, moment, factor, began, weight, start, end = sys.argv[1:]
    true_time = time.time_ns
    time.time_ns = lambda: true_time() + int(skew) * 1_000_000
    common = CommonClock(int(moment) + int(skew), float(factor), float(began))
    asyncio.run(collect(url, redis, Path(path), common, float(weight), start, end))
