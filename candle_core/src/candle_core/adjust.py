"""Prices and volumes as if today's shares had always been the shares: splits taken out, dividends added back.

What is stored is as it was traded. A candle before a split of ratio r has its prices divided by r and its volume
multiplied by it; one before a dividend d has its prices multiplied by 1 − d / c, c being the last close before the
ex-date in the shares of that day (the method of the Center for Research in Security Prices, which Yahoo follows too).
Factors of several actions multiply.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np

from candle_hookspecs import Action, ActionKind, BadInputError, CandleBatch, Floats, Ints, iso


class Adjust(StrEnum):
    """How a series is read: as it was traded, in today's shares, or in today's shares with dividends reinvested."""

    RAW = "raw"
    SPLITS = "splits"
    ALL = "all"

    @classmethod
    def of(cls, text: str) -> "Adjust":
        """By its name.

        Raises:
            BadInputError: there is no such way.
        """
        try:
            return cls(text)
        except ValueError:
            raise BadInputError(f"{text!r} is no adjustment; there are {', '.join(cls)}") from None


def adjusted(batch: CandleBatch, actions: Sequence[Action], how: Adjust) -> CandleBatch:
    """A batch as `how` says.

    Args:
        batch: as traded.
        actions: all of the market that come after the first candle.
        how: what is to be taken out.

    Raises:
        BadInputError: a dividend whose last close is not known, or is not more than the dividend.
    """
    if how is Adjust.RAW or not len(batch):
        return batch
    shares = _until(batch.open_time, [(one.at, one.value) for one in actions if one.kind is ActionKind.SPLIT])
    factor = 1 / shares
    if how is Adjust.ALL:
        dividends = [one for one in actions if one.kind is ActionKind.DIVIDEND]
        factor = factor * _until(batch.open_time, [(one.at, _kept(one)) for one in dividends])
    prices = {name: getattr(batch, name) * factor for name in ("open", "high", "low", "close")}
    taker = batch.taker_buy_volume
    return replace(
        batch,
        **prices,
        volume=batch.volume * shares,
        taker_buy_volume=None if taker is None else taker * shares,
    )


def _kept(dividend: Action) -> float:
    """What of a share's price the dividend left."""
    if dividend.close is None or dividend.close <= dividend.value:
        raise BadInputError(
            f"the dividend of {dividend.value!r} at {iso(dividend.at)!r} cannot be taken out: the last close before it "
            f"is {dividend.close!r}; read with adjust='splits'"
        )
    return 1 - dividend.value / dividend.close


def _until(open_time: Ints, factors: Sequence[tuple[int, float]]) -> Floats:
    """For each candle the product of the factors of all actions that come after it."""
    ordered = sorted(factors)
    moments = np.array([moment for moment, _ in ordered], np.int64)
    products = np.concatenate([np.cumprod(np.array([value for _, value in ordered], np.float64)[::-1])[::-1], [1.0]])
    return np.asarray(products[np.searchsorted(moments, open_time, "right")])
