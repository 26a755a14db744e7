"""Prices and amounts as a market takes them: rounded to its tick and step, and checked against its limits, exactly.

Everything here is arithmetic of integers and decimals in a context of its own: no float, nothing lost however long a
number is, and the caller's `decimal.getcontext` changes nothing.
"""

import functools
import numbers
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import (
    ROUND_05UP,
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    localcontext,
)
from typing import Final, ParamSpec, Self, TypeVar

from candle_hookspecs import BadInputError, Market, Moment, Number, TickBands, TickTable, to_ms

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

ROUNDINGS: Final = (
    ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN, ROUND_UP, ROUND_DOWN, ROUND_CEILING, ROUND_FLOOR, ROUND_05UP,
)  # fmt: skip
"""The roundings of `decimal`."""

_PLACES: Final = 400
"""Most digits before and behind the point; every finite float has less."""

_EXACT: Final = Context(prec=10 * _PLACES, traps=[DivisionByZero, Inexact, InvalidOperation])
"""Wide enough for products and quotients of numbers within `_PLACES`; what would be rounded all the same, raises."""


def _exactly(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Run in `_EXACT`, whatever the caller's context is."""

    @functools.wraps(function)
    def run(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with localcontext(_EXACT):
            return function(*arguments, **named)

    return run


@dataclass(frozen=True, slots=True)
class Precision:
    """What a market takes. Made by `Precision.of`.

    Attributes:
        market: whose limits these are. Prices are in its quote, amounts in its base, what an order is worth in its
            quote.
        ticks: the steps of its prices, by price and moment; None: not known.
        steps: the steps of its amounts; None: not known.
    """

    market: Market
    ticks: TickTable | None
    steps: TickBands | None

    @classmethod
    def of(cls, market: Market) -> Self:
        """Of a market as it was listed.

        Raises:
            BadInputError: a tick or step that is not above 0, a text that is no table, or a number that is far beyond
                any price.
        """
        ticks, step = market.tick_table, market.amount_step
        steps = None if step is None else TickTable.single(step).tables[0]
        for bands in (*(ticks.tables if ticks else ()), *([steps] if steps else [])):
            for start, tick in bands.bands:
                as_decimal(start, "price"), as_decimal(tick, "tick")
        return cls(market, ticks, steps)

    def tick(self, price: Number, at: Moment | None = None) -> Decimal | None:
        """The smallest step of a price at a moment, the newest for None; None: not known.

        Raises:
            BadInputError: no finite number, or negative; no moment.
        """
        number, bands = as_decimal(price, "price"), self.bands(at)
        return None if bands is None else bands.tick(number)

    def bands(self, at: Moment | None = None) -> TickBands | None:
        """The ticks that held at a moment, the newest for None; None: not known."""
        moment = None if at is None else to_ms(at)
        return None if self.ticks is None else self.ticks.at(moment)

    def price(self, value: Number, rounding: str = ROUND_HALF_UP, at: Moment | None = None) -> Decimal:
        """The nearest price that the market takes.

        It takes a price that is a multiple of the tick *of that price*. So one that is rounded into another band of a
        table lies on the grid of the band where it ends.

        Args:
            value: in quote units.
            rounding: one of `decimal`'s: by `ROUND_DOWN` nobody pays more, by `ROUND_UP` nobody gets less.
            at: by the ticks that held then; None: by the newest.

        Returns:
            Quote units; the value as it is where the tick is not known. ``f"{price:f}"`` prints it without an exponent.

        Raises:
            BadInputError: no finite number, or negative; no moment; no such rounding.
        """
        return _rounded(as_decimal(value, "price"), self.bands(at), rounding)

    def amount(self, value: Number, rounding: str = ROUND_DOWN) -> Decimal:
        """The nearest amount that the market takes: below, if not said otherwise, for nobody sells more than they have.

        Args:
            value: in base units.
            rounding: one of `decimal`'s.

        Returns:
            Base units; the value as it is where the step is not known.

        Raises:
            BadInputError: no finite number, or negative; no such rounding.
        """
        return _rounded(as_decimal(value, "amount"), self.steps, rounding)

    @_exactly
    def notional(self, price: Number, amount: Number) -> Decimal:
        """What an order is worth, in quote units: price × amount, every digit of it.

        Raises:
            BadInputError: no finite number, or negative.
        """
        return as_decimal(price, "price") * as_decimal(amount, "amount")

    def check(
        self, price: Number | None = None, amount: Number | None = None, at: Moment | None = None
    ) -> tuple[str, ...]:
        """What the market would refuse of this order, in words; empty: nothing, as far as limits are known.

        Args:
            price: in quote units; None: not decided yet.
            amount: in base units; None: not decided yet.
            at: by the ticks that held then; None: by the newest.

        Raises:
            BadInputError: no finite number, or negative; no moment.
        """
        market = self.market
        found: list[str] = []
        if price is not None:
            asked = _Asked("price", as_decimal(price, "price"), market.quote)
            found += asked.problems(self.bands(at), market.min_price, market.max_price)
        if amount is not None:
            asked = _Asked("amount", as_decimal(amount, "amount"), market.base)
            found += asked.problems(self.steps, market.min_amount, market.max_amount)
        if price is not None and amount is not None and market.min_notional is not None:
            worth, least = self.notional(price, amount), market.min_notional
            if worth < least:
                found.append(
                    f"the order is worth {plain(worth)} {market.quote}, less than {plain(least)} {market.quote}"
                )
        return tuple(found)

    def require(self, price: Number | None = None, amount: Number | None = None, at: Moment | None = None) -> None:
        """Refuse an order that the market would refuse.

        Raises:
            BadInputError: names all that `check` finds.
        """
        if problems := self.check(price, amount, at):
            name = f"{self.market.exchange} {self.market.tradetype}"
            raise BadInputError(f"{self.market.ccxt_symbol!r} of {name} takes no such order: {'; '.join(problems)}")


def as_decimal(value: Number, what: str = "number") -> Decimal:
    """A number exactly as it is written.

    Args:
        value: see `candle_hookspecs.Number`.
        what: what messages call it.

    Raises:
        BadInputError: no finite number, negative, or with more than 400 digits before or behind the point.
    """
    number = _read(value)
    if number is None or not number.is_finite():
        raise BadInputError(
            f"the {what} {value!r} is no number; give a Decimal, a text like '0.001', an int or a float"
        )
    if not number:
        number = number.copy_abs()  # a float may be -0.0
    if max(number.adjusted(), -int(number.as_tuple().exponent)) >= _PLACES:
        raise BadInputError(f"the {what} has more than {_PLACES} digits before or behind the point")
    if number < 0:
        raise BadInputError(f"the {what} {value!r} is negative; give how much it is, to buy as to sell")
    return number


def plain(number: Decimal) -> str:
    """Every digit that says something, without an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        return Decimal(float.__repr__(value))  # numpy's floats have a repr of their own
    if isinstance(value, numbers.Integral):
        return Decimal(int(value))
    try:
        return Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A price or an amount that somebody wants."""

    what: str
    value: Decimal
    unit: str

    def problems(self, bands: TickBands | None, least: Decimal | None, most: Decimal | None) -> Iterator[str]:
        """What is wrong with it."""
        name = f"the {self.what} {plain(self.value)} {self.unit}"
        if bands is not None:
            low, high = _around(self.value, bands)
            if low != high:
                near = f"{plain(low)} and {plain(high)} are" if low else f"{plain(high)} is"
                yield f"{name} is not in steps of {plain(bands.tick(self.value))}; {near}"
        if least is not None and self.value < least:
            yield f"{name} is below the least, {plain(least)} {self.unit}"
        elif not self.value:
            yield f"the {self.what} is 0"
        if most is not None and self.value > most:
            yield f"{name} is above the most, {plain(most)} {self.unit}"


# ── on the grid of a table ───────────────────────────────────────────────────────────────────────────────────────────


@_exactly
def _rounded(value: Decimal, bands: TickBands | None, rounding: str) -> Decimal:
    if rounding not in ROUNDINGS:
        raise BadInputError(f"{rounding!r} is no rounding; there are: {', '.join(ROUNDINGS)}")
    if bands is None:
        return value
    low, high = _around(value, bands)
    if low != high:
        # What a rounding does depends on the step before (odd, even, …) and on where between two steps the value lies.
        steps, beyond = low // bands.tick(low), 2 * (value - low) - (high - low)
        part = Decimal("0.5") if not beyond else Decimal("0.75") if beyond > 0 else Decimal("0.25")
        low = high if (steps + part).to_integral_value(rounding) > steps else low
    return low if int(low.as_tuple().exponent) <= 0 else low.quantize(Decimal(1))


@_exactly
def _around(value: Decimal, bands: TickBands) -> tuple[Decimal, Decimal]:
    """The values on the grid nearest to this one: not above it, and not below it. Both are this one if it is on it."""
    return _not_above(value, bands), _not_below(value, bands)


def _not_above(value: Decimal, bands: TickBands) -> Decimal:
    top: Decimal | None = None  # where the band above begins, which is no part of this one
    for start, tick in bands.bands:
        if start <= value:
            times = value // tick if top is None or value < top else _ceiling(top, tick) - 1
            if times * tick >= start:
                return times * tick
        top = start
    raise AssertionError(f"the last band of {bands} holds from 0")


def _not_below(value: Decimal, bands: TickBands) -> Decimal:
    found = Decimal(0)
    top: Decimal | None = None
    for start, tick in bands.bands:  # the lowest band that has one is the last
        nearest = _ceiling(max(start, value), tick) * tick
        if top is None or nearest < top:
            found = nearest
        if start <= value:
            break
        top = start
    return found


def _ceiling(value: Decimal, tick: Decimal) -> Decimal:
    times = value // tick
    return times + (times * tick < value)
