"""Corrections as people write them: what they change, what they leave, and what is refused."""

import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from candle_hookspecs import ConfigError, Session, Span
from candle_stocks.calendars import Calendar, Correction, cache

WEEK = Span.of("2024-06-09T15:00Z", "2024-06-14T15:00Z")  # Monday to Friday, June 10 to 14, in Tokyo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calendars")


def sessions(folder: Path, text: str = "", span: Span = WEEK, name: str = "XTKS") -> list[Session]:
    written = tomllib.loads(text).get("corrections", [])
    return Calendar(name, folder, TypeAdapter(list[Correction]).validate_python(written)).sessions(span)


def tokyo(day: str, *times: str) -> Session:
    opens, *pause, closes = (Span.of(f"{day}T{time}+09:00", "2100-01-01").start for time in times)
    return Session(Span(opens, closes), Span(*pause) if pause else None)


def usual(day: str) -> Session:
    return tokyo(day, "09:00", "11:30", "12:30", "15:00")


DAYS = [f"2024-06-{day}" for day in (10, 11, 12, 13, 14)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("closed = true", None),
        ('open = "10:00"', ("10:00", "11:30", "12:30", "15:00")),
        ("open = 10:00:00", ("10:00", "11:30", "12:30", "15:00")),
        ('close = "16:00"', ("09:00", "11:30", "12:30", "16:00")),
        ('pause = ["11:00", "13:00"]', ("09:00", "11:00", "13:00", "15:00")),
        ("pause = []", ("09:00", "15:00")),
        ('close = "11:30"\npause = []', ("09:00", "11:30")),
        ('open = "08:00"\nclose = "20:00"\npause = ["12:00", "13:00"]', ("08:00", "12:00", "13:00", "20:00")),
    ],
)
def test_a_day(folder: Path, text: str, expected: tuple[str, ...] | None) -> None:
    rest = [usual(day) for day in DAYS]
    rest[2:3] = [tokyo("2024-06-12", *expected)] if expected else []
    assert sessions(folder, f"[[corrections]]\nday = 2024-06-12\n{text}") == rest


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("from = 2024-06-11\nuntil = 2024-06-13", [1, 2, 3]),
        ("from = 2024-06-13", [3, 4]),
        ("until = 2024-06-10", [0]),
        ("from = 2024-06-12\nuntil = 2024-06-12", [2]),
    ],
)
def test_a_range_has_its_last_day(folder: Path, text: str, changed: list[int]) -> None:
    expected = [
        tokyo(day, "09:00", "11:30", "12:30", "16:00") if number in changed else usual(day)
        for number, day in enumerate(DAYS)
    ]
    assert sessions(folder, f'[[corrections]]\n{text}\nclose = "16:00"') == expected


def test_a_day_that_was_none_becomes_one(folder: Path) -> None:
    text = '[[corrections]]\nday = 2024-06-15\nopen = "09:00"\nclose = "11:30"'
    weekend = Span(WEEK.start, WEEK.end + 2 * 86_400_000)
    assert sessions(folder, text, weekend) == [*map(usual, DAYS), tokyo("2024-06-15", "09:00", "11:30")]


def test_a_range_opens_no_weekends(folder: Path) -> None:
    text = '[[corrections]]\nfrom = 2024-06-01\nopen = "09:00"\nclose = "15:00"\npause = []'
    two_weeks = Span(WEEK.start, WEEK.end + 7 * 86_400_000)
    assert len(sessions(folder, text, two_weeks)) == 10


def test_later_ones_go_over_earlier_ones_and_over_what_is_built_in(folder: Path) -> None:
    text = """
        [[corrections]]
        day = 2024-11-14 # an exam day: 10:00 to 16:30
        close = "17:00"
        [[corrections]]
        day = 2024-11-14
        close = "18:00"
        [[corrections]]
        day = 2026-06-03 # elections
        open = "09:00"
        close = "15:30"
    """
    found = sessions(folder, text, Span.of("2024-11-14", "2026-06-04"), "XKRX")
    assert found[0] == tokyo("2024-11-14", "10:00", "18:00")  # Seoul keeps Tokyo's time
    assert found[-1] == tokyo("2026-06-03", "09:00", "15:30")


def test_a_change_needs_no_new_cache(folder: Path) -> None:
    assert sessions(folder) == [usual(day) for day in DAYS]
    kept = cache.path_of(folder, "XTKS").read_bytes()
    assert sessions(folder, "[[corrections]]\nday = 2024-06-12\nclosed = true") != sessions(folder)
    assert cache.path_of(folder, "XTKS").read_bytes() == kept


def test_times_are_those_of_the_place_in_summer_and_winter(folder: Path) -> None:
    text = '[[corrections]]\nfrom = 2024-01-01\nopen = "08:00"'
    for day, opens in (("2024-03-08", "13:00Z"), ("2024-03-11", "12:00Z")):  # before and after the clocks changed
        [session] = sessions(folder, text, Span.of(day, f"{day}T23:00Z"), "XNYS")
        assert session.span.start == Span.of(f"{day}T{opens}", "2100-01-01").start


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("day = 2024-06-15\nopen = '09:00'", "'2024-06-15' is no session of 'XTKS'"),
        ("day = 2024-06-12\nclose = '12:00'", "'2024-06-12' at 'XTKS' with the times 09:00, 11:30, 12:30, 12:00"),
        ("day = 2024-06-12\nopen = '16:00'", "'2024-06-12' at 'XTKS'"),
    ],
)
def test_what_leaves_no_session(folder: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        sessions(folder, f"[[corrections]]\n{text}")


def test_sessions_do_not_overlap(folder: Path) -> None:
    text = (
        "[[corrections]]\nday = 2024-06-09\nopen = '09:00'\nclose = '20:00'"  # Monday's opens on this Sunday, at 17:00
    )
    with pytest.raises(ConfigError, match="'2024-06-10' at 'CMES' open before"):
        sessions(folder, text, WEEK, "CMES")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "either 'day', or 'from' and 'until'"),
        ({"closed": True}, "either 'day', or 'from' and 'until'"),
        ({"day": "2024-06-12", "until": "2024-06-13", "closed": True}, "either 'day', or 'from' and 'until'"),
        ({"from": "2024-06-13", "until": "2024-06-12", "closed": True}, "comes before"),
        ({"day": "2024-06-12"}, "either 'closed', or any of"),
        ({"day": "2024-06-12", "closed": True, "open": "09:00"}, "either 'closed', or any of"),
        ({"day": "2024-06-12", "open": "15:00", "close": "09:00"}, "does not come after"),
        ({"day": "June 12", "closed": True}, "'June 12' is no day"),
        ({"day": datetime.fromisoformat("2024-06-12"), "closed": True}, "is no day"),
        ({"day": 20240612, "closed": True}, "20240612 is no day"),
        ({"day": "2024-06-12", "open": "9 o'clock"}, '"9 o\'clock" is no time of day'),
        ({"day": "2024-06-12", "open": 9}, "9 is no time of day"),
        ({"day": "2024-06-12", "open": "09:00+09:00"}, "'09:00\\+09:00' is no time of day"),
        ({"day": "2024-06-12", "pause": "11:30"}, "'11:30' is no pause"),
        ({"day": "2024-06-12", "pause": ["11:30"]}, "is no pause"),
        ({"day": "2024-06-12", "pause": ["12:30", "11:30"]}, "ends before it begins"),
        ({"day": "2024-06-12", "lunch": ["11:30", "12:30"]}, "lunch"),
    ],
)
def test_what_is_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Correction.model_validate(values)


def test_in_python(folder: Path) -> None:
    correction = Correction(from_=date(2024, 6, 12), until=date(2024, 6, 12), open=time(10))
    assert correction == Correction.model_validate({"from": "2024-06-12", "until": "2024-06-12", "open": "10:00"})
    assert Calendar("XTKS", folder, [correction]).sessions(WEEK)[2] == tokyo(
        "2024-06-12", "10:00", "11:30", "12:30", "15:00"
    )
