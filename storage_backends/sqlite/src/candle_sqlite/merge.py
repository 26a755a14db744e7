"""The bulk upsert, on the driver connection: 500 rows a statement, flat bare parameters, sorted by key.

Every other way was measured and is slower (`bench/storage.py` shows the one that suggests itself).
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection

from candle_hookspecs import COLUMNS, CandleBatch, SaveReceipt, Span
from candle_sql import Merge
from candle_sql.history import merge_by_row
from candle_sql.merge import inside
from candle_sql.rows import VALUES, extras_of, objects
from candle_sqlite.connections import driver_of

_STORED: Final = ("symbol_id", *COLUMNS, "answered_at", "source_id")
_STATEMENT: Final = 500  # rows in one statement

_SAID: Final = ("symbol_id", "open_time", *VALUES, "answered_at", "source_id")
_OLD: Final = f"INSERT INTO revisions ({', '.join(_SAID)}) SELECT {', '.join(f'OLD.{name}' for name in _SAID)}"
_KEPT: Final = f"SELECT 1 FROM revisions WHERE {' AND '.join(f'{name} IS OLD.{name}' for name in _SAID)}"  # noqa: S608
_TRIGGER: Final = "CREATE TEMP TRIGGER IF NOT EXISTS {} AFTER UPDATE ON main.candles WHEN {} BEGIN {}; END"
_TRIGGERS: Final = (
    _TRIGGER.format("keep_replaced", "OLD.answered_at < NEW.answered_at", _OLD),
    _TRIGGER.format("keep_once", "OLD.answered_at = NEW.answered_at", f"{_OLD} WHERE NOT EXISTS ({_KEPT})"),
)
"""Of this connection alone: what its updates replace is kept by the very statement that replaces it, and what two
answers of one moment take back and forth is kept once."""


def merge(connection: Connection, task: Merge) -> SaveReceipt:
    """Merge an answer's rows, inside the caller's write transaction."""
    driver, hull, batch = driver_of(connection), task.hull, task.answer.batch
    if hull is None:
        return SaveReceipt()
    before, later = _stored(driver, task, hull)
    if not before:
        _upsert(driver, task, batch)
        _insert_extras(driver, task, batch)
        return SaveReceipt(inserted=len(batch))
    if later or inside(batch.open_time, task.settled).any() or batch.extra or _has_extras(driver, task, hull):
        receipt = merge_by_row(connection, task)
    else:
        receipt = _merge_newer(driver, task, hull, before)
    return receipt + SaveReceipt(lacking=_lacking(driver, task))


def _merge_newer(driver: sqlite3.Connection, task: Merge, hull: Span, before: int) -> SaveReceipt:
    """The usual case: nothing stored is later, so what differs is revised. Counted without reading a row."""
    batch = task.answer.batch
    for trigger in _TRIGGERS:
        driver.execute(trigger)
    written = _upsert(driver, task, batch)
    _confirm(driver, task, batch.open_time[task.unproven()].tolist())
    after, _ = _stored(driver, task, hull)
    inserted = after - before
    revised = written - inserted
    return SaveReceipt(inserted=inserted, revised=revised, unchanged=len(batch) - written)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _statement(rows: int) -> str:
    places = f"({', '.join('?' * len(_STORED))})"
    revised = ", ".join(f"{name} = excluded.{name}" for name in (*VALUES, "answered_at", "source_id"))
    differs = " OR ".join(f"{name} IS NOT excluded.{name}" for name in VALUES)
    return (
        f"INSERT INTO candles ({', '.join(_STORED)}) VALUES {', '.join([places] * rows)} "  # noqa: S608 - names are ours
        f"ON CONFLICT (symbol_id, open_time) DO UPDATE SET {revised} WHERE {differs}"
    )


def _upsert(driver: sqlite3.Connection, task: Merge, batch: CandleBatch) -> int:
    """Write rows over what is stored; identical ones are not written. Returns the number of rows written."""
    rows = min(_STATEMENT, driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(_STORED))
    written = 0
    for start in range(0, len(batch), rows):
        part = batch[start : start + rows]
        written += driver.execute(_statement(len(part)), _parameters(task, part)).rowcount
    return written


def _parameters(task: Merge, batch: CandleBatch) -> list[Any]:
    """The values of `_STORED`, row after row."""
    width, count = len(_STORED), len(batch)
    flat: list[Any] = [None] * (width * count)
    constants = {"symbol_id": task.symbol_id, "answered_at": task.answer.answered_at, "source_id": task.source_id}
    for index, name in enumerate(_STORED):
        column = [constants[name]] * count if name in constants else objects(batch, name)
        if column is not None:
            flat[index::width] = column
    return flat


def _confirm(driver: sqlite3.Connection, task: Merge, open_times: Sequence[int]) -> None:
    """Let rows that this answer repeated, without a fact to show for it, bear its moment."""
    moment, source_id = task.answer.answered_at, task.source_id
    weaker = f"answered_at < ? OR (answered_at = ? AND source_id IN {_set(task.weaker)})"
    driver.executemany(
        f"UPDATE candles SET answered_at = ?, source_id = ? WHERE symbol_id = ? AND open_time = ? AND ({weaker})",  # noqa: S608
        ((moment, source_id, task.symbol_id, open_time, moment, moment) for open_time in open_times),
    )


def _insert_extras(driver: sqlite3.Connection, task: Merge, batch: CandleBatch) -> None:
    if not batch.extra:
        return
    driver.executemany(
        "INSERT INTO candle_extras (symbol_id, open_time, name, value) VALUES (?, ?, ?, ?)",
        (
            (task.symbol_id, open_time, name, value)
            for open_time, extras in zip(batch.open_time.tolist(), extras_of(batch), strict=True)
            for name, value in extras.items()
        ),
    )


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set(numbers: frozenset[int]) -> str:
    return f"({', '.join(map(str, sorted(numbers)))})"


def _stored(driver: sqlite3.Connection, task: Merge, span: Span) -> tuple[int, int]:
    """How many rows are stored in the span, and how many of them are later than the answer."""
    moment = task.answer.answered_at
    later = f"answered_at > ? OR (answered_at = ? AND source_id IN {_set(task.stronger)})"
    found: tuple[int, int] = driver.execute(
        f"SELECT count(*), ifnull(sum({later}), 0) FROM candles "  # noqa: S608 - numbers
        "WHERE symbol_id = ? AND open_time >= ? AND open_time < ?",
        (moment, moment, task.symbol_id, span.start, span.end),
    ).fetchone()
    return found


def _lacking(driver: sqlite3.Connection, task: Merge) -> int:
    """Stored rows inside the answer's proof that it does not have. Its own rows are all stored by now."""
    open_time = task.answer.batch.open_time
    stored = sum(_stored(driver, task, span)[0] for span in task.exhaustive)
    return stored - int(inside(open_time, task.exhaustive).sum())


def _has_extras(driver: sqlite3.Connection, task: Merge, span: Span) -> bool:
    query = "SELECT 1 FROM candle_extras WHERE symbol_id = ? AND open_time >= ? AND open_time < ? LIMIT 1"
    return driver.execute(query, (task.symbol_id, span.start, span.end)).fetchone() is not None
