"""How finely a market prices: ticks that depend on the price, and that have changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Final, Self

from candle_hookspecs.errors import BadInputError
from candle_hookspecs.times import iso, to_ms

PRICE_TICKS: Final = "price_ticks"
"""Where `Market.extra` has the text of a `TickTable`."""

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class TickBands:
    """The ticks that held from a moment on.

    Attributes:
        bands: pairs (price from which on, tick), both in quote units, the highest price first; the last holds from 0.
        since: UTC ms; None: it is not known when they began.
    """

    bands: tuple[tuple[Decimal, Decimal], ...]
    since: int | None = None

    def __post_init__(self) -> None:
        for start, tick in self.bands:
            if not (start.is_finite() and tick.is_finite() and tick > 0):
                raise BadInputError(f"{_pair(start, tick)!r} is no tick; write FROM:TICK with a tick above 0")
        starts = [start for start, _ in self.bands]
        if not starts or starts[-1] != 0 or any(high <= low for high, low in pairwise(starts)):
            raise BadInputError(f"the ticks {_text(self)!r} must go down from the highest price to 0")
        if self.since is not None:
            to_ms(self.since)

    def tick(self, price: Decimal) -> Decimal:
        """The smallest step of this price (not negative)."""
        return next(tick for start, tick in self.bands if price >= start)

    def __str__(self) -> str:
        return _text(self)


@dataclass(frozen=True, slots=True)
class TickTable:
    """How finely a market prices, now and before.

    Attributes:
        tables: the newest first. Only the oldest may not know when it began; it is then taken for all that was before.
    """

    tables: tuple[TickBands, ...]

    def __post_init__(self) -> None:
        moments = [table.since for table in self.tables]
        known = [moment for moment in moments if moment is not None]
        if not moments or None in moments[:-1] or any(new <= old for new, old in pairwise(known)):
            raise BadInputError(f"the tables {str(self)!r} must go back in time; only the oldest may have no moment")

    @classmethod
    def single(cls, tick: Decimal) -> Self:
        """One tick for all prices.

        Raises:
            BadInputError: it is not above 0.
        """
        return cls((TickBands(((_ZERO, tick),)),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The table that `str` printed.

        ``@2025-07-30T15:00:00Z 1000000:1000 … 0:0.00000001; 0:0.0001``: tables, the newest first, with ``;`` between
        them. Each begins with its moment (ISO 8601, with ``@`` before it) if that is known, and goes on with pairs
        FROM:TICK. So a single table without a moment, ``1000000:1000 500000:500 …``, is one as well.

        Raises:
            BadInputError: it is no such text.
        """
        return cls(_parsed(text))

    def at(self, moment: int | None = None) -> TickBands | None:
        """The ticks that held at a moment (UTC ms), the newest for None; None where no table held yet."""
        if moment is None:
            return self.tables[0]
        return next((table for table in self.tables if table.since is None or moment >= table.since), None)

    def tick(self, price: Decimal, at: int | None = None) -> Decimal | None:
        """The smallest step of a price (in quote units, not negative) at a moment.

        Args:
            price: in quote units, not negative.
            at: UTC ms; None: by the newest table.

        Returns:
            Quote units; None where no table held yet.
        """
        bands = self.at(at)
        return None if bands is None else bands.tick(price)

    def __str__(self) -> str:
        return "; ".join(map(_text, self.tables))


def _text(table: TickBands) -> str:
    pairs = [_pair(start, tick) for start, tick in table.bands]
    return " ".join(pairs if table.since is None else [f"@{iso(table.since)}", *pairs])


def _pair(start: Decimal, tick: Decimal) -> str:
    return f"{start:f}:{tick:f}"


@lru_cache(maxsize=64)  # hundreds of markets of an exchange share a few texts
def _parsed(text: str) -> tuple[TickBands, ...]:
    try:
        return tuple(_table(part) for part in text.split(";"))
    except (ValueError, InvalidOperation) as error:
        raise BadInputError(f"{text!r} is no table of ticks; it looks like '1000:1 100:0.1 0:0.01'") from error


def _table(text: str) -> TickBands:
    words = text.split()
    since = to_ms(words.pop(0)[1:]) if words and words[0].startswith("@") else None
    return TickBands(tuple(_pairs(words)), since)


def _pairs(words: list[str]) -> Iterator[tuple[Decimal, Decimal]]:
    for word in words:
        start, tick = word.split(":")
        yield Decimal(start), Decimal(tick)
