"""The rows of Upbit's candle routes as columns. Pure.

A row is an object; a candle's opening is ``candle_date_time_utc`` (UTC without a zone). Everything else that tells a
time, ``candle_date_time_kst`` and the ``timestamp`` of the last trade, is not its opening and is not read
(https://docs.upbit.com/kr/reference, "Candle").
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
import numpy as np

from candle_hookspecs import CandleBatch, Ints, MalformedAnswerError

Moment: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")]


class Row(msgspec.Struct, gc=False):
    """What is kept of a candle; other fields are passed over. Prices in quote units, volume in base units."""

    candle_date_time_utc: Moment
    opening_price: float
    high_price: float
    low_price: float
    trade_price: float
    candle_acc_trade_volume: float
    candle_acc_trade_price: float
    market: str = ""


COLUMNS: Final = {
    "open": "opening_price",
    "high": "high_price",
    "low": "low_price",
    "close": "trade_price",
    "volume": "candle_acc_trade_volume",
    "quote_volume": "candle_acc_trade_price",
}
"""Column → the wire's name for it."""

_decoder: Final = msgspec.json.Decoder(list[Row], strict=False)


def rows_of(raw: Any) -> list[Row]:
    """The rows of a body (bytes), or of the same already parsed.

    Raises:
        MalformedAnswerError: anything but a list of candles.
    """
    try:
        return _decoder.decode(raw) if isinstance(raw, bytes) else msgspec.convert(raw, list[Row], strict=False)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not candles: {error}; the answer begins {beginning(raw)}") from error


def batch_of(rows: list[Row]) -> CandleBatch:
    """Candles in columns, whatever their order.

    Raises:
        MalformedAnswerError: a number that is not finite, or a day that no calendar has.
    """
    columns = {name: np.array([getattr(row, field) for row in rows], np.float64) for name, field in COLUMNS.items()}
    for name, column in columns.items():
        if not np.isfinite(column).all():
            moment = rows[int(np.flatnonzero(~np.isfinite(column))[0])].candle_date_time_utc
            raise MalformedAnswerError(f"{COLUMNS[name]!r} of the candle of {moment} is not finite")
    return CandleBatch.from_columns({"open_time": _times(rows), **columns})


def beginning(raw: Any) -> str:
    """The first characters of an answer, for a message."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
    return repr(text[:100])


def _times(rows: list[Row]) -> Ints:
    try:
        seconds = np.array([row.candle_date_time_utc for row in rows], "datetime64[s]")
    except ValueError as error:
        raise MalformedAnswerError(f"an opening time is not in the calendar: {error}") from error
    return seconds.astype("datetime64[ms]").astype(np.int64)
