"""Flat candles, against a walk over the slots."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candle_core.resample import fill_flat
from candle_core.resample.slots import Slots
from candle_core.timeframes import Grid
from candle_hookspecs import CandleBatch

from .rows import MINUTE, candles

GRID = Grid.of("1m")
COUNT = 40


def numbers(chosen: list[bool]) -> list[int]:
    return [number for number, one in enumerate(chosen) if one]


chosen = st.lists(st.booleans(), min_size=COUNT, max_size=COUNT)


@given(chosen, chosen, st.integers(0, COUNT - 1))
def test_what_a_walk_fills(filled: list[bool], proven: list[bool], first: int) -> None:
    slots = numbers(filled)
    batch = candles([number * MINUTE for number in slots])
    close: float | None = None
    wanted = {}
    for number in range(COUNT):
        if filled[number]:
            close = float(batch.close[slots.index(number)])
        elif not proven[number]:
            close = None
        elif close is not None and number >= first:
            wanted[number * MINUTE] = close
    inside = batch[batch.open_time >= first * MINUTE]
    before = batch[batch.open_time < first * MINUTE][-1:]
    answered = Slots.at(np.array(numbers(proven), np.int64))
    made = fill_flat(inside, GRID, answered, first, COUNT, before)
    flat = made[~np.isin(made.open_time, batch.open_time)]
    assert dict(zip(flat.open_time.tolist(), flat.close.tolist(), strict=True)) == wanted
    for prices in (flat.open, flat.high, flat.low):
        assert prices.tolist() == flat.close.tolist()
    for nothing in (flat.volume, flat.quote_volume, flat.trades, flat.taker_buy_volume):
        assert nothing is None or not nothing.any()
    assert made[np.isin(made.open_time, batch.open_time)] == inside


def test_a_slot_with_a_row_off_the_grid_is_not_empty() -> None:
    batch = candles([0, MINUTE + 31_000, 3 * MINUTE])
    made = fill_flat(batch, GRID, Slots.at(np.arange(4)), 0, 4, CandleBatch.empty())
    assert made.open_time.tolist() == [0, MINUTE + 31_000, 2 * MINUTE, 3 * MINUTE]


def test_absent_columns_stay_absent() -> None:
    ones = np.ones(2)
    bare = CandleBatch(np.array([0, 2 * MINUTE]), ones, ones, ones, ones, ones)
    made = fill_flat(bare, GRID, Slots.at(np.arange(3)), 0, 3, CandleBatch.empty())
    assert (len(made), made.quote_volume, made.trades) == (3, None, None)
    made = fill_flat(CandleBatch.empty(), GRID, Slots.at(np.arange(5)), 3, 5, bare)
    assert (len(made), made.quote_volume) == (2, None)
