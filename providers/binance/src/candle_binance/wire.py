"""The rows of ``GET /api/v3/klines`` as columns. Pure.

A row has twelve fields: open time, open, high, low, close, volume, close time, quote volume, trades, taker buy base
volume, taker buy quote volume, and one to be ignored; times and trades are integers, the rest decimals in text
(https://github.com/binance/binance-spot-api-docs, rest-api.md, "Kline/Candlestick data").
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
import numpy as np

from candle_hookspecs import INTEGER_COLUMNS, CandleBatch, MalformedAnswerError

# Thirteen digits of milliseconds reach the year 2286; sixteen digits would be microseconds, taken for milliseconds.
Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Row: TypeAlias = tuple[Time, float, float, float, float, float, Time, float, Count, float, float, str | int | float]

FIELDS: Final = (
    "open_time", "open", "high", "low", "close", "volume", "", "quote_volume", "trades", "taker_buy_volume", "", "",
)  # fmt: skip
"""The column that each field of a row becomes; empty: not kept, since it follows from the others or says nothing."""

COLUMNS: Final = tuple((name, place) for place, name in enumerate(FIELDS) if name)

_decoder: Final = msgspec.json.Decoder(list[Row], strict=False)


def decode(raw: Any) -> CandleBatch:
    """Candles from a body (bytes) or from its rows already parsed (lists of text and numbers).

    Raises:
        MalformedAnswerError: anything but a list of such rows, or a number that is not finite.
    """
    try:
        rows = _decoder.decode(raw) if isinstance(raw, bytes) else msgspec.convert(raw, list[Row], strict=False)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not candles: {error}; the answer begins {beginning(raw)}") from error
    fields = list(zip(*rows, strict=True)) or [()] * len(FIELDS)
    columns = {
        name: np.array(fields[place], np.int64 if name in INTEGER_COLUMNS else np.float64) for name, place in COLUMNS
    }
    for name, column in columns.items():
        if not np.isfinite(column).all():
            raise MalformedAnswerError(f"{name!r} is not finite in a candle; the answer begins {beginning(raw)}")
    return CandleBatch.from_columns(columns)


def beginning(raw: Any) -> str:
    """The first characters of an answer, for a message."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
    return repr(text[:100])
