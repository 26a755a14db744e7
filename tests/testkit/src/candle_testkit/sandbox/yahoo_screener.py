"""Yahoo's screener: a query over stocks, sorted and paged."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.stocks import Stock
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.wire import compact
from candle_testkit.sandbox.yahoo_chart import quote
from candle_testkit.sandbox.yahoo_quotes import quote_fields
from candle_testkit.sandbox.yahoo_request import YahooError

MOST: Final = 250
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "EQ": operator.eq, "GT": operator.gt, "GTE": operator.ge, "LT": operator.lt, "LTE": operator.le,
}  # fmt: skip


def body_of(raw: bytes) -> Mapping[str, Any]:
    """The order of a search.

    Raises:
        YahooError: No JSON object.
    """
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _bad("Invalid JSON in the request body")
    return body


def screen(stocks: Stocks, body: Mapping[str, Any], now: int) -> str:
    """One page of what a query finds among the stocks that are known at ``now``.

    Raises:
        YahooError: An unknown field or operator, or more than 250 at once.
    """
    start, size = body.get("offset") or 0, body.get("size") or body.get("count") or 25
    if not isinstance(start, int) or not isinstance(size, int) or start < 0 or not 0 < size <= MOST:
        raise _bad(f"Invalid offset {start} or size {size}; the size is at most {MOST}")
    query = body.get("query")
    if not isinstance(query, dict):
        raise _bad("A query is required")
    kind = body.get("quoteType") or "EQUITY"
    known = [stock for stock in stocks if stock.symbol_at(now) and stock.config.kind == kind]
    found = [stock for stock in known if _matches(query, stock, now)]
    field, falling = body.get("sortField") or "ticker", body.get("sortType") != "ASC"
    found.sort(key=lambda stock: (_field(field, stock, now), stock.config.symbol), reverse=falling)
    page = found[start : start + size]
    result = {
        "start": start, "count": len(page), "total": len(found), "quotes": [quote_fields(one, now) for one in page],
        "useRecords": False,
    }  # fmt: skip
    return compact({"finance": {"result": [result], "error": None}})


def _matches(query: Mapping[str, Any], stock: Stock, now: int) -> bool:
    name, operands = str(query.get("operator", "")).upper(), query.get("operands")
    if not isinstance(operands, list) or not operands:
        raise _bad(f"Operator {name} needs operands")
    if name in ("AND", "OR"):
        # Not lazily: what is wrong with a query is wrong for every stock.
        results = [_matches(one, stock, now) for one in operands]
        return all(results) if name == "AND" else any(results)
    value = _field(operands[0], stock, now)
    if name == "BTWN" and len(operands) == 3:
        return bool(operands[1] <= value <= operands[2])
    if name not in _COMPARISONS or len(operands) != 2:
        raise _bad(f"Invalid operator {name} with {len(operands)} operands")
    return _COMPARISONS[name](value, operands[1])


def _field(name: str, stock: Stock, now: int) -> Any:
    venue = stock.config.venue_of
    plain = {"region": venue.region, "exchange": stock.config.venue, "ticker": stock.symbol_at(now)}
    if name in plain:
        return plain[name]
    last = quote(stock, now)
    if name == "intradayprice":
        return last.price / UNITS if last else 0.0
    if name == "dayvolume":
        return int(last.day["volume"][0]) // UNITS if last else 0
    raise _bad(f"Invalid field {name!r}")


def _bad(description: str) -> YahooError:
    return YahooError(400, "Bad Request", description, "finance")
