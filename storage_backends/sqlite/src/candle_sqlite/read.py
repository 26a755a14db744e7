"""The range read: rows into numpy without an object per candle."""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select

from candle_hookspecs import (
    INTEGER_COLUMNS,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    CandleBatch,
    LoadRead,
    Span,
)
from candle_sql.statements import Columns, known, known_extras, literal
from candle_sqlite.connections import driver_of

_INTEGERS: Final = INTEGER_COLUMNS | {"answered_at", "source_id"}
_SLICE: Final = 16_384  # rows on their way from the cursor into the columns


def load(connection: Connection, symbol_id: int, read: LoadRead) -> CandleBatch:
    """The candles of a symbol, in time order, inside the caller's read transaction."""
    driver, chosen = driver_of(connection), _chosen(connection, symbol_id, read)
    asked = [name for name in OPTIONAL_COLUMNS if read.columns is None or name in read.columns]
    total, counts = _known(driver, chosen, asked)
    if not total:
        return CandleBatch.empty()
    columns = _columns(driver, chosen, [*REQUIRED_COLUMNS, *(name for name in asked if counts[name])], counts, total)
    if read.newest_first:
        columns = {name: column[::-1] for name, column in columns.items()}
    extra = {} if read.columns == () else _extras(connection, symbol_id, columns["open_time"], read)
    return CandleBatch(**columns, extra=extra)  # type: ignore[arg-type] # only the columns are spread


def fetch(connection: Connection, query: Select[Any]) -> Columns:
    """The columns of a query of numbers."""
    driver, chosen = driver_of(connection), literal(connection, query)
    names = list(query.selected_columns.keys())
    total, counts = _known(driver, chosen, names)
    return _columns(driver, chosen, names, counts, total)


def _chosen(connection: Connection, symbol_id: int, read: LoadRead) -> str:
    """The rows of the read, oldest or newest first, all columns."""
    if read.as_of is None:
        where = f"symbol_id = {symbol_id}"
        if read.span is not None:
            where += f" AND open_time >= {read.span.start} AND open_time < {read.span.end}"
        rows = f"candles WHERE {where}"
    else:
        rows = f"({literal(connection, known(symbol_id, read.span, read.as_of))})"
    order, limit = "DESC" if read.newest_first else "", f"LIMIT {read.limit}" if read.limit else ""
    return f"SELECT * FROM {rows} ORDER BY open_time {order} {limit}"  # noqa: S608 - numbers


def _known(driver: sqlite3.Connection, chosen: str, names: Sequence[str]) -> tuple[int, dict[str, int]]:
    """How many rows there are, and in how many of them each column has a value."""
    counted = ", ".join(["count(*)", *(f"count({name})" for name in names)])
    total, *counts = driver.execute(f"SELECT {counted} FROM ({chosen})").fetchone()  # noqa: S608 - names are ours
    return total, dict(zip(names, counts, strict=True))


def _columns(
    driver: sqlite3.Connection, chosen: str, names: Sequence[str], counts: Mapping[str, int], total: int
) -> dict[str, NDArray[Any]]:
    """Read columns of known length. One with gaps comes with a second one that tells where they are."""
    gapped = [name for name in names if counts.get(name, total) < total]
    parts = [f"ifnull({name}, 0), {name} IS NULL" if name in gapped else name for name in names]
    fields: list[tuple[str, type[np.generic]]] = []
    for name in names:
        fields.append((name, np.int64 if name in _INTEGERS else np.float64))
        if name in gapped:
            fields.append((f"no {name}", np.bool_))
    row = np.dtype(fields)
    columns = {name: np.empty(total, row[name]) for name in names}
    cursor = driver.execute(f"SELECT {', '.join(parts)} FROM ({chosen})")  # noqa: S608 - names are ours
    for start in range(0, total, _SLICE):
        count = min(_SLICE, total - start)
        rows = np.fromiter(islice(cursor, count), row, count)
        for name, column in columns.items():
            column[start : start + count] = rows[name]
            if name in gapped:
                column[start : start + count][rows[f"no {name}"]] = _unknown(name)
    return columns


def _unknown(name: str) -> float:
    return UNKNOWN_COUNT if name in _INTEGERS else np.nan


def _extras(
    connection: Connection, symbol_id: int, open_time: NDArray[np.int64], read: LoadRead
) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    span = Span(int(open_time[0]), int(open_time[-1]) + 1)
    if read.as_of is None:
        rows = f"candle_extras WHERE symbol_id = {symbol_id} AND open_time >= {span.start} AND open_time < {span.end}"
    else:
        rows = f"({literal(connection, known_extras(symbol_id, span, read.as_of))})"
    for moment, name, value in driver_of(connection).execute(f"SELECT open_time, name, value FROM {rows}"):  # noqa: S608
        if read.columns is None or name in read.columns:
            column = found.setdefault(name, np.full(len(open_time), np.nan))
            column[np.searchsorted(open_time, moment)] = value
    return dict(sorted(found.items()))
