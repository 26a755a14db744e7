"""What many do with one cache at a time, and how one waits for a cache that went away."""

import asyncio
from functools import partial
from typing import Any, Final

import pytest

from candle_hookspecs import Cache, CacheUnavailableError
from candle_testkit.contracts.cache.stage import LONG

BACK: Final = 120.0
"""Seconds within which a cache that is there again must answer again."""


def calls(cache: Cache) -> list["partial[Any]"]:
    """Each method once."""
    return [
        partial(cache.get, "a"),
        partial(cache.set, "a", b"1", LONG),
        partial(cache.delete, "a"),
        partial(cache.swap, "a", None, b"1", LONG),
    ]


async def until_back(cache: Cache) -> None:
    """Wait until the first call succeeds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + BACK
    while True:
        try:
            await cache.get("a")
        except CacheUnavailableError as error:
            if loop.time() >= end:
                pytest.fail(f"a cache that is back since {BACK} s raised {error!r}")
            await asyncio.sleep(0.05)
        else:
            return


async def contend(caches: list[Cache]) -> None:
    """Many want a free lock, and then the one of who won."""
    before: bytes | None = None
    for turn in range(5):
        tokens = [b"%d of turn %d" % (number, turn) for number in range(40)]
        swaps = [caches[number % len(caches)].swap("lock", before, token, LONG) for number, token in enumerate(tokens)]
        results = zip(tokens, await asyncio.gather(*swaps), strict=True)
        winners = [token for token, won in results if won]
        assert len(winners) == 1, f"{len(winners)} of {len(tokens)} were told that they have the lock"
        for cache in caches:
            before = await cache.get("lock")
            assert before == winners[0], f"{winners[0]!r} won, and {before!r} is there"


async def count(caches: list[Cache]) -> None:
    """Ten count one number up, eight times each."""

    async def up(cache: Cache) -> None:
        for _ in range(8):
            while True:
                old = await cache.get("number")
                if await cache.swap("number", old, b"%d" % (int(old or 0) + 1), LONG):
                    break

    async with asyncio.timeout(120):
        await asyncio.gather(*(up(caches[number % len(caches)]) for number in range(10)))
    assert await caches[0].get("number") == b"80", "80 swaps were said to be done"
