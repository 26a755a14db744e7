"""What a stock is made of, and how Yahoo tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from candle_testkit.sandbox.checking import checked, decimal_of, units_of
from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.stocks_holidays import FIRST_YEAR, LAST_YEAR
from candle_testkit.sandbox.stocks_sessions import NEW_YORK, SEOUL, TOKYO, Place

_MOST_VOLUME: Final = 100_000_000
_MOST_TURNOVER: Final = 10**14
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Venue:
    """An exchange under Yahoo's code for it."""

    name: str
    source: str
    currency: str
    region: str
    market: str
    place: Place


VENUES: Final = {
    "NMS": Venue("NasdaqGS", "Nasdaq Real Time Price", "USD", "us", "us_market", NEW_YORK),
    "NYQ": Venue("NYSE", "Nasdaq Real Time Price", "USD", "us", "us_market", NEW_YORK),
    "ASE": Venue("NYSE American", "Nasdaq Real Time Price", "USD", "us", "us_market", NEW_YORK),
    "KSC": Venue("KSE", "Delayed Quote", "KRW", "kr", "kr_market", SEOUL),
    "KOE": Venue("KOSDAQ", "Delayed Quote", "KRW", "kr", "kr_market", SEOUL),
    "JPX": Venue("Tokyo", "Delayed Quote", "JPY", "jp", "jp_market", TOKYO),
}
_LIVE: Final = ("separate", "merged", "duplicate")


@dataclass(frozen=True)
class Split:
    """``ratio`` new shares for old ones, ``"4:1"``, from the session of ``day`` on (local, ISO 8601)."""

    day: str
    ratio: str

    def __post_init__(self) -> None:
        _day(self.day, "split")
        numbers = self.ratio.split(":")
        if len(numbers) != 2 or not all(one.isdecimal() and int(one) > 0 for one in numbers):
            raise SandboxError(f"split ratio {self.ratio!r}: write new shares for old ones, such as '4:1'")

    @property
    def parts(self) -> tuple[int, int]:
        """New shares, old shares."""
        new, old = self.ratio.split(":")
        return int(new), int(old)

    @property
    def factor(self) -> Fraction:
        """New shares for one old one."""
        return Fraction(*self.parts)


@dataclass(frozen=True)
class Dividend:
    """``amount`` for a share as it then was, paid to whoever held it before the session of ``day``."""

    day: str
    amount: str

    def __post_init__(self) -> None:
        _day(self.day, "dividend")
        units_of(self.amount, "dividend amount")


@dataclass(frozen=True)
class StockConfig:
    """One stock. Days are local ones, as ISO 8601 text; instants as everywhere.

    Attributes:
        symbol: Yahoo's ticker, the one it has in the end: ``AAPL``, ``005930.KS``.
        venue: Yahoo's code of the exchange, one of ``VENUES``.
        name: What it is called; the ticker when it is left out.
        price: The level that prices swing around, per share as it is after the last split.
        tick: Prices as traded are whole multiples of it.
        volume: Shares traded in a session; a split does not change it.
        trades: Trades in a session. Few make minutes without one, which have no candle.
        listed: The first day.
        delisted: The first day after the last; from then on nothing is known of the stock. None while it lives.
        splits, dividends: In any order, none of them on the same day.
        halts: Half-open spans of instants in which nothing trades, and no rows are told.
        nulls: The same, but told as rows of nulls.
        former: Earlier tickers, each with the first day on which it is no more.
        kind: ``EQUITY`` or ``ETF``.

    Raises:
        SandboxError: A value is wrong; the message names it.
    """

    symbol: str
    venue: str = "NMS"
    name: str = ""
    price: str = "100"
    tick: str = "0.01"
    volume: int = 5_000_000
    trades: int = 40_000
    listed: str = "2010-01-04"
    delisted: str | None = None
    splits: Sequence[Split] = ()
    dividends: Sequence[Dividend] = ()
    halts: Sequence[tuple[int | str | datetime, int | str | datetime]] = ()
    nulls: Sequence[tuple[int | str | datetime, int | str | datetime]] = ()
    former: Sequence[tuple[str, str]] = ()
    kind: str = "EQUITY"

    def __post_init__(self) -> None:
        if self.venue not in VENUES:
            raise SandboxError(f"{self.symbol}: venue {self.venue!r} is not one of {', '.join(VENUES)}")
        if self.kind not in ("EQUITY", "ETF"):
            raise SandboxError(f"{self.symbol}: kind {self.kind!r} is neither 'EQUITY' nor 'ETF'")
        if self.price_ticks < 1 or not 1 <= self.trades <= self.volume <= _MOST_VOLUME:
            raise SandboxError(
                f"{self.symbol}: price {self.price!r} must be at least one tick, volume {self.volume!r} at most "
                f"{_MOST_VOLUME} and trades {self.trades!r} at least 1 and no more than the volume"
            )
        if self.price_ticks * self.volume > _MOST_TURNOVER:
            raise SandboxError(f"{self.symbol}: price {self.price!r} times volume {self.volume!r} is too much")
        days = [_day(self.listed, self.symbol), *(_day(day, self.symbol) for _, day in self.former)]
        ends = [] if self.delisted is None else [_day(self.delisted, self.symbol)]
        if sorted(days + ends) != days + ends or len(set(days + ends)) < len(days + ends):
            raise SandboxError(f"{self.symbol}: listed, the ends of former names and delisted must follow one another")
        actions = [*(split.day for split in self.splits), *(dividend.day for dividend in self.dividends)]
        if len(set(actions)) < len(actions):
            raise SandboxError(f"{self.symbol}: two splits or dividends on one day")
        for start, end in self.idle_spans:
            if start >= end or start % 60_000 or end % 60_000:
                raise SandboxError(f"{self.symbol}: the stretch {(start, end)!r} ms must be whole minutes, in order")

    @property
    def price_ticks(self) -> int:
        """The level of the price, in ticks."""
        return int(decimal_of(self.price, "price") * 100_000_000 / self.tick_units)

    @property
    def tick_units(self) -> int:
        """One price tick in units of 1e-8."""
        return units_of(self.tick, "tick")

    @property
    def null_spans(self) -> list[tuple[int, int]]:
        """Stretches told as nulls, UTC ms."""
        return [(to_ms(start), to_ms(end)) for start, end in self.nulls]

    @property
    def idle_spans(self) -> list[tuple[int, int]]:
        """Stretches in which nothing trades, UTC ms."""
        return sorted([*((to_ms(start), to_ms(end)) for start, end in self.halts), *self.null_spans])

    @property
    def venue_of(self) -> Venue:
        """Where it trades."""
        return VENUES[self.venue]

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> StockConfig:
        """From a TOML table, with the same keys."""
        values = dict(checked(table, cls, "stocks"))
        values["splits"] = tuple(Split(**checked(one, Split, "stocks.splits")) for one in values.get("splits", ()))
        values["dividends"] = tuple(
            Dividend(**checked(one, Dividend, "stocks.dividends")) for one in values.get("dividends", ())
        )
        for key in ("halts", "nulls", "former"):
            values[key] = tuple((first, second) for first, second in values.get(key, ()))
        return cls(**values)


@dataclass(frozen=True)
class YahooConfig:
    """What is not known for sure of the real service, or changes there.

    Attributes:
        live: How the last, unfinished bar is told: ``separate`` (a row stamped with the last trade, in place of the
            day's or behind the others), ``duplicate`` (the day both at its open and so stamped) or ``merged``
            (aligned as all others).
        half_day_tail: Intraday answers of a half day go on until the usual close, without volume.
        chart_crumb: The chart, too, refuses who comes without the crumb.
    """

    live: str = "separate"
    half_day_tail: bool = True
    chart_crumb: bool = False

    def __post_init__(self) -> None:
        if self.live not in _LIVE:
            raise SandboxError(f"yahoo live {self.live!r} is not one of {', '.join(_LIVE)}")


def day_number(text: str) -> int:
    """A day counted since 1970-01-01."""
    return (date.fromisoformat(text) - _EPOCH).days


def _day(text: str, name: str) -> str:
    try:
        day = date.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise SandboxError(f"{name}: {text!r} is not a day; write ISO 8601, such as '2024-01-31'") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise SandboxError(f"{name}: {text!r} lies outside {FIRST_YEAR} to {LAST_YEAR}, which the calendars know")
    return day.isoformat()
