"""Postgres's binary COPY frames, built and taken apart by the thousand.

A frame is a header, for each row a count of fields (int16) and for each field its size (int32) and its bytes, all
big-endian, and a trailer (PostgreSQL manual, COPY, "Binary Format"). A field of size -1 is NULL and has no bytes. So
rows without NULLs all have one width, and are a numpy array of a structured type.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.errors import error_from_result

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags, length of the header's extension."""

TRAILER: Final = b"\xff\xff"
_NULL: Final = -1
_BLOCK: Final = 65_536  # rows decoded at one time

Bytes: TypeAlias = NDArray[np.uint8]
Column: TypeAlias = tuple[NDArray[Any], NDArray[np.bool_] | None]
"""Values of a column, and where they are unknown (None: nowhere)."""


def row_type(types: Mapping[str, np.dtype[Any]]) -> np.dtype[Any]:
    """How a row without NULLs lies in a frame; the size of a field is called ``size`` and its name."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in types.items():
        fields += [(f"size {name}", ">i4"), (name, kind.newbyteorder(">").str)]
    return np.dtype(fields)


def encode(columns: Mapping[str, Column]) -> Bytes:
    """Rows as they stand between header and trailer.

    Args:
        columns: by name, in the order of the COPY's columns; int32, int64 or float64, all of one length.
    """
    layout = row_type({name: values.dtype for name, (values, _) in columns.items()})
    rows = np.empty(len(next(iter(columns.values()))[0]), layout)
    rows["fields"] = len(columns)
    present: NDArray[np.bool_] | None = None
    table = rows.view(np.uint8).reshape(len(rows), layout.itemsize)
    for name, (values, unknown) in columns.items():
        rows[name] = values
        rows[f"size {name}"] = values.itemsize
        if unknown is not None and unknown.any():
            rows[f"size {name}"][unknown] = _NULL
            if present is None:
                present = np.ones(table.shape, np.bool_)
            offset = layout.fields[name][1]  # type: ignore[index] # a structured type has fields
            present[:, offset : offset + values.itemsize] = ~unknown[:, None]
    return table.ravel() if present is None else table[present]


def read(driver: psycopg.Connection, query: str, types: Mapping[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of a query that yields no NULLs.

    Args:
        driver: in a transaction.
        query: without parameters.
        types: the query's columns in order, int32, int64 or float64.

    Returns:
        Native numpy columns by name.
    """
    layout = row_type(types)
    blocks = [np.frombuffer(block, layout) for block in _blocks(driver, query, layout.itemsize)]
    return {
        name: np.concatenate([np.empty(0, kind), *(block[name] for block in blocks)], dtype=kind)
        for name, kind in types.items()
    }


def _blocks(driver: psycopg.Connection, query: str, width: int) -> Iterator[memoryview]:
    """Whole rows, as many as a block holds.

    The server sends each row in a message of its own. Taking them from libpq as long as there are any, and asking
    psycopg, which knows how to wait, only when there are none, is half as long again as fast as its `Copy.read`.
    """
    with driver.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        take = driver.pgconn.get_copy_data
        row = copy.read()[len(HEADER) :] or copy.read()
        while len(row) > len(TRAILER):
            block, filled = np.empty(_BLOCK * width, np.uint8).data, 0
            while len(row) > len(TRAILER) and filled < len(block):
                end = filled + len(row)
                block[filled:end] = row
                filled = end
                size, row = take(1)
                if not size:
                    row = copy.read()
                elif size < 0:
                    raise _ended(driver)
            yield block[:filled]
        for _ in copy:
            raise psycopg.DataError("the server sent more behind the end of a COPY")


def _ended(driver: psycopg.Connection) -> psycopg.Error:
    """Why a COPY ended before its trailer."""
    result = driver.pgconn.get_result()
    while driver.pgconn.get_result():
        pass
    return psycopg.OperationalError("the server broke off") if result is None else error_from_result(result)


def write(
    driver: psycopg.Connection, table: str, slices: Sequence[Mapping[str, Column]] | Iterator[Mapping[str, Column]]
) -> None:
    """Copy rows into a table; all slices have the same columns."""
    pending = iter(slices)
    first = next(pending, None)
    if first is None:
        return
    with driver.cursor().copy(f"COPY {table} ({', '.join(first)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER)
        copy.write(encode(first).data)
        for rows in pending:
            copy.write(encode(rows).data)
        copy.write(TRAILER)
