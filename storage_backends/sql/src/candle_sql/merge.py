"""What a backend is given to merge one answer into the candles of its symbol."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import Answer, CoverageState, Evidence, Ints, Span
from candle_sql.facts import Standing

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """One answer, numbered, with what is known of its standing.

    Attributes:
        settling: facts of later answers that are stored already, the earliest first. What stands there may have been
            confirmed by them without being written again, so that its own `answered_at` does not tell.
    """

    symbol_id: int
    source_id: int
    answer: Answer
    settling: tuple[Standing, ...] = ()

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

    @property
    def settled(self) -> tuple[Span, ...]:
        """Where a later answer is stored: a row of this one does not stand there, unless there is none."""
        return tuple(Span(one.fact.span_start, one.fact.span_end) for one in self.settling)

    def settled_by(self) -> NDArray[np.intp]:
        """For each row of the answer the first of `settling` that covers it; -1: none does."""
        open_time = self.answer.batch.open_time
        first = np.full(len(open_time), -1, np.intp)
        for index in reversed(range(len(self.settling))):
            fact = self.settling[index].fact
            low, high = np.searchsorted(open_time, (fact.span_start, fact.span_end))
            first[low:high] = index
        return first

    def unproven(self) -> Mask:
        """Rows for which the answer has no fact of its moment: that it confirmed them only their stamp can tell."""
        proofs = (
            fact.span
            for fact in self.answer.coverage
            if fact.state is CoverageState.ANSWERED and fact.answered_at == self.answer.answered_at
        )
        return ~inside(self.answer.batch.open_time, proofs)


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
