"""Grids against the calendars of datetime and pandas."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from candle_core.timeframes import Grid, parse_timeframe
from candle_hookspecs import Span, UnknownTimeframeError, to_datetime, to_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)

CALENDAR: dict[str, tuple[datetime, timedelta | int]] = {
    "1s": (EPOCH, timedelta(seconds=1)),
    "1m": (EPOCH, timedelta(minutes=1)),
    "15m": (EPOCH, timedelta(minutes=15)),
    "4h": (EPOCH, timedelta(hours=4)),
    "1d": (EPOCH, timedelta(days=1)),
    "3d": (EPOCH, timedelta(days=3)),
    "1w": (MONDAY, timedelta(weeks=1)),
    "2w": (MONDAY, timedelta(weeks=2)),
    "1M": (EPOCH, 1),
    "3M": (EPOCH, 3),
    "1y": (EPOCH, 12),
}
"""Timeframe → a first open time, and the step from it: a length, or calendar months."""
timeframes = st.sampled_from(sorted(CALENDAR))
moments = st.integers(to_ms("1950-01-01"), to_ms("2060-01-01"))


def nth(timeframe: str, number: int) -> datetime:
    start, step = CALENDAR[timeframe]
    if isinstance(step, timedelta):
        return start + step * number
    return start.replace(year=start.year + number * step // 12, month=number * step % 12 + 1)


def walk(timeframe: str, moment: int) -> tuple[int, int]:
    """The open times at or before, and after, the moment: walked on the calendar from one close by."""
    start, step = CALENDAR[timeframe]
    wanted = to_datetime(moment)
    number = (wanted - start) // (step if isinstance(step, timedelta) else timedelta(days=30.4) * step)
    while nth(timeframe, number) > wanted:
        number -= 1
    while nth(timeframe, number + 1) <= wanted:
        number += 1
    return to_ms(nth(timeframe, number)), to_ms(nth(timeframe, number + 1))


@given(timeframes, moments)
def test_slots_are_those_of_the_calendar(timeframe: str, moment: int) -> None:
    grid = Grid.of(timeframe)
    before, after = walk(timeframe, moment)
    assert grid.floor(moment) == before
    assert grid.after(moment) == after
    assert grid.ceil(moment) == (moment if moment == before else after)
    assert (grid.open(grid.index(moment)), grid.open(grid.index(moment) + 1)) == (before, after)
    assert grid.on_grid(np.array([moment, before, after])).tolist() == [moment == before, True, True]
    assert grid.closes(np.array([before]))[0] == after


@given(timeframes, moments, st.integers(-40, 40))
def test_steps_forward_and_back(timeframe: str, moment: int, slots: int) -> None:
    reached = walk(timeframe, moment)[0]
    for _ in range(abs(slots)):
        reached = walk(timeframe, reached)[1] if slots > 0 else walk(timeframe, reached - 1)[0]
    assert Grid.of(timeframe).after(moment, slots) == reached


@given(timeframes, moments, st.integers(0, 12), st.integers(0, 10**9), st.integers(0, 1))
def test_count_is_how_many_open_inside(timeframe: str, start: int, slots: int, more: int, snap: int) -> None:
    start = walk(timeframe, start)[0] if snap else start
    end = start
    for _ in range(slots):
        end = walk(timeframe, end)[1]
    end += more % (walk(timeframe, end)[1] - end)
    assume(end > start)
    opens = []
    moment = walk(timeframe, start - 1)[1]
    while moment < end:
        opens.append(moment)
        moment = walk(timeframe, moment)[1]
    assert Grid.of(timeframe).count(Span(start, end)) == len(opens)


@given(timeframes, st.lists(moments, max_size=20))
def test_arrays_are_many_moments(timeframe: str, many: list[int]) -> None:
    grid = Grid.of(timeframe)
    array = np.array(many, np.int64)
    assert grid.indices(array).tolist() == [grid.index(moment) for moment in many]
    assert grid.opens(grid.indices(array)).tolist() == [grid.floor(moment) for moment in many]
    assert grid.closes(array).tolist() == [grid.after(moment) + moment - grid.floor(moment) for moment in many], (
        "a candle off the grid lasts as long as its slot, from its own open time"
    )


@pytest.mark.parametrize(("timeframe", "frequency"), [("1w", "W-MON"), ("1M", "MS"), ("1y", "YS"), ("3M", "QS")])
def test_against_pandas(timeframe: str, frequency: str) -> None:
    expected = pd.date_range("1999-12-31", "2031-01-02", freq=frequency, tz="UTC", inclusive="left")
    grid = Grid.of(timeframe)
    first = grid.ceil(to_ms("1999-12-31"))
    opens = grid.opens(np.arange(len(expected)) + grid.index(first))
    assert opens.tolist() == [to_ms(moment.to_pydatetime()) for moment in expected]
    assert grid.count(Span.of("1999-12-31", "2031-01-02")) == len(expected)


@given(st.sampled_from(["1m", "4h", "3d", "1w"]), moments, moments)
def test_an_anchor_is_an_open_time_and_so_is_every_step_from_it(timeframe: str, anchor: int, moment: int) -> None:
    grid = Grid.of(timeframe, anchor)
    length = (nth(timeframe, 1) - nth(timeframe, 0)) // timedelta(milliseconds=1)
    assert (grid.floor(moment) - anchor) % length == 0
    assert 0 <= moment - grid.floor(moment) < length
    assert grid.floor(anchor) == anchor


def test_anchored_months_keep_their_phase() -> None:
    grid = Grid.of("3M", to_ms("2020-02-01"))
    assert [grid.after(to_ms("2023-01-15"), step) for step in (0, 1)] == [to_ms("2022-11-01"), to_ms("2023-02-01")]


@pytest.mark.parametrize(
    ("text", "expected"), [("1m", (1, "m")), ("1M", (1, "M")), ("15m", (15, "m")), ("999999s", (999_999, "s"))]
)
def test_notation(text: str, expected: tuple[int, str]) -> None:
    assert parse_timeframe(text) == expected


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "1", "-1m", "1 m", "1min", "01m", "1x", "1m\n", "1000000m", "１m", None, 5]
)
def test_what_is_no_timeframe_is_named(text: Any) -> None:
    with pytest.raises(UnknownTimeframeError) as caught:
        Grid.of(text)
    assert repr(text) in str(caught.value)
