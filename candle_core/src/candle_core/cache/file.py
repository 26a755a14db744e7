"""One SQLite file that all processes of a machine share, so that what one has learnt spares the next its question."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from candle_hookspecs import CacheUnavailableError

PATIENCE: Final = 5.0
"""Seconds to wait for another process that is writing, in a thread of its own."""
SKEW: Final = 60.0
"""Seconds by which the clock may be set back. What was written later than that is dropped: a clock was wrong, and what
shall live for seconds, such as a lock, might live for years."""
_MODE: Final = 0o600
_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, born REAL NOT NULL, until REAL NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS cache_until ON cache (until);
COMMIT;
"""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The last one is an error in SQL, of which we send always the same: the tables are another program's."""

_Answer = TypeVar("_Answer")
_Work = Callable[[sqlite3.Connection], _Answer]
_log = logging.getLogger("candle.cache")


class FileCache:
    """The cache called ``file``: a `candle_hookspecs.Cache` of everybody who opens the same file.

    It is opened when first needed, by its one thread, which does all that may have to wait. A damaged file is put aside
    under the name ``….damaged``, and a new one begun.

    Args:
        path: the file; it and its folder are made, for the user's eyes only.
        now: seconds since 1970; all who share the file must agree on them.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        return await self._run(lambda database: self._read(database, key))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """See `Cache`."""
        await self._run(_whole(lambda database: self._write(database, key, value, ttl)))

    async def delete(self, key: str) -> None:
        """See `Cache`."""
        await self._run(_whole(lambda database: self._write(database, key, None, 0)))

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """See `Cache`."""

        def compare_and_write(database: sqlite3.Connection) -> bool:
            same = self._read(database, key) == old
            if same:
                self._write(database, key, new, ttl)
            return same

        return await self._run(_whole(compare_and_write))

    async def close(self) -> None:
        """Let go of the file and the thread; a later call opens them again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._let_go)
            thread.shutdown(wait=False)

    async def _run(self, work: _Work[_Answer]) -> _Answer:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="candle-cache")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._attempt, work)

    # ── in the thread ────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, database: sqlite3.Connection, key: str) -> bytes | None:
        now = self._now()
        living = "SELECT value FROM cache WHERE key = ? AND until > ? AND born <= ?"
        found = database.execute(living, (key, now, now + SKEW)).fetchone()
        # What is no blob another program wrote, and bytes(5) would be five of them.
        return found[0] if found is not None and isinstance(found[0], bytes) else None

    def _write(self, database: sqlite3.Connection, key: str, value: bytes | None, ttl: float) -> None:
        now = self._now()
        database.execute("DELETE FROM cache WHERE key = ? OR until <= ? OR born > ?", (key, now, now + SKEW))
        if value is not None:
            row = (key, now, now + ttl, value)
            database.execute("INSERT INTO cache (key, born, until, value) VALUES (?, ?, ?, ?)", row)

    def _attempt(self, work: _Work[_Answer]) -> _Answer:
        try:
            try:
                return work(self._opened())
            except sqlite3.DatabaseError as error:
                # The low byte is the primary code: https://sqlite.org/rescode.html
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    raise
                self._put_aside(error)
                return work(self._opened())
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            raise CacheUnavailableError(f"the cache {str(self.path)!r} cannot be used: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        """The file of that name: if somebody put it aside, or removed it, the one that is there now."""
        if self._connection is not None and self._inode != _inode(self.path):
            self._let_go()
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _MODE))
            self.path.chmod(_MODE)
            self._inode = _inode(self.path)
            # Without an isolation level, transactions begin and end where it is said.
            self._connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            # A power cut may damage the file; then it is put aside.
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.executescript(_SCHEMA)
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _put_aside(self, error: sqlite3.Error) -> None:
        self._let_go()
        if self._inode != _inode(self.path):
            return  # another process was faster
        damaged = self.path.with_name(f"{self.path.name}.damaged")
        self.path.replace(damaged)
        _log.warning("the cache %r is damaged (%s); it was put aside as %r", str(self.path), error, str(damaged))


def _whole(work: _Work[_Answer]) -> _Work[_Answer]:
    """The same in one transaction."""

    def transact(database: sqlite3.Connection) -> _Answer:
        database.execute("BEGIN IMMEDIATE")
        try:
            answer = work(database)
            database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # what went wrong first is what is told
                database.rollback()
            raise
        return answer

    return transact


def _inode(path: Path) -> int:
    """Which file has that name; 0: none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
