"""The sessions of three places beside the sandbox's, which come from rules of its own."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from candle_hookspecs import Session, Span, to_datetime
from candle_stocks.calendars import Calendar
from candle_testkit.sandbox.stocks_sessions import NEW_YORK, SEOUL, TOKYO, Place

YEARS = Span.of("2010-01-01", "2030-12-31T20:00Z")


def ledger(place: Place) -> dict[date, Session]:
    told = {}
    columns = place.sessions
    edges = np.stack([columns.opens, columns.lunch, columns.afternoon, columns.closes], axis=1).tolist()
    for opens, lunch, afternoon, closes in edges:
        day = to_datetime(opens).astimezone(ZoneInfo(place.zone)).date()
        told[day] = Session(Span(opens, closes), Span(lunch, afternoon) if lunch < afternoon else None)
    return told


@pytest.mark.parametrize(("name", "place"), [("XNYS", NEW_YORK), ("XKRX", SEOUL), ("XTKS", TOKYO)])
def test_twenty_years_are_those_of_the_ledger(tmp_path: Path, name: str, place: Place) -> None:
    expected = ledger(place)
    calendar = Calendar(name, tmp_path)
    found = calendar.sessions(YEARS)
    days = [to_datetime(session.span.start).astimezone(ZoneInfo(place.zone)).date() for session in found]
    assert calendar.zone == place.zone
    assert days == sorted(expected)
    assert [(day, session) for day, session in zip(days, found, strict=True) if session != expected[day]] == []
