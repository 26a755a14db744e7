"""The counts of every process, day by day, in a small file in the cache folder.

Each process adds what is new from time to time, and when it ends; nothing is written for a single call. A process that
is killed takes what it did in the last minute with it.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from candle_core.statistics.counts import Counts, Key
from candle_hookspecs import CallStatistics

DAY: Final = 86_400_000
"""Milliseconds."""
DAYS: Final = 90
"""How long a day is kept."""
_PATIENCE: Final = 0.05
"""Seconds to wait for another process that is writing; the event loop stands still meanwhile."""
_LAST_PATIENCE: Final = 2.0
"""The same where nothing comes after."""

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS counts (day INTEGER, place TEXT, exchange TEXT, kind TEXT, value TEXT NOT NULL,"
    " PRIMARY KEY (day, place, exchange, kind)) WITHOUT ROWID"
)
_log = logging.getLogger("candle.statistics")


class KeptStatistics:
    """The file.

    Args:
        path: made when there is something to keep.
        place_of: where the provider of an exchange really asks, by the configuration, so that a sandbox is counted
            apart from the exchange that it stands for.
    """

    def __init__(self, path: Path, place_of: Callable[[str], str]) -> None:
        self.path = path
        self._place_of = place_of
        self._usable = True

    def add(self, now: int, news: Mapping[Key, Counts], last: bool) -> bool:
        """Count what is new, on the day of `now` (UTC ms).

        Returns:
            Whether it was taken; if not, another process is writing. Where the file cannot be used it is lost, which
            is said once.
        """
        day = now // DAY
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._opened(_LAST_PATIENCE if last else _PATIENCE) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_TABLE)
                connection.execute("DELETE FROM counts WHERE day <= ?", (day - DAYS,))
                for (exchange, kind), counts in news.items():
                    _merge(connection, (day, self._place_of(exchange), exchange, kind), counts)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, ValueError) as error:
            if _is_busy(error) and not last:
                return False
            self._complain(error)
        return True

    def read(self, since: int) -> tuple[CallStatistics, ...]:
        """What all processes have counted since the beginning of the day of that moment (UTC ms)."""
        found: dict[Key, Counts] = {}
        if not self.path.exists():
            return ()
        try:
            with self._opened(_LAST_PATIENCE) as connection:
                rows = connection.execute("SELECT * FROM counts WHERE day >= ?", (since // DAY,)).fetchall()
            for _, place, exchange, kind, value in rows:
                if place == self._place_of(exchange):
                    found.setdefault((exchange, kind), Counts()).add(Counts.of_json(json.loads(value)))
        except (sqlite3.Error, OSError, ValueError) as error:
            self._complain(error)
        return tuple(found[key].told(key) for key in sorted(found))

    @contextmanager
    def _opened(self, patience: float) -> Iterator[sqlite3.Connection]:
        # Without an isolation level, transactions begin and end where it is said; one that did not end is rolled back.
        connection = sqlite3.connect(self.path, timeout=patience, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # what a power cut loses is no loss
            yield connection
        finally:
            connection.close()

    def _complain(self, error: Exception) -> None:
        if self._usable:
            self._usable = False
            _log.warning("statistics are not kept, because %r cannot be used: %s", str(self.path), error)


def _merge(connection: sqlite3.Connection, key: tuple[int, str, str, str], news: Counts) -> None:
    where = "day = ? AND place = ? AND exchange = ? AND kind = ?"
    row = connection.execute(f"SELECT value FROM counts WHERE {where}", key).fetchone()  # noqa: S608 - no input
    counts = Counts.of_json(json.loads(row[0])) if row else Counts()
    counts.add(news)
    value = json.dumps(counts.to_json(), separators=(",", ":"))
    connection.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?)", (*key, value))


def _is_busy(error: Exception) -> bool:
    # The low byte is the primary code: https://sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
