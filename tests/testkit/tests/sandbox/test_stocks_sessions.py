"""The sandbox's sessions beside those of exchange_calendars, which knows nothing of them, and beside known days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from candle_testkit.sandbox.stocks_holidays import EXAM_DAYS
from candle_testkit.sandbox.stocks_sessions import NEW_YORK, SEOUL, TOKYO, Place

FIRST, LAST = date(2010, 1, 1), date(2027, 11, 1)
# What exchange_calendars 4.13 does not know: the local elections of 2026, Constitution Day and the day after Labour
# Day, holidays since 2026, and exam days from 2021 on.
CLOSED_UNKNOWN = {date(2026, 6, 3), date(2026, 7, 17), date(2027, 5, 3), date(2027, 7, 19)}
EXAMS_UNKNOWN = {day for day in EXAM_DAYS if day.year >= 2021}


def sessions(place: Place) -> dict[date, tuple[datetime, datetime, datetime, datetime]]:
    """By local day: open, lunch, afternoon, close."""
    known = place.sessions
    edges = zip(known.opens, known.lunch, known.afternoon, known.closes, strict=True)
    told = {}
    for day, one in zip(known.days, edges, strict=True):
        moment = date(1970, 1, 1) + timedelta(days=int(day))
        open_, lunch, afternoon, close = (datetime.fromtimestamp(edge / 1000, UTC) for edge in one)
        told[moment] = open_, lunch, afternoon, close
    return told


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "name"), [(NEW_YORK, "XNYS"), (SEOUL, "XKRX"), (TOKYO, "XTKS")])
def test_sessions_are_those_of_an_independent_calendar(place: Place, name: str) -> None:
    calendars: Any = pytest.importorskip("exchange_calendars")
    schedule = calendars.get_calendar(name, start=str(FIRST), end=str(LAST)).schedule
    theirs = {}
    for row in schedule.itertuples():
        lunch = row.close if str(row.break_start) == "NaT" else row.break_start
        afternoon = row.close if str(row.break_end) == "NaT" else row.break_end
        theirs[row.Index.date()] = tuple(one.to_pydatetime() for one in (row.open, lunch, afternoon, row.close))
    if place is TOKYO:
        # Until November 2011 lunch began at 11:00, which it does not know either.
        theirs = {day: hours for day, hours in theirs.items() if day.year >= 2012}
    if place is SEOUL:
        assert theirs.keys() >= CLOSED_UNKNOWN
        theirs = {day: hours for day, hours in theirs.items() if day not in EXAMS_UNKNOWN | CLOSED_UNKNOWN}
    mine = {day: hours for day, hours in sessions(place).items() if min(theirs) <= day <= LAST}
    if place is SEOUL:
        mine = {day: hours for day, hours in mine.items() if day not in EXAMS_UNKNOWN}
    assert mine.keys() == theirs.keys()
    assert {day for day in mine if mine[day] != theirs[day]} == set()


def local(place: Place, day: str) -> list[str]:
    hours = sessions(place)[date.fromisoformat(day)]
    return [f"{one.astimezone(ZoneInfo(place.zone)):%H:%M}" for one in hours]


def test_days_that_are_not_like_others() -> None:
    assert local(NEW_YORK, "2023-11-24") == ["09:30", "13:00", "13:00", "13:00"], "the day after Thanksgiving"
    assert local(SEOUL, "2024-11-14") == ["10:00", "16:30", "16:30", "16:30"], "the day of the entrance exam"
    assert local(SEOUL, "2024-01-02") == ["10:00", "15:30", "15:30", "15:30"], "the first session of a year"
    assert local(TOKYO, "2024-11-01") == ["09:00", "11:30", "12:30", "15:00"]
    assert local(TOKYO, "2024-11-05") == ["09:00", "11:30", "12:30", "15:30"], "half an hour longer from that day on"


def test_summer_time_moves_the_open_in_utc() -> None:
    opens = {day: hours[0] for day, hours in sessions(NEW_YORK).items()}
    assert (opens[date(2024, 3, 8)].hour, opens[date(2024, 3, 11)].hour) == (14, 13)
    assert (opens[date(2024, 11, 1)].hour, opens[date(2024, 11, 4)].hour) == (13, 14)
