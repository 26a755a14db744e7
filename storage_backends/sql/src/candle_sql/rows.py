"""The rows of a batch as a driver takes them: Python numbers, what is unknown as None."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS, UNKNOWN_COUNT, CandleBatch

VALUES: Final = COLUMNS[1:]
"""The columns that an answer gives for an open time, besides extra ones."""

Values: TypeAlias = tuple[float | int | None, ...]


def objects(batch: CandleBatch, name: str) -> list[Any] | None:
    """A column as Python numbers, unknown values as None; None if the batch has no such column."""
    column = getattr(batch, name)
    if column is None:
        return None
    unknown = column == UNKNOWN_COUNT if name in INTEGER_COLUMNS else np.isnan(column)
    values: list[Any] = column.tolist()
    if name != "open_time" and unknown.any():
        for index in np.flatnonzero(unknown).tolist():
            values[index] = None
    return values


def values_of(batch: CandleBatch) -> Iterator[Values]:
    """`VALUES`, row by row."""
    absent = [None] * len(batch)
    return zip(*(objects(batch, name) or absent for name in VALUES), strict=True)


def extras_of(batch: CandleBatch) -> Iterator[dict[str, float]]:
    """The known values of the extra columns by name, row by row."""
    columns = [column.tolist() for column in batch.extra.values()]
    if not columns:
        return iter([{} for _ in range(len(batch))])
    return (
        {name: value for name, value in zip(batch.extra, values, strict=True) if value == value}
        for values in zip(*columns, strict=True)
    )
