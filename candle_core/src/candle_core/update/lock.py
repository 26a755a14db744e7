"""One update of a database at a time, among all processes of this machine that use the same folder for caches.

What is locked is an empty SQLite file, as with the limits: the lock is the operating system's on each of them, dies
with its process, and is not inherited by a child. Who holds it stands in a second file, which means nothing by itself.
"""

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from candle_core.budget import cache_root
from candle_core.clock import SystemClock
from candle_hookspecs import CandleError, iso

_log = logging.getLogger("candle")


class UpdateRunningError(CandleError):
    """Another process updates this database; nothing was asked."""

    exit_code = 4


@contextmanager
def only_update(place: str) -> Iterator[None]:
    """Be the only update of a database while the block lasts.

    Where the folder for caches cannot be written, a warning says so, and nobody is kept out.

    Args:
        place: the database, as `StorageStatus` names it.

    Raises:
        UpdateRunningError: another one runs; with its process and since when.
    """
    file = cache_root() / "updates" / f"{_key(place)}.lock"
    holder = file.with_suffix(".json")
    try:
        connection = _locked(file)
    except (OSError, sqlite3.Error) as error:
        if _is_busy(error):
            raise UpdateRunningError(
                f"{_name(holder)} updates {place!r} already; end it, or let it do the work"
            ) from error
        _log.warning("whether another update runs cannot be told, because %r cannot be used: %s", str(file), error)
        yield
        return
    with closing(connection):
        holder.write_text(json.dumps({"pid": os.getpid(), "since": SystemClock().now()}), "utf-8")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def _locked(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")  # nothing is ever written, and a journal would lie about
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _key(place: str) -> str:
    """The same for every way to write a file's path, and nothing that could be read back."""
    path = Path(place)
    return hashlib.sha256(str(path.resolve() if path.is_absolute() else place).encode()).hexdigest()[:32]


def _name(file: Path) -> str:
    try:
        told = json.loads(file.read_text("utf-8"))
        return f"process {int(told['pid'])}, since {iso(int(told['since']))},"
    except (OSError, ValueError, KeyError, TypeError):  # it has the lock, and is about to write this
        return "a process that has just begun"
