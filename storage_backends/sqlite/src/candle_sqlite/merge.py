"""The bulk upsert, on the driver connection: 500 rows a statement, flat bare parameters, sorted by key.

Every other way was measured and is slower (`bench/storage.py` shows the one that suggests itself).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS, UNKNOWN_COUNT, CandleBatch, SaveReceipt, Span
from candle_sql import Merge
from candle_sql.merge import inside

_VALUES: Final = COLUMNS[1:]
_STORED: Final = ("symbol_id", *COLUMNS, "answered_at", "source_id")
_STATEMENT: Final = 500  # rows in one statement
_SLICE: Final = 10 * _STATEMENT  # rows that are Python objects at one time

_Values: TypeAlias = tuple[Any, ...]


def merge(driver: sqlite3.Connection, task: Merge) -> SaveReceipt:
    """Merge an answer's rows, inside the caller's write transaction."""
    hull, batch = task.hull, task.answer.batch
    if hull is None:
        return SaveReceipt()
    before, later = _stored(driver, task, hull)
    if not before:
        _upsert(driver, task, batch)
        _insert_extras(driver, task, batch)
        return SaveReceipt(inserted=len(batch))
    settled = inside(batch.open_time, task.settled)
    if later or settled.any() or batch.extra or _has_extras(driver, task, hull):
        receipt = _merge_by_row(driver, task, settled)
    else:
        receipt = _merge_newer(driver, task, hull, before)
    return receipt + SaveReceipt(lacking=_lacking(driver, task))


def _merge_newer(driver: sqlite3.Connection, task: Merge, hull: Span, before: int) -> SaveReceipt:
    """The usual case: nothing stored is later, so what differs is revised. Counted without reading a row."""
    batch = task.answer.batch
    written = _upsert(driver, task, batch)
    _confirm(driver, task, batch.open_time[task.unproven()].tolist())
    after, _ = _stored(driver, task, hull)
    inserted = after - before
    revised = written - inserted
    return SaveReceipt(inserted=inserted, revised=revised, unchanged=len(batch) - written)


def _merge_by_row(driver: sqlite3.Connection, task: Merge, settled: NDArray[np.bool_]) -> SaveReceipt:
    """The rare case: something stored is later, or there are extra columns. Each row is looked at."""
    batch = task.answer.batch
    unproven = task.unproven()
    inserted = revised = unchanged = 0
    for start in range(0, len(batch), _STATEMENT):
        part = batch[start : start + _STATEMENT]
        stored = _read_rows(driver, task, part)
        rows = zip(_rows(part), _extras(part), settled[start:].tolist(), unproven[start:].tolist(), strict=False)
        wanted, confirmed = np.zeros(len(part), np.bool_), []
        for index, (row, extras, is_settled, is_unproven) in enumerate(rows):
            found = stored.get(row[0])
            if found is None:
                wanted[index] = True
                inserted += 1
            elif found[0] == (row[1:], extras):
                unchanged += 1
                if is_unproven:
                    confirmed.append(row[0])
            elif not is_settled and not _is_later(found[1], task):
                wanted[index] = True
                revised += 1
        _upsert(driver, task, part[wanted])
        _delete_extras(driver, task, part[wanted])
        _insert_extras(driver, task, part[wanted])
        _confirm(driver, task, confirmed)
    outdated = len(batch) - inserted - revised - unchanged
    return SaveReceipt(inserted=inserted, revised=revised, unchanged=unchanged, outdated=outdated)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _statement(rows: int) -> str:
    places = f"({', '.join('?' * len(_STORED))})"
    revised = ", ".join(f"{name} = excluded.{name}" for name in (*_VALUES, "answered_at", "source_id"))
    differs = " OR ".join(f"{name} IS NOT excluded.{name}" for name in _VALUES)
    return (
        f"INSERT INTO candles ({', '.join(_STORED)}) VALUES {', '.join([places] * rows)} "  # noqa: S608 - names are ours
        f"ON CONFLICT (symbol_id, open_time) DO UPDATE SET {revised} WHERE {differs}"
    )


def _upsert(driver: sqlite3.Connection, task: Merge, batch: CandleBatch) -> int:
    """Write rows over what is stored; identical ones are not written. Returns the number of rows written."""
    before = driver.total_changes
    rows = min(_STATEMENT, driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(_STORED))
    for start in range(0, len(batch), _SLICE):
        table = _parameters(task, batch[start : start + _SLICE])
        whole = len(table) - len(table) % rows
        for low in range(0, whole, rows):
            driver.execute(_statement(rows), table[low : low + rows].ravel().tolist())
        driver.executemany(_statement(1), table[whole:].tolist())
    return driver.total_changes - before


def _parameters(task: Merge, batch: CandleBatch) -> NDArray[np.object_]:
    table = np.empty((len(batch), len(_STORED)), np.object_)
    table[:, 0] = task.symbol_id
    for index, name in enumerate(COLUMNS, start=1):
        table[:, index] = _objects(batch, name)
    table[:, -2] = task.answer.answered_at
    table[:, -1] = task.source_id
    return table


def _objects(batch: CandleBatch, name: str) -> list[Any] | None:
    """A column as Python numbers, unknown values as None."""
    column = getattr(batch, name)
    if column is None:
        return None
    unknown = column == UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.isnan(column)
    values: list[Any] = column.tolist()
    if name != "open_time" and unknown.any():
        for index in np.flatnonzero(unknown).tolist():
            values[index] = None
    return values


def _confirm(driver: sqlite3.Connection, task: Merge, open_times: Sequence[int]) -> None:
    """Let rows that this answer repeated, without a fact to show for it, bear its moment."""
    moment, source_id = task.answer.answered_at, task.source_id
    weaker = f"answered_at < ? OR (answered_at = ? AND source_id IN {_set(task.weaker)})"
    driver.executemany(
        f"UPDATE candles SET answered_at = ?, source_id = ? WHERE symbol_id = ? AND open_time = ? AND ({weaker})",  # noqa: S608
        ((moment, source_id, task.symbol_id, open_time, moment, moment) for open_time in open_times),
    )


def _delete_extras(driver: sqlite3.Connection, task: Merge, batch: CandleBatch) -> None:
    driver.executemany(
        "DELETE FROM candle_extras WHERE symbol_id = ? AND open_time = ?",
        ((task.symbol_id, open_time) for open_time in batch.open_time.tolist()),
    )


def _insert_extras(driver: sqlite3.Connection, task: Merge, batch: CandleBatch) -> None:
    if not batch.extra:
        return
    driver.executemany(
        "INSERT INTO candle_extras (symbol_id, open_time, name, value) VALUES (?, ?, ?, ?)",
        (
            (task.symbol_id, open_time, name, value)
            for open_time, extras in zip(batch.open_time.tolist(), _extras(batch), strict=True)
            for name, value in extras.items()
        ),
    )


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set(numbers: frozenset[int]) -> str:
    return f"({', '.join(map(str, sorted(numbers)))})"


def _is_later(stamp: tuple[int, int], task: Merge) -> bool:
    answered_at, source_id = stamp
    moment = task.answer.answered_at
    return answered_at > moment or (answered_at == moment and source_id in task.stronger)


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


def _read_rows(
    driver: sqlite3.Connection, task: Merge, batch: CandleBatch
) -> dict[int, tuple[tuple[_Values, dict[str, float]], tuple[int, int]]]:
    """Stored rows at the batch's open times: values and extra columns, and their moment and source."""
    open_times = batch.open_time.tolist()
    places = f"({', '.join('?' * len(open_times))})"
    extras: dict[int, dict[str, float]] = {}
    for open_time, name, value in driver.execute(
        f"SELECT open_time, name, value FROM candle_extras WHERE symbol_id = ? AND open_time IN {places}",  # noqa: S608
        (task.symbol_id, *open_times),
    ):
        extras.setdefault(open_time, {})[name] = value
    rows = driver.execute(
        f"SELECT {', '.join(COLUMNS)}, answered_at, source_id FROM candles "  # noqa: S608 - names are ours
        f"WHERE symbol_id = ? AND open_time IN {places}",
        (task.symbol_id, *open_times),
    )
    return {row[0]: ((row[1:-2], extras.get(row[0], {})), row[-2:]) for row in rows}


def _rows(batch: CandleBatch) -> Iterator[_Values]:
    absent = [None] * len(batch)
    return zip(*(_objects(batch, name) or absent for name in COLUMNS), strict=True)


def _extras(batch: CandleBatch) -> Iterator[dict[str, float]]:
    columns = [column.tolist() for column in batch.extra.values()]
    if not columns:
        return iter([{} for _ in range(len(batch))])
    return (
        {name: value for name, value in zip(batch.extra, values, strict=True) if value == value}
        for values in zip(*columns, strict=True)
    )
