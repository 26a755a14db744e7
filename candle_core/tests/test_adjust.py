"""Splits and dividends taken out, against candle-by-candle arithmetic in fractions and against real figures."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.adjust import Adjust, adjusted
from candle_hookspecs import REQUIRED_COLUMNS, Action, ActionKind, BadInputError, CandleBatch

SPLIT, DIVIDEND = ActionKind


def batch(*closes: float, **more: Any) -> CandleBatch:
    """Candles at 0, 10, 20 …, all prices alike."""
    values = np.array(closes)
    columns: dict[str, Any] = dict.fromkeys(REQUIRED_COLUMNS, values)
    return CandleBatch.from_columns(columns | {"open_time": np.arange(len(values)) * 10, "volume": values * 3} | more)


moments = st.integers(-5, 75)
splits = st.lists(
    st.builds(Action, moments, st.just(SPLIT), st.sampled_from([2.0, 4.0, 0.1, 1.5, 7.0])), max_size=4,
    unique_by=lambda one: one.at,
)  # fmt: skip
dividends = st.lists(
    st.builds(Action, moments, st.just(DIVIDEND), st.floats(0.01, 5), st.floats(50, 99)),
    max_size=4,
    unique_by=lambda one: one.at,
)


@given(splits, dividends, st.lists(st.floats(10, 1000), min_size=1, max_size=7))
def test_against_arithmetic_by_hand(splits: list[Action], dividends: list[Action], closes: list[float]) -> None:
    given = batch(*closes, taker_buy_volume=np.array(closes))
    shares, factors = [], []
    for moment in given.open_time.tolist():
        share = factor = Fraction(1)
        for split in splits:
            share *= Fraction(split.value) if split.at > moment else 1
        for dividend in dividends:
            assert dividend.close is not None
            factor *= 1 - Fraction(dividend.value) / Fraction(dividend.close) if dividend.at > moment else 1
        shares.append(share)
        factors.append(factor)
    only = adjusted(given, [*dividends, *splits], Adjust.SPLITS)
    both = adjusted(given, [*splits, *dividends], Adjust.ALL)
    for index, (share, factor) in enumerate(zip(shares, factors, strict=True)):
        close = Fraction(closes[index])
        for name in ("open", "high", "low", "close"):
            assert getattr(only, name)[index] == pytest.approx(float(close / share), rel=1e-12)
            assert getattr(both, name)[index] == pytest.approx(float(close / share * factor), rel=1e-12)
        for one in (only, both):
            assert one.volume[index] == pytest.approx(float(close * 3 * share), rel=1e-12)
            assert one.taker_buy_volume is not None
            assert one.taker_buy_volume[index] == pytest.approx(float(close * share), rel=1e-12)
    assert adjusted(given, [*splits, *dividends], Adjust.RAW) is given


def test_on_the_day_itself_the_new_terms_hold() -> None:
    given = batch(400.0, 100.0, 104.0)
    assert adjusted(given, [Action(10, SPLIT, 4.0)], Adjust.SPLITS).close.tolist() == [100.0, 100.0, 104.0]


def test_a_dividend_leaves_the_return_as_it_was() -> None:
    """Bought at 100, worth 98 after 2 were paid: nothing was won and nothing lost."""
    given = batch(100.0, 98.0)
    found = adjusted(given, [Action(10, DIVIDEND, 2.0, 100.0)], Adjust.ALL)
    assert found.close.tolist() == pytest.approx([98.0, 98.0])


@pytest.mark.parametrize("close", [None, 2.0])
def test_a_dividend_without_a_close_before_it_is_named(close: float | None) -> None:
    with pytest.raises(BadInputError, match="the dividend of 2"):
        adjusted(batch(100.0, 98.0), [Action(10, DIVIDEND, 2.0, close)], Adjust.ALL)


def test_ways_have_names() -> None:
    assert [Adjust.of(name) for name in ("raw", "splits", "all")] == list(Adjust)
    with pytest.raises(BadInputError, match=r"'full'.*raw, splits, all"):
        Adjust.of("full")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_an_action_has_a_value(value: float) -> None:
    with pytest.raises(BadInputError, match="split"):
        Action(0, SPLIT, value)
