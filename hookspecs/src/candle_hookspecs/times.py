"""Time: UTC milliseconds inside, timezone-aware `datetime` at the edge, half-open spans between them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from candle_hookspecs.errors import BadSpanError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND


def to_ms(moment: datetime | str | int) -> int:
    """UTC milliseconds of a moment.

    Args:
        moment: a timezone-aware datetime; an ISO 8601 text (a text without an offset, such as ``2024-01-01``, is UTC);
            or an int that is already UTC milliseconds.

    Raises:
        BadSpanError: a naive datetime (its zone would be a guess), a text that is no time, or a number beyond the
            years 1 to 9999 (microseconds, most likely).
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise BadSpanError(f"{moment!r} has no time zone; write datetime(..., tzinfo=timezone.utc)")
        return (moment - EPOCH) // _MILLISECOND
    if isinstance(moment, int):
        if not _FIRST <= moment <= _LAST:
            raise BadSpanError(f"{moment!r} is no time in milliseconds; were these microseconds or nanoseconds?")
        return moment
    if isinstance(moment, str):
        try:
            parsed = datetime.fromisoformat(moment)
        except ValueError:
            raise BadSpanError(f"{moment!r} is not a time; write it like '2024-01-31' or '2024-01-31T12:00Z'") from None
        return to_ms(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    raise BadSpanError(f"{moment!r} is not a time; give an aware datetime, an ISO 8601 text, or UTC milliseconds")


def to_datetime(ms: int) -> datetime:
    """The aware UTC datetime of UTC milliseconds."""
    return EPOCH + ms * _MILLISECOND


def iso(ms: int) -> str:
    """``2024-01-31T12:00:00Z``, with milliseconds only where there are any; a bare number beyond the calendar."""
    if not _FIRST <= ms <= _LAST:
        return f"{ms} ms"
    moment = to_datetime(ms)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of open times, ``[start, end)``, UTC milliseconds. Never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise BadSpanError(f"the end {iso(self.end)!r} does not come after the start {iso(self.start)!r}")

    @classmethod
    def of(cls, start: datetime | str | int, end: datetime | str | int) -> Self:
        """A span from moments in any form that `to_ms` takes."""
        return cls(to_ms(start), to_ms(end))

    def intersect(self, other: "Span") -> "Span | None":
        """What both share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, int) and self.start <= moment < self.end

    def __str__(self) -> str:
        return f"[{iso(self.start)}, {iso(self.end)})"


@dataclass(frozen=True, slots=True)
class Session:
    """A day's trading at an exchange that closes, from the opening to the close, with its pause (lunch), if any."""

    span: Span
    pause: Span | None = None

    def __post_init__(self) -> None:
        if self.pause is not None and not self.span.start < self.pause.start < self.pause.end < self.span.end:
            raise BadSpanError(f"the pause {self.pause!s} does not lie inside the session {self.span!s}")

    @property
    def parts(self) -> tuple[Span, ...]:
        """When there is trading."""
        if self.pause is None:
            return (self.span,)
        return Span(self.span.start, self.pause.start), Span(self.pause.end, self.span.end)
