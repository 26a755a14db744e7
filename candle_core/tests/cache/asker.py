"""A process that wants one answer: says that it is ready, waits for a line, and prints what it got.

    python asker.py CACHE ASKED answer|fail|hang LEASE

Whenever it asks the exchange, it adds a line to the file ASKED.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from candle_core.cache import FileCache, Keeper
from candle_core.clock import SystemClock
from candle_hookspecs import CandleError, TransientError


def _note(asked: Path) -> None:
    with asked.open("a") as file:
        file.write(f"{os.getpid()}\n")


async def main(place: str, asked: str, manner: str, lease: str) -> None:
    async def ask() -> bytes:
        _note(Path(asked))
        await asyncio.sleep(3600 if manner == "hang" else 0.2)
        if manner == "fail":
            raise TransientError("the exchange is down")
        return b'["new"]'

    cache = FileCache(Path(place))
    keeper = Keeper(cache, SystemClock(), ttl=600, keep=3600, lease=float(lease), patience=600, pause=600)
    await cache.get("nothing")  # open it
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        kept = await keeper.obtain("market:info:binance", ask)
        told = {"value": json.loads(kept.value), "fresh": kept.fresh, "asked": kept.asked, "error": repr(kept.error)}
    except CandleError as error:
        told = {"raised": repr(error)}
    print(json.dumps(told), flush=True)
    await cache.close()


asyncio.run(main(*sys.argv[1:]))
