"""When an update is due again. Pure: no clock is asked."""

from dataclasses import dataclass

import numpy as np

from candle_core.timeframes import Grid
from candle_hookspecs import Span


@dataclass(frozen=True, slots=True)
class Beats:
    """The moments at which candles of a timeframe become final: each one's close, and some time later.

    All moments are UTC ms on the exchange's clock.

    Attributes:
        lag: milliseconds from a candle's close until it is final.
    """

    grid: Grid
    lag: int

    def after(self, moment: int) -> int:
        """The first beat later than the moment."""
        awaited = np.array([self._awaited(moment)], np.int64)
        return int(self.grid.closes(awaited)[0]) + self.lag

    def between(self, moment: int, later: int) -> int:
        """How many beats there are after a moment, up to and including a later one."""
        first, last = self._awaited(moment), self._awaited(later)
        return self.grid.count(Span(first, last)) if first < last else 0

    def _awaited(self, moment: int) -> int:
        """Open time of the first candle that is not final yet."""
        return self.grid.pending(moment - self.lag)
