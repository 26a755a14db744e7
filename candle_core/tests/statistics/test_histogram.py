"""Quantiles by buckets against quantiles of everything."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.statistics.histogram import ERROR, LONGEST, SHORTEST, Histogram

seconds = st.lists(st.floats(SHORTEST, LONGEST), min_size=1, max_size=300)
shares = st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0])


def counted(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(seconds, shares)
def test_quantiles_are_right_to_within_two_percent(values: list[float], share: float) -> None:
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    assert counted(values).quantile(share) == pytest.approx(exact, rel=ERROR * 1.000001)
    assert ERROR < 0.02


@given(seconds, seconds)
def test_merging_is_counting_everything(some: list[float], others: list[float]) -> None:
    merged = counted(some)
    merged.merge(counted(others))
    assert merged.counts == counted(some + others).counts


def test_of_nothing_there_is_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


def test_memory_is_bounded_whatever_comes() -> None:
    histogram = counted([10**exponent for exponent in np.linspace(-12, 12, 100_000)] + [0.0])
    assert len(histogram.counts) <= math.log(LONGEST / SHORTEST) / math.log(1.04) + 2
    assert histogram.quantile(0) == pytest.approx(SHORTEST, rel=0.05)
    assert histogram.quantile(1) == pytest.approx(LONGEST, rel=0.05)
