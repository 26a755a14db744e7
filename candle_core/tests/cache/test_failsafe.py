"""What happens while a cache is away: one warning, and this process remembers for itself."""

import logging

import pytest

from candle_core.cache import Keeper, LocalCache
from candle_core.cache.failsafe import RETRY, FailsafeCache
from candle_core.clock import SystemClock
from candle_hookspecs import CacheUnavailableError


class Timer:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Distant(LocalCache):
    """A cache that may be away, and counts who tries to reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.tried = 0

    async def get(self, key: str) -> bytes | None:
        self._reach()
        return await super().get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self._reach()
        await super().set(key, value, ttl)

    async def delete(self, key: str) -> None:
        self._reach()
        await super().delete(key)

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        self._reach()
        return await super().swap(key, old, new, ttl)

    def _reach(self) -> None:
        self.tried += 1
        if self.away:
            raise CacheUnavailableError("no cache at 'redis://cache'")


async def test_nothing_is_between_a_cache_that_is_there_and_who_uses_it() -> None:
    distant = Distant()
    cache = FailsafeCache(distant)
    await cache.set("a", b"1", 60)
    assert await LocalCache.get(distant, "a") == b"1"
    assert await cache.swap("a", b"1", b"2", 60)
    assert await cache.get("a") == b"2"
    await cache.delete("a")
    assert await LocalCache.get(distant, "a") is None


async def test_an_outage_is_said_once_and_bridged(caplog: pytest.LogCaptureFixture) -> None:
    distant, timer = Distant(), Timer()
    cache = FailsafeCache(distant, timer)
    distant.away = True
    with caplog.at_level(logging.INFO, "candle.cache"):
        for _ in range(3):
            await cache.set("a", b"1", 60)
            assert await cache.get("a") == b"1"
            assert not await cache.swap("a", None, b"2", 60)
            timer.seconds += RETRY / 2
        assert distant.tried == 2, "it is left alone for a while, and tried again after it"
        distant.away = False
        timer.seconds += RETRY
        assert await cache.get("a") is None, "what was remembered meanwhile is of use until the cache is back"
        distant.away = True
        assert await cache.get("a") is None
    assert [(record.levelname, "redis://cache" in record.getMessage()) for record in caplog.records] == [
        ("WARNING", True),
        ("INFO", False),
        ("WARNING", True),
    ]


async def test_without_a_cache_the_keeper_asks_once_and_remembers(caplog: pytest.LogCaptureFixture) -> None:
    distant, asked = Distant(), []
    distant.away = True

    async def ask() -> bytes:
        asked.append(1)
        return b"[]"

    keeper = Keeper(distant, SystemClock(), ttl=60, keep=3600)
    with caplog.at_level(logging.WARNING, "candle.cache"):
        kept = [await keeper.obtain("market:info:binance", ask) for _ in range(5)]
    assert len(asked) == 1
    assert [(one.value, one.fresh, one.asked) for one in kept] == [(b"[]", True, True)] + [(b"[]", True, False)] * 4
    assert len(caplog.records) == 1


async def test_a_cache_that_leaves_while_the_exchange_is_asked_costs_nothing() -> None:
    distant = Distant()

    async def ask() -> bytes:
        distant.away = True
        return b"[]"

    keeper = Keeper(distant, SystemClock(), ttl=60, keep=3600)
    assert (await keeper.obtain("market:info:binance", ask)).value == b"[]"
    assert not (await keeper.obtain("market:info:binance", ask)).asked
