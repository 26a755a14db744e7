"""How much memory something takes that waits to be written."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from candle_hookspecs import CandleBatch


def size_of_batch(batch: CandleBatch) -> int:
    """Bytes of the columns."""
    return sum(column.nbytes for column in batch.columns().values())


def size_of_rows(rows: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of the rows and their values, each counted where it stands; names are shared and count nothing."""
    return sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row.values())) for row in rows)
