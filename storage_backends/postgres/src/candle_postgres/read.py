"""The range read: binary frames into numpy without an object per candle."""

from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Connection, Integer, Select

from candle_hookspecs import (
    INTEGER_COLUMNS,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    CandleBatch,
    LoadRead,
)
from candle_postgres import frames
from candle_postgres.connections import driver_of
from candle_sql.statements import Columns, is_known, known, known_extras, literal, within
from candle_sql.tables import candle_extras

_INT: Final = np.dtype(np.int64)
_FLOAT: Final = np.dtype(np.float64)


def load(connection: Connection, symbol_id: int, read: LoadRead) -> CandleBatch:
    """The candles of a symbol, in time order, inside the caller's read transaction."""
    asked = (name for name in OPTIONAL_COLUMNS if read.columns is None or name in read.columns)
    types = {name: _INT if name in INTEGER_COLUMNS else _FLOAT for name in (*REQUIRED_COLUMNS, *asked)}
    columns = _read(driver_of(connection), _chosen(connection, symbol_id, read), types)
    if read.newest_first:
        columns = {name: column[::-1] for name, column in columns.items()}
    told = {name: column for name, column in columns.items() if name in REQUIRED_COLUMNS or is_known(column)}
    extra = {} if read.columns == () else _extras(connection, symbol_id, columns["open_time"], read)
    return CandleBatch(**told, extra=extra)  # type: ignore[arg-type] # only the columns are spread


def fetch(connection: Connection, query: Select[Any]) -> Columns:
    """The columns of a query of numbers."""
    types = {column.name: _INT if isinstance(column.type, Integer) else _FLOAT for column in query.selected_columns}
    return _read(driver_of(connection), f"({literal(connection, query)}) AS asked", types)


def _read(driver: psycopg.Connection, rows: str, types: dict[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """Columns of rows of one width: what is unknown comes as a `CandleBatch` tells it."""
    told = (
        f"coalesce({name}::bigint, {UNKNOWN_COUNT})" if kind == _INT else f"coalesce({name}, 'NaN')"
        for name, kind in types.items()
    )
    return frames.read(driver, f"SELECT {', '.join(told)} FROM {rows}", types)  # noqa: S608 - names are ours


def _chosen(connection: Connection, symbol_id: int, read: LoadRead) -> str:
    """The rows of the read, oldest or newest first."""
    if read.as_of is None:
        rows = f"candles WHERE symbol_id = {symbol_id}"
        if read.span is not None:
            rows += f" AND open_time >= {read.span.start} AND open_time < {read.span.end}"
    else:
        rows = f"({literal(connection, known(symbol_id, read.span, read.as_of))}) AS known"
    order, limit = "DESC" if read.newest_first else "ASC", f"LIMIT {read.limit}" if read.limit else ""
    return f"{rows} ORDER BY open_time {order} {limit}"


def _extras(
    connection: Connection, symbol_id: int, open_time: NDArray[np.int64], read: LoadRead
) -> dict[str, NDArray[np.float64]]:
    query = candle_extras.select().where(within(candle_extras, symbol_id, read.span))
    query = query.with_only_columns(candle_extras.c.open_time, candle_extras.c.name, candle_extras.c.value)
    if read.as_of is not None:
        query = known_extras(symbol_id, read.span, read.as_of)
    found: dict[str, NDArray[np.float64]] = {}
    for moment, name, value in connection.execute(query):
        place = int(np.searchsorted(open_time, moment))
        if place < len(open_time) and open_time[place] == moment and (read.columns is None or name in read.columns):
            found.setdefault(name, np.full(len(open_time), np.nan))[place] = value
    return dict(sorted(found.items()))
