"""Calendar grids of the exchanges' intervals: slot numbers to opening instants and back (UTC milliseconds)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from candle_testkit.sandbox.synth import DAY, HOUR, LEVEL_MS, MINUTE, SECOND, Ints

_DAY_MS: Final = LEVEL_MS[DAY]


@dataclass(frozen=True)
class Timeframe:
    """One interval. ``base`` is the level of :mod:`synth` it is folded from; ``shift`` moves the grid's origin.

    Where the calendar counts, ``size`` is 0 and slots are so many ``months`` each, since January 1970.
    """

    name: str
    size: int
    base: int
    shift: int = 0
    months: int = 1

    def slots(self, instants: Ints) -> Ints:
        """The numbers of the slots that hold the instants."""
        if self.size:
            return (instants - self.shift) // self.size
        return instants.astype("M8[ms]").astype("M8[M]").astype(np.int64) // self.months

    def starts(self, slots: Ints) -> Ints:
        """Opening instants of these slots."""
        if self.size:
            return slots * self.size + self.shift
        months: Ints = (slots * self.months).astype("M8[M]").astype("M8[ms]").astype(np.int64)
        return months

    def slot(self, instant: int) -> int:
        """The number of the slot that holds ``instant``."""
        return (instant - self.shift) // self.size if self.size else int(self.slots(np.array(instant)))

    def opens(self, first: int, stop: int) -> Ints:
        """Opening instants of the slots ``first <= slot < stop``."""
        return self.starts(np.arange(first, stop, dtype=np.int64))

    def open(self, slot: int) -> int:
        """Opening instant of one slot."""
        return int(self.opens(slot, slot + 1)[0])


def _fixed(name: str, minutes: int) -> Timeframe:
    size = minutes * LEVEL_MS[MINUTE]
    level = next(level for level in (DAY, HOUR, MINUTE) if size % LEVEL_MS[level] == 0)
    # 1970-01-01 was a Thursday; weeks open on Monday, three days earlier.
    return Timeframe(name, size, level, -3 * _DAY_MS if name == "1w" else 0)


_MINUTES: Final = {
    "1m": 1, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30,
    "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10080,
}  # fmt: skip

#: Every timeframe that an exchange of the sandbox knows.
TIMEFRAMES: Final[dict[str, Timeframe]] = {
    "1s": Timeframe("1s", LEVEL_MS[SECOND], SECOND),
    **{name: _fixed(name, minutes) for name, minutes in _MINUTES.items()},
    "1M": Timeframe("1M", 0, DAY),
    "1y": Timeframe("1y", 0, DAY, months=12),
}

#: The intervals of Binance spot klines, case-sensitive as on the wire.
INTERVALS: Final = frozenset(TIMEFRAMES) - {"10m", "1y"}
