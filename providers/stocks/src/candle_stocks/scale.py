"""From Yahoo's prices, in today's shares and in float32, back to the prices of the day.

Yahoo divides every price by the ratios of all splits since, multiplies the volume by them, keeps the result as a
float32 and prints that as a double: 499.23 before a split 4:1 becomes 124.80750274658203. What was traded is taken to
be the shortest decimal that Yahoo would have turned into the same float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from candle_hookspecs import Floats, Ints

DIGITS: Final = 9
"""Most decimals of a price: those a float32 can still tell apart below 1."""


@dataclass(frozen=True, slots=True, order=True)
class Split:
    """From `at` on (UTC ms) there are `new` shares for each `old` ones before."""

    at: int
    new: float
    old: float


def shares(moments: Ints, splits: Sequence[Split]) -> tuple[Floats, Floats]:
    """How many of today's shares were how many at each moment: the products of `new` and of `old` of later splits."""
    ordered = sorted(splits)
    later = np.searchsorted(np.array([split.at for split in ordered], np.int64), moments, "right")
    new, old = (
        np.concatenate([np.cumprod(np.array(column, np.float64)[::-1])[::-1], [1.0]])[later]
        for column in ([split.new for split in ordered], [split.old for split in ordered])
    )
    return new, old


def traded_prices(told: Floats, new: Floats, old: Floats) -> Floats:
    """Prices of the day, in quote units.

    Args:
        told: as Yahoo writes them.
        new: for each of them, from `shares`.
        old: the same.
    """
    single = told.astype(np.float32)
    is_single = single.astype(np.float64) == told
    exact = told * new / old
    found = np.round(exact, DIGITS)
    open_ = np.ones(len(told), bool)
    for digits in range(DIGITS):
        shorter = np.round(exact, digits)
        again = shorter * old / new
        same = np.where(is_single, again.astype(np.float32) == single, np.abs(again - told) <= np.spacing(told))
        found = np.where(open_ & same, shorter, found)
        open_ &= ~same
    return found


def traded_volume(told: Floats, new: Floats, old: Floats) -> Floats:
    """Shares of the day that changed hands: whole ones."""
    return np.rint(told * old / new)


def paid(amount: float, at: int, splits: Sequence[Split]) -> float:
    """A dividend for each share of its day; Yahoo tells it for today's shares."""
    new, old = shares(np.array([at], np.int64), splits)
    return float(np.round(amount * new[0] / old[0], DIGITS))
