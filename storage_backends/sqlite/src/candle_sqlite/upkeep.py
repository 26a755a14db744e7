"""What an SQLite file wants now and then."""

import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from candle_hookspecs import MaintenanceTask

Outcome: TypeAlias = tuple[int, tuple[str, ...]]
"""What was changed, and problems found."""


def _checkpoint(driver: sqlite3.Connection) -> Outcome:
    """Take the write-ahead log into the file and cut it to nothing, as far as readers allow."""
    _, pages, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return max(pages, 0), ()


def _analyze(driver: sqlite3.Connection) -> Outcome:
    """Let the planner know the tables' sizes; a sample of each index is enough."""
    driver.execute("PRAGMA analysis_limit = 1000")
    driver.execute("ANALYZE")
    return 0, ()


def _vacuum(driver: sqlite3.Connection) -> Outcome:
    """Give free pages back to the disk, in place."""
    before = _free_pages(driver)
    driver.executescript("PRAGMA incremental_vacuum")  # `execute` would stop after the first page
    return before - _free_pages(driver), ()


def _free_pages(driver: sqlite3.Connection) -> int:
    (pages,) = driver.execute("PRAGMA freelist_count").fetchone()
    return int(pages)


def _check(driver: sqlite3.Connection) -> Outcome:
    """Pages and indexes, references, and that the number of candles of each symbol is what was counted."""
    problems = [text for (text,) in driver.execute("PRAGMA integrity_check") if text != "ok"]
    problems += [
        f"{table!r} refers to a row of {parent!r} that is not there"
        for table, _, parent, _ in driver.execute("PRAGMA foreign_key_check")
    ]
    counted = driver.execute(
        "SELECT id, candle_count, (SELECT count(*) FROM candles WHERE symbol_id = symbols.id) AS found "
        "FROM symbols WHERE candle_count <> found"
    )
    problems += [f"symbol {number} has {found} candles and not {count}" for number, count, found in counted]
    return 0, tuple(problems)


TASKS: Final[Mapping[MaintenanceTask, Callable[[sqlite3.Connection], Outcome]]] = MappingProxyType(
    {
        MaintenanceTask.CHECKPOINT: _checkpoint,
        MaintenanceTask.ANALYZE: _analyze,
        MaintenanceTask.VACUUM: _vacuum,
        MaintenanceTask.CHECK: _check,
    }
)
