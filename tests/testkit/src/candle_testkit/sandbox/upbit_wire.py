"""Upbit's wire: parameters, error bodies, candles as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np
from multidict import MultiMapping

from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.market import Rows
from candle_testkit.sandbox.synth import Ints, draw
from candle_testkit.sandbox.wire import array_text, compact, decimal

COUNT_LIMIT: Final = 200
_KST_MS: Final = 9 * 3_600_000
_LATE_MS: Final = 50
"""By so much the last trade of a candle may be booked after it is over."""
_TO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")

INVALID: Final = "Invalid parameter. Check the given value!"
MISTYPED: Final = "Type mismatch error. Check the parameters type!"
MISSING: Final = "Missing request parameter error. Check the required parameters!"
BAD_UNIT: Final = "specified unit is not valid."


class UpbitError(Exception):
    """An answer that is an error."""

    def __init__(self, message: str, status: int = 400, name: str | int | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.name = message, status, status if name is None else name

    @property
    def body(self) -> str:
        """The JSON body."""
        return compact({"error": {"name": self.name, "message": self.message}})


def code_not_found() -> UpbitError:
    """The answer for a market that the exchange does not have, or has no more."""
    return UpbitError("Code not found", 404)


def required(query: MultiMapping[str], name: str) -> str:
    """A parameter that must be there."""
    value = query.get(name)
    if not value:
        raise UpbitError(MISSING)
    return value


def flag(query: MultiMapping[str], *names: str) -> bool:
    """Whether one of these parameters is true; other spellings of the name are tolerated, other values not."""
    values = [query[name] for name in names if name in query]
    if any(value not in ("true", "false") for value in values):
        raise UpbitError(MISTYPED)
    return "true" in values


def count(query: MultiMapping[str]) -> int:
    """How many candles: 1 unless said otherwise, and silently no more than 200."""
    text = query.get("count") or "1"
    if not re.fullmatch(r"[+-]?\d{1,9}", text):
        raise UpbitError(MISTYPED)
    if int(text) < 1:
        raise UpbitError(INVALID)
    return min(int(text), COUNT_LIMIT)


def before(query: MultiMapping[str], now: int) -> int:
    """The exclusive end ``to``, UTC ms; the present when it is missing or empty. Without an offset it is UTC."""
    text = query.get("to")
    if not text:
        return now + 1
    if not _TO.fullmatch(text):
        raise UpbitError(INVALID)
    try:
        return to_ms(datetime.fromisoformat(text))
    except ValueError as error:
        raise UpbitError(INVALID) from error


def candles_text(rows: Rows, market: str, key: int, now: int, unit: int | None, more: Mapping[str, list[str]]) -> str:
    """Candles, oldest first, as the JSON array that is sent, newest first.

    Args:
        rows: the candles.
        market: their native id.
        key: seeds the instants of the last trades.
        now: no trade is later, UTC ms.
        unit: minutes; None where the route has no such field.
        more: further fields, each with its JSON text for every row.
    """
    parts = []
    stamps = _last_trades(rows, key, now).tolist()
    for place, row in enumerate(rows):
        opened = int(row["open_time"])
        fields = [
            f'"market":"{market}"',
            f'"candle_date_time_utc":"{clock_text(opened)}"',
            f'"candle_date_time_kst":"{clock_text(opened + _KST_MS)}"',
            f'"opening_price":{decimal(int(row["open"]))}',
            f'"high_price":{decimal(int(row["high"]))}',
            f'"low_price":{decimal(int(row["low"]))}',
            f'"trade_price":{decimal(int(row["close"]))}',
            f'"timestamp":{stamps[place]}',
            f'"candle_acc_trade_price":{decimal(int(row["quote_volume"]))}',
            f'"candle_acc_trade_volume":{decimal(int(row["volume"]))}',
            *(f'"{name}":{texts[place]}' for name, texts in more.items()),
            *([] if unit is None else [f'"unit":{unit}']),
        ]
        parts.append("{" + ",".join(fields) + "}")
    return array_text(reversed(parts))


def days_fields(rows: Rows, earlier: Rows, converted: bool) -> dict[str, list[str]]:
    """What day candles have besides: the close before each (`earlier` holds the row before the first, or none)."""
    closes = [int(value) for value in rows["close"]]
    first = [int(earlier["close"][-1])] if len(earlier) else [int(value) for value in rows["open"][:1]]
    previous = [*first, *closes[:-1]]
    changes = [close - last for close, last in zip(closes, previous, strict=True)]
    fields = {
        "prev_closing_price": [decimal(last) for last in previous],
        "change_price": [decimal(change) for change in changes],
        "change_rate": [f"{change / last:.10f}" for change, last in zip(changes, previous, strict=True)],
    }
    return {**fields, "converted_trade_price": [decimal(close) for close in closes]} if converted else fields


def first_days(rows: Rows) -> dict[str, list[str]]:
    """What candles of weeks, months and years have besides."""
    return {"first_day_of_period": [json.dumps(clock_text(int(opened))[:10]) for opened in rows["open_time"]]}


def clock_text(instant: int) -> str:
    """UTC milliseconds without a zone and without milliseconds, as candles have it."""
    return datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _last_trades(rows: Rows, key: int, now: int) -> Ints:
    """When the last trade of each candle was: never its opening, and at times a little after its end."""
    sizes = rows["close_time"] - rows["open_time"] + 1
    offsets = (draw(key, 902, rows["open_time"]) % np.uint64(1 << 40)).astype(np.int64) % (sizes + _LATE_MS) + 1
    stamps: Ints = np.minimum(rows["open_time"] + offsets, now)
    return stamps
