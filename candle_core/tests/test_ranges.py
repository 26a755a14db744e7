"""What start, end and count mean together, against a list of every slot."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.ranges import Bounds, open_span
from candle_core.timeframes import Grid
from candle_hookspecs import BadSpanError, Moment, to_ms

MINUTE = 60_000
GRID = Grid.of("1m")
HORIZON = to_ms("2024-01-01T12:00")
near = st.integers(HORIZON - 30 * MINUTE, HORIZON + 10 * MINUTE)
SLOTS = range(HORIZON - 200 * MINUTE, HORIZON + 200 * MINUTE, MINUTE)


def ends(
    start: Moment | None = None,
    end: Moment | None = None,
    count: int | None = None,
    *,
    grid: Grid = GRID,
    horizon: int = HORIZON,
) -> tuple[int, int]:
    """Both ends of the range, equal where nothing of it is closed yet."""
    span = Bounds.of(start, end, count).span(grid, horizon)
    return (span.start, span.end) if span else (to_ms(start or 0), to_ms(start or 0))


def opens(first: int, last: int) -> list[int]:
    return [slot for slot in SLOTS if first <= slot < last]


@given(near, near)
def test_two_bounds(start: int, end: int) -> None:
    if end <= start:
        with pytest.raises(BadSpanError, match="does not come after"):
            ends(start, end, None)
    else:
        first, last = ends(start, end, None)
        assert first == start
        assert opens(first, last) == [slot for slot in opens(start, end) if slot < HORIZON]


@given(near)
def test_a_start_alone_reaches_to_the_horizon(start: int) -> None:
    first, last = ends(start, None, None)
    assert opens(first, last) == opens(start, HORIZON)
    assert last >= first


@given(near, st.integers(1, 60))
def test_a_count_forward_from_a_start(start: int, count: int) -> None:
    first, last = ends(start, None, count)
    from_start = [slot for slot in SLOTS if slot >= start]
    assert opens(first, last) == [slot for slot in from_start[:count] if slot < HORIZON]


@given(near, st.integers(1, 60))
def test_a_count_back_from_an_end_holds_so_many_closed_slots(end: int, count: int) -> None:
    first, last = ends(None, end, count)
    assert opens(first, last) == opens(SLOTS[0], min(end, HORIZON))[-count:]


@given(st.integers(1, 60))
def test_a_count_alone_ends_at_the_horizon(count: int) -> None:
    first, last = ends(None, None, count)
    assert (first, last) == (HORIZON - count * MINUTE, HORIZON)


def test_moments_in_every_form() -> None:
    expected = (to_ms("2024-01-01"), to_ms("2024-01-01T01:00"))
    assert ends("2024-01-01", "2024-01-01T01:00Z", None) == expected


@given(near, near)
def test_to_and_another_bound_are_two_ends_in_either_order(one: int, other: int) -> None:
    if one == other:
        return
    expected = Bounds.of(min(one, other), max(one, other))
    assert Bounds.of(start=one, to=other) == Bounds.of(end=one, to=other) == expected


@given(near, st.integers(1, 60))
def test_to_alone_is_the_newest_bound(newest: int, count: int) -> None:
    assert Bounds.of(to=newest, count=count) == Bounds.of(end=newest, count=count)


@pytest.mark.parametrize("timeframe", ["1s", "1m", "1w", "1M", "7y"])
@pytest.mark.parametrize("count", [10**11, 10**18, 10**30])
def test_a_count_of_more_than_there_ever_was_is_all_of_it(timeframe: str, count: int) -> None:
    grid = Grid.of(timeframe)
    horizon = grid.floor(HORIZON)
    first, last = ends(count=count, grid=grid, horizon=horizon)
    assert grid.floor(to_ms("0001-01-01")) <= first <= grid.after(to_ms("0001-01-01"))
    assert last == horizon
    assert ends(start="2010-01-01", count=count, grid=grid, horizon=horizon) == (to_ms("2010-01-01"), horizon)


def test_months_are_counted_as_months() -> None:
    first, last = ends(count=2, grid=Grid.of("1M"), horizon=to_ms("2024-03-01"))
    assert (first, last) == (to_ms("2024-01-01"), to_ms("2024-03-01"))


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"start": None, "end": None, "count": None}, "needs a start or a count"),
        ({"start": None, "end": "2024-01-01", "count": None}, "needs a start or a count"),
        ({"start": "2023-01-01", "end": "2024-01-01", "count": 5}, "leave one out"),
        ({"start": "2023-01-01", "end": "2024-01-01", "to": "2025-01-01"}, "leave one out"),
        ({"start": "2023-01-01", "to": "2023-01-01"}, "does not come after"),
        ({"start": "2023-01-01", "end": None, "count": 0}, "at least 1"),
        ({"start": None, "end": None, "count": -3}, "at least 1"),
        ({"start": None, "end": None, "count": 1.5}, "whole number"),
        ({"start": None, "end": None, "count": "5"}, "whole number"),
        ({"start": "2024-01-01", "end": "2024-01-01", "count": None}, "does not come after"),
        ({"start": 1_704_067_200_000_000, "end": "2024-01-01", "count": None}, "microseconds"),
    ],
)
def test_impossible_ranges(arguments: dict[str, Any], advice: str) -> None:
    with pytest.raises(BadSpanError, match=advice):
        Bounds.of(**arguments)


def test_reading_may_leave_either_bound_open() -> None:
    ages = to_ms("0001-01-01"), to_ms("9999-12-31")
    assert all(age in open_span(None, None) for age in ages)
    assert (open_span("2024-01-01", None).start, open_span(None, "2024-01-01").end) == (to_ms("2024-01-01"),) * 2
    assert open_span(None, "2024-01-01").start < ages[0]
    with pytest.raises(BadSpanError):
        open_span("2024-01-02", "2024-01-01")
