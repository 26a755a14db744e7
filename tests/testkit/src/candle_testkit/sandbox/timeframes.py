"""Calendar grids of the exchange's intervals: slot numbers to opening instants and back (UTC milliseconds)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from candle_testkit.sandbox.synth import DAY, HOUR, LEVEL_MS, MINUTE, SECOND, Ints

_DAY_MS: Final = LEVEL_MS[DAY]


@dataclass(frozen=True)
class Timeframe:
    """One interval. ``base`` is the level of :mod:`synth` it is folded from; ``shift`` moves the grid's origin.

    A calendar month has ``size`` 0: its slots are months since January 1970.
    """

    name: str
    size: int
    base: int
    shift: int = 0

    def slot(self, instant: int) -> int:
        """The number of the slot that holds ``instant``."""
        if self.size:
            return (instant - self.shift) // self.size
        return int(np.datetime64(instant, "ms").astype("M8[M]").astype(np.int64))

    def opens(self, first: int, stop: int) -> Ints:
        """Opening instants of the slots ``first <= slot < stop``."""
        slots = np.arange(first, stop, dtype=np.int64)
        if self.size:
            return slots * self.size + self.shift
        months: Ints = slots.astype("M8[M]").astype("M8[ms]").astype(np.int64)
        return months

    def open(self, slot: int) -> int:
        """Opening instant of one slot."""
        return int(self.opens(slot, slot + 1)[0])


def _fixed(name: str, minutes: int) -> Timeframe:
    size = minutes * LEVEL_MS[MINUTE]
    level = next(level for level in (DAY, HOUR, MINUTE) if size % LEVEL_MS[level] == 0)
    # 1970-01-01 was a Thursday; weeks open on Monday, three days earlier.
    return Timeframe(name, size, level, -3 * _DAY_MS if name == "1w" else 0)


_MINUTES: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30,
    "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10080,
}  # fmt: skip

#: The intervals of Binance spot klines, case-sensitive as on the wire.
TIMEFRAMES: Final[dict[str, Timeframe]] = {
    "1s": Timeframe("1s", LEVEL_MS[SECOND], SECOND),
    **{name: _fixed(name, minutes) for name, minutes in _MINUTES.items()},
    "1M": Timeframe("1M", 0, DAY),
}
