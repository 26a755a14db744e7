"""The present state of markets.

Tickers, order books, trades. Decimals are the wire's own text, digit for digit, its last zeros included; they are kept
in memory only, never in the database.
"""

from dataclasses import dataclass
from decimal import Decimal

from candle_hookspecs.symbols import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """The last 24 hours of a market.

    Prices in quote units, volumes in base units unless named otherwise. What the exchange does not say is None.

    Attributes:
        at: when it was so, UTC ms: the exchange's own word or, where it has none, `Page.answered_at`.
        since: from when on `open`, `high` and `low` count, UTC ms: 24 hours before `at` or, where an exchange has days
            (Upbit), the beginning of the day of the last trade. None: the exchange does not say.
        volume, quote_volume, trades: of the 24 hours before `at`; of a stock, of its last session, which began at
            `since`.
    """

    market: Market
    at: int
    last: Decimal
    since: int | None = None
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

    Attributes:
        at: when it was so, UTC ms: the exchange's own word or, where it has none, `Page.answered_at`.
        bids: prices fall from level to level. asks: prices rise. A price comes once, with an amount above zero.
        sequence: the exchange's own update number, if it has one.
    """

    market: Market
    at: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One public trade.

    Attributes:
        id: the exchange's own, unique in the market. Binance: of an aggregate, the fills of one order at one price.
        at: UTC ms. price: quote units. amount: base units.
        taker_is_buyer: None where the exchange does not say.
    """

    market: Market
    id: str
    at: int
    price: Decimal
    amount: Decimal
    taker_is_buyer: bool | None = None
