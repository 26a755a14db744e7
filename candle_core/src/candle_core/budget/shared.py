"""Where the state of limits is kept: in this process, or in a file that all processes of this machine open.

Every spend is one short transaction that reads the running counts and writes them back. Nothing is handed out in
advance, so there is nothing that a process which dies could take with it; the lock of a transaction is the operating
system's, and dies with its process.
"""

import hashlib
import json
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, SecretBytes, SecretStr

from candle_core.budget.records import understood
from candle_hookspecs import Account, Limit, Scope, StoreBusyError

CACHE_DIR: Final = "CANDLE_CACHE_DIR"
"""The environment variable that names another folder for caches."""

_FORGOTTEN: Final = 7 * 86_400
"""Seconds after which the state of a limit that nobody uses is dropped; longer than any ban known."""
_OPENING: Final = 2.0
"""Seconds to wait for others while opening the file, once."""
_BLOCKING: Final = 3
"""Milliseconds to wait for others in a transaction; the event loop stands still meanwhile."""
_PATIENCE: Final = 2.0
"""Seconds of being locked out after which the file is given up: somebody holds the lock who was stopped, not ended."""

Records: TypeAlias = dict[str, Any]
"""Key → value as JSON knows it; None: nothing stored. Values are replaced, never changed in place."""


class BudgetNotSharedWarning(RuntimeWarning):
    """What holds everybody's counts cannot be used; this process, or this machine, counts for itself."""


class LocalStore:
    """Records of this process alone."""

    ahead = 0
    """See `BudgetStore`."""

    def __init__(self) -> None:
        self._records: Records = {}

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def transaction(self, *keys: str) -> Iterator[Records]:
        """See `BudgetStore`."""
        records = {key: self._records.get(key) for key in keys}
        yield records
        self._records.update(records)


class SharedStore:
    """Records in one SQLite file; opened when first needed. Where that fails: a warning once, then a `LocalStore`."""

    ahead = 0
    """See `BudgetStore`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local: LocalStore | None = None
        self._connection: sqlite3.Connection | None = None
        self._locked_out: tuple[float, float] | None = None
        """Since when, and when it was last tried."""

    def close(self) -> None:
        """Close the file; a later transaction opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def transaction(self, *keys: str) -> Iterator[Records]:
        """See `BudgetStore`."""
        before = self._begin(keys) if self._local is None else {}
        if self._local is not None:
            with self._local.transaction(*keys) as records:
                yield records
            return
        records = before.copy()
        try:
            yield records
        except BaseException:
            self._roll_back()
            raise
        self._commit(before, records)

    def _begin(self, keys: tuple[str, ...]) -> Records:
        """Take the lock and read; on failure this store is local from here on."""
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            select = "SELECT value FROM state WHERE key = ?"
            rows = {key: connection.execute(select, (key,)).fetchone() for key in keys}
            self._locked_out = None
            return {key: None if row is None else understood(json.loads(row[0])) for key, row in rows.items()}
        except (sqlite3.Error, OSError, ValueError) as error:
            self._roll_back()
            if not _is_busy(error) or self._is_locked_out():
                self._give_up(error)
                return {}
            raise StoreBusyError(f"{str(self.path)!r} is being written to") from error

    def _commit(self, before: Records, records: Records) -> None:
        assert self._connection is not None
        try:
            for key, value in records.items():
                if value != before[key]:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO state (key, value, touched) VALUES (?, ?, ?)",
                        (key, json.dumps(value, separators=(",", ":")), int(time.time())),
                    )
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            # The caller has decided already and will act on it; what it decided must count somewhere.
            self._roll_back()
            with self._give_up(error).transaction(*records) as local:
                local.update(records)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Without an isolation level, transactions begin and end where it is said.
            connection = self._connection = sqlite3.connect(self.path, timeout=_OPENING, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            # What a power cut loses is older than a minute when the machine is back.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT, touched INTEGER NOT NULL)"
            )
            connection.execute("DELETE FROM state WHERE touched < ?", (int(time.time()) - _FORGOTTEN,))
            connection.execute(f"PRAGMA busy_timeout = {_BLOCKING}")
        return self._connection

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.rollback()

    def _is_locked_out(self) -> bool:
        """Whether it was tried in vain again and again; two tries long apart tell of no more than two moments."""
        now = time.monotonic()
        since, tried = self._locked_out or (now, now)
        self._locked_out = (since if now - tried <= _PATIENCE else now, now)
        return now - self._locked_out[0] > _PATIENCE

    def _give_up(self, error: Exception) -> LocalStore:
        self.close()
        self._local = LocalStore()
        warnings.warn(
            f"limits are not shared with other processes, because {str(self.path)!r} cannot be used: {error}; delete it"
            f" if it is damaged, or name a writable folder in the environment variable {CACHE_DIR}",
            BudgetNotSharedWarning,
            stacklevel=2,
        )
        return self._local


def _is_busy(error: Exception) -> bool:
    # The low byte is the primary code: https://sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def cache_root() -> Path:
    """The folder for everything that may be lost: ``CANDLE_CACHE_DIR``, else the user's own."""
    named = os.environ.get(CACHE_DIR)
    return Path(named) if named else platformdirs.user_cache_path("candle")


# ── who shares what ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Remote:
    """Whom a provider asks, as far as limits go.

    Attributes:
        name: the provider's.
        hosts: those in its settings that are not the default: a sandbox, a mirror.
        account: stands for the account that is used, and the secrets in its settings.
    """

    name: str
    hosts: tuple[str, ...] = ()
    account: str = ""

    @classmethod
    def of(cls, name: str, settings: BaseModel, account: Account | None = None) -> "Remote":
        """Read it from a provider's settings, and the key of the account that it is given."""
        hosts, secrets = set(), hashlib.sha256()
        if account is not None and account.api_key is not None:
            secrets.update(account.api_key.get_secret_value().encode())
        for key, field in type(settings).model_fields.items():
            value = getattr(settings, key)
            if isinstance(value, SecretStr | SecretBytes):
                secrets.update(f"{key}={value.get_secret_value()!r};".encode())
            elif (host := host_of(value)) and host != host_of(field.default):
                hosts.add(host)
        return cls(name, tuple(sorted(hosts)), secrets.hexdigest()[:16])

    def pool(self, limit: Limit | None = None) -> str:
        """The name under which everybody who shares the limit counts; without one, the provider's own pool."""
        name = "@".join((limit.pool if limit and limit.pool else self.name, *self.hosts))
        return f"{name}#{self.account}" if limit and limit.scope is Scope.ACCOUNT else name


def host_of(value: object) -> str:
    """Host and port of a URL; empty for anything else, such as a key that begins with ``//``."""
    if "://" not in (text := str(value)):
        return ""
    try:
        return urlsplit(text).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
