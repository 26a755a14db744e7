"""The grid of a market that closes, against lists of slots counted one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.sessions import SessionGrid
from candle_hookspecs import BadSpanError, Session, Span, UnknownTimeframeError, to_ms

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
STEPS = {"1m": MINUTE, "7m": 7 * MINUTE, "1h": HOUR}
START = to_ms("2024-03-04")


def at(day: int, clock: str) -> int:
    hour, minute = map(int, clock.split(":"))
    return START + day * DAY + hour * HOUR + minute * MINUTE


NEW_YORK = [
    Session(Span(at(day, opening), at(day, close)))
    for day, opening, close in [
        (0, "14:30", "21:00"), (1, "14:30", "21:00"), (2, "14:30", "18:00"),  # a half day
        (4, "14:30", "21:00"), (7, "13:30", "20:00"), (8, "13:30", "20:00"),  # a holiday, a weekend, summer time
    ]
]  # fmt: skip
TOKYO = [
    Session(Span(at(day, "00:00"), at(day, "06:00")), Span(at(day, "02:30"), at(day, "03:30"))) for day in (0, 1, 2, 6)
]

days = st.lists(
    st.tuples(st.integers(0, 20 * 60), st.integers(1, 9 * 60), st.booleans()), min_size=1, max_size=6
)  # minutes after midnight, length, pause


def sessions_of(many: list[tuple[int, int, bool]]) -> list[Session]:
    made = []
    for number, (opening, length, pause) in enumerate(many):
        start = START + 2 * number * DAY + opening * MINUTE
        end = start + length * MINUTE
        third = length // 3 * MINUTE
        made.append(Session(Span(start, end), Span(start + third, end - third) if pause and length >= 4 else None))
    return made


def slots_of(sessions: list[Session], step: int) -> list[tuple[int, int]]:
    """Every slot, opening and close, by walking."""
    slots = []
    for session in sessions:
        for part in session.parts:
            moment = part.start
            while moment < part.end:
                slots.append((moment, min(moment + step, part.end)))
                moment += step
    return slots


@given(days, st.sampled_from(sorted(STEPS)), st.data())
def test_slots_are_those_that_one_counts(
    many: list[tuple[int, int, bool]], timeframe: str, data: st.DataObject
) -> None:
    sessions = sessions_of(many)
    slots = slots_of(sessions, STEPS[timeframe])
    grid = SessionGrid(timeframe, sessions)
    opens, closes = np.array(slots, np.int64).T
    assert grid.opens(np.arange(len(slots))).tolist() == opens.tolist()
    assert grid.indices(opens).tolist() == list(range(len(slots)))
    assert grid.closes(opens).tolist() == closes.tolist()
    assert grid.on_grid(opens).all()
    assert grid.count(Span(sessions[0].span.start, sessions[-1].span.end)) == len(slots)
    moment = data.draw(st.integers(sessions[0].span.start, sessions[-1].span.end - 1))
    before = [opening for opening, _ in slots if opening <= moment]
    assert grid.floor(moment) == before[-1]
    assert grid.index(moment) == len(before) - 1
    assert grid.on_grid(np.array([moment]))[0] == (moment in before)
    assert grid.pending(moment) == next((opening for opening, close in slots if close > moment), grid.open(len(slots)))
    rest = [opening for opening, _ in slots if opening >= moment]
    assert grid.ceil(moment) == (rest[0] if rest else grid.open(len(slots)))
    other = data.draw(st.integers(moment + 1, sessions[-1].span.end))
    assert grid.count(Span(moment, other)) == len([opening for opening, _ in slots if moment <= opening < other])


@given(days, st.sampled_from(["1m", "1h", "1d"]), st.integers(-40, 60), st.integers(0, DAY - 1))
def test_every_moment_lies_in_one_slot_also_where_nothing_is_known(
    many: list[tuple[int, int, bool]], timeframe: str, day: int, offset: int
) -> None:
    grid = SessionGrid(timeframe, sessions_of(many))
    moment = START + day * DAY + offset
    index = grid.index(moment)
    assert grid.open(index) <= moment < grid.open(index + 1)
    assert grid.index(grid.open(index)) == index
    assert grid.open(index) < grid.closes(np.array([grid.open(index)]))[0] <= grid.open(index + 1)
    assert grid.pending(moment) in (grid.open(index), grid.open(index + 1))


def test_a_day_is_one_slot_from_opening_to_close() -> None:
    grid = SessionGrid("1d", NEW_YORK)
    opens = np.array([session.span.start for session in NEW_YORK])
    assert grid.opens(np.arange(6)).tolist() == opens.tolist()
    assert grid.closes(opens).tolist() == [session.span.end for session in NEW_YORK]
    assert grid.count(Span(at(0, "00:00"), at(9, "00:00"))) == 6
    assert SessionGrid("1d", TOKYO).count(Span(at(0, "00:00"), at(7, "00:00"))) == 4


def test_hours_count_from_the_opening_and_again_after_lunch() -> None:
    """Six and a half hours are seven slots, the last of half an hour."""
    grid = SessionGrid("1h", NEW_YORK)
    assert grid.count(NEW_YORK[0].span) == 7
    assert grid.count(NEW_YORK[2].span) == 4
    last = np.array([at(0, "20:30")])
    assert (grid.on_grid(last)[0], grid.closes(last)[0]) == (True, at(0, "21:00"))
    lunch = SessionGrid("1h", TOKYO)
    assert lunch.opens(np.arange(6)).tolist() == [
        at(0, clock) for clock in ("00:00", "01:00", "02:00", "03:30", "04:30", "05:30")
    ]


def test_a_closed_market_has_nothing_pending_but_its_next_opening() -> None:
    grid = SessionGrid("1m", NEW_YORK)
    assert grid.pending(at(0, "20:59") + 59_999) == at(0, "20:59")
    assert grid.pending(at(0, "21:00")) == at(1, "14:30")
    assert grid.pending(at(5, "12:00")) == at(7, "13:30"), "over the weekend, across the change to summer time"


@pytest.mark.parametrize("timeframe", ["1w", "1M", "2d", "1y"])
def test_several_sessions_are_no_slot(timeframe: str) -> None:
    with pytest.raises(UnknownTimeframeError, match=timeframe):
        SessionGrid(timeframe, NEW_YORK)


def test_a_pause_lies_inside() -> None:
    with pytest.raises(BadSpanError, match="pause"):
        Session(Span(0, 10), Span(0, 5))
    assert Session(Span(0, 10)).parts == (Span(0, 10),)
    assert TOKYO[0].parts == (Span(at(0, "00:00"), at(0, "02:30")), Span(at(0, "03:30"), at(0, "06:00")))
