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
_KEPT: Final = f"({', '.join(_SAID)}) VALUES ({', '.join(f'OLD.{name}' for name in _SAID)})"
_KEEP_REPLACED: Final = (
    "CREATE TEMP TRIGGER IF NOT EXISTS keep_replaced AFTER UPDATE ON main.candles "
    f"BEGIN INSERT INTO revisions {_KEPT}; END"
)
"""Of this connection alone: what its updates replace is kept by the very statement that replaces it."""


def merge(connection: Connection, task: Merge) -> SaveReceipt:
    """Merge an answer's rows, inside the caller's write transaction."""
    driver, hull, batch = driver_of(connection), task.hull, task.answer.batch
    if hull is None:
        return SaveReceipt()
    before, latest = _stored(driver, task, hull)
    if not before:
        _upsert(driver, task, batch)
        _insert_extras(driver, task, batch)
        return SaveReceipt(inserted=len(batch))
    overtaken = latest >= task.answer.answered_at or inside(batch.open_time, task.settled).any()
    if overtaken or batch.extra or _has_extras(driver, task, hull):
        receipt, after = merge_by_row(connection, task), None
    else:
        written = _upsert_newer(driver, task)
        after = _count(driver, task, hull)
        inserted = after - before
        receipt = SaveReceipt(inserted=inserted, revised=written - inserted, unchanged=len(batch) - written)
    return receipt + SaveReceipt(lacking=_lacking(driver, task, hull, after))


def _upsert_newer(driver: sqlite3.Connection, task: Merge) -> int:
    """The usual case: all that is stored is earlier, so what differs is revised. Done without reading a row."""
    batch = task.answer.batch
    driver.execute(_KEEP_REPLACED)
    written = _upsert(driver, task, batch)
    _confirm(driver, task, batch.open_time[task.unproven()].tolist())
    return written


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
    driver.executemany(
        "UPDATE candles SET answered_at = ?, source_id = ? WHERE symbol_id = ? AND open_time = ? AND answered_at < ?",
        ((moment, source_id, task.symbol_id, open_time, moment) for open_time in open_times),
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


_WITHIN: Final = "FROM candles WHERE symbol_id = ? AND open_time >= ? AND open_time < ?"


def _stored(driver: sqlite3.Connection, task: Merge, span: Span) -> tuple[int, int]:
    """How many rows are stored in the span, and when the latest of them was said."""
    query = f"SELECT count(*), ifnull(max(answered_at), 0) {_WITHIN}"
    found: tuple[int, int] = driver.execute(query, (task.symbol_id, span.start, span.end)).fetchone()
    return found


def _count(driver: sqlite3.Connection, task: Merge, span: Span) -> int:
    (found,) = driver.execute(f"SELECT count(*) {_WITHIN}", (task.symbol_id, span.start, span.end)).fetchone()
    return int(found)


def _lacking(driver: sqlite3.Connection, task: Merge, hull: Span, stored: int | None) -> int:
    """Rows inside the answer's proof that it does not have; `stored`: how many there are in the hull, if known."""
    exhaustive = task.exhaustive
    if stored is None or exhaustive != [hull]:
        stored = sum(_count(driver, task, span) for span in exhaustive)
    return stored - int(inside(task.answer.batch.open_time, exhaustive).sum())


def _has_extras(driver: sqlite3.Connection, task: Merge, span: Span) -> bool:
    query = "SELECT 1 FROM candle_extras WHERE symbol_id = ? AND open_time >= ? AND open_time < ? LIMIT 1"
    return driver.execute(query, (task.symbol_id, span.start, span.end)).fetchone() is not None
