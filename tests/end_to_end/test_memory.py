"""Memory stays flat, however long the range."""

import pytest

from bench.collect import PEAK_BAR, Figures, measure

CANDLES = 1_000_000


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure(CANDLES)


def test_collecting_a_million_candles_peaks_below_100_megabytes(figures: Figures) -> None:
    assert figures.candles == CANDLES
    assert figures.peak < PEAK_BAR


def test_a_million_candles_need_a_thousand_requests(figures: Figures) -> None:
    assert figures.requests == CANDLES // 1_000


def test_a_million_candles_cost_little_more_than_one(figures: Figures) -> None:
    assert figures.peak - figures.idle < 25_000_000
