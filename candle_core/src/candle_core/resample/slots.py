"""Sets of grid slots, as runs of slot numbers: what coverage is once it is seen on a grid. Pure."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """A set of slots, as sorted half-open runs of slot numbers that neither overlap nor touch.

    Attributes:
        starts, ends: int64, as many as there are runs.
    """

    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, starts: Ints, ends: Ints) -> Self:
        """The union of any runs, in any order; empty ones are left out."""
        order = np.argsort(starts, kind="stable")
        order = order[starts[order] < ends[order]]
        starts, reach = starts[order], np.maximum.accumulate(ends[order])
        fresh = np.ones(len(starts), bool)
        fresh[1:] = starts[1:] > reach[:-1]
        last = np.append(np.flatnonzero(fresh)[1:], len(starts)) - 1
        return cls(starts[fresh], reach[last] if len(starts) else reach)

    @classmethod
    def opening_in(cls, spans: Spans, grid: Grid) -> Self:
        """Those that open inside the spans."""
        edges = np.array([(span.start, span.end) for span in spans], np.int64).reshape(-1, 2)
        return cls.of(*(grid.indices(edges - 1) + 1).T)

    @classmethod
    def at(cls, numbers: Ints) -> Self:
        """Those with these numbers, which are in order."""
        breaks = np.flatnonzero(np.diff(numbers) > 1)
        ends = np.append(breaks, len(numbers) - 1) if len(numbers) else breaks
        return cls(numbers[np.append(0, breaks + 1)] if len(numbers) else numbers, numbers[ends] + 1)

    def __or__(self, other: "Slots") -> "Slots":
        """What is in either."""
        return Slots.of(np.concatenate([self.starts, other.starts]), np.concatenate([self.ends, other.ends]))

    def __sub__(self, other: "Slots") -> "Slots":
        """What is in the first and not in the second."""
        edges = np.unique(np.concatenate([self.starts, self.ends, other.starts, other.ends]))
        kept = np.flatnonzero(self.hold(edges) & ~other.hold(edges))
        return Slots.of(edges[kept], edges[kept + 1])  # the last edge is an end, so it is not kept

    def hold(self, numbers: Ints) -> NDArray[np.bool_]:
        """Which of the numbers are in the set."""
        run = np.searchsorted(self.starts, numbers, "right") - 1
        if not len(self.starts):
            return np.zeros(len(numbers), bool)
        return (run >= 0) & (numbers < self.ends[np.maximum(run, 0)])

    def before(self, numbers: Ints) -> Ints:
        """How many of the set are smaller than each of the numbers."""
        sums = np.concatenate([[0], np.cumsum(self.ends - self.starts)])
        run = np.searchsorted(self.starts, numbers, "right")
        over = np.maximum(np.concatenate([[0], self.ends])[run] - numbers, 0)
        return np.asarray(sums[run] - np.where(run > 0, over, 0), np.int64)

    def coarser(self, fine: Grid, coarse: Grid) -> "Slots":
        """The slots of a coarser grid of which every part is in this set.

        Args:
            fine: the grid that this set's numbers count on.
            coarse: one whose slots are each a union of slots of `fine`.
        """
        return Slots.of(
            coarse.indices(fine.opens(self.starts) - 1) + 1,  # the first to open there,
            coarse.indices(fine.opens(self.ends)),  # and the one that the set may end inside
        )
