"""The grid of weeks, months and years at an exchange that closes: each opens with its first session."""

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from candle_core.timeframes import EvenGrid, Grid, parse_timeframe
from candle_hookspecs import Ints, Session, UnknownTimeframeError

_UNITS: Final = frozenset("wMy")


class PeriodGrid(Grid):
    """Slots of whole sessions: from the opening of a period's first to the close of its last.

    A session belongs to the UTC date of its middle. Trading lies around local noon, so that is the local date for
    every zone from UTC−11 to UTC+13, and no zone need be known. A period without a session is no slot. Before the
    first and behind the last session that is known the calendar's own periods (UTC) are assumed.
    """

    def __init__(self, timeframe: str, sessions: Sequence[Session], anchor: int | None = None) -> None:
        """Lay it out.

        Args:
            timeframe: weeks, months or years, in ccxt's notation.
            sessions: in time order, one at least.
            anchor: any one date on which a period begins, where it is not the usual; see `Grid.of`.

        Raises:
            UnknownTimeframeError: another unit.
        """
        if parse_timeframe(timeframe)[1] not in _UNITS:
            raise UnknownTimeframeError(
                f"{timeframe!r} is no length of sessions here; ask for '1d' or shorter, or for weeks, months or years"
            )
        calendar = Grid.of(timeframe, anchor)
        spans = np.array([(session.span.start, session.span.end) for session in sessions], np.int64)
        periods = calendar.indices(spans.mean(axis=1).astype(np.int64))
        first = np.flatnonzero(np.diff(periods, prepend=periods[0] - 1))
        last = np.append(first[1:], len(periods)) - 1
        self.timeframe, self.step, self.monthly = timeframe, calendar.step, calendar.monthly
        self._starts, self._ends = spans[first, 0], spans[last, 1]
        self._before, self._behind = int(periods[0]), int(periods[-1]) + 1
        self._calendar: EvenGrid = calendar

    # ── one moment or an array of moments ───────────────────────────────────────────────────────────────────────────

    def index(self, moment: int) -> int:
        """Number of the slot that holds the moment."""
        return int(self.indices(np.array([moment], np.int64))[0])

    def open(self, index: int) -> int:
        """Opening of slot number `index`."""
        return int(self.opens(np.array([index], np.int64))[0])

    def indices(self, moments: Ints) -> Ints:
        """`index` of every moment."""
        found = np.searchsorted(self._starts, moments, "right") - 1
        period = self._calendar.indices(moments)
        found = np.where(found < 0, np.minimum(period - self._before, -1), found)
        late = period >= self._behind
        return cast(Ints, np.where(late, len(self._starts) + period - self._behind, found))

    def opens(self, indices: Ints) -> Ints:
        """`open` of every slot number."""
        count = len(self._starts)
        found = self._starts[np.clip(indices, 0, count - 1)]
        found = np.where(indices < 0, self._calendar.opens(self._before + indices), found)
        return cast(Ints, np.where(indices >= count, self._calendar.opens(self._behind + indices - count), found))

    def closes(self, moments: Ints) -> Ints:
        """When candles opening at these moments are closed at the latest."""
        indices = self.indices(moments)
        opens = self.opens(indices)
        return cast(Ints, self._closings(indices) + (moments - opens))

    def pending(self, moment: int) -> int:
        """The first open time whose candle is not closed at the moment."""
        index = self.index(moment)
        closed = int(self._closings(np.array([index], np.int64))[0]) <= moment
        return self.open(index + 1 if closed else index)

    def _closings(self, indices: Ints) -> Ints:
        known = (indices >= 0) & (indices < len(self._ends))
        last = self._ends[np.clip(indices, 0, len(self._ends) - 1)]
        return cast(Ints, np.where(known, last, self.opens(indices + 1)))
