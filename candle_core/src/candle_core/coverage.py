"""Coverage arithmetic: from the facts in the database to what is known and what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import CandleBatch, Coverage, CoverageState, Evidence, Ints, Span, TimeRange, to_datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the facts say together, as disjoint sets; where two states meet, the earlier one in this list holds.

    Attributes:
        not_listed: the market did not trade. answered: every candle there was given. out_of_reach: no source can
            answer.
    """

    not_listed: Spans
    answered: Spans
    out_of_reach: Spans

    @classmethod
    def of(cls, facts: Iterable[Coverage], sources: Iterable[str]) -> Self:
        """Unite facts.

        Args:
            facts: of one symbol.
            sources: those that could be asked; a stretch is out of reach only when it is so for each of them.
        """
        spans: dict[CoverageState, list[Span]] = {state: [] for state in CoverageState}
        reach: dict[str, list[Span]] = {source: [] for source in sources}
        for fact in facts:
            spans[fact.state].append(fact.span)
            if fact.state is CoverageState.OUT_OF_REACH and fact.source in reach:
                reach[fact.source].append(fact.span)
        not_listed = Spans.of(spans[CoverageState.NOT_LISTED])
        answered = Spans.of(spans[CoverageState.ANSWERED]) - not_listed
        return cls(not_listed, answered, _all_of(map(Spans.of, reach.values())) - not_listed - answered)

    @property
    def proven(self) -> Spans:
        """Where it is certain what there is: every candle was given, or there was no market."""
        return self.not_listed | self.answered

    @property
    def covered(self) -> Spans:
        """Everything that need not be asked."""
        return self.not_listed | self.answered | self.out_of_reach

    def lacking(self, span: Span, grid: Grid) -> Spans:
        """The stretches of a span that hold slots and are to be asked."""
        return with_slots(Spans((span,)) - self.covered, grid)


def repeated(facts: Iterable[Coverage], before: int) -> int:
    """How many facts could be one with an earlier one: of one source, state and evidence, and touching it.

    Args:
        facts: of one symbol, in the order of their spans.
        before: only those that were answered before this moment (UTC ms).
    """
    count = 0
    reach: dict[tuple[str, CoverageState, Evidence], int] = {}
    for fact in facts:
        if fact.answered_at < before:
            kind, span = (fact.source, fact.state, fact.evidence), fact.span
            count += span.start <= reach.get(kind, span.start - 1)
            reach[kind] = max(span.end, reach.get(kind, span.end))
    return count


def _all_of(sets: Iterable[Spans]) -> Spans:
    common: Spans | None = None
    for spans in sets:
        common = spans if common is None else common & spans
    return common or Spans()


def with_slots(spans: Spans, grid: Grid) -> Spans:
    """The parts that hold a grid slot. A stretch between two slots alone is never worth a request."""
    return Spans(tuple(span for span in spans if grid.count(span)))


def slot_ranges(spans: Spans, grid: Grid) -> tuple[TimeRange, ...]:
    """The parts that hold a slot, each from the opening of its first slot to the one after its last."""
    edges = ((grid.ceil(span.start), grid.after(span.end - 1)) for span in with_slots(spans, grid))
    return tuple((to_datetime(start), to_datetime(end)) for start, end in edges)


def count_slots(spans: Spans, grid: Grid) -> int:
    """How many grid slots the parts hold together."""
    return sum(grid.count(span) for span in spans)


def count_slots_of_each(sets: Sequence[Spans], grid: Grid) -> list[int]:
    """`count_slots` of many sets in one go: a grid of sessions or months numbers a thousand moments as fast as one."""
    starts = np.array([span.start for spans in sets for span in spans], np.int64)
    ends = np.array([span.end for spans in sets for span in spans], np.int64)
    owners = np.repeat(np.arange(len(sets)), np.array([len(spans.parts) for spans in sets], np.intp))
    counts = np.zeros(len(sets), np.int64)
    np.add.at(counts, owners, grid.indices(ends - 1) - grid.indices(starts - 1))
    return counts.tolist()


@dataclass(slots=True)
class Runs:
    """Turns rows into facts: one for each run of candles in neighbouring slots, so that no slot without one is proven.

    What lies between two neighbouring slots holds none, so it is never asked for and need not be proven.

    Attributes:
        source, answered_at: as the rows bear them.
    """

    grid: Grid
    source: str
    answered_at: int
    _last: int | None = None

    def facts(self, batch: CandleBatch) -> Iterator[Coverage]:
        """The facts of a batch; where it continues the batch before, its first fact begins where that one's ended."""
        moments: Ints = batch.open_time[self.grid.on_grid(batch.open_time)]
        if not len(moments):
            return
        slots = self.grid.indices(moments)
        breaks = np.flatnonzero(np.diff(slots) != 1) + 1
        starts, ends = moments[[0, *breaks]].tolist(), moments[[*(breaks - 1), -1]].tolist()
        if self._last is not None and self.grid.after(self._last) == starts[0]:
            starts[0] = self._last + 1
        self._last = ends[-1]
        for start, end in zip(starts, ends, strict=True):
            yield Coverage(
                Span(start, end + 1), CoverageState.ANSWERED, Evidence.IMPORTED, self.source, self.answered_at
            )
