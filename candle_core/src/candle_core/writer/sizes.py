"""How much memory something takes that waits to be written."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from candle_hookspecs import CandleBatch


def size_of_batch(batch: CandleBatch) -> int:
    """Bytes of the columns."""
    return sum(column.nbytes for column in batch.columns().values())


def size_of_rows(rows: Iterable[Any]) -> int:
    """Bytes of rows and their values, each counted where it stands; names of columns are shared and count nothing."""
    return sum(map(_size_of_row, rows))


def _size_of_row(row: Any) -> int:
    if isinstance(row, CandleBatch):
        return size_of_batch(row)
    if isinstance(row, Mapping):
        return sys.getsizeof(row) + sum(map(sys.getsizeof, row.values()))
    if isinstance(row, Sequence) and not isinstance(row, str | bytes | bytearray):
        return sys.getsizeof(row) + sum(map(sys.getsizeof, row))
    return sys.getsizeof(row)
