"""Days on which a calendar is wrong, as they may stand in the TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from importlib import resources
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from candle_hookspecs import ConfigError, Ints
from candle_stocks.calendars.table import CLOSE, OPEN, PAUSE_END, PAUSE_START, Table, day_number, day_of


def _day(value: Any) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"{value!r} is no day; write it like 2026-11-19")


def _time(value: Any) -> time:
    found = value
    if isinstance(value, str):
        try:
            found = time.fromisoformat(value)
        except ValueError:
            found = None
    if not isinstance(found, time) or found.tzinfo is not None or found.microsecond:
        raise ValueError(f'{value!r} is no time of day at the exchange; write it like "09:30"')
    return found


def _pause(value: Any) -> tuple[time, ...]:
    if not isinstance(value, list | tuple) or len(value) not in (0, 2):
        raise ValueError(f'{value!r} is no pause; write it like ["11:30", "12:30"], or [] for none')
    times = tuple(_time(one) for one in value)
    if times and times[0] >= times[1]:
        raise ValueError(f"the pause {value!r} ends before it begins")
    return times


_Day = Annotated[date, BeforeValidator(_day)]
_Time = Annotated[time, BeforeValidator(_time)]


class Correction(BaseModel):
    """One day, or all days from one to another, both included, on which the library is wrong.

        [[providers.krx.corrections]]
        day = 2026-11-19
        open = "10:00"
        close = "16:30"

        [[providers.krx.corrections]]
        from = 2027-02-08
        until = 2027-02-09
        closed = true

    What is not given stays as it is. One day with an opening and a close becomes a session if it was none; a range
    changes only the sessions that there are.

    Attributes:
        day: the one day; else
        from_: the first day (``from`` in the TOML; none: all before `until`), and
        until: the last day (none: all that follow).
        closed: there is no session.
        open, close: in the exchange's own time.
        pause: its beginning and end, in the exchange's own time; empty: there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    day: _Day | None = None
    from_: _Day | None = Field(default=None, alias="from")
    until: _Day | None = None
    closed: bool = False
    open: _Time | None = None
    close: _Time | None = None
    pause: Annotated[tuple[time, ...], BeforeValidator(_pause)] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.day is None) == (self.from_ is None and self.until is None):
            raise ValueError("a correction is for one day or for a range; give either 'day', or 'from' and 'until'")
        if self.first > self.last:
            raise ValueError(f"'until' ({self.until!s}) comes before 'from' ({self.from_!s})")
        changes = [name for name in ("open", "close", "pause") if getattr(self, name) is not None]
        if self.closed == bool(changes):
            raise ValueError("a correction says what is to be: either 'closed', or any of 'open', 'close' and 'pause'")
        if self.open is not None and self.close is not None and self.open >= self.close:
            raise ValueError(f"the close ({self.close!s}) does not come after the open ({self.open!s})")
        return self

    @property
    def first(self) -> date:
        """The first day it is for."""
        return self.day or self.from_ or date.min

    @property
    def last(self) -> date:
        """The last day it is for."""
        return self.day or self.until or date.max

    def columns(self) -> dict[int, int]:
        """Column of `Table.times` → seconds after midnight, as far as they change."""
        found = {OPEN: self.open, CLOSE: self.close}
        if self.pause is not None:
            found |= dict(zip((PAUSE_START, PAUSE_END), self.pause or (time(), time()), strict=True))
        return {column: _seconds(moment) for column, moment in found.items() if moment is not None}


def known(exchange: str) -> tuple[Correction, ...]:
    """What `exchange_calendars` is known to have wrong there; its own names, aliases resolved."""
    return _known().get(exchange, ())


def corrected(table: Table, corrections: Sequence[Correction]) -> Table:
    """The table with the corrections applied, one after the other.

    Raises:
        ConfigError: what they leave of a day is no session.
    """
    days, times = table.days, table.times.copy()
    for correction in corrections:
        where = (days >= day_number(correction.first)) & (days <= day_number(correction.last))
        if correction.closed:
            days, times = days[~where], times[~where]
            continue
        if correction.day is not None and not where.any():
            if not table.covers(number := day_number(correction.day), number + 1):
                continue
            if correction.open is None or correction.close is None:
                raise ConfigError(
                    f"{str(correction.day)!r} is no session of {table.exchange!r}; a correction that makes it one "
                    "gives both 'open' and 'close'"
                )
            place = int(np.searchsorted(days, number))
            days, times = np.insert(days, place, number), np.insert(times, place, 0, axis=0)
            where = days == number
        for column, seconds in correction.columns().items():
            times[where, column] = seconds
    _check(table.exchange, days, times)
    return Table(table.exchange, table.zone, table.first, table.stop, days, times)


@cache
def _known() -> Mapping[str, tuple[Correction, ...]]:
    text = resources.files(__package__).joinpath("known.toml").read_text("utf-8")
    return TypeAdapter(dict[str, tuple[Correction, ...]]).validate_python(tomllib.loads(text))


def _check(exchange: str, days: Ints, times: Ints) -> None:
    opens, pause, goes_on, closes = times.T
    sound = (opens < closes) & ((pause == goes_on) | ((opens < pause) & (pause < goes_on) & (goes_on < closes)))
    for number in np.flatnonzero(~sound)[:1]:
        hours = ", ".join(_clock(seconds) for seconds in times[number].tolist() if seconds)
        raise ConfigError(
            f"the corrections leave {str(day_of(int(days[number])))!r} at {exchange!r} with the times {hours}, "
            "which is no session; a pause that is no more is taken away with pause = []"
        )
    apart = np.diff(days) * 86_400 + opens[1:] >= closes[:-1]
    for number in np.flatnonzero(~apart)[:1]:
        raise ConfigError(
            f"the corrections let the session of {str(day_of(int(days[number + 1])))!r} at {exchange!r} open before "
            "the one before it closes"
        )


def _seconds(moment: time) -> int:
    return moment.hour * 3_600 + moment.minute * 60 + moment.second


def _clock(seconds: int) -> str:
    return f"{seconds // 3_600:02}:{seconds % 3_600 // 60:02}"
