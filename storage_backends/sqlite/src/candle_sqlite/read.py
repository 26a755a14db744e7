"""The range read: rows into numpy without an object per candle."""

import sqlite3
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import (
    INTEGER_COLUMNS,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    CandleBatch,
    LoadRead,
)

_SLICE: Final = 16_384  # rows on their way from the cursor into the columns


def load(driver: sqlite3.Connection, symbol_id: int, read: LoadRead) -> CandleBatch:
    """The candles of a symbol, in time order, inside the caller's read transaction."""
    chosen, parameters = _chosen(symbol_id, read)
    asked = [name for name in OPTIONAL_COLUMNS if read.columns is None or name in read.columns]
    counts = driver.execute(
        f"SELECT {', '.join(['count(*)', *(f'count({name})' for name in asked)])} FROM ({chosen})",  # noqa: S608
        parameters,
    ).fetchone()
    total, known = counts[0], dict(zip(asked, counts[1:], strict=True))
    if not total:
        return CandleBatch.empty()
    names = [*REQUIRED_COLUMNS, *(name for name in asked if known[name])]
    gapped = [name for name in names if known.get(name, total) < total]
    columns = _columns(driver, chosen, parameters, names, gapped, total)
    if read.newest_first:
        columns = {name: column[::-1] for name, column in columns.items()}
    extra = {} if read.columns == () else _extras(driver, symbol_id, columns["open_time"], read)
    return CandleBatch(**columns, extra=extra)  # type: ignore[arg-type] # only the columns are spread


def _chosen(symbol_id: int, read: LoadRead) -> tuple[str, list[int]]:
    """The rows of the read, oldest or newest first, all columns."""
    where, parameters = "symbol_id = ?", [symbol_id]
    if read.span is not None:
        where += " AND open_time >= ? AND open_time < ?"
        parameters += [read.span.start, read.span.end]
    statement = f"SELECT * FROM candles WHERE {where} ORDER BY open_time {'DESC' if read.newest_first else ''}"  # noqa: S608
    if read.limit:
        return f"{statement} LIMIT ?", [*parameters, read.limit]
    return statement, parameters


def _columns(
    driver: sqlite3.Connection, chosen: str, parameters: list[int], names: list[str], gapped: list[str], total: int
) -> dict[str, NDArray[Any]]:
    """Read columns of known length. One with gaps comes with a second one that tells where they are."""
    parts = [f"ifnull({name}, 0), {name} IS NULL" if name in gapped else name for name in names]
    fields: list[tuple[str, type[np.generic]]] = []
    for name in names:
        fields.append((name, np.int64 if name in INTEGER_COLUMNS else np.float64))
        if name in gapped:
            fields.append((f"no {name}", np.bool_))
    row = np.dtype(fields)
    columns = {name: np.empty(total, row[name]) for name in names}
    cursor = driver.execute(f"SELECT {', '.join(parts)} FROM ({chosen})", parameters)  # noqa: S608 - names are ours
    for start in range(0, total, _SLICE):
        count = min(_SLICE, total - start)
        rows = np.fromiter(islice(cursor, count), row, count)
        for name, column in columns.items():
            column[start : start + count] = rows[name]
            if name in gapped:
                column[start : start + count][rows[f"no {name}"]] = _unknown(name)
    return columns


def _unknown(name: str) -> float:
    return UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.nan


def _extras(
    driver: sqlite3.Connection, symbol_id: int, open_time: NDArray[np.int64], read: LoadRead
) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    cursor = driver.execute(
        "SELECT open_time, name, value FROM candle_extras WHERE symbol_id = ? AND open_time BETWEEN ? AND ?",
        (symbol_id, int(open_time[0]), int(open_time[-1])),
    )
    for moment, name, value in cursor:
        if read.columns is None or name in read.columns:
            column = found.setdefault(name, np.full(len(open_time), np.nan))
            column[np.searchsorted(open_time, moment)] = value
    return dict(sorted(found.items()))
