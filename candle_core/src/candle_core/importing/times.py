"""Times as files write them, a column at a time."""

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import Ints

if TYPE_CHECKING:
    import pyarrow as pa

NO_TIME: Final = -(2**63)
"""Stands where a value is no time."""


def to_milliseconds(column: "pa.Array") -> Ints:
    """UTC milliseconds of timestamps, dates, ISO 8601 texts (UTC where they name no offset) or numbers.

    A number is taken for seconds below 1e11, for milliseconds below 1e14, for microseconds below 1e17, else for
    nanoseconds: each right for every moment between 1973 and 5138.

    Returns:
        As many as the column has; `NO_TIME` where there is none.
    """
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        moments = column.cast(pa.timestamp("ms", getattr(column.type, "tz", None)), safe=False)
        return _ints(moments.cast(pa.int64()))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _scaled(column)
    texts = column.cast(pa.string())
    for form in (pa.int64(), pa.timestamp("ns", "UTC"), pa.timestamp("ns"), pa.float64()):
        try:
            moments = texts.cast(form)
        except pa.ArrowInvalid:
            continue
        return _ints(moments.cast(pa.int64()), 1_000_000) if pa.types.is_timestamp(form) else _scaled(moments)
    if len(texts) == 1:
        return np.array([NO_TIME])
    middle = len(texts) // 2  # the forms are mixed, or a value is none: look closer
    return np.concatenate([to_milliseconds(texts[:middle]), to_milliseconds(texts[middle:])])


def _ints(column: "pa.Array", divisor: int = 1) -> Ints:
    """Whole numbers; a null is `NO_TIME`."""
    values = column.fill_null(0).to_numpy(zero_copy_only=False) // divisor
    return cast(Ints, np.where(column.is_null().to_numpy(zero_copy_only=False), NO_TIME, values))


def _scaled(column: "pa.Array") -> Ints:
    """Numbers by their magnitude; a null, and what is no finite number, is `NO_TIME`."""
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)  # a null makes floats of all, with NaN for it
    known = np.isfinite(values)
    values = np.where(known, values, 0)
    size = np.abs(values)
    moments = np.select(
        [size < 1e11, size < 1e14, size < 1e17], [values * 1000, values, values // 1000], values // 1_000_000
    )
    return np.where(known, np.round(moments), NO_TIME).astype(np.int64)
