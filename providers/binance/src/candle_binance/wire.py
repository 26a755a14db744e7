"""The rows of ``GET /api/v3/klines`` as columns. Pure.

A row has twelve fields: open time, open, high, low, close, volume, close time, quote volume, trades, taker buy base
volume, taker buy quote volume, and one to be ignored; times and trades are integers, the rest decimals in text
(https://github.com/binance/binance-spot-api-docs, rest-api.md, "Kline/Candlestick data").
"""

from itertools import chain
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import numpy as np

from candle_binance import digits
from candle_hookspecs import CandleBatch, MalformedAnswerError

# Thirteen digits of milliseconds reach the year 2286; sixteen digits would be microseconds, taken for milliseconds.
Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Row: TypeAlias = tuple[Time, float, float, float, float, float, Time, float, Count, float, float, float]

FIELDS: Final = (
    "open_time", "open", "high", "low", "close", "volume", "", "quote_volume", "trades", "taker_buy_volume", "", "",
)  # fmt: skip
"""The column that each field of a row becomes; empty: not kept, since it follows from the others or says nothing."""

_decoder: Final = msgspec.json.Decoder(list[Row], strict=False)
_row_decoder: Final = msgspec.json.Decoder(Row, strict=False)


def decode(raw: Any) -> CandleBatch:
    """Candles from a body (bytes) or from its rows already parsed (lists of text and numbers).

    Raises:
        MalformedAnswerError: anything but a list of such rows, or a number that is not finite.
    """
    usual = digits.columns(raw) if isinstance(raw, bytes) else None
    if usual is not None:
        return CandleBatch.from_columns(usual)
    try:
        rows = _decoder.decode(raw) if isinstance(raw, bytes) else msgspec.convert(raw, list[Row], strict=False)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not candles: {error}; the answer begins {beginning(raw)}") from error
    # Every integer here is below 2**53, so that it passes through a float unharmed.
    table = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * len(FIELDS)).reshape(-1, len(FIELDS))
    if not np.isfinite(table).all():
        raise MalformedAnswerError(f"a number of a candle is not finite; the answer begins {beginning(raw)}")
    return CandleBatch.from_columns({name: table[:, place] for place, name in enumerate(FIELDS) if name})


def newest_close(body: bytes) -> int | None:
    """When the last row's candle closes, UTC ms, inclusive; None for an empty list. The body was decoded before."""
    start, end = body.rfind(b"["), body.rfind(b"]")
    row = body[start:end]
    return _row_decoder.decode(row)[6] if row.endswith(b"]") else None


def beginning(raw: Any) -> str:
    """The first characters of an answer, for a message."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
    return repr(text[:100])
