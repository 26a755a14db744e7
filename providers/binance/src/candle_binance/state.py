"""Tickers, order books and trades from the bodies of their routes. Pure.

Every decimal is text on the wire and becomes the `Decimal` of just that text. Routes and fields:
https://github.com/binance/binance-spot-api-docs, rest-api.md, "Market data endpoints".
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, TypeAlias

import msgspec

from candle_binance.wire import Count, Time, beginning
from candle_hookspecs import Level, MalformedAnswerError, Market, OrderBook, Ticker, Trade
from candle_http import Rows

Number: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,40}(\.[0-9]{1,40})?$")]
"""A decimal as Binance writes it. What else `Decimal` would read, "NaN" or "1_0", is none."""


class DayTicker(msgspec.Struct, rename="camel", gc=False):
    """One object of ``GET /api/v3/ticker/24hr``."""

    symbol: str
    last_price: Number
    open_price: Number
    high_price: Number
    low_price: Number
    bid_price: Number
    bid_qty: Number
    ask_price: Number
    ask_qty: Number
    volume: Number
    quote_volume: Number
    open_time: Time
    close_time: Time
    count: Count


class Depth(msgspec.Struct, rename="camel"):
    """The object of ``GET /api/v3/depth``."""

    last_update_id: Count
    bids: list[tuple[Number, Number]]
    asks: list[tuple[Number, Number]]


class AggregateTrade(msgspec.Struct, gc=False):
    """One object of ``GET /api/v3/aggTrades``: the fills of one taker's order at one price."""

    number: Count = msgspec.field(name="a")
    price: Number = msgspec.field(name="p")
    amount: Number = msgspec.field(name="q")
    time: Time = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


_tickers: Final = Rows(DayTicker, "tickers")
_depth: Final = msgspec.json.Decoder(Depth)
_trades: Final = Rows(AggregateTrade, "trades")


def tickers_of(body: bytes, markets: Sequence[Market], *, others: bool = False) -> list[Ticker]:
    """The tickers of these markets, without those that cannot be read.

    Args:
        body: of ``GET /api/v3/ticker/24hr``, an array.
        markets: what was asked for.
        others: tickers of other markets may be among them.

    Raises:
        MalformedAnswerError: no such array, or none that can be read; or, without `others`, markets that were not asked
            for.
    """
    known = {market.native_id: market for market in markets}
    rows = _tickers.sound_of(body)
    if not others and (strange := sorted({row.symbol for row in rows} - known.keys())):
        raise MalformedAnswerError(f"tickers came that were not asked for: {strange[:5]!r}")
    return [_ticker(row, known[row.symbol]) for row in rows if row.symbol in known]


def book_of(body: bytes, market: Market, at: int) -> OrderBook:
    """The order book; the wire does not say of when it is, so it is of `at` (UTC ms).

    Raises:
        MalformedAnswerError: it is none, or its prices are not in order.
    """
    try:
        depth = _depth.decode(body)
    except msgspec.MsgspecError as error:
        raise MalformedAnswerError(f"not an order book: {error}; the answer begins {beginning(body)}") from error
    bids, asks = _levels(depth.bids), _levels(depth.asks)
    if any(worse.price >= better.price for better, worse in pairwise(bids)) or any(
        worse.price <= better.price for better, worse in pairwise(asks)
    ):
        raise MalformedAnswerError(f"the levels of the order book of {market.native_id!r} are out of order")
    return OrderBook(market=market, at=at, bids=bids, asks=asks, sequence=depth.last_update_id)


def trades_of(body: bytes, market: Market) -> list[tuple[int, Trade]]:
    """Aggregate trades with their numbers, which have no gaps within a market, oldest first.

    Raises:
        MalformedAnswerError: they are none, or out of order.
    """
    rows = _trades.all_of(body)
    if any(after.number <= before.number or after.time < before.time for before, after in pairwise(rows)):
        raise MalformedAnswerError(f"the trades of {market.native_id!r} are out of order")
    return [(row.number, _trade(row, market)) for row in rows]


def _ticker(row: DayTicker, market: Market) -> Ticker:
    # Where nobody bids or asks, the wire has zeros.
    bids, asks = Decimal(row.bid_qty) > 0, Decimal(row.ask_qty) > 0
    return Ticker(
        market=market,
        at=row.close_time,
        since=row.open_time,
        last=Decimal(row.last_price),
        open=Decimal(row.open_price),
        high=Decimal(row.high_price),
        low=Decimal(row.low_price),
        bid=Decimal(row.bid_price) if bids else None,
        bid_amount=Decimal(row.bid_qty) if bids else None,
        ask=Decimal(row.ask_price) if asks else None,
        ask_amount=Decimal(row.ask_qty) if asks else None,
        volume=Decimal(row.volume),
        quote_volume=Decimal(row.quote_volume),
        trades=row.count,
    )


def _levels(rows: list[tuple[str, str]]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(amount)) for price, amount in rows)


def _trade(row: AggregateTrade, market: Market) -> Trade:
    return Trade(
        market=market,
        id=str(row.number),
        at=row.time,
        price=Decimal(row.price),
        amount=Decimal(row.amount),
        taker_is_buyer=not row.buyer_is_maker,
    )
