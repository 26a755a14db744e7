"""What stretch of time a caller means by start, end and count."""

from typing import Final

from candle_core.timeframes import Grid
from candle_hookspecs import BadSpanError, Moment, Span, iso, to_ms

ALL_TIME: Final = Span(-(2**53), 2**53)
"""Every moment that a candle may open at."""


def wanted_span(
    grid: Grid, horizon: int, start: Moment | None, end: Moment | None, count: int | None
) -> tuple[int, int]:
    """The range wanted, half-open, clipped to `horizon`, UTC ms; end == start where nothing of it is closed yet.

    Args:
        grid: of the timeframe.
        horizon: the first open time whose candle is not final yet.
        start: first open time wanted.
        end: first open time no longer wanted; None: the horizon.
        count: instead of one of the bounds: so many grid slots, forward from `start`, or back from `end`.

    Raises:
        BadSpanError: end not after start, all three given, neither `start` nor `count` given, a count below 1.
    """
    first = None if start is None else to_ms(start)
    last = None if end is None else to_ms(end)
    if count is not None:
        if count < 1:
            raise BadSpanError(f"a count of {count!r} is no range; give at least 1")
        if first is not None and last is not None:
            raise BadSpanError("start, end and count together say it twice; leave one out")
        if first is not None:
            last = grid.after(grid.ceil(first), count)
        else:
            last = horizon if last is None else min(last, horizon)
            first = grid.after(last - 1, 1 - count)
    if first is None:
        raise BadSpanError("a range needs a start or a count, e.g. start='2024-01-01' or count=1000")
    if last is None:
        last = horizon
    elif last <= first:
        raise BadSpanError(f"the end {iso(last)!r} does not come after the start {iso(first)!r}")
    return first, max(first, min(last, horizon))


def open_span(start: Moment | None, end: Moment | None) -> Span:
    """A range for reading, either bound of which may be missing."""
    return Span(ALL_TIME.start if start is None else to_ms(start), ALL_TIME.end if end is None else to_ms(end))
