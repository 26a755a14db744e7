"""The grid of a market that closes: candles are counted from each opening, and none is expected in between."""

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from candle_core.timeframes import Grid, parse_timeframe
from candle_hookspecs import Ints, Session, UnknownTimeframeError

_LENGTHS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_DAY: Final = 86_400_000


class SessionGrid(Grid):
    """Slots from the opening of each session, and again behind its pause, every `step` until it closes.

    The last slot of a session may be shorter. A day is one slot, from the session's opening to its close. Before the
    first and behind the last session that is known, one slot a day is assumed, so that every moment lies in one.
    """

    def __init__(self, timeframe: str, sessions: Sequence[Session]) -> None:
        """Lay it out.

        Args:
            timeframe: ccxt's notation; seconds, minutes, hours, or ``1d``.
            sessions: in time order, one at least.

        Raises:
            UnknownTimeframeError: a timeframe of several sessions.
        """
        count, unit = parse_timeframe(timeframe)
        if unit not in _LENGTHS and timeframe != "1d":
            raise UnknownTimeframeError(f"{timeframe!r} spans several sessions; ask for '1d' or shorter")
        self.timeframe = timeframe
        self.monthly = False
        daily = unit not in _LENGTHS
        parts = [part for session in sessions for part in ((session.span,) if daily else session.parts)]
        self._starts = np.array([part.start for part in parts], np.int64)
        self._ends = np.array([part.end for part in parts], np.int64)
        self.step = _DAY if daily else count * _LENGTHS[unit]
        slots = -((self._starts - self._ends) // self.step)
        self._first = np.concatenate([[0], np.cumsum(slots)])  # number of each part's first slot, and of all

    # ── one moment or an array of moments ───────────────────────────────────────────────────────────────────────────

    def index(self, moment: int) -> int:
        """Number of the slot that holds the moment."""
        return int(self.indices(np.array([moment], np.int64))[0])

    def open(self, index: int) -> int:
        """Open time of slot number `index`."""
        return int(self.opens(np.array([index], np.int64))[0])

    def indices(self, moments: Ints) -> Ints:
        """`index` of every moment."""
        part = np.clip(np.searchsorted(self._starts, moments, "right") - 1, 0, None)
        slot = self._first[part] + (moments - self._starts[part]) // self.step
        found = np.minimum(slot, self._first[part + 1] - 1)
        early, late = (moments - self._starts[0]) // _DAY, (moments - self._starts[-1]) // _DAY
        found = np.where(early < 0, early, found)
        return cast(Ints, np.where(late > 0, self._total - 1 + late, found))

    def opens(self, indices: Ints) -> Ints:
        """`open` of every slot number."""
        part = np.clip(np.searchsorted(self._first, indices, "right") - 1, 0, len(self._starts) - 1)
        found = self._starts[part] + (indices - self._first[part]) * self.step
        found = np.where(indices < 0, self._starts[0] + indices * _DAY, found)
        return cast(
            Ints, np.where(indices >= self._total, self._starts[-1] + (indices - self._total + 1) * _DAY, found)
        )

    def closes(self, moments: Ints) -> Ints:
        """When candles opening at these moments are closed at the latest."""
        indices = self.indices(moments)
        opens = self.opens(indices)
        return cast(Ints, self._closings(indices, opens) + (moments - opens))

    def pending(self, moment: int) -> int:
        """The first open time whose candle is not closed at the moment."""
        index = self.indices(np.array([moment], np.int64))
        opens = self.opens(index)
        closed = int(self._closings(index, opens)[0]) <= moment
        return self.open(int(index[0]) + 1) if closed else int(opens[0])

    @property
    def _total(self) -> int:
        return int(self._first[-1])

    def _closings(self, indices: Ints, opens: Ints) -> Ints:
        part = np.clip(np.searchsorted(self._starts, opens, "right") - 1, 0, None)
        known = (indices >= 0) & (indices < self._total)
        return cast(Ints, np.where(known, np.minimum(opens + self.step, self._ends[part]), opens + _DAY))
