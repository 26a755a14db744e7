"""What stretch of time a caller means by start, end, to and count."""

from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral
from typing import Any, Final, Self

from candle_core.timeframes import Grid
from candle_hookspecs import BadSpanError, Moment, Span, iso, to_ms

ALL_TIME: Final = Span(-(2**53), 2**53)
"""Every moment that a candle may open at."""
_FIRST: Final = to_ms(datetime.min.replace(tzinfo=UTC))
"""Before the calendar begins there is nothing to count back to."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range as a caller gave it, checked: its two ends, or one of them and a count of slots.

    Attributes:
        start, end: UTC ms, or None.
        count: grid slots forward from `start`, or, without a start, back from `end` (now, if there is none).
    """

    start: int | None = None
    end: int | None = None
    count: int | None = None

    @classmethod
    def of(
        cls, start: Moment | None = None, end: Moment | None = None, count: int | None = None, to: Moment | None = None
    ) -> Self:
        """Check and convert.

        Args:
            start: first open time wanted.
            end: first open time no longer wanted.
            count: instead of one of the bounds.
            to: the newest bound, exclusive; with another bound beside it, the two are the ends of one range in either
                order.

        Raises:
            BadSpanError: `end` not after `start`, more than two of them at once, a count that is no whole number or
                below 1, neither bound nor count.
        """
        given = [value for value in (start, end, count, to) if value is not None]
        if len(given) > 2:
            raise BadSpanError("more than two of start, end, to and count say it twice; leave one out")
        number: Any = count
        if number is not None and not (isinstance(number, Integral) and int(number) >= 1):
            raise BadSpanError(f"a count of {count!r} is no range; give a whole number, at least 1")
        first, last, newest = (None if moment is None else to_ms(moment) for moment in (start, end, to))
        if newest is not None:
            other = first if first is not None else last
            first, last = (None, newest) if other is None else (min(other, newest), max(other, newest))
        if first is None and count is None:
            raise BadSpanError("a range needs a start or a count, e.g. start='2024-01-01' or count=1000")
        if first is not None and last is not None and last <= first:
            raise BadSpanError(f"the end {iso(last)!r} does not come after the start {iso(first)!r}")
        return cls(first, last, count)

    @property
    def closed(self) -> Span | None:
        """The range, if it says both its ends."""
        return Span(self.start, self.end) if self.start is not None and self.end is not None else None

    def span(self, grid: Grid, horizon: int) -> Span | None:
        """The range on a grid, clipped to `horizon`; None where nothing of it is closed yet.

        Args:
            grid: of the timeframe.
            horizon: the first open time whose candle is not final yet.
        """
        last = horizon if self.end is None else min(self.end, horizon)
        if self.start is None:
            assert self.count is not None
            slots = min(self.count, grid.count(Span(_FIRST, last)))
            return Span(grid.after(last - 1, 1 - slots), last)
        if self.start >= last:
            return None
        # Only what is less than all of it: no calendar reaches as far as a number can.
        if self.count is not None and self.count < grid.count(Span(self.start, last)):
            last = grid.after(grid.ceil(self.start), self.count)
        return Span(self.start, last)


def open_span(start: Moment | None, end: Moment | None) -> Span:
    """A range for reading, either bound of which may be missing."""
    return Span(ALL_TIME.start if start is None else to_ms(start), ALL_TIME.end if end is None else to_ms(end))
