"""Sessions of known days, by the exchange's own clock; what the library knows, what it does not, and where it ends."""

import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from candle_hookspecs import ConfigError, PluginError, Session, Span, to_datetime
from candle_stocks.calendars import Calendar


def hours(calendar: Calendar, day: str, until: str | None = None) -> list[str]:
    """``open–close`` or ``open–pause, goes on–close`` of the sessions of local days, both included."""
    zone = ZoneInfo(calendar.zone)
    first, last = (to_datetime(Span.of(moment, "2100-01-01").start) for moment in (day, until or day))
    start, end = (moment.replace(tzinfo=zone, hour=hour) for moment, hour in ((first, 0), (last, 23)))

    def told(session: Session) -> str:
        return ", ".join(
            f"{to_datetime(part.start).astimezone(zone):%H:%M}–{to_datetime(part.end).astimezone(zone):%H:%M}"
            for part in session.parts
        )

    return [told(session) for session in calendar.sessions(Span.of(start, end))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all, with what most tests ask for in one piece."""
    folder = tmp_path_factory.mktemp("calendars")
    for name in ("XKRX", "XTKS"):
        Calendar(name, folder).sessions(Span.of("2005-01-01", "2026-12-31"))
    return folder


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("XNYS", "2026-11-25", ["09:30–16:00"]),
        ("XNYS", "2026-11-26", []),  # Thanksgiving
        ("XNYS", "2026-11-27", ["09:30–13:00"]),  # a half day
        ("XNYS", "2026-11-28", []),  # a Saturday
        ("XKRX", "2016-07-29", ["09:00–15:00"]),
        ("XKRX", "2016-08-01", ["09:00–15:30"]),  # longer from here on
        ("XKRX", "2026-01-02", ["10:00–15:30"]),  # the year's first
        ("XKRX", "2016-11-17", ["10:00–16:30"]),  # an exam day that the library knows
        ("XKRX", "2026-11-19", ["10:00–16:30"]),  # one that it does not
        ("XKRX", "2026-11-20", ["09:00–15:30"]),
        ("XKRX", "2026-06-03", []),  # elections
        ("XKRX", "2026-07-17", []),  # Constitution Day
        ("XKRX", "2025-07-17", ["09:00–15:30"]),  # when it was none
        ("XTKS", "2005-12-29", ["09:00–11:00, 12:30–15:00"]),
        ("XTKS", "2005-12-30", ["09:00–11:00"]),  # the year's last
        ("XTKS", "2006-01-18", ["09:00–11:00, 12:30–15:00"]),
        ("XTKS", "2006-01-19", ["09:00–11:00, 13:00–15:00"]),
        ("XTKS", "2006-04-24", ["09:00–11:00, 12:30–15:00"]),
        ("XTKS", "2009-12-30", ["09:00–11:00, 12:30–15:00"]),  # the first last day that was a whole one
        ("XTKS", "2011-11-18", ["09:00–11:00, 12:30–15:00"]),
        ("XTKS", "2011-11-21", ["09:00–11:30, 12:30–15:00"]),
        ("XTKS", "2024-11-05", ["09:00–11:30, 12:30–15:30"]),
        ("XHKG", "2026-02-16", ["09:30–12:00"]),  # the eve of the lunar new year: no afternoon, so no pause
        ("NASDAQ", "2026-11-27", ["09:30–13:00"]),  # an alias
        ("JPX", "2011-11-18", ["09:00–11:00, 12:30–15:00"]),  # known by alias as well
    ],
)
def test_days(folder: Path, name: str, day: str, expected: list[str]) -> None:
    assert hours(Calendar(name, folder), day) == expected


def test_opens_move_with_summer_time(folder: Path) -> None:
    calendar = Calendar("XNYS", folder)
    spring = calendar.sessions(Span.of("2026-03-06", "2026-03-10"))
    autumn = calendar.sessions(Span.of("2026-10-30", "2026-11-03"))
    opens = [f"{to_datetime(session.span.start):%m-%d %H:%M}" for session in (*spring, *autumn)]
    assert opens == ["03-06 14:30", "03-09 13:30", "10-30 13:30", "11-02 14:30"]


def test_a_session_may_open_the_evening_before(folder: Path) -> None:
    [monday] = Calendar("CMES", folder).sessions(Span.of("2026-03-01T22:00Z", "2026-03-02T12:00Z"))
    assert monday.span == Span.of("2026-03-01T23:00Z", "2026-03-02T23:00Z")  # 17:00 in Chicago, both


def test_those_that_touch_the_span(folder: Path) -> None:
    calendar = Calendar("XNYS", folder)
    [day] = calendar.sessions(Span.of("2026-06-10", "2026-06-11"))
    start, end = day.span.start, day.span.end
    assert calendar.sessions(Span(start + 1, start + 2)) == [day]
    assert calendar.sessions(Span(end - 1, end + 1)) == [day]
    assert calendar.sessions(Span(start - 1, start + 1)) == [day]
    assert calendar.sessions(Span(end, end + 3_600_000)) == []
    assert calendar.sessions(Span(start - 3_600_000, start)) == []


def test_a_calendar_that_begins_later_gives_what_there_is(tmp_path: Path) -> None:
    calendar = Calendar("XTKS", tmp_path)
    assert calendar.sessions(Span.of("1990-01-01", "1990-02-01")) == []
    first = calendar.sessions(Span.of("1970-01-01", "1998-01-01"))[0]
    assert to_datetime(first.span.start).isoformat() == "1997-01-06T00:00:00+00:00"


def test_a_calendar_that_ends_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "candle")
    last = Calendar("XSHG", tmp_path).sessions(Span.of("2025-12-01", "2100-01-01"))[-1]
    end = to_datetime(last.span.end).date().isoformat()
    [line] = [record.getMessage() for record in caplog.records]
    assert "'XSHG'" in line
    assert end in line


@pytest.mark.parametrize(
    "span", [Span(-(10**15), -(10**14)), Span(10**14, 10**14 + 1), Span.of("1940-01-01", "1941-01-01")]
)
def test_beyond_all_calendars_there_is_nothing(tmp_path: Path, span: Span) -> None:
    assert Calendar("XSHG", tmp_path).sessions(span) == []


def test_the_last_session_of_what_was_computed_is_no_different(tmp_path: Path) -> None:
    """For what it takes for the first session of 2000, the library opens the very last one an hour late."""
    calendar = Calendar("XKRX", tmp_path)
    calendar.sessions(Span.of("1999-06-01", "2022-06-02"))  # and so computed until the end of 2023
    assert hours(calendar, "2023-12-27", "2023-12-28") == ["09:00–15:30", "09:00–15:30"]


@pytest.mark.parametrize(("name", "meant"), [("KRX", "'XKRX'"), ("xnys", "'XNYS'"), ("nowhere at all", "'24/7'")])
def test_an_unknown_name(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"no calendar {name!r}") as raised:
        Calendar(name, tmp_path).sessions(Span.of("2024-01-01", "2024-02-01"))
    assert meant in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_calendar_that_the_library_cannot_compute(tmp_path: Path) -> None:
    """Athens does not bear the pandas of today; should it one day, let another stand here, or none."""
    with pytest.raises(PluginError, match="'ASEX' cannot be computed by exchange_calendars 4"):
        Calendar("ASEX", tmp_path).sessions(Span.of("2024-01-01", "2024-02-01"))
