"""ccxt's tickers, order books and trades as ours. Pure.

The exchange's own digits are in them: for these calls ccxt reads every number as text, and passes it on as the
`Decimal` of that text. What ccxt works out itself, because the exchange does not say it, is no word of the exchange's
and left out.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, TypeVar

from candle_hookspecs import BadRequestError, Level, MalformedAnswerError, Market, OrderBook, Ticker, Trade

_Value = TypeVar("_Value")
_log: Final = logging.getLogger("candle.ccxt")
_PLACES: Final = 40
"""No price or amount is as long as this, before or behind its point."""
_TAKER_BUYS: Final[Mapping[Any, bool]] = {"buy": True, "sell": False}


@dataclass(frozen=True, slots=True)
class Unit:
    """What one of an amount is: by ccxt's convention a coin of the base or, of a contract, one contract.

    Attributes:
        name: of the market.
        size: of a contract, in base units or, where it is `inverse`, in quote units; None for no contract.
        told: ccxt says how much it is.
    """

    name: str
    size: Decimal | None = None
    inverse: bool = False
    told: bool = True

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> "Unit":
        """That of one of ccxt's markets."""
        name, size, inverse = str(listed.get("symbol")), listed.get("contractSize"), bool(listed.get("inverse"))
        if not listed.get("contract"):
            return cls(name)
        if not size or not (inverse or listed.get("linear")):
            return cls(name, told=False)
        exact = Decimal(str(size)).normalize()
        return cls(name, None if exact == 1 and not inverse else exact, inverse)

    def base(self, amount: Decimal, price: Decimal) -> Decimal:
        """An amount in base units. Of an inverse contract, which is worth so much of the quote, at this price.

        Raises:
            BadRequestError: nobody knows how much a contract is.
        """
        if not self.told:
            raise BadRequestError(f"ccxt does not tell how much a contract of {self.name!r} is, so no amount is known")
        if self.size is None:
            return amount
        return amount * self.size / price if self.inverse else amount * self.size


def tickers_of(found: Any, listed: Mapping[Market, Mapping[str, Any]], moment: int) -> list[Ticker]:
    """The tickers of markets; none of one that is left out, cannot be read, or was never traded.

    Since when their opening, high and low count is not told: exchanges differ, and ccxt does not say. Of contracts no
    volume is told, as ccxt does not say either whether it counts contracts or coins.

    Args:
        found: ccxt's structures by its symbols.
        listed: the markets with ccxt's structures of them.
        moment: the exchange's clock at the answer, for a ticker without a time.

    Raises:
        MalformedAnswerError: none can be read, as a number is no price or amount.
    """
    told = _each(found, listed, "tickers", lambda one, market, unit: _ticker(one, market, unit, moment))
    return [ticker for ticker in told if ticker is not None]


def books_of(found: Any, listed: Mapping[Market, Mapping[str, Any]], moment: int, levels: int) -> list[OrderBook]:
    """The order books of markets; none of one that has neither side, which is how ccxt reads what is no book.

    Args:
        found: as for tickers.
        listed: as for tickers.
        moment: as for tickers.
        levels: most on each side; 0: all that came.

    Raises:
        MalformedAnswerError: none can be read, or in none of them a price comes once.
        BadRequestError: of a contract of unknown size.
    """
    told = _each(found, listed, "order books", lambda one, market, unit: _book(one, market, unit, moment, levels))
    return [book for book in told if book.bids or book.asks]


def trades_of(found: Any, market: Market, listed: Mapping[str, Any]) -> list[Trade]:
    """Trades from ccxt's, in their order. One without an id is called by its moment and a count within that.

    Raises:
        MalformedAnswerError: they are none, or of another market.
        BadRequestError: of a contract of unknown size.
    """
    if not isinstance(found, list):
        raise MalformedAnswerError(f"not trades of {market.ccxt_symbol!r}: {str(found)[:100]!r}")
    unit, met, trades = Unit.of(listed), Counter[int](), list[Trade]()
    for row in found:
        at = row.get("timestamp") if isinstance(row, Mapping) else None
        if not isinstance(at, int) or row.get("symbol") not in (None, market.ccxt_symbol):
            raise MalformedAnswerError(f"not a trade of {market.ccxt_symbol!r}: {str(row)[:200]!r}")
        price, amount = (_number(row.get(name), name, market) for name in ("price", "amount"))
        if not price or amount is None:
            raise MalformedAnswerError(f"a trade of {market.ccxt_symbol!r} lacks a number: {str(row)[:200]!r}")
        name = row.get("id")
        if name is None:
            name, met[at] = f"{at}-{met[at]}", met[at] + 1
        trades.append(
            Trade(
                market=market,
                id=str(name),
                at=at,
                price=price,
                amount=unit.base(amount, price),
                taker_is_buyer=_TAKER_BUYS.get(row.get("side")),
            )
        )
    return trades


def _each(
    found: Any,
    listed: Mapping[Market, Mapping[str, Any]],
    what: str,
    read: Callable[[Mapping[str, Any], Market, Unit], _Value],
) -> list[_Value]:
    """What came of each market that anything came of. What cannot be read is left out, as long as others can be."""
    if not isinstance(found, Mapping):
        raise MalformedAnswerError(f"not {what}: {str(found)[:100]!r}")
    values: list[_Value] = []
    errors: list[MalformedAnswerError] = []
    for market, structure in listed.items():
        one = found.get(market.ccxt_symbol)
        try:
            if isinstance(one, Mapping):
                values.append(read(one, market, Unit.of(structure)))
            elif one is not None:
                raise MalformedAnswerError(f"not {what} of {market.ccxt_symbol!r}: {str(one)[:100]!r}")
        except MalformedAnswerError as error:
            errors.append(error)
    if errors and not values:
        raise errors[0]
    for left_out in errors:
        _log.warning("left out of an answer: %s", left_out)
    return values


def _ticker(found: Mapping[str, Any], market: Market, unit: Unit, moment: int) -> Ticker | None:
    said = frozenset(_digits(text) for text in _texts(found.get("info")))
    value = {
        name: number
        for name in ("last", "open", "high", "low", "bid", "bidVolume", "ask", "askVolume", "baseVolume", "quoteVolume")
        if (number := _number(found.get(name), name, market)) is not None and _digits(str(number)) in said
    }
    if not value.get("last"):
        return None
    bid, bids = _best(value, "bid", unit)
    ask, asks = _best(value, "ask", unit)
    coins = unit.told and unit.size is None
    return Ticker(
        market=market,
        at=_time(found.get("timestamp"), moment),
        last=value["last"],
        open=value.get("open"),
        high=value.get("high"),
        low=value.get("low"),
        bid=bid,
        bid_amount=bids,
        ask=ask,
        ask_amount=asks,
        volume=value.get("baseVolume") if coins else None,
        quote_volume=value.get("quoteVolume") if coins else None,
    )


def _book(found: Mapping[str, Any], market: Market, unit: Unit, moment: int, levels: int) -> OrderBook:
    bids = _levels(found.get("bids"), "bids", market, unit, falling=True)
    asks = _levels(found.get("asks"), "asks", market, unit, falling=False)
    nonce = found.get("nonce")
    return OrderBook(
        market=market,
        at=_time(found.get("timestamp"), moment),
        bids=bids[: levels or None],
        asks=asks[: levels or None],
        sequence=nonce if isinstance(nonce, int) else None,
    )


def _best(value: Mapping[str, Decimal], side: str, unit: Unit) -> tuple[Decimal | None, Decimal | None]:
    """Price and amount of one side; neither where nobody bids, which some wires tell as zero."""
    price, amount = value.get(side), value.get(f"{side}Volume")
    if not price or (amount is not None and not amount):
        return None, None
    return price, unit.base(amount, price) if amount is not None and unit.told else None


def _levels(rows: Any, side: str, market: Market, unit: Unit, *, falling: bool) -> tuple[Level, ...]:
    if not isinstance(rows, list) or not all(isinstance(row, Sequence) and len(row) > 1 for row in rows):
        raise MalformedAnswerError(f"not the {side} of {market.ccxt_symbol!r}: {str(rows)[:100]!r}")
    pairs = [[_number(value, side, market) for value in row[:2]] for row in rows]
    found = [Level(price, unit.base(amount, price)) for price, amount in pairs if price and amount]
    found.sort(key=lambda level: level.price, reverse=falling)
    if any(after.price == before.price for before, after in pairwise(found)):
        raise MalformedAnswerError(f"a price comes twice among the {side} of {market.ccxt_symbol!r}")
    return tuple(found)


def _number(value: Any, name: str, market: Market) -> Decimal | None:
    if value is None:
        return None
    if not isinstance(value, Decimal) or not value.is_finite() or value.is_signed() or _is_too_long(value):
        raise MalformedAnswerError(f"{name!r} of {market.ccxt_symbol!r} is {value}, which no price or amount is")
    return value


def _is_too_long(value: Decimal) -> bool:
    return bool(value) and abs(value.adjusted()) > _PLACES


def _time(told: Any, moment: int) -> int:
    return told if isinstance(told, int) and told > 0 else moment


def _digits(text: str) -> str:
    """The digits that matter of a number: some exchanges tell prices in multiples of ten, which ccxt scales."""
    return text.lower().partition("e")[0].replace(".", "").strip("0")


def _texts(info: Any) -> Iterator[str]:
    """Every text and number in an answer."""
    parts: Iterable[Any] = info.values() if isinstance(info, Mapping) else info if isinstance(info, list) else ()
    if isinstance(info, (str, int)):
        yield str(info)
    for part in parts:
        yield from _texts(part)
