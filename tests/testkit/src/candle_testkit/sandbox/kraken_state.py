"""Kraken's tickers, order books and trades, told from the same history as the candles.

Forms: https://docs.kraken.com/api, "Get Ticker Information", "Get Order Book", "Get Recent Trades".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from candle_testkit.sandbox.books import Levels, book, past_day
from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.deals import DealBook
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.wire import array_text, compact, decimal

BOOK_LEVELS: Final = 100
MOST_LEVELS: Final = 500
MOST_TRADES: Final = 1000
_NANOSECONDS: Final = 1_000_000
"""In a millisecond. A trade's place within its one is made of its number, so no two have the same."""
_SECOND: Final = 1_000_000_000
_SECONDS_BELOW: Final = 10**12
"""A `since` below this is in seconds, from here on in nanoseconds."""


def ticker(market: Market, now: int) -> dict[str, Any]:
    """One market of ``Ticker``: today's, and the past 24 hours' as the second of each pair."""
    day, (bids, asks) = past_day(market, now), book(market, now, 1)
    rows = market.page("1d", None, now, 1, now)
    today = rows[-1] if len(rows) else None
    names = ("volume", "high", "low", "trades", "open", "quote_volume")
    figures = {name: day[name] if today is None else int(today[name]) for name in names}
    return {
        "a": _best(asks), "b": _best(bids), "c": [decimal(day["last"]), decimal(market.config.step_units)],
        "v": [decimal(figures["volume"]), decimal(day["volume"])],
        "p": [decimal(_mean(figures)), decimal(_mean(day))],
        "t": [figures["trades"], day["trades"]],
        "l": [decimal(figures["low"]), decimal(day["low"])], "h": [decimal(figures["high"]), decimal(day["high"])],
        "o": decimal(figures["open"]),
    }  # fmt: skip


def depth(market: Market, now: int, levels: int) -> dict[str, Any]:
    """One market of ``Depth``: price, amount and, in seconds, when that level last changed."""
    bids, asks = book(market, now, min(levels, MOST_LEVELS))
    return {"asks": _levels(asks, now), "bids": _levels(bids, now)}


def trades_text(symbol: str, deals: DealBook, now: int, since: int | None, count: int) -> str:
    """The result of ``Trades``, oldest first: those later than `since` or, without one, the newest."""
    count = min(count, MOST_TRADES)
    if since is None:
        found = deals.newest(now, count, 0).tolist()
    else:
        after = since * _SECOND if since < _SECONDS_BELOW else since
        # Of the millisecond that `since` lies in, some may be earlier.
        moment = after // _NANOSECONDS
        earlier = sum(_stamp(*deal[:2]) <= after for deal in deals.between(moment, moment + 1).tolist())
        found = deals.oldest(moment, count + earlier, now).tolist()[earlier:]
    last = _stamp(*found[-1][:2]) if found else since or 0
    return f'{{"{symbol}":{array_text(_trade(*deal) for deal in found)},"last":"{last}"}}'


def whole(query: Mapping[str, str], name: str, default: int | None = None) -> int | None:
    """A whole number of the query, if it has one.

    Raises:
        ValueError: it is none.
    """
    return int(query[name]) if name in query else default


def _trade(number: int, at: int, price: int, amount: int, bought: int) -> str:
    stamp = _stamp(number, at)
    moment = f"{stamp // _SECOND}.{stamp % _SECOND // 100:07d}"
    row = compact([decimal(price), decimal(amount)])[1:-1]
    return f'[{row},{moment},"{"b" if bought else "s"}","l","",{number}]'


def _stamp(number: int, at: int) -> int:
    return at * _NANOSECONDS + number % _NANOSECONDS


def _mean(figures: Mapping[str, int]) -> int:
    volume = figures["volume"]
    return figures["quote_volume"] * UNITS // volume if volume else figures["open"]


def _best(levels: Levels) -> list[str]:
    price, amount = levels[["price", "amount"]].tolist()[0]
    return [decimal(price), str(amount // UNITS), decimal(amount)]


def _levels(levels: Levels, now: int) -> list[list[Any]]:
    return [[decimal(price), decimal(amount), now // 1000] for price, amount in levels[["price", "amount"]].tolist()]
