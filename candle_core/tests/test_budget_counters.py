"""Counters of one limit: what headers tell them, and that nothing of them is lost between two transactions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.budget.counters import Counter, FixedWindow, Now, SlidingWindow, counter
from candle_hookspecs import Limit, Window

NOON = 1_700_000_040_000 - 1_700_000_040_000 % 60_000
MINUTE = 60_000


def at(ms: int, ahead: int = 0) -> Now:
    """A moment `ms` after noon, where the exchange's clock is `ahead`."""
    return Now(NOON + ms, NOON + ms + ahead)


def room(spent: Counter, now: Now, amount: float = 10) -> int:
    """How many costs of 1 fit, by trying."""
    return next(left for left in range(round(amount), -1, -1) if left == 0 or spent.wait(left, amount, now) == 0)


# ── fixed windows ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_spent_right_before_the_turn_counts_on_both_sides() -> None:
    spent = FixedWindow(MINUTE)
    spent.take(3, at(58_000))
    spent.take(4, at(59_500))
    assert room(spent, at(59_900)) == 3
    assert room(spent, at(60_000)) == 6, "the four may arrive after noon and a minute"
    assert room(spent, at(120_000)) == 10, "and no later"


def test_after_more_than_a_window_nothing_is_left() -> None:
    spent = FixedWindow(MINUTE)
    spent.take(10, at(59_500))
    assert room(spent, at(120_000)) == 10


def test_a_header_of_the_window_before_is_no_news() -> None:
    spent = FixedWindow(MINUTE)
    spent.take(1, at(61_000))
    spent.hear(9, at(61_500), told=NOON + 59_000)
    assert room(spent, at(62_000)) == 9


def test_a_header_stamped_right_at_the_turn_may_tell_of_the_window_before() -> None:
    spent = FixedWindow(MINUTE)
    spent.hear(9, at(60_200), told=NOON + 60_000)
    assert room(spent, at(60_300)) == 10
    spent.hear(9, at(61_200), told=NOON + 61_000)
    assert room(spent, at(61_300)) == 1


def test_where_a_second_is_all_there_is_every_header_counts() -> None:
    spent = FixedWindow(1_000)
    spent.hear(9, at(500), told=NOON)
    assert room(spent, at(600)) == 1


def test_a_header_from_a_window_that_has_not_begun_here_begins_it() -> None:
    spent = FixedWindow(MINUTE)
    spent.take(10, at(50_000))
    spent.hear(4, at(59_900), told=NOON + 61_000)
    assert room(spent, at(59_950)) == 6


# ── sliding windows ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_header_holds_only_the_exchange_s_own_window_against_us() -> None:
    """It counts whole seconds: of our ten in the last second, four lie in its second; it has seen six."""
    spent = SlidingWindow(1_000)
    spent.take(6, at(300))
    spent.take(4, at(1_050))
    assert room(spent, at(1_100)) == 0
    spent.hear(6, at(1_100), told=NOON + 1_000)
    assert room(spent, at(1_350)) == 4, "ten, less our four and the two of somebody else"


def test_an_answer_that_took_long_does_not_count_what_we_know_again() -> None:
    spent = SlidingWindow(1_000)
    spent.take(10, at(100))
    spent.hear(10, at(1_600), told=NOON)
    assert room(spent, at(1_600)) == 10


def test_what_others_spent_is_over_when_their_second_is() -> None:
    spent = SlidingWindow(1_000)
    spent.hear(10, at(1_600), told=NOON)
    assert room(spent, at(1_600)) == 0
    assert room(spent, at(2_000)) == 10, "the second of which the answer spoke ended a second ago"


def test_headers_are_read_by_the_exchange_s_clock() -> None:
    spent = SlidingWindow(1_000)
    spent.take(5, at(100))
    spent.hear(5, at(200, ahead=7_000), told=NOON + 7_000)
    assert room(spent, at(200)) == 5


def test_a_better_idea_of_the_exchange_s_clock_frees_nothing() -> None:
    spent = SlidingWindow(1_000)
    spent.take(10, at(0))
    assert room(spent, at(500, ahead=900)) == 0


def test_a_sliding_window_stays_small() -> None:
    spent = SlidingWindow(MINUTE)
    for moment in range(0, 3 * MINUTE, 20):
        spent.take(0.001, at(moment))
    assert len(spent.state) / 2 <= 2 * 65
    assert spent.wait(2.95, 6, at(3 * MINUTE)) == 0, "kept a sixty-fourth of a minute too long at most"
    assert spent.wait(3.2, 6, at(3 * MINUTE)) > 0, "the last minute's three thousand are all there"


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

limits = st.sampled_from([Limit("weight", 10, 60, window) for window in Window])
moves = st.lists(
    st.tuples(st.sampled_from(["take", "hear", "hear told", "wait"]), st.integers(0, 10), st.integers(0, 40_000)),
    max_size=30,
)


@given(limits, moves)
def test_a_counter_made_from_the_state_of_another_is_its_equal(limit: Limit, steps: list[Any]) -> None:
    kept, ms = counter(limit), 0
    passed_on: list[float] = []
    for move, amount, wait in steps:
        ms += wait
        fresh = counter(limit, passed_on)
        for one in (kept, fresh):
            match move:
                case "take":
                    one.take(amount, at(ms))
                case "hear":
                    one.hear(amount, at(ms), None)
                case "hear told":
                    one.hear(amount, at(ms), (NOON + ms) // 1000 * 1000)
        assert fresh.wait(amount, 10, at(ms)) == kept.wait(amount, 10, at(ms))
        passed_on = fresh.state
        assert passed_on == kept.state


@pytest.mark.parametrize("window", Window)
def test_the_wait_is_enough_and_not_too_long(window: Window) -> None:
    spent = counter(Limit("weight", 10, 60, window))
    spent.take(10, at(20_000))
    wait = spent.wait(1, 10, at(30_000))
    until = 60_000 if window is Window.FIXED else 80_000
    assert until <= 30_000 + wait * 1000 <= until + 20
    assert spent.wait(1, 10, at(30_000 + round(wait * 1000))) == 0
