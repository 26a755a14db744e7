"""What is asked of Yahoo's chart: parameters, reach, and the errors that come of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from multidict import MultiMapping

from candle_testkit.sandbox.stocks import INTERVALS, MINUTES, Stock
from candle_testkit.sandbox.wire import compact

RANGES: Final = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)
_LONGEST_1M: Final = 8
#: Days that the intraday intervals reach back.
REACH: Final = {name: 30 if name == "1m" else 730 if name in ("1h", "60m") else 60 for name in MINUTES}
_UNITS: Final = {"d": 1, "wk": 7, "mo": 30.4375, "y": 365.25}
_EVENTS: Final = {"div": "dividends", "dividends": "dividends", "split": "splits", "splits": "splits"}


class YahooError(Exception):
    """An answer that is an error, in the ``section`` of the route: ``chart``, ``finance``, ``quoteSummary``."""

    def __init__(self, status: int, code: str, description: str, section: str = "chart") -> None:
        super().__init__(description)
        self.status, self.code, self.description, self.section = status, code, description, section

    @property
    def body(self) -> str:
        """The JSON body."""
        error = {"code": self.code, "description": self.description}
        return compact({self.section: {"result": None, "error": error}})


def not_found() -> YahooError:
    """The answer for a ticker that nobody knows, or knows no more."""
    return YahooError(404, "Not Found", "No data found, symbol may be delisted")


@dataclass(frozen=True)
class ChartRequest:
    """A chart that may be answered: ``[start, end)`` UTC ms, and what was asked for besides."""

    interval: str
    start: int
    end: int
    range: str
    extended: bool
    events: frozenset[str]

    @property
    def intraday(self) -> bool:
        """Whether bars are shorter than a day."""
        return self.interval in MINUTES


def read(query: MultiMapping[str], stock: Stock, now: int) -> ChartRequest:
    """The request, or Yahoo's complaint about it.

    Raises:
        YahooError: An unknown interval or range, a start behind the end, or what lies out of reach.
    """
    interval, asked = query.get("interval", "1d"), query.get("range", "")
    if interval not in INTERVALS:
        raise _unsupported("interval", interval, INTERVALS)
    if "period1" in query or "period2" in query:
        start, end = _second(query, "period1", 0), _second(query, "period2", now // 1000 + 1)
        if start > end:
            told = f"Invalid input - start date cannot be after end date. startDate = {start}, endDate = {end}"
            raise YahooError(400, "Bad Request", told)
        asked, told = "", f"startTime={start} and endTime={end}"
        start, end = start * 1000, end * 1000
        _check_reach(interval, (end - start) / _DAY_MS, (now - start) / _DAY_MS, told)
    else:
        asked = asked or "1d"
        start, end = _range_start(asked, stock, now), now + 1
        # So many days of a range are days of trading, those of the reach are not.
        days = float(asked[:-1]) if asked.endswith("d") and asked != "ytd" else (now - start) / _DAY_MS
        _check_reach(interval, days, days, f"range={asked}")
    if end <= stock.opened:
        told = f"Data doesn't exist for startDate = {start // 1000}, endDate = {end // 1000}"
        raise YahooError(400, "Bad Request", told)
    events = frozenset(_EVENTS[one] for one in re.split(r"[,|]", query.get("events", "")) if one in _EVENTS)
    return ChartRequest(interval, start, end, asked, query.get("includePrePost", "").lower() == "true", events)


def _check_reach(interval: str, length: float, age: float, told: str) -> None:
    if interval not in REACH:
        return
    told = f"{interval} data not available for {told}."
    if interval == "1m" and length > _LONGEST_1M:
        told += f" Only {_LONGEST_1M} days worth of 1m granularity data are allowed to be fetched per request."
        raise YahooError(422, "Unprocessable Entity", told)
    if age > REACH[interval]:
        told += f" The requested range must be within the last {REACH[interval]} days."
        raise YahooError(422, "Unprocessable Entity", told)


def _range_start(text: str, stock: Stock, now: int) -> int:
    if text == "max":
        return stock.opened
    if text == "ytd":
        today = _EPOCH + timedelta(days=stock.place.day(now))
        return stock.place.midnight((date(today.year, 1, 1) - _EPOCH).days)
    match = re.fullmatch(r"(\d{1,4})(d|wk|mo|y)", text)
    if match is None or int(match[1]) < 1:
        raise _unsupported("range", text, RANGES)
    number, unit = int(match[1]), match[2]
    if unit == "d":
        last = stock.place.between(0, now + 1)[1]
        return int(stock.place.sessions.opens[max(last - number, 0)])
    return now - round(number * _UNITS[unit] * _DAY_MS)


def _second(query: MultiMapping[str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"-?\d{1,12}", text):
        raise YahooError(400, "Bad Request", f"Invalid input - {name}={text} is not a number")
    return int(text)


def _unsupported(name: str, value: str, known: tuple[str, ...]) -> YahooError:
    told = f"Invalid input - {name}={value} is not supported. Valid {name}s: [{', '.join(known)}]"
    return YahooError(422, "Unprocessable Entity", told)
