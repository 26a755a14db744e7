"""Interval arithmetic: sets of half-open spans. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from candle_hookspecs import Span


@dataclass(frozen=True, slots=True)
class Spans:
    """A set of moments, as sorted spans that neither overlap nor touch."""

    parts: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Self:
        """The union of any spans, in any order."""
        united: list[Span] = []
        for span in sorted(spans):
            if united and span.start <= united[-1].end:
                united[-1] = Span(united[-1].start, max(united[-1].end, span.end))
            else:
                united.append(span)
        return cls(tuple(united))

    def __iter__(self) -> Iterator[Span]:
        return iter(self.parts)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __contains__(self, moment: int) -> bool:
        return any(moment in span for span in self.parts)

    def __or__(self, other: "Spans") -> "Spans":
        """What is in either."""
        return Spans.of((*self.parts, *other.parts))

    def __and__(self, other: "Spans") -> "Spans":
        """What is in both."""
        return self - (self - other)

    def __sub__(self, other: "Spans") -> "Spans":
        """What is in the first and not in the second; one pass over both."""
        left: list[Span] = []
        holes = iter(other.parts)
        hole = next(holes, None)
        for span in self.parts:
            start = span.start
            while hole and hole.end <= start:
                hole = next(holes, None)
            while hole and hole.start < span.end:
                if start < hole.start:
                    left.append(Span(start, hole.start))
                start = hole.end
                if hole.end > span.end:
                    break
                hole = next(holes, None)
            if start < span.end:
                left.append(Span(start, span.end))
        return Spans(tuple(left))

    @property
    def start(self) -> int | None:
        """The first moment; None: there is none."""
        return self.parts[0].start if self.parts else None

    def front(self, start: int) -> int:
        """How far the set reaches without a gap from `start`; `start` itself if it is not in the set."""
        for span in self.parts:
            if start in span:
                return span.end
        return start
