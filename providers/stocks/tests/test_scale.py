"""From today's shares in float32 back to what was traded."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from candle_stocks.scale import Split, paid, shares, traded_prices, traded_volume

DAY = 86_400_000
RATIOS = [(4, 1), (7, 1), (20, 1), (1, 8), (3, 2), (1, 10), (50, 1), (1, 1)]


def as_yahoo_writes(price: Decimal, new: int, old: int) -> float:
    """Divided exactly, kept as float32, printed as a double."""
    return float(np.float32(float(price * old / new)))


@given(st.integers(1, 9_999_999), st.integers(0, 4), st.sampled_from(RATIOS))
def test_a_price_of_seven_digits_comes_back_exactly(digits: int, decimals: int, ratio: tuple[int, int]) -> None:
    price = Decimal(digits).scaleb(-decimals)
    told = np.array([as_yahoo_writes(price, *ratio)])
    found = traded_prices(told, np.array([float(ratio[0])]), np.array([float(ratio[1])]))
    again = as_yahoo_writes(Decimal(repr(float(found[0]))), *ratio)
    assert again == told[0], "Yahoo would have written the same"
    assert len(repr(float(found[0])).rstrip("0").rstrip(".")) <= len(str(price)), "and nothing shorter"
    if digits < 2**20:
        assert found[0] == float(price)


def test_noise_is_not_precision() -> None:
    told = np.array([75.0875015258789, 74.05999755859375, 124.80750274658203, 70_000.0])
    new = np.array([1.0, 1.0, 4.0, 1.0])
    assert traded_prices(told, new, np.ones(4)).tolist() == [75.0875, 74.06, 499.23, 70_000.0]


def test_a_double_is_taken_as_it_is() -> None:
    told = np.array([244.87, 0.1234567891])
    assert traded_prices(told, np.ones(2), np.ones(2)).tolist() == [244.87, 0.123456789]


def test_shares_are_the_product_of_later_splits() -> None:
    splits = [Split(20 * DAY, 4, 1), Split(10 * DAY, 1, 8)]
    moments = np.array([9, 10, 19, 20, 21]) * DAY
    new, old = shares(moments, splits)
    assert (new / old).tolist() == [0.5, 4, 4, 1, 1], "a candle that opens with the split has its terms"


@given(st.integers(0, 10**10), st.sampled_from([(4, 1), (7, 1), (3, 1), (2, 1), (1, 1)]))
def test_volumes_are_whole_shares(volume: int, ratio: tuple[int, int]) -> None:
    told = np.array([float(volume * ratio[0] // ratio[1])])
    assert traded_volume(told, np.array([float(ratio[0])]), np.array([float(ratio[1])]))[0] == volume


def test_a_dividend_is_paid_for_shares_of_its_day() -> None:
    splits = [Split(20 * DAY, 4, 1)]
    assert paid(0.205, 10 * DAY, splits) == 0.82
    assert paid(0.205, 20 * DAY, splits) == 0.205
