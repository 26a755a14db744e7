"""Milliseconds inside, aware datetimes at the edge."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from candle_hookspecs import BadSpanError, Span, iso, to_datetime, to_ms

FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 and 9999, by `date -u -d 0001-01-01 +%s` and `date -u -d '9999-12-31T23:59:59' +%s`."""
milliseconds = st.integers(FIRST, LAST)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2024-01-01", 1_704_067_200_000),
        ("2024-01-01T00:00Z", 1_704_067_200_000),
        ("2024-01-01T09:00:00+09:00", 1_704_067_200_000),
        ("1970-01-01T00:00:00.001", 1),
        ("1969-12-31", -86_400_000),
        (datetime(2024, 1, 1, tzinfo=UTC), 1_704_067_200_000),
        (datetime(2024, 1, 1, 9, tzinfo=timezone(timedelta(hours=9))), 1_704_067_200_000),
        (datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC), -1),
        (1_704_067_200_000, 1_704_067_200_000),
    ],
)
def test_moments_in_every_form(moment: datetime | str | int, expected: int) -> None:
    assert to_ms(moment) == expected


@pytest.mark.parametrize(
    ("moment", "advice"),
    [
        ("yesterday", "2024-01-31"),
        ("", "2024-01-31"),
        ("2024-02-30", "2024-01-31"),
        (datetime(2024, 1, 1), "tzinfo=timezone.utc"),  # noqa: DTZ001 - the point
        (date(2024, 1, 1), "aware datetime"),
        (1.5, "UTC milliseconds"),
        (None, "UTC milliseconds"),
        (1_704_067_200_000_000, "microseconds"),
        (-(2**63), "milliseconds"),
    ],
)
def test_what_is_no_moment_is_named(moment: Any, advice: str) -> None:
    with pytest.raises(BadSpanError) as caught:
        to_ms(moment)
    assert repr(moment) in str(caught.value)
    assert advice in str(caught.value)


@given(milliseconds)
def test_datetime_and_back(ms: int) -> None:
    moment = to_datetime(ms)
    assert moment.tzinfo is UTC
    assert to_ms(moment) == ms
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


@given(milliseconds)
@example(0)
@example(1)
@example(-1)
def test_text_and_back(ms: int) -> None:
    text = iso(ms)
    assert text.endswith("Z")
    assert to_ms(text) == ms
    assert ("." in text) == (ms % 1000 != 0)


def test_text() -> None:
    assert iso(1_706_702_400_000) == "2024-01-31T12:00:00Z"
    assert iso(1_706_702_400_123) == "2024-01-31T12:00:00.123Z"


def test_a_span_that_no_calendar_holds_still_prints() -> None:
    assert str(Span(-(2**53), 0)) == f"[{-(2**53)} ms, 1970-01-01T00:00:00Z)"
    with pytest.raises(BadSpanError, match="does not come after"):
        Span(2**60, 0)


@given(milliseconds, milliseconds)
def test_a_span_is_never_empty(start: int, end: int) -> None:
    if start < end:
        assert (Span(start, end).start, Span(start, end).end) == (start, end)
    else:
        with pytest.raises(BadSpanError) as caught:
            Span(start, end)
        assert iso(start) in str(caught.value)


small = st.integers(-20, 20)


ranges = st.tuples(st.integers(-20, 20), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(ranges, ranges)
def test_intersections_are_those_of_ranges(first: tuple[int, int], second: tuple[int, int]) -> None:
    (a, b), (c, d) = first, second
    shared = Span(a, b).intersect(Span(c, d))
    assert set(range(a, b)) & set(range(c, d)) == (set(range(shared.start, shared.end)) if shared else set())


@given(small, small, st.integers(-25, 25))
def test_holds_its_start_and_not_its_end(start: int, end: int, moment: int) -> None:
    assume(start < end)
    assert (moment in Span(start, end)) == (moment in range(start, end))
    assert None not in Span(start, end)


def test_of_takes_every_form() -> None:
    assert Span.of("1970-01-01", to_datetime(5)) == Span(0, 5)
    assert str(Span.of("2024-01-01", "2024-01-02")) == "[2024-01-01T00:00:00Z, 2024-01-02T00:00:00Z)"
