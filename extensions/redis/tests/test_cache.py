"""The cache on a real Redis: the contract, and what is Redis' own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from candle_hookspecs import CacheUnavailableError, ConfigError
from candle_redis import RedisCache
from candle_redis.address import place
from candle_testkit.contracts.cache import CacheContract
from candle_testkit.contracts.cache.contests import until_back
from candle_testkit.redis import RedisServer, running

SECRET = "pa/ss:w@rd"  # as difficult as passwords are


def patient(url: SecretStr | str, **options: Any) -> RedisCache:
    """A cache for which no Redis that is there is too slow."""
    return RedisCache(url if isinstance(url, SecretStr) else SecretStr(url), timeout=60, **options)


class TestRedis(CacheContract):
    """The one that the environment names, if it does."""

    shared = True
    url: SecretStr

    @pytest.fixture(autouse=True)
    def _url(self, url: SecretStr) -> None:
        self.url = url

    def build(self, folder: Path) -> RedisCache:
        return patient(self.url, prefix=f"{folder}:")

    async def close(self, cache: RedisCache) -> None:
        await cache.close()


class Killed(CacheContract):
    """One that is ended, and started again."""

    goes_away = True

    def __init__(self, server: RedisServer) -> None:
        self.server = server

    def build(self, folder: Path) -> RedisCache:
        self.cache = patient(self.server.unix_url)
        return self.cache

    async def close(self, cache: RedisCache) -> None:
        await cache.close()

    async def take_away(self, folder: Path) -> None:
        await asyncio.to_thread(self.server.kill)

    async def bring_back(self, folder: Path) -> None:
        await asyncio.to_thread(self.server.start)


class Hanging(Killed):
    """It takes connections, and does not answer; what is patient otherwise waits for half a second."""

    async def take_away(self, folder: Path) -> None:
        self.server.stop()
        self.cache._timeout = 0.5

    async def bring_back(self, folder: Path) -> None:
        self.cache._timeout = 60
        self.server.go_on()


@pytest.mark.parametrize("away", [Killed, Hanging])
def test_one_that_is_away_says_so_and_comes_back(server: RedisServer, tmp_path: Path, away: type[Killed]) -> None:
    away(server).test_a_cache_that_is_away_says_so_and_comes_back(tmp_path)


async def test_keys_are_what_they_are_called_and_live_as_long_as_they_shall(server: RedisServer) -> None:
    cache = patient(server.unix_url)
    await cache.set("market:info:binance", b"{}", 21_600)
    await cache.swap("lock:market:info:binance", None, b"me", 100)
    await cache.set("for ever, nearly", b"1", float("inf"))
    await cache.close()
    with Redis.from_url(server.url) as redis:
        assert redis.get("market:info:binance") == b"{}"
        assert 21_510_000 < redis.pttl("market:info:binance") <= 21_600_000
        assert 10_000 < redis.pttl("lock:market:info:binance") <= 100_000
        assert redis.dbsize() == 3


async def test_what_has_no_time_is_not_kept(url: SecretStr, prefix: str) -> None:
    cache = patient(url, prefix=prefix)
    await cache.set("a", b"1", 60)
    await cache.set("a", b"2", 0)
    assert await cache.get("a") is None
    assert await cache.swap("a", None, b"3", 0)
    assert await cache.get("a") is None
    await cache.close()


async def test_a_prefix_keeps_those_apart_who_share_a_redis(url: SecretStr, prefix: str) -> None:
    one, other = patient(url, prefix=prefix), patient(url, prefix=f"{prefix}other:")
    await one.set("a", b"1", 60)
    assert await other.get("a") is None
    await one.close()
    await other.close()


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def failure(cache: RedisCache) -> str:
    with pytest.raises(CacheUnavailableError) as caught:
        await cache.get("a")
    await cache.close()
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {cache!r}"
    assert not {SECRET, "pa%2Fss", "w@rd"} & set(shown.split()), shown
    assert "w@rd" not in shown
    return str(caught.value)


def with_password(url: str) -> SecretStr:
    return SecretStr(url.replace("://", "://:pa%2Fss%3Aw%40rd@"))


async def test_who_is_away_is_named_without_the_password(server: RedisServer) -> None:
    await asyncio.to_thread(server.kill)
    assert f"127.0.0.1:{server.port}" in await failure(patient(with_password(server.url)))
    assert str(server.socket) in await failure(patient(with_password(server.unix_url)))


async def test_a_password_is_used_and_a_wrong_one_is_told() -> None:
    with running(SECRET) as server:
        cache = patient(server.url)
        await cache.set("a", b"1", 60)
        assert await cache.get("a") == b"1"
        await cache.close()
        assert "uthentication required" in await failure(patient(f"redis://127.0.0.1:{server.port}/0"))
        assert "invalid" in await failure(patient(server.url.replace("rd@", "rd9@")))


async def test_what_is_no_string_there_is_nothing_and_is_replaced(server: RedisServer) -> None:
    cache = patient(server.url)
    with Redis.from_url(server.url) as redis:
        redis.rpush("list", "a", "b")
        redis.hset("hash", "a", "b")
    assert await cache.get("list") is None
    assert not await cache.swap("list", b"a", b"mine", 60)
    assert await cache.swap("list", None, b"mine", 60)
    await cache.set("hash", b"mine", 60)
    assert [await cache.get("list"), await cache.get("hash")] == [b"mine", b"mine"]
    await cache.close()


async def test_nobody_waits_longer_than_the_timeout(server: RedisServer) -> None:
    cache = RedisCache(SecretStr(server.url), timeout=0.5)
    await until_back(cache)
    server.stop()
    for _ in range(3):
        with pytest.raises(CacheUnavailableError, match=f"127.0.0.1:{server.port}.* within 0.5 s"):
            await cache.get("a")
    server.go_on()
    await until_back(cache)
    await cache.close()


async def test_who_does_not_answer_is_asked_once_by_each_call() -> None:
    calls = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.read()  # until the client hangs up
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        cache = RedisCache(SecretStr(f"redis://127.0.0.1:{port}"), timeout=0.2)
        for _ in range(3):
            with pytest.raises(CacheUnavailableError):
                await cache.get("a")
        await cache.close()
        async with asyncio.timeout(120):
            while calls < 3:  # noqa: ASYNC110 - a connection may be heard of later than it is given up
                await asyncio.sleep(0.01)
    assert calls == 3, "what one waits for is one timeout"


async def test_a_restart_costs_the_values_and_not_one_call_more(server: RedisServer) -> None:
    cache = patient(server.url)
    await cache.set("a", b"1", 60)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await asyncio.sleep(0.05)
    assert await cache.get("a") is None
    await cache.close()


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "localhost:6379"),
        ("redis://", "localhost:6379"),
        ("rediss://me:secret@cache.example.com/3", "cache.example.com:6379"),
        ("redis://:secret@[::1]:7000", "[::1]:7000"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "/run/redis.sock"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert place(SecretStr(url)) == shown


@pytest.mark.parametrize("url", ["localhost:6379", "http://x", "redis://:sec/ret@host", "redis://a:b", ""])
def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="write redis://") as caught:
        place(SecretStr(url))
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None
