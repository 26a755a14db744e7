"""Binance spot's tickers, told from the same history as the candles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from candle_testkit.sandbox.books import book, last_price, past_day
from candle_testkit.sandbox.info import STATUSES
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.synth import DAY, LEVEL_MS
from candle_testkit.sandbox.wire import Params, WireError, compact, decimal

PARAMS: Final = ("symbol", "symbols", "symbolStatus")
_MINI: Final = (
    "symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume",
    "openTime", "closeTime", "firstId", "lastId", "count",
)  # fmt: skip


def tickers(kind: str, params: Params, markets: Mapping[str, Market], now: int) -> str:
    """The body of ``ticker/24hr``, ``ticker/price`` or ``ticker/bookTicker``: an object for ``symbol``, else an array.

    Raises:
        WireError: As Binance answers.
    """
    listed = {name: market for name, market in markets.items() if market.config.listed_ms < now}
    names = params.symbols(listed)
    status, size = params.text("symbolStatus"), params.text("type") or "FULL"
    if status is not None and status not in STATUSES:
        raise WireError(-1122, "Invalid symbolStatus.")
    if size not in ("FULL", "MINI"):
        raise WireError(-1139, "Invalid ticker type.")
    single = "symbol" in params
    chosen = [
        listed[name] for name in names or listed if status is None or listed[name].config.status_at(now) == status
    ]
    if single and not chosen:
        raise WireError(-1220, "The symbol's status does not match the requested symbolStatus.")
    tell = {"24hr": _day, "price": _price, "bookTicker": _book}[kind]
    told = [tell(market, now) for market in chosen]
    if size == "MINI":
        told = [{name: one[name] for name in _MINI} for one in told]
    return compact(told[0] if single else told)


def weight(kind: str, params: Params) -> int:
    """Request weight: by the number of symbols asked for."""
    text = params.text("symbols")
    count = 1 if "symbol" in params else text.count(",") + 1 if text else 0
    if kind != "24hr":
        return 2 if "symbol" in params else 4
    return 2 if 1 <= count <= 20 else 40 if 1 <= count <= 100 else 80


def _price(market: Market, now: int) -> dict[str, Any]:
    return {"symbol": market.config.symbol, "price": decimal(last_price(market, now))}


def _book(market: Market, now: int) -> dict[str, Any]:
    bids, asks = book(market, now, 1)
    return {
        "symbol": market.config.symbol,
        "bidPrice": decimal(int(bids["price"][0])), "bidQty": decimal(int(bids["amount"][0])),
        "askPrice": decimal(int(asks["price"][0])), "askQty": decimal(int(asks["amount"][0])),
    }  # fmt: skip


def _day(market: Market, now: int) -> dict[str, Any]:
    """Twenty-four hours up to now, over whole seconds."""
    day, best = past_day(market, now), _book(market, now)
    last, first, volume, quote, count = (day[name] for name in ("last", "open", "volume", "quote_volume", "trades"))
    change = last - first
    # Ids only have to grow with time and to agree with the count.
    first_id = (day["opened"] - market.config.listed_ms) * market.config.daily_trades * 2 // LEVEL_MS[DAY]
    return {
        "symbol": market.config.symbol,
        "priceChange": decimal(change), "priceChangePercent": f"{change * 100 / first:.3f}",
        "weightedAvgPrice": decimal(quote * 100_000_000 // volume if volume else last),
        "prevClosePrice": decimal(first), "lastPrice": decimal(last), "lastQty": best["bidQty"],
        "bidPrice": best["bidPrice"], "bidQty": best["bidQty"], "askPrice": best["askPrice"], "askQty": best["askQty"],
        "openPrice": decimal(first), "highPrice": decimal(day["high"]), "lowPrice": decimal(day["low"]),
        "volume": decimal(volume), "quoteVolume": decimal(quote), "openTime": day["opened"], "closeTime": now,
        "firstId": first_id if count else -1, "lastId": first_id + count - 1 if count else -1, "count": count,
    }  # fmt: skip
