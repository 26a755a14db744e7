"""ccxt's candles as columns. Pure."""

import json
from typing import Any, Final

import numpy as np

from candle_hookspecs import REQUIRED_COLUMNS, CandleBatch, MalformedAnswerError

_WIDTH: Final = len(REQUIRED_COLUMNS)


def batch_of(raw: Any) -> CandleBatch:
    """Candles from ccxt's rows ``[milliseconds, open, high, low, close, volume]``, or from JSON of them (bytes).

    Raises:
        MalformedAnswerError: they are not such rows, or a number is not finite.
    """
    rows = _parsed(raw) if isinstance(raw, bytes) else raw
    if not isinstance(rows, list):
        raise MalformedAnswerError(f"not candles: {str(raw)[:100]!r}")
    if not rows:
        return CandleBatch.empty()
    for row in rows:
        # ccxt reads a field that is not there, or is no number, as None.
        if not isinstance(row, list) or len(row) < _WIDTH or not isinstance(row[0], int) or None in row[:_WIDTH]:
            raise MalformedAnswerError(f"not a candle: {str(row)[:100]!r}")
    try:
        columns = {name: np.array([float(row[at]) for row in rows]) for at, name in enumerate(REQUIRED_COLUMNS) if at}
    except (TypeError, ValueError) as error:
        raise MalformedAnswerError(f"not candles: {error}") from error
    for name, column in columns.items():
        if not np.isfinite(column).all():
            row = rows[int(np.flatnonzero(~np.isfinite(column))[0])]
            raise MalformedAnswerError(f"{name!r} is not finite in {str(row)[:100]!r}")
    return CandleBatch.from_columns({"open_time": np.array([row[0] for row in rows], np.int64), **columns})


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedAnswerError(f"not candles: {error}; they begin {body[:100]!r}") from error
