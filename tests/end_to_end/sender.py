"""A process that collects at real speed from a given moment on: ``python -m tests.end_to_end.sender '{…}'``.

It is told as JSON, as `tests.end_to_end.collector` is: `url`, `exchange`, `symbol`, `database`; `months` of 2023, which
it collects all at once; `weight`, what the exchange allows if not its usual amount; `redis`, where it counts, or
nothing; `skew`, milliseconds that its clock is off. It says when it is ready to ask, and reads a moment of the
monotonic clock, which all processes share: by then it knows market and clock, and then it begins.
"""

import asyncio
import json
import sys
import time
from typing import Any

import candle_core
from candle_hookspecs import LimitFeedback
from tests.end_to_end.collector import be_off, be_patient, with_redis


def tables(told: dict[str, Any]) -> dict[str, Any]:
    common = {
        "defaults": {"exchange": told["exchange"].upper(), "tradetype": "SPOT"},
        "storage": {"path": told["database"]},
        "providers": {told["exchange"]: {"rest_url": told["url"]}},
    }
    return common | with_redis(told["redis"])


async def send(told: dict[str, Any]) -> None:
    async with candle_core.open(tables(told)) as candles:
        provider, symbol = candles._kernel.provider(told["exchange"]), told["symbol"]
        if told["weight"]:
            provider.budget.observe(LimitFeedback(amounts={"weight": told["weight"]}))
        print("ready", flush=True)
        begin = float(await asyncio.to_thread(sys.stdin.readline))
        await candles.collect_candles_only(symbol, "1m", start="2022-12-31", end="2023-01-01")
        await asyncio.sleep(begin - time.monotonic())
        spans = [(f"2023-{month:02}-01", f"2023-{month:02}-28") for month in told["months"]]
        await asyncio.gather(
            *(candles.collect_candles_only(symbol, "1m", start=start, end=end) for start, end in spans)
        )


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    be_patient()
    be_off(told["skew"])
    asyncio.run(send(told))
