"""Weeks and months of sessions, against the calendar of the exchange's own zone as pandas keeps it."""

import numpy as np
import pandas as pd
import pytest

from candle_core.resample import PeriodGrid, can_make, resample
from candle_core.sessions import SessionGrid
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import CandleBatch, Session, Span, UnknownTimeframeError, to_ms

from .rows import DAY, HOW, assert_same, candles

HOURS = {
    "America/New_York": ("09:30", "16:00", None),
    "Asia/Tokyo": ("09:00", "15:00", ("11:30", "12:30")),
    "Australia/Sydney": ("10:00", "16:00", None),  # opens on the day before, by UTC, in summer
    "Pacific/Auckland": ("10:00", "16:45", None),  # always
}
HOLIDAYS = ("2023-12-25", "2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-12-25")
RULES = {"1w": "W-MON", "1M": "MS", "3M": "QS", "1y": "YS"}


def moment(day: pd.Timestamp, clock: str, zone: str) -> int:
    return int(pd.Timestamp(f"{day.date()} {clock}", tz=zone).as_unit("ms").value // 10**6)


def sessions_of(zone: str) -> list[Session]:
    """Mondays to Fridays of fifteen months, but for holidays; summer time begins and ends within."""
    opening, close, lunch = HOURS[zone]
    days = [day for day in pd.bdate_range("2023-11-15", "2025-02-14") if str(day.date()) not in HOLIDAYS]
    return [
        Session(
            Span(moment(day, opening, zone), moment(day, close, zone)),
            None if lunch is None else Span(moment(day, lunch[0], zone), moment(day, lunch[1], zone)),
        )
        for day in days
    ]


def everything(sessions: list[Session]) -> Spans:
    return Spans((Span(sessions[0].span.start - 40 * DAY, sessions[-1].span.end + 400 * DAY),))


def by_local_calendar(batch: CandleBatch, zone: str, rule: str) -> pd.DataFrame:
    """Grouped by the period of the local date; the index is the first open time of each."""
    frame = batch.to_pandas()
    frame["local"] = pd.DatetimeIndex(frame.index).tz_convert(zone).tz_localize(None).normalize()
    groups = frame.assign(at=frame.index).groupby(pd.Grouper(key="local", freq=rule, closed="left", label="left"))
    made = groups.agg({"at": "first"} | HOW).dropna(subset="at")
    return made.set_index("at")


@pytest.mark.parametrize("zone", sorted(HOURS))
@pytest.mark.parametrize("timeframe", sorted(RULES))
@pytest.mark.parametrize("source", ["1d", "1h"])
def test_periods_are_those_of_the_local_calendar(zone: str, timeframe: str, source: str) -> None:
    sessions = sessions_of(zone)
    fine, coarse = SessionGrid(source, sessions), PeriodGrid(timeframe, sessions)
    assert can_make(fine, coarse)
    last = fine.index(sessions[-1].span.end - 1)
    batch = candles(fine.opens(np.arange(last + 1)))
    made = resample(batch, fine, coarse, everything(sessions))
    assert_same(made, by_local_calendar(batch, zone, RULES[timeframe]))


@pytest.mark.parametrize("zone", sorted(HOURS))
def test_days_from_hours_and_hours_from_minutes(zone: str) -> None:
    sessions = sessions_of(zone)
    grids = {timeframe: SessionGrid(timeframe, sessions) for timeframe in ("30m", "1h", "1d")}
    halves = candles(grids["30m"].opens(np.arange(grids["30m"].index(sessions[-1].span.end - 1) + 1)))
    for timeframe, grid in grids.items():
        made = resample(halves, grids["30m"], grid, everything(sessions))
        opens: list[int] = []
        for session in sessions:
            for part in (session.span,) if timeframe == "1d" else session.parts:
                step = {"30m": DAY // 48, "1h": DAY // 24, "1d": DAY}[timeframe]
                opens += range(part.start, part.end, step)
        frame = halves.to_pandas()
        frame["slot"] = np.array(opens)[np.searchsorted(np.array(opens), halves.open_time, "right") - 1]
        wanted = frame.groupby("slot").agg(HOW)
        assert_same(made, wanted.set_index(pd.to_datetime(wanted.index, unit="ms")))


def test_a_week_without_its_last_day_is_not_closed() -> None:
    sessions = sessions_of("America/New_York")
    fine, coarse = SessionGrid("1d", sessions), PeriodGrid("1w", sessions)
    monday = moment(pd.Timestamp("2024-06-03"), "09:30", "America/New_York")
    week = candles([monday + day * DAY for day in range(5)])
    assert resample(week, fine, coarse, Spans()).open_time.tolist() == [monday]
    assert len(resample(week[:4], fine, coarse, Spans())) == 0
    friday = Spans((Span(monday + 4 * DAY, monday + 4 * DAY + 1),))
    assert resample(week[:4], fine, coarse, friday).open_time.tolist() == [monday]


def test_slots_follow_one_another_also_where_no_session_is_known() -> None:
    sessions = sessions_of("Australia/Sydney")
    for timeframe in RULES:
        grid = PeriodGrid(timeframe, sessions)
        numbers = np.arange(-30, 120)
        opens = grid.opens(numbers)
        assert (np.diff(opens) > 0).all()
        assert grid.indices(opens).tolist() == numbers.tolist()
        assert grid.indices(opens - 1).tolist() == (numbers - 1).tolist()
        assert grid.on_grid(opens).all()
        assert (grid.closes(opens[:-1]) <= opens[1:]).all()
        assert grid.floor(int(opens[50]) + 1) == opens[50]


def test_a_week_is_closed_when_its_last_session_is() -> None:
    sessions = sessions_of("America/New_York")
    grid = PeriodGrid("1w", sessions)
    monday, friday = (pd.Timestamp(day) for day in ("2024-06-03", "2024-06-07"))
    close = moment(friday, "16:00", "America/New_York")
    opening = moment(monday, "09:30", "America/New_York")
    assert grid.pending(close - 1) == opening
    assert grid.pending(close) == opening + 7 * DAY
    assert grid.closes(np.array([opening])).tolist() == [close]


@pytest.mark.parametrize("timeframe", ["2d", "1d", "4h"])
def test_days_are_no_periods(timeframe: str) -> None:
    with pytest.raises(UnknownTimeframeError, match=timeframe):
        PeriodGrid(timeframe, sessions_of("Asia/Tokyo"))


def test_what_can_be_made_of_sessions() -> None:
    sessions = sessions_of("Asia/Tokyo")
    grids = {name: SessionGrid(name, sessions) for name in ("1m", "15m", "45m", "1h", "1d")}
    assert can_make(grids["15m"], grids["1h"])
    assert can_make(grids["45m"], grids["1d"])
    assert not can_make(grids["45m"], grids["1h"])
    assert not can_make(grids["1d"], grids["1h"])
    assert can_make(grids["1m"], PeriodGrid("2w", sessions))
    assert not can_make(PeriodGrid("1M", sessions), PeriodGrid("1y", sessions)), "no source has such"
    assert not can_make(Grid.of("1m"), grids["1h"])
    assert to_ms("2024-01-01") not in grids["1d"].opens(np.arange(40)).tolist()
