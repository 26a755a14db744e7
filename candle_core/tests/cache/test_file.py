"""The cache in a file: who may read it, what becomes of a damaged one, and that nobody's event loop waits for it."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from candle_core.cache import FileCache, file
from candle_hookspecs import CacheUnavailableError


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[FileCache]:
    cache = FileCache(tmp_path / "caches" / "cache.sqlite3")
    yield cache
    await cache.close()


async def test_it_is_made_when_needed_for_its_user_alone(cache: FileCache) -> None:
    assert not cache.path.parent.exists()
    await cache.set("a", b"1", 60)
    assert cache.path.stat().st_mode & 0o777 == 0o600


async def test_one_that_others_may_read_is_closed_to_them(cache: FileCache) -> None:
    cache.path.parent.mkdir()
    cache.path.touch(0o666)
    cache.path.chmod(0o666)
    await cache.set("a", b"1", 60)
    assert cache.path.stat().st_mode & 0o777 == 0o600


async def test_it_outlives_who_wrote_it(cache: FileCache) -> None:
    await cache.set("a", b"1", 60)
    await cache.close()
    other = FileCache(cache.path)
    assert await other.get("a") == b"1"
    await other.close()


async def test_what_expired_leaves_the_file(cache: FileCache) -> None:
    now = [1e9]
    cache._now = lambda: now[0]
    await cache.set("old", bytes(1_000_000), 60)
    now[0] += 60
    await cache.set("new", b"1", 60)
    with closing(sqlite3.connect(cache.path)) as database:
        assert database.execute("SELECT key FROM cache").fetchall() == [("new",)]


async def test_the_file_does_not_grow_with_what_is_replaced(cache: FileCache) -> None:
    sizes = []
    for number in range(20):
        await cache.set("market:info:binance", bytes(500_000 + number % 3 * 10_000), 3600)
        await cache.swap("lock:market:info:binance", None, b"asking", 0)
        sizes.append(cache.path.stat().st_size)
    assert max(sizes) < 2 * 520_000, "the new one beside the old one, at most"


async def test_a_clock_that_is_set_back_keeps_nothing_alive(cache: FileCache) -> None:
    now = [1e9 + 3600]
    cache._now = lambda: now[0]
    await cache.set("lock", b"1", 10)
    now[0] = 1e9 + 3600 - 60
    assert await cache.get("lock") == b"1", "clocks are set back by seconds now and then"
    now[0] = 1e9
    assert await cache.get("lock") is None
    assert await cache.swap("lock", None, b"2", 10)
    await cache.set("other", b"3", 10)
    with closing(sqlite3.connect(cache.path)) as database:
        assert database.execute("SELECT key, value FROM cache").fetchall() == [("lock", b"2"), ("other", b"3")]


@pytest.mark.parametrize("value", ["a text", 5, 1.5])
async def test_what_is_no_blob_is_nothing(cache: FileCache, value: object) -> None:
    await cache.set("a", b"1", 60)
    with closing(sqlite3.connect(cache.path)) as database:
        database.execute("UPDATE cache SET value = ?", (value,))
        database.commit()
    assert await cache.get("a") is None
    assert await cache.swap("a", None, b"2", 60)
    assert await cache.get("a") == b"2"


async def test_another_programs_database_is_put_aside(cache: FileCache) -> None:
    cache.path.parent.mkdir()
    with closing(sqlite3.connect(cache.path)) as database:
        database.execute("CREATE TABLE cache (id INTEGER, blob TEXT)")
        database.commit()
    await cache.set("a", b"1", 60)
    assert await cache.get("a") == b"1"
    with closing(sqlite3.connect(cache.path.with_name(f"{cache.path.name}.damaged"))) as aside:
        assert aside.execute("SELECT * FROM cache").fetchall() == []


@pytest.mark.parametrize("damage", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
async def test_a_damaged_file_is_put_aside_with_a_warning(
    cache: FileCache, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    cache.path.parent.mkdir()
    cache.path.write_bytes(damage)
    with caplog.at_level(logging.WARNING, "candle.cache"):
        assert await cache.get("a") is None
        await cache.set("a", b"1", 60)
    assert await cache.get("a") == b"1"
    assert (cache.path.parent / "cache.sqlite3.damaged").read_bytes() == damage
    (record,) = caplog.records
    assert "cache.sqlite3.damaged" in record.getMessage()


async def test_what_is_damaged_while_open_is_put_aside_for_all_who_have_it_open(cache: FileCache) -> None:
    other = FileCache(cache.path)
    for number in range(50):
        await cache.set(f"key {number}", bytes(20_000), 60)
    assert await other.get("key 1") == bytes(20_000)
    with cache.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 200_000)
    for one in (cache, other):
        await one.set("key 1", b"1", 60)
    assert (await cache.get("key 1"), await other.get("key 1")) == (b"1", b"1")
    await other.set("key 1", b"2", 60)
    assert await cache.get("key 1") == b"2", "they share one file again"
    await other.close()


async def test_who_learns_late_of_the_damage_leaves_the_new_file_alone(cache: FileCache) -> None:
    late = FileCache(cache.path)
    await late.get("a")
    cache.path.replace(cache.path.with_name("elsewhere"))  # somebody has put it aside
    await cache.set("a", b"1", 60)
    assert late._thread is not None
    late._thread.submit(late._put_aside, sqlite3.DatabaseError("damaged")).result()
    assert await late.get("a") == b"1"
    await late.close()


async def test_between_the_look_and_the_swap_nobody_writes(tmp_path: Path) -> None:
    class Slow(FileCache):
        def _read(self, database: sqlite3.Connection, key: str) -> bytes | None:
            found = super()._read(database, key)
            time.sleep(0.05)
            return found

    caches = [Slow(tmp_path / "cache.sqlite3") for _ in range(3)]
    won = await asyncio.gather(*(cache.swap("lock", None, b"mine", 60) for cache in caches))
    assert sorted(won) == [False, False, True]
    for cache in caches:
        await cache.close()


async def test_who_removes_the_file_parts_nobody(cache: FileCache) -> None:
    other = FileCache(cache.path)
    await cache.set("a", b"1", 60)
    await other.get("a")
    cache.path.unlink()
    await cache.set("a", b"2", 60)
    assert await other.get("a") == b"2"
    await other.close()


async def test_the_event_loop_goes_on_while_somebody_else_holds_the_file(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cache.set("a", b"1", 60)
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        call = asyncio.create_task(cache.set("a", b"2", 60))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not call.done(), "this would have stood still until it gave up"
        database.execute("ROLLBACK")
        await call
        await cache.close()
        monkeypatch.setattr(file, "PATIENCE", 0.05)
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CacheUnavailableError, match="locked"):
            await cache.set("a", b"3", 60)
    assert await cache.get("a") == b"2"
