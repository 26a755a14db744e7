"""Calendar arithmetic: timeframes in ccxt's notation, and the grids of open times they make. All UTC milliseconds."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import Ints, Span, UnknownTimeframeError

_FIXED: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS: Final = {"M": 1, "y": 12}
_FIRST_MONDAY: Final = 4 * 86_400_000  # 1970-01-05

_Index: TypeAlias = "int | Ints"


def parse_timeframe(text: str) -> tuple[int, str]:
    """Count and unit of a timeframe such as ``15m`` or ``1M``.

    Units are ccxt's: ``s m h d w M y``; ``M`` is a month, ``m`` a minute.

    Raises:
        UnknownTimeframeError: anything else.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([smhdwMy])", str(text))
    if match is None:
        raise UnknownTimeframeError(f"{text!r} is not a timeframe; write it like '1m', '4h', '1d', '1w', '1M'")
    return int(match[1]), match[2]


class Grid(ABC):
    """The open times of a timeframe, numbered in order. Every moment lies in the slot that opened last.

    Attributes:
        step: from one to the next, in milliseconds, or calendar months where `monthly`.
    """

    timeframe: str
    step: int
    monthly: bool

    @staticmethod
    def of(timeframe: str, anchor: int | None = None) -> "EvenGrid":
        """The grid of a market that never closes.

        Args:
            timeframe: ccxt's notation.
            anchor: any one open time, where it is not the usual: multiples since 1970-01-01, weeks on Monday.

        Raises:
            UnknownTimeframeError: not a timeframe.
        """
        count, unit = parse_timeframe(timeframe)
        if unit in _MONTHS:
            step = count * _MONTHS[unit]
            return EvenGrid(timeframe, step, 0 if anchor is None else int(_months(anchor)) % step, monthly=True)
        step = count * _FIXED[unit]
        if anchor is None:
            anchor = _FIRST_MONDAY if unit == "w" else 0
        return EvenGrid(timeframe, step, anchor % step)

    # ── one moment or an array of moments ───────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def index(self, moment: int) -> int:
        """Number of the slot that holds the moment."""

    @abstractmethod
    def open(self, index: int) -> int:
        """Open time of slot number `index`."""

    @abstractmethod
    def indices(self, moments: Ints) -> Ints:
        """`index` of every moment."""

    @abstractmethod
    def opens(self, indices: Ints) -> Ints:
        """`open` of every slot number."""

    @abstractmethod
    def closes(self, moments: Ints) -> Ints:
        """When candles opening at these moments are closed at the latest.

        One slot's length on, also for those off the grid.
        """

    @abstractmethod
    def pending(self, moment: int) -> int:
        """The first open time whose candle is not closed at the moment."""

    # ── slots ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def floor(self, moment: int) -> int:
        """Open time of the slot that holds the moment."""
        return self.open(self.index(moment))

    def ceil(self, moment: int) -> int:
        """The first open time at or after the moment."""
        return self.open(self.index(moment - 1) + 1)

    def after(self, moment: int, slots: int = 1) -> int:
        """The open time `slots` behind the slot that holds the moment (negative: before it)."""
        return self.open(self.index(moment) + slots)

    def count(self, span: Span) -> int:
        """How many open times lie in the span."""
        return self.index(span.end - 1) - self.index(span.start - 1)

    def on_grid(self, moments: Ints) -> NDArray[np.bool_]:
        """Which of the moments are open times of the grid."""
        return np.equal(self.opens(self.indices(moments)), moments)


@dataclass(frozen=True, slots=True)
class EvenGrid(Grid):
    """Slot 0 opens at `origin`, the others follow every `step`, and each closes when the next one opens.

    Attributes:
        step: milliseconds, or calendar months where `monthly`.
        origin: milliseconds since 1970, or months since 1970-01 where `monthly`.
    """

    timeframe: str
    step: int
    origin: int = 0
    monthly: bool = False

    def index(self, moment: int) -> int:
        """Number of the slot that holds the moment."""
        return ((int(_months(moment)) if self.monthly else moment) - self.origin) // self.step

    def open(self, index: int) -> int:
        """Open time of slot number `index`."""
        units = self.origin + index * self.step
        return int(_milliseconds(units)) if self.monthly else units

    def indices(self, moments: Ints) -> Ints:
        """`index` of every moment."""
        return cast(Ints, ((_months(moments) if self.monthly else moments) - self.origin) // self.step)

    def opens(self, indices: Ints) -> Ints:
        """`open` of every slot number."""
        units = self.origin + indices * self.step
        return cast(Ints, _milliseconds(units)) if self.monthly else units

    def closes(self, moments: Ints) -> Ints:
        """When candles opening at these moments are closed at the latest."""
        indices = self.indices(moments)
        return self.opens(indices + 1) + (moments - self.opens(indices))

    def pending(self, moment: int) -> int:
        """The first open time whose candle is not closed at the moment."""
        return self.floor(moment)


def _months(moments: _Index) -> _Index:
    """Months since 1970-01 of UTC milliseconds."""
    return cast(Ints, np.asarray(moments).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64))


def _milliseconds(months: _Index) -> _Index:
    """UTC milliseconds at the start of months since 1970-01."""
    return cast(Ints, np.asarray(months).astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64))
