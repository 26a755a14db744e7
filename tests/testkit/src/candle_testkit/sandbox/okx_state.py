"""OKX's instruments, tickers, order books and trades, told from the same history as the candles.

A market's symbol says what it is: ``BTC-USDT`` trades on the spot, ``BTC-USDT-SWAP`` is a perpetual contract, and
``BTC-USDT-261225`` one that ends. Contracts are counted in contracts on this wire, each of them a hundredth of a coin.
Forms: https://www.okx.com/docs-v5/en, "Public Data" and "Market Data".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from candle_testkit.sandbox.books import Levels, book, past_day
from candle_testkit.sandbox.deals import DealBook, Deals
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.wire import decimal

SPOT, SWAP, FUTURES = "SPOT", "SWAP", "FUTURES"
LEVELS: Final = 1
MOST_LEVELS: Final = 400
NEWEST_TRADES: Final = 500
PAGE: Final = 100
CONTRACT: Final = "0.01"
_CONTRACTS_IN_A_COIN: Final = 100
_EXPIRY: Final = timedelta(hours=8)


def kind_of(market: Market) -> str:
    """``SPOT``, ``SWAP`` or ``FUTURES``."""
    _, _, *contract = market.config.symbol.split("-")
    return SPOT if not contract else SWAP if contract == [SWAP] else FUTURES


def counted(market: Market, units: int) -> str:
    """An amount as this wire counts it."""
    return decimal(units if kind_of(market) == SPOT else units * _CONTRACTS_IN_A_COIN)


def instrument(market: Market) -> dict[str, str]:
    """One object of ``public/instruments``."""
    config, kind = market.config, kind_of(market)
    spot = kind == SPOT
    step = config.step if spot else counted(market, config.step_units)
    return {
        "instType": kind, "instId": config.symbol, "uly": "" if spot else f"{config.base}-{config.quote}",
        "instFamily": "" if spot else f"{config.base}-{config.quote}",
        "baseCcy": config.base if spot else "", "quoteCcy": config.quote if spot else "",
        "settleCcy": "" if spot else config.quote, "ctVal": "" if spot else CONTRACT, "ctMult": "" if spot else "1",
        "ctValCcy": "" if spot else config.base, "ctType": "" if spot else "linear",
        "listTime": str(config.listed_ms), "expTime": str(_expiry(market)) if kind == FUTURES else "",
        "lever": "" if spot else "100", "tickSz": config.tick, "lotSz": step, "minSz": step, "state": "live",
    }  # fmt: skip


def ticker(market: Market, now: int) -> dict[str, str]:
    """One object of ``market/tickers``. The second volume is in the quote; of contracts, in the base."""
    day, (bids, asks) = past_day(market, now), book(market, now, 1)
    kind = kind_of(market)
    (bid, bid_amount), (ask, ask_amount) = (side[["price", "amount"]].tolist()[0] for side in (bids, asks))
    return {
        "instType": kind, "instId": market.config.symbol, "last": decimal(day["last"]),
        "lastSz": counted(market, market.config.step_units), "askPx": decimal(ask),
        "askSz": counted(market, ask_amount), "bidPx": decimal(bid), "bidSz": counted(market, bid_amount),
        "open24h": decimal(day["open"]), "high24h": decimal(day["high"]), "low24h": decimal(day["low"]),
        "volCcy24h": decimal(day["quote_volume" if kind == SPOT else "volume"]),
        "vol24h": counted(market, day["volume"]), "sodUtc0": decimal(day["open"]), "sodUtc8": decimal(day["open"]),
        "ts": str(now),
    }  # fmt: skip


def books(market: Market, now: int, query: Mapping[str, str]) -> dict[str, Any]:
    """The object of ``market/books``.

    Raises:
        ValueError: ``sz`` is no number.
    """
    bids, asks = book(market, now, min(int(query.get("sz", LEVELS)), MOST_LEVELS))
    return {"asks": _levels(market, asks), "bids": _levels(market, bids), "ts": str(now), "seqId": now}


def newest_trades(market: Market, deals: DealBook, now: int, query: Mapping[str, str]) -> list[dict[str, str]]:
    """``market/trades``: the newest, newest first.

    Raises:
        ValueError: ``limit`` is no number.
    """
    return _trades(market, deals.newest(now, min(int(query.get("limit", PAGE)), NEWEST_TRADES), 0))


def older_trades(market: Market, deals: DealBook, now: int, query: Mapping[str, str]) -> list[dict[str, str]]:
    """``market/history-trades``: those before ``after``, an id or (``type=2``) a moment, newest first.

    Raises:
        ValueError: a parameter is no number.
    """
    count, after = min(int(query.get("limit", PAGE)), PAGE), int(query["after"]) if "after" in query else None
    if after is None:
        return _trades(market, deals.newest(now, count, 0))
    if query.get("type", "1") == "2":
        return _trades(market, deals.newest(min(after, now), count, 0))
    found = deals.from_number(max(0, after - count), min(count, after), now)
    return _trades(market, found[found["number"] < after])


def _trades(market: Market, found: Deals) -> list[dict[str, str]]:
    return [
        {
            "instId": market.config.symbol, "side": "buy" if bought else "sell", "sz": counted(market, amount),
            "px": decimal(price), "tradeId": str(number), "ts": str(at),
        }
        for number, at, price, amount, bought in found.tolist()[::-1]
    ]  # fmt: skip


def _levels(market: Market, levels: Levels) -> list[list[str]]:
    pairs = levels[["price", "amount"]].tolist()
    return [[decimal(price), counted(market, amount), "0", "1"] for price, amount in pairs]


def _expiry(market: Market) -> int:
    """At eight o'clock UTC of the day in its name."""
    code = market.config.symbol.rpartition("-")[2]
    day = datetime.strptime(code, "%y%m%d").replace(tzinfo=UTC)
    return int((day + _EXPIRY).timestamp() * 1000)
