"""When the places trade: every session from 2010 to 2030 as instants, and the grids of bars inside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from candle_testkit.sandbox.stocks_holidays import (
    FIRST_YEAR,
    LAST_YEAR,
    Hours,
    new_york_holidays,
    new_york_hours,
    seoul_holidays,
    seoul_hours,
    tokyo_holidays,
    tokyo_hours,
)
from candle_testkit.sandbox.synth import Ints

MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Sessions:
    """Columns, one element a session: ``days`` counts since 1970-01-01, the others are UTC ms.

    Without a lunch break ``lunch`` and ``afternoon`` are both the close. ``full_close`` is when the session would have
    ended, were it not a half day.
    """

    days: Ints
    opens: Ints
    lunch: Ints
    afternoon: Ints
    closes: Ints
    full_close: Ints

    def __len__(self) -> int:
        return len(self.days)

    def part(self, first: int, stop: int) -> Sessions:
        """The sessions ``first <= number < stop``."""
        return Sessions(*(getattr(self, name)[first:stop] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Place:
    """Where stocks trade. ``extended`` are minutes before the open and after the close; none where there is nothing."""

    zone: str
    holidays: Callable[[int], set[date]]
    hours: Callable[[date], Hours]
    extended: tuple[int, int] = (0, 0)

    @cached_property
    def sessions(self) -> Sessions:
        """All of them."""
        zone = ZoneInfo(self.zone)
        rows = []
        for year in range(FIRST_YEAR, LAST_YEAR + 1):
            longest = max(self.hours(date(year, 6, 1) + timedelta(days=shift))[-1] for shift in range(7))
            for day in _weekdays(year, self.holidays(year)):
                hours = self.hours(day)
                lunch, afternoon = hours[1:3] if len(hours) == 4 else (hours[-1], hours[-1])
                edges = (hours[0], lunch, afternoon, hours[-1], max(hours[-1], longest))
                rows.append((day.toordinal() - _EPOCH, *(_instant(day, edge, zone) for edge in edges)))
        return Sessions(*np.array(rows, dtype=np.int64).T)

    def between(self, start: int, end: int) -> tuple[int, int]:
        """Numbers ``first, stop`` of the sessions that overlap ``[start, end)`` UTC ms."""
        sessions = self.sessions
        first = int(np.searchsorted(sessions.full_close, start, side="right"))
        return first, max(first, int(np.searchsorted(sessions.opens, end, side="left")))

    def offset(self, instant: int) -> tuple[int, str]:
        """Seconds east of UTC, and what the zone is called then."""
        moment = datetime.fromtimestamp(instant / 1000, ZoneInfo(self.zone))
        return int((moment.utcoffset() or timedelta()).total_seconds()), moment.strftime("%Z")

    def midnight(self, day: int) -> int:
        """The instant at which a day, counted since 1970-01-01, begins here."""
        return _instant(date.fromordinal(day + _EPOCH), 0, ZoneInfo(self.zone))

    def day(self, instant: int) -> int:
        """The local day that holds an instant, counted since 1970-01-01."""
        return datetime.fromtimestamp(instant / 1000, ZoneInfo(self.zone)).date().toordinal() - _EPOCH


_EPOCH: Final = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=65_536)
def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    moment = datetime.combine(day, time(minutes // 60, minutes % 60), zone)
    return int(moment.timestamp()) * 1000


def _weekdays(year: int, holidays: set[date]) -> list[date]:
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]
    return [day for day in days if day.weekday() < 5 and day not in holidays]


NEW_YORK: Final = Place("America/New_York", new_york_holidays, new_york_hours, extended=(330, 240))
SEOUL: Final = Place("Asia/Seoul", seoul_holidays, seoul_hours)
TOKYO: Final = Place("Asia/Tokyo", tokyo_holidays, tokyo_hours)
