"""What a backend is given to merge one answer into the candles of its symbol."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import Answer, CoverageState, Evidence, Ints, Span

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """One answer, numbered, with what is known of its standing.

    A stored row is *later* than the answer if its `answered_at` is, or is the same and its source is in `stronger`.

    Attributes:
        stronger, weaker: ids of the sources that rank higher, lower than the answer's.
        settled: stretches for which a later answer is stored already. What stands there may have been confirmed by it
            without being written again, so that its own `answered_at` does not tell: a row of this answer goes in
            only where there is none.
    """

    symbol_id: int
    source_id: int
    answer: Answer
    stronger: frozenset[int] = frozenset()
    weaker: frozenset[int] = frozenset()
    settled: tuple[Span, ...] = ()

    @property
    def hull(self) -> Span | None:
        """The stretch in which stored rows matter: from the first to the last row or proof."""
        batch = self.answer.batch
        spans = [*self.exhaustive, *([Span(batch.first, batch.last + 1)] if len(batch) else [])]
        return Span(min(span.start for span in spans), max(span.end for span in spans)) if spans else None

    @property
    def exhaustive(self) -> list[Span]:
        """Where the answer claims to have every candle that exists. An imported file never does."""
        return union(
            fact.span
            for fact in self.answer.coverage
            if fact.state is CoverageState.ANSWERED and fact.evidence is not Evidence.IMPORTED
        )

    def unproven(self) -> Mask:
        """Rows for which the answer brings no fact: that it confirmed them can be told by their own stamp alone."""
        answered = (fact.span for fact in self.answer.coverage if fact.state is CoverageState.ANSWERED)
        return ~inside(self.answer.batch.open_time, answered)


def union(spans: Iterable[Span]) -> list[Span]:
    """The same stretches in order, without overlap."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def inside(open_time: Ints, spans: Iterable[Span]) -> Mask:
    """Which of the sorted open times lie in any of the spans."""
    mask = np.zeros(len(open_time), np.bool_)
    for span in spans:
        low, high = np.searchsorted(open_time, (span.start, span.end))
        mask[low:high] = True
    return mask
