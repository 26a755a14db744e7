"""SQLite's result codes in the words of the contract."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from candle_hookspecs import (
    StorageConstraintError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnavailableError,
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite reports inside as the contract's errors, the cause chained."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _storage_error(path, cause) from error


def _storage_error(path: Path, cause: BaseException | None) -> StorageError:
    name, code = str(path), getattr(cause, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _cannot_open(path, cause)
        case sqlite3.SQLITE_READONLY:
            return StorageReadOnlyError(
                f"{name!r} is read-only ({cause}); give yourself permission to write it and its folder"
            )
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH:
            return StorageConstraintError(f"{name!r} refuses a row ({cause}); nothing of this write was stored")
        case sqlite3.SQLITE_FULL:
            return StorageFullError(
                f"no room left to write {name!r} ({cause}); nothing of this write was stored: free space and run again"
            )
        case sqlite3.SQLITE_NOTADB:
            return StorageCorruptError(
                f"{name!r} is not an SQLite database ({cause}); set another path under [storage]"
            )
        case sqlite3.SQLITE_CORRUPT:
            return StorageCorruptError(
                f"{name!r} is damaged ({cause}); restore it from a copy, or save what is left with "
                f"sqlite3 {name!r} .recover"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageUnavailableError(
                f"{name!r} is locked by another program ({cause}); wait for it to end, or raise busy_timeout"
            )
        case _:
            return StorageError(f"{name!r}: {cause}")


def _cannot_open(path: Path, cause: BaseException | None) -> StorageError:
    name, folder = str(path), path.parent
    if not folder.is_dir():
        return StorageUnavailableError(
            f"{name!r} cannot be opened: there is no folder {str(folder)!r}; "
            "create it, or set another path under [storage]"
        )
    if path.is_dir():
        return StorageUnavailableError(f"{name!r} cannot be opened: it is a folder; set another path under [storage]")
    if path.exists() and os.access(path, os.R_OK):
        return StorageReadOnlyError(
            f"{name!r} can only be read ({cause}): it and its folder must be writable; give yourself the permission"
        )
    reason = os.strerror(errno.EACCES)
    return StorageUnavailableError(
        f"{name!r} cannot be opened ({cause}, {reason}); give yourself permission to read and write it and its folder"
    )
