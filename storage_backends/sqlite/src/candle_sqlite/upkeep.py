"""What an SQLite file wants now and then, in steps that writers hardly notice; and how it stands."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from candle_hookspecs import MaintenanceTask
from candle_sql.status import holds_candles
from candle_sql.upkeep import STEP, Step
from candle_sqlite.connections import Connections, driver_of

_SAMPLE: Final = 400  # rows of an index that ANALYZE looks at; SQLite's manual recommends 100 to 1,000
_CHANGED: Final = 0x10003  # of PRAGMA optimize: name the ANALYZE that would pay (3), for tables unused so far as well
_PAUSE: Final = 0.001  # seconds between transactions, so that a writer of this process that waits comes first
_SLICE: Final = 1_000  # pages given back in one transaction: 5 to 40 ms, most of it the log


def _checkpoint(connections: Connections) -> Step:
    """Take the write-ahead log into the file, as far as readers allow, and cut it to nothing if it is free.

    PASSIVE keeps no writer out. TRUNCATE does, so it is for a log that is taken in whole, and gives up where anybody is
    at work.
    """
    with connections.beside() as driver:
        _, pages, done = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages == done:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return Step(max(done, 0))


def _analyze(connections: Connections) -> Step:
    """Let the planner know the sizes of tables that it knows nothing of, or that have grown much since."""
    with connections.beside() as driver:
        worthwhile = _worthwhile(driver)
    changed = 0
    with connections.outside() as driver:
        driver.execute(f"PRAGMA analysis_limit = {_SAMPLE}")
        start = time.perf_counter()
        for statement in worthwhile:
            driver.execute(statement)
            changed += 1
            if time.perf_counter() - start > STEP:
                break
    return Step(changed, more=changed < len(worthwhile))


def _worthwhile(driver: sqlite3.Connection) -> list[str]:
    """The ANALYZE statements that would pay, by SQLite's own judgement.

    Before 3.46 it considers only tables for which this connection has planned a query by an index; so one is planned.
    Empty tables it would have analysed again and again.
    """
    indexed = driver.execute(
        "SELECT t.name, c.name FROM sqlite_master AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c "
        "WHERE t.type = 'table' AND c.seqno = 0 AND c.name IS NOT NULL"
    )
    empty = set()
    for table, column in indexed.fetchall():
        name = _quoted(table)
        driver.execute(f"EXPLAIN SELECT 1 FROM {name} WHERE {_quoted(column)} = 0").fetchall()  # noqa: S608 - quoted
        if driver.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None:  # noqa: S608 - quoted
            empty.add(f'ANALYZE "main".{name}')
    return [one for (one,) in driver.execute(f"PRAGMA optimize({_CHANGED})") if one not in empty]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _vacuum(connections: Connections) -> Step:
    """Give free pages back to the disk, in place. Only a file made with ``auto_vacuum = INCREMENTAL`` can."""
    start, changed = time.perf_counter(), 0
    while True:
        with connections.outside() as driver:
            free = _number(driver, "freelist_count")
            driver.executescript(f"PRAGMA incremental_vacuum({_SLICE})")  # `execute` would stop after the first page
            left = _number(driver, "freelist_count")
        changed += free - left
        if not 0 < left < free:
            return Step(changed)
        if time.perf_counter() - start > STEP:
            return Step(changed, more=True)
        time.sleep(_PAUSE)


def _check(connections: Connections) -> Step:
    """Pages and indexes, references, and that the number of candles of each symbol is what was counted.

    It reads one consistent state, and keeps no writer out.
    """
    with connections.read() as connection:
        driver = driver_of(connection)
        problems = [text for (text,) in driver.execute("PRAGMA integrity_check") if text != "ok"]
        problems += [
            f"{table!r} refers to a row of {parent!r} that is not there"
            for table, _, parent, _ in driver.execute("PRAGMA foreign_key_check")
        ]
        if holds_candles(connection):
            counted = driver.execute(
                "SELECT id, candle_count, (SELECT count(*) FROM candles WHERE symbol_id = symbols.id) AS found "
                "FROM symbols WHERE candle_count <> found"
            )
            problems += [f"symbol {number} has {found} candles and not {count}" for number, count, found in counted]
    return Step(problems=tuple(problems))


TASKS: Final[Mapping[MaintenanceTask, Callable[[Connections], Step]]] = MappingProxyType(
    {
        MaintenanceTask.CHECKPOINT: _checkpoint,
        MaintenanceTask.ANALYZE: _analyze,
        MaintenanceTask.VACUUM: _vacuum,
        MaintenanceTask.CHECK: _check,
    }
)


def measure(path: Path, driver: sqlite3.Connection) -> tuple[int, dict[str, int | float | str]]:
    """Bytes on disk, log and its index included, and what else is worth a look."""
    sizes = {suffix: _size(path.with_name(path.name + suffix)) for suffix in ("", "-wal", "-shm")}
    return sum(sizes.values()), {
        "wal_bytes": sizes["-wal"],
        "free_pages": _number(driver, "freelist_count"),
        "page_size": _number(driver, "page_size"),
        "sqlite": sqlite3.sqlite_version,
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _number(driver: sqlite3.Connection, pragma: str) -> int:
    (number,) = driver.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
