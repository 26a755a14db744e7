"""When an update is due again: told by the calendar of the standard library."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.sessions import SessionGrid
from candle_core.timeframes import Grid
from candle_core.update.schedule import Beats
from candle_hookspecs import Session, Span, to_ms

LAG = 3_000
LENGTHS = {"1s": 1, "1m": 60, "15m": 900, "4h": 14_400, "1d": 86_400}


def at(text: str) -> int:
    return to_ms(text)


@pytest.mark.parametrize(
    ("timeframe", "moment", "beat"),
    [
        ("1m", "2024-03-01T12:00:02.999", "2024-03-01T12:00:03"),
        ("1m", "2024-03-01T12:00:03", "2024-03-01T12:01:03"),
        ("5m", "2024-03-01T12:00:30", "2024-03-01T12:05:03"),
        ("1d", "2024-02-29T00:00:03", "2024-03-01T00:00:03"),
        ("1w", "2024-03-01", "2024-03-04T00:00:03"),
        ("1M", "2024-01-31T12:00", "2024-02-01T00:00:03"),
        ("1M", "2024-02-29T23:59:59", "2024-03-01T00:00:03"),
        ("1y", "2024-03-01", "2025-01-01T00:00:03"),
    ],
)
def test_the_next(timeframe: str, moment: str, beat: str) -> None:
    assert Beats(Grid.of(timeframe), LAG).after(at(moment)) == at(beat)


@given(
    st.sampled_from(sorted(LENGTHS)),
    st.datetimes(datetime(2017, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(0, 600_000),
)
def test_the_next_is_the_first_that_is_later(timeframe: str, moment: datetime, lag: int) -> None:
    now, step = round(moment.replace(tzinfo=UTC).timestamp() * 1000), LENGTHS[timeframe] * 1000
    beat = Beats(Grid.of(timeframe), lag).after(now)
    assert now < beat <= now + step
    assert (beat - lag) % step == 0


@given(st.datetimes(datetime(2017, 1, 1), datetime(2030, 1, 1)), st.integers(0, 300_000))  # noqa: DTZ001
def test_beats_in_between_are_counted_one_by_one(moment: datetime, lasting: int) -> None:
    beats, began = Beats(Grid.of("1m"), LAG), round(moment.replace(tzinfo=UTC).timestamp() * 1000)
    ended = began + lasting
    assert beats.between(began, ended) == sum((one - LAG) % 60_000 == 0 for one in range(began + 1, ended + 1))


def test_a_run_that_begins_on_its_beat_and_is_short_misses_none() -> None:
    beats = Beats(Grid.of("1m"), LAG)
    beat = beats.after(at("2024-03-01T12:00"))
    assert beats.between(beat, beat + 59_999) == 0
    assert beats.between(beat, beat + 60_000) == 1
    assert beats.between(beat, beat - 5) == 0, "a clock that was set back"


def test_a_market_that_closes_beats_at_its_closes() -> None:
    opens = [datetime(2024, 3, day, 14, 30, tzinfo=UTC) for day in (1, 4, 5)]  # Friday, Monday, Tuesday
    spans = [Span.of(one, one + timedelta(hours=6, minutes=30)) for one in opens]
    beats = Beats(SessionGrid("1d", [Session(span) for span in spans]), LAG)
    assert beats.after(at("2024-03-01T15:00")) == at("2024-03-01T21:00:03")
    assert beats.after(at("2024-03-02T12:00")) == at("2024-03-04T21:00:03")
    assert beats.between(at("2024-03-01T22:00"), at("2024-03-04T21:00:02")) == 0
