"""Splits and dividends on the time line: what a price of then is worth in the shares of now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.checking import UNITS, units_of
from candle_testkit.sandbox.stocks_config import Dividend, Split, StockConfig, day_number
from candle_testkit.sandbox.stocks_sessions import Sessions
from candle_testkit.sandbox.synth import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Action:
    """A split or a dividend; ``at`` is the open (UTC ms) of the first session that trades without it."""

    at: int
    split: Split | None = None
    dividend: Dividend | None = None


def actions_of(config: StockConfig, sessions: Sessions) -> list[Action]:
    """All that a stock will ever have, oldest first."""
    known = [Action(_open(one.day, sessions), split=one) for one in config.splits]
    known += [Action(_open(one.day, sessions), dividend=one) for one in config.dividends]
    return sorted(known, key=lambda action: action.at)


class Actions:
    """The factors. ``close_before(instant)`` is the close, as traded, of the session before (units of 1e-8)."""

    def __init__(self, actions: Sequence[Action], close_before: Callable[[int], int]) -> None:
        self.all, self._close_before = actions, close_before
        self._splits = [(action.at, action.split.factor) for action in actions if action.split]
        self._edges = np.array([at for at, _ in self._splits], dtype=np.int64)
        # One element for every stretch between splits: how many shares of the end a share of then is.
        factors = [factor for _, factor in reversed(self._splits)]
        self._shares = list(accumulate(factors, Fraction.__mul__, initial=Fraction(1)))[::-1]

    def shares(self, instants: Ints) -> tuple[Ints, Ints]:
        """Of one share at each instant, how many it is after the last split: numerators and denominators."""
        places = np.searchsorted(self._edges, instants, side="right")
        numerators = np.array([share.numerator for share in self._shares], dtype=np.int64)
        denominators = np.array([share.denominator for share in self._shares], dtype=np.int64)
        return numerators[places], denominators[places]

    def split_factors(self, instants: Ints, now: int) -> Floats:
        """What a price of each instant is multiplied with to be one in shares of ``now``; a volume is divided."""
        numerators, denominators = self.shares(np.append(np.minimum(instants, now), now))
        factors: Floats = denominators[:-1] * numerators[-1] / (numerators[:-1] * denominators[-1])
        return factors

    def dividend_factors(self, instants: Ints, now: int) -> Floats:
        """What a price of each instant is multiplied with besides, so that no dividend shows.

        Each counts as ``1 - amount / close of the session before`` (CRSP's way, which Yahoo follows).
        """
        factors = np.ones(len(instants))
        for action in self.all:
            if action.dividend and action.at <= now:
                close = self._close_before(action.at)
                if close:
                    paid = units_of(action.dividend.amount, "dividend amount")
                    factors[instants < action.at] *= 1.0 - paid / close
        return factors

    def between(self, start: int, end: int, now: int) -> list[Action]:
        """Those that have happened by ``now``, in ``[start, end)`` UTC ms."""
        return [action for action in self.all if start <= action.at < end and action.at <= now]

    def amount(self, action: Action, now: int) -> float:
        """A dividend for one share of ``now``."""
        paid = units_of(action.dividend.amount, "dividend amount") / UNITS if action.dividend else 0.0
        return paid * float(self.split_factors(np.array([action.at]), now)[0])


def _open(day: str, sessions: Sessions) -> int:
    number = int(np.searchsorted(sessions.days, day_number(day)))
    return int(sessions.opens[min(number, len(sessions) - 1)])
