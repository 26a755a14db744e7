"""Tickers, order books and trades from the bodies of their routes. Pure.

Decimals are JSON numbers on the wire, and become the `Decimal` of just their text; a float is never in between. Some
have been seen as text, which is read alike. Routes and fields: https://docs.upbit.com, "Quotation API".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from candle_hookspecs import BadInputError, Level, MalformedAnswerError, Market, OrderBook, Ticker, Trade, to_ms
from candle_http import Rows, sound

Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=10**13)]
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Day: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{8}$")]


class DayTicker(msgspec.Struct, gc=False):
    """One object of ``GET /v1/ticker``. Opening, high and low are of the day of the last trade, in UTC."""

    market: str
    timestamp: Time
    trade_date: Day
    trade_price: Decimal
    opening_price: Decimal
    high_price: Decimal
    low_price: Decimal
    acc_trade_volume_24h: Decimal
    acc_trade_price_24h: Decimal


class Unit(msgspec.Struct, gc=False):
    """A level of either side."""

    ask_price: Decimal
    bid_price: Decimal
    ask_size: Decimal
    bid_size: Decimal


class Book(msgspec.Struct, gc=False):
    """One object of ``GET /v1/orderbook``."""

    market: str
    timestamp: Time
    orderbook_units: list[Unit]


class Tick(msgspec.Struct, gc=False):
    """One object of ``GET /v1/trades/ticks``."""

    market: str
    timestamp: Time
    trade_price: Decimal
    trade_volume: Decimal
    ask_bid: Literal["ASK", "BID"]
    sequential_id: Number


@dataclass(frozen=True, slots=True)
class Ticks:
    """Trades, oldest first, and the `cursor` behind which the older ones are, None where none came."""

    trades: list[Trade]
    cursor: int | None


_tickers: Final = Rows(DayTicker, "tickers")
_books: Final = Rows(Book, "order books")
_ticks: Final = Rows(Tick, "trades")


def tickers_of(body: bytes, markets: Sequence[Market], *, others: bool = False) -> list[Ticker]:
    """The tickers of these markets, without those that cannot be read; with `others`, other markets may be among them.

    Raises:
        MalformedAnswerError: none can be read; or, without `others`, they are of markets that were not asked for.
    """
    known = {market.native_id: market for market in markets}
    rows = _tickers.sound_of(body)
    if not others:
        _check_names(rows, known)
    return sound([row for row in rows if row.market in known], lambda row: _ticker(row, known[row.market]))


def books_of(body: bytes, markets: Sequence[Market]) -> list[OrderBook]:
    """The order books of these markets, without those that cannot be read or whose prices are not in order.

    Raises:
        MalformedAnswerError: none is left, or they are of other markets.
    """
    known = {market.native_id: market for market in markets}
    rows = _books.sound_of(body)
    _check_names(rows, known)
    return sound(rows, lambda row: _book(row, known[row.market]))


def ticks_of(body: bytes, market: Market) -> Ticks:
    """The trades of a market. Their numbers tell them apart and, by the exchange's own word, not their order.

    Raises:
        MalformedAnswerError: they are none, of another market, or not newest first.
    """
    rows = _ticks.all_of(body)
    _check_names(rows, {market.native_id: market})
    for row in rows:
        _check_numbers(row, market)
    if any(older.timestamp > newer.timestamp for newer, older in pairwise(rows)):
        raise MalformedAnswerError(f"the trades of {market.native_id!r} are not newest first")
    trades = [
        Trade(
            market=market,
            id=str(row.sequential_id),
            at=row.timestamp,
            price=row.trade_price,
            amount=row.trade_volume,
            taker_is_buyer=row.ask_bid == "BID",
        )
        for row in reversed(rows)
    ]
    return Ticks(trades, rows[-1].sequential_id if rows else None)


def _ticker(row: DayTicker, market: Market) -> Ticker:
    _check_numbers(row, market)
    day = row.trade_date
    try:
        since = to_ms(f"{day[:4]}-{day[4:6]}-{day[6:]}")
    except BadInputError as error:
        raise MalformedAnswerError(f"{row.market!r} was traded on a day that no calendar has, {day!r}") from error
    return Ticker(
        market=market,
        at=row.timestamp,
        since=since,
        last=row.trade_price,
        open=row.opening_price,
        high=row.high_price,
        low=row.low_price,
        volume=row.acc_trade_volume_24h,
        quote_volume=row.acc_trade_price_24h,
    )


def _book(row: Book, market: Market) -> OrderBook:
    for unit in row.orderbook_units:
        _check_numbers(unit, market)
    # A unit holds a level of either side; where one side has fewer, its places are zero.
    bids = tuple(Level(one.bid_price, one.bid_size) for one in row.orderbook_units if one.bid_size)
    asks = tuple(Level(one.ask_price, one.ask_size) for one in row.orderbook_units if one.ask_size)
    if any(worse.price >= better.price for better, worse in pairwise(bids)) or any(
        worse.price <= better.price for better, worse in pairwise(asks)
    ):
        raise MalformedAnswerError(f"the levels of the order book of {row.market!r} are out of order")
    return OrderBook(market=market, at=row.timestamp, bids=bids, asks=asks)


def _check_names(rows: Sequence[DayTicker | Book | Tick], known: Mapping[str, Market]) -> None:
    for row in rows:
        if row.market not in known:
            raise MalformedAnswerError(f"{row.market!r} came, which was not asked for")


def _check_numbers(row: DayTicker | Unit | Tick, market: Market) -> None:
    for name in row.__struct_fields__:
        value: Any = getattr(row, name)
        if isinstance(value, Decimal) and (not value.is_finite() or value.is_signed()):
            raise MalformedAnswerError(f"{name!r} of {market.native_id!r} is {value}, which no price or amount is")
