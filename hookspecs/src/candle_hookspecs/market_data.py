"""The present state of markets.

Tickers, order books, trades. Exact decimals; kept in memory only, never in the database.
"""

from dataclasses import dataclass
from decimal import Decimal

from candle_hookspecs.symbols import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """The last 24 hours of a market.

    Prices in quote units, volumes in base units unless named otherwise; `at` is UTC ms.
    """

    market: Market
    at: int
    last: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    bid: Decimal | None = None
    bid_amount: Decimal | None = None
    ask: Decimal | None = None
    ask_amount: Decimal | None = None
    volume: Decimal | None = None
    quote_volume: Decimal | None = None
    trades: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One price level of an order book: price in quote units, amount in base units."""

    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """Both sides of a market, best price first.

    `at` is UTC ms; `sequence` the exchange's own update number, if it has one.
    """

    market: Market
    at: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One public trade. `at` is UTC ms; `taker_is_buyer` None where the exchange does not say."""

    market: Market
    id: str
    at: int
    price: Decimal
    amount: Decimal
    taker_is_buyer: bool | None = None
