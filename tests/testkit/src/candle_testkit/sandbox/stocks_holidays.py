"""Holidays and hours of three places, as rules: New York, Seoul and Tokyo, 2010 to 2030.

The moon's holidays, elections and days of mourning follow no rule that fits here; they are listed. What is known of
the future ends with 2027: later elections are not among them. ``tests/sandbox/test_stocks_sessions.py`` compares all
of it with ``exchange_calendars``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

FIRST_YEAR: Final = 2010
LAST_YEAR: Final = 2030

#: Minutes after local midnight: ``(open, close)``, or ``(open, lunch, afternoon, close)``.
Hours = tuple[int, ...]

_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_DAY: Final = timedelta(days=1)


def _dates(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(one) for one in text.split())


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The so-many-th such weekday of a month; -1 is the last."""
    if number > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - _DAY
    return last - timedelta(days=(last.weekday() - weekday) % 7)


# ── New York ────────────────────────────────────────────────────────────────────────────────────────────────────────

# Hurricane Sandy, and days of mourning for two presidents.
_NEW_YORK_CLOSED: Final = _dates("2012-10-29 2012-10-30 2018-12-05 2025-01-09")


def new_york_holidays(year: int) -> set[date]:
    """Weekdays without a session (NYSE rule 7.2)."""
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:
        fixed.append(date(year, 6, 19))
    moved = {_SATURDAY: -_DAY, _SUNDAY: _DAY}
    observed = {day + moved.get(day.weekday(), timedelta()) for day in fixed}
    return {
        # A New Year's Day on a Saturday is not made up for: the Friday closes the year's books.
        *(day for day in observed if day.year == year),
        _nth(year, 1, _MONDAY, 3), _nth(year, 2, _MONDAY, 3), _easter(year) - 2 * _DAY,
        _nth(year, 5, _MONDAY, -1), _nth(year, 9, _MONDAY, 1), _nth(year, 11, _THURSDAY, 4),
        *_NEW_YORK_CLOSED,
    }  # fmt: skip


def new_york_hours(day: date) -> Hours:
    """9:30 to 16:00; to 13:00 before Independence Day and Christmas, and after Thanksgiving."""
    half = (day.month, day.day) in ((7, 3), (12, 24)) or day == _nth(day.year, 11, _THURSDAY, 4) + _DAY
    return 570, 780 if half else 960


def _easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian algorithm; Nature, 20 April 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


# ── Seoul ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_LUNAR_NEW_YEAR: Final = _dates(
    "2010-02-14 2011-02-03 2012-01-23 2013-02-10 2014-01-31 2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05 "
    "2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-07 2028-01-27 2029-02-13 "
    "2030-02-03"
)
_CHUSEOK: Final = _dates(
    "2010-09-22 2011-09-12 2012-09-30 2013-09-19 2014-09-08 2015-09-27 2016-09-15 2017-10-04 2018-09-24 2019-09-13 "
    "2020-10-01 2021-09-21 2022-09-10 2023-09-29 2024-09-17 2025-10-06 2026-09-25 2027-09-15 2028-10-03 2029-09-22 "
    "2030-09-12"
)
_BUDDHA: Final = _dates(
    "2010-05-21 2011-05-10 2012-05-28 2013-05-17 2014-05-06 2015-05-25 2016-05-14 2017-05-03 2018-05-22 2019-05-12 "
    "2020-04-30 2021-05-19 2022-05-08 2023-05-27 2024-05-15 2025-05-05 2026-05-24 2027-05-13 2028-05-02 2029-05-20 "
    "2030-05-09"
)
# Elections, and holidays that were given once.
_SEOUL_CLOSED: Final = _dates(
    "2010-06-02 2012-04-11 2012-12-19 2014-06-04 2015-08-14 2016-04-13 2016-05-06 2017-05-09 2017-10-02 2018-06-13 "
    "2020-04-15 2020-08-17 2022-03-09 2022-06-01 2023-10-02 2024-04-10 2024-10-01 2025-01-27 2025-06-03 2026-06-03"
)
#: Days of the university entrance exam: everything opens an hour later, so that the roads are free. That of
#: 2017 was put off by an earthquake the evening before, and the market opened late on both days.
EXAM_DAYS: Final = _dates(
    "2010-11-18 2011-11-10 2012-11-08 2013-11-07 2014-11-13 2015-11-12 2016-11-17 2017-11-16 2017-11-23 2018-11-15 "
    "2019-11-14 2020-12-03 2021-11-18 2022-11-17 2023-11-16 2024-11-14 2025-11-13 2026-11-19"
)
_SEOUL_LONGER: Final = date(2016, 8, 1)


def seoul_holidays(year: int) -> set[date]:
    """Weekdays without a session: public holidays with their substitutes, Labour Day and the last weekday."""
    feasts = {day + shift * _DAY for day in _LUNAR_NEW_YEAR | _CHUSEOK if day.year == year for shift in (-1, 0, 1)}
    buddha = next(day for day in _BUDDHA if day.year == year)
    national = {date(year, 3, 1), date(year, 8, 15), date(year, 10, 3)}
    if year >= 2013:
        national.add(date(year, 10, 9))
    if year >= 2026:
        national.add(date(year, 7, 17))
    labour, children, christmas = date(year, 5, 1), date(year, 5, 5), date(year, 12, 25)
    plain = {date(year, 1, 1), labour, date(year, 6, 6), buddha, christmas}
    holidays = feasts | national | plain | {children} | {day for day in _SEOUL_CLOSED if day.year == year}
    made_up: list[date] = []
    if year >= 2014:
        made_up += [day for day in feasts if day.weekday() == _SUNDAY or day in national]
        made_up += [children] * (children.weekday() >= _SATURDAY or children == buddha)
    made_up += [day for day in national if day.weekday() >= _SATURDAY and day >= date(2021, 8, 1)]
    made_up += [day for day in (buddha, christmas) if day.weekday() >= _SATURDAY and year >= 2023]
    made_up += [labour] * (labour.weekday() >= _SATURDAY and year >= 2026)
    for day in sorted(made_up):
        holidays.add(_next_free(day, holidays))
    last = date(year, 12, 31)
    return holidays | {last - max(last.weekday() - _FRIDAY, 0) * _DAY}


def seoul_hours(day: date) -> Hours:
    """9:00 to 15:30 (15:00 until August 2016); the year begins at 10:00; on exam days all is an hour later."""
    close = 930 if day >= _SEOUL_LONGER else 900
    if day in EXAM_DAYS:
        return 600, close + 60
    return (600 if day == _first_session(day.year) else 540), close


def _first_session(year: int) -> date:
    holidays = seoul_holidays(year)
    return _next_free(date(year, 1, 1), holidays)


def _next_free(day: date, holidays: Iterable[date]) -> date:
    day += _DAY
    while day.weekday() >= _SATURDAY or day in holidays:
        day += _DAY
    return day


# ── Tokyo ───────────────────────────────────────────────────────────────────────────────────────────────────────────

# The enthronement of 2019, and the day in 2020 on which the exchange's machines stood still.
_TOKYO_ONCE: Final = _dates("2019-04-30 2019-05-01 2019-05-02 2019-10-22 2020-10-01")
# What the games displaced.
_GAMES: Final = {
    2020: _dates("2020-07-23 2020-07-24 2020-08-10"),
    2021: _dates("2021-07-22 2021-07-23 2021-08-08"),
}
_TOKYO_LONGER: Final = date(2024, 11, 5)
_TOKYO_SHORT_LUNCH: Final = date(2011, 11, 21)


def tokyo_holidays(year: int) -> set[date]:
    """Weekdays without a session: national holidays, what makes up for them, and the days around New Year."""
    days = {
        date(year, 1, 1), _nth(year, 1, _MONDAY, 2), date(year, 2, 11), _equinox(year, 3), date(year, 4, 29),
        date(year, 5, 3), date(year, 5, 4), date(year, 5, 5), _nth(year, 9, _MONDAY, 3), _equinox(year, 9),
        date(year, 11, 3), date(year, 11, 23), *(day for day in _TOKYO_ONCE if day.year == year),
    }  # fmt: skip
    if year != 2019:
        days.add(date(year, 2, 23) if year >= 2020 else date(year, 12, 23))
    if year in _GAMES:
        days |= _GAMES[year]
    else:
        days |= {_nth(year, 7, _MONDAY, 3), _nth(year, 10, _MONDAY, 2)}
        if year >= 2016:
            days.add(date(year, 8, 11))
    for day in sorted(days):
        if day.weekday() == _SUNDAY:
            days.add(_after(day, days))
    between = {day + _DAY for day in days if day + 2 * _DAY in days}
    return days | between | {date(year, 1, 2), date(year, 1, 3), date(year, 12, 31)}


def tokyo_hours(day: date) -> Hours:
    """9:00 to 11:30 and 12:30 to 15:30 (15:00 until November 2024)."""
    return (
        540, 690 if day >= _TOKYO_SHORT_LUNCH else 660, 750, 930 if day >= _TOKYO_LONGER else 900,
    )  # fmt: skip


def _after(day: date, holidays: Iterable[date]) -> date:
    while day in holidays:
        day += _DAY
    return day


def _equinox(year: int, month: int) -> date:
    """The day of an equinox in Japan, 1980 to 2099 (the formula of the Hydrographic Department's almanac)."""
    first = 20.8431 if month == 3 else 23.2488
    return date(year, month, int(first + 0.242194 * (year - 1980)) - (year - 1980) // 4)
