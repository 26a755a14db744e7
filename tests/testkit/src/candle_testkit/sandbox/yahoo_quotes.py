"""Yahoo's quotes: what a stock is, and how it stands."""

from __future__ import annotations

from typing import Any, Final

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.stocks import Stock
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.wire import compact
from candle_testkit.sandbox.yahoo_chart import quote
from candle_testkit.sandbox.yahoo_request import YahooError

MOST: Final = 99
"""Names at once. That more fail is known, how they do is not."""


def quotes_text(stocks: Stocks, symbols: str, now: int) -> str:
    """The body of a quote for names with commas between; unknown ones are left out.

    Raises:
        YahooError: More than 99 names.
    """
    names = symbols.upper().split(",")
    if len(names) > MOST:
        raise YahooError(400, "Bad Request", f"Too many symbols: {len(names)}, at most {MOST}", "quoteResponse")
    found = [stock for name in names if (stock := stocks.known_as(name, now))]
    result = [quote_fields(stock, now) | state_fields(stock, now) for stock in found]
    return compact({"quoteResponse": {"result": result, "error": None}})


def quote_fields(stock: Stock, now: int) -> dict[str, Any]:
    """What one stock's quote says in a listing."""
    config, venue, symbol = stock.config, stock.config.venue_of, stock.symbol_at(now)
    offset, zone = stock.place.offset(now)
    last = quote(stock, now)
    fields: dict[str, Any] = {
        "language": "en-US", "region": venue.region.upper(), "quoteType": config.kind,
        "typeDisp": "Equity" if config.kind == "EQUITY" else "ETF", "quoteSourceName": venue.source,
        "currency": venue.currency, "exchange": config.venue, "fullExchangeName": venue.name,
        "market": venue.market, "marketState": "CLOSED" if stock.session_at(now) is None else "REGULAR",
        "exchangeTimezoneName": stock.place.zone, "exchangeTimezoneShortName": zone,
        "gmtOffSetMilliseconds": offset * 1000, "firstTradeDateMilliseconds": stock.opened,
        "longName": config.name or symbol, "shortName": config.name or symbol, "symbol": symbol,
    }  # fmt: skip
    if last is not None:
        fields |= {
            "regularMarketPrice": last.price / UNITS, "regularMarketTime": last.at // 1000,
            "regularMarketVolume": int(last.day["volume"][0]) // UNITS,
        }  # fmt: skip
    return fields


def state_fields(stock: Stock, now: int) -> dict[str, Any]:
    """What else it says where it was asked for by name: the session so far and, while it trades, bid and ask."""
    last = quote(stock, now)
    if last is None:
        return {}
    today = {name: int(last.day[name][0]) / UNITS for name in ("open", "high", "low")}
    bid, ask = stock.spread(now)
    lots = 1 + int(last.day["trades"][0]) % 20
    return {
        "regularMarketOpen": today["open"], "regularMarketDayHigh": today["high"], "regularMarketDayLow": today["low"],
        "regularMarketDayRange": f"{today['low']} - {today['high']}", "bid": bid / UNITS, "ask": ask / UNITS,
        "bidSize": lots if bid else 0, "askSize": lots if ask else 0, "sourceInterval": 15, "priceHint": 2,
    }  # fmt: skip
