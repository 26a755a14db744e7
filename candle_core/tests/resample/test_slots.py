"""Sets of slot numbers, against Python's own sets."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.resample.slots import Slots
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import Span

HOUR = 3_600_000
runs = st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 9)), max_size=8)


def slots_of(pairs: list[tuple[int, int]]) -> Slots:
    starts = np.array([start for start, _ in pairs], np.int64)
    return Slots.of(starts, starts + np.array([length for _, length in pairs], np.int64))


def numbers_of(pairs: list[tuple[int, int]]) -> set[int]:
    return {number for start, length in pairs for number in range(start, start + length)}


def listed(slots: Slots) -> set[int]:
    numbers = [range(start, end) for start, end in zip(slots.starts, slots.ends, strict=True)]
    assert all(later[0] > earlier[-1] + 1 for earlier, later in pairwise(numbers)), "parted"
    return {int(number) for one in numbers for number in one}


@given(runs, runs)
def test_sets_of_slots_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    mine, theirs = numbers_of(one), numbers_of(other)
    assert listed(slots_of(one)) == mine
    assert listed(slots_of(one) | slots_of(other)) == mine | theirs
    assert listed(slots_of(one) - slots_of(other)) == mine - theirs
    assert listed(Slots.at(np.array(sorted(mine), np.int64))) == mine
    every = np.arange(-40, 50)
    assert slots_of(one).hold(every).tolist() == [number in mine for number in every]
    assert slots_of(one).before(every).tolist() == [len([n for n in mine if n < number]) for number in every]


@given(st.lists(st.tuples(st.integers(0, 60 * HOUR), st.integers(1, 9 * HOUR)), max_size=6))
def test_a_coarse_slot_is_in_when_all_of_its_parts_are(pairs: list[tuple[int, int]]) -> None:
    spans = Spans.of(Span(start, start + length) for start, length in pairs)
    hours = {hour for hour in range(80) if hour * HOUR in spans}
    fine, coarse = Grid.of("1h"), Grid.of("4h")
    slots = Slots.opening_in(spans, fine)
    assert listed(slots) == hours
    assert listed(slots.coarser(fine, coarse)) == {n for n in range(20) if set(range(4 * n, 4 * n + 4)) <= hours}


@pytest.mark.parametrize("empty", [Slots.opening_in(Spans(), Grid.of("1m")), Slots.at(np.empty(0, np.int64))])
def test_nothing_is_a_set_too(empty: Slots) -> None:
    some = slots_of([(3, 4)])
    assert listed(empty) == listed(empty - some) == set()
    assert listed(some | empty) == listed(some - empty) == {3, 4, 5, 6}
    assert listed(empty.coarser(Grid.of("1m"), Grid.of("1h"))) == set()
