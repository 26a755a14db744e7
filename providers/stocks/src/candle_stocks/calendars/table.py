"""Sessions as columns, by the clock on the exchange's wall."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from candle_hookspecs import Ints, Session, Span

OPEN: Final = 0
PAUSE_START: Final = 1
PAUSE_END: Final = 2
CLOSE: Final = 3

_DAY_MS: Final = 86_400_000
_DAY_SECONDS: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """The day so many days after 1970-01-01."""
    return date.fromordinal(number + _EPOCH)


@dataclass(frozen=True, slots=True)
class Table:
    """All sessions of the days ``first <= day < stop``, as far as they are known.

    Attributes:
        exchange: its name in `exchange_calendars`, aliases resolved.
        zone: its IANA time zone.
        first, stop: days since 1970-01-01.
        days: shape (n,), ascending: the day that each session belongs to.
        times: shape (n, 4), columns `OPEN`, `PAUSE_START`, `PAUSE_END`, `CLOSE`: seconds after that day's midnight by
            the clock of the place, negative where a session opens the evening before. Without a pause both are 0.
            Local, so that what is kept outlives a change of the zone's rules.
    """

    exchange: str
    zone: str
    first: int
    stop: int
    days: Ints
    times: Ints

    def covers(self, first: int, stop: int) -> bool:
        """Whether it answers for all of the days ``first <= day < stop``."""
        return self.first <= first and stop <= self.stop

    def instants(self) -> Ints:
        """UTC milliseconds of `times`, the same shape."""
        zone = ZoneInfo(self.zone)
        local = self.days[:, np.newaxis] * _DAY_SECONDS + self.times
        moments = local.ravel().astype("datetime64[s]").astype(object)
        offsets = np.array([zone.utcoffset(moment) for moment in moments], "timedelta64[s]").astype(np.int64)
        return (local - offsets.reshape(local.shape)) * 1_000

    def has_pause(self) -> npt.NDArray[np.bool_]:
        """Which sessions have one; shape (n,)."""
        return np.not_equal(self.times[:, PAUSE_START], self.times[:, PAUSE_END])

    def sessions(self, span: Span) -> list[Session]:
        """Those that touch the span, in time order."""
        near = slice(*np.searchsorted(self.days, days_around(span)))
        part = Table(self.exchange, self.zone, self.first, self.stop, self.days[near], self.times[near])
        instants = part.instants()
        touched = (instants[:, CLOSE] > span.start) & (instants[:, OPEN] < span.end)
        rows = zip(instants[touched].tolist(), part.has_pause()[touched].tolist(), strict=True)
        return [
            Session(Span(opens, closes), Span(pause, goes_on) if has_pause else None)
            for (opens, pause, goes_on, closes), has_pause in rows
        ]


def days_around(span: Span) -> tuple[int, int]:
    """Days ``first <= day < stop`` whose sessions may touch the span, wherever the exchange is."""
    return span.start // _DAY_MS - 2, span.end // _DAY_MS + 3
