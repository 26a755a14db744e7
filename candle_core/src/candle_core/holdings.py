"""What a database holds of a symbol in a span, and what another one lacks of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, Self, TypeAlias

import numpy as np

from candle_core.dispatch import StorageHooks
from candle_core.spans import Spans
from candle_core.statements import VALUES, Statements, checksum, matrix, same
from candle_hookspecs import (
    Action,
    ActionKind,
    ActionQuery,
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    Ints,
    LoadRead,
    Span,
    Symbol,
)

UNDATED: Final = "copy"
"""The source of a candle of which nobody knows who gave it, nor when."""

_LOWEST: Final = -1_000_000

Proven: TypeAlias = Mapping[tuple[CoverageState, str], Spans]
"""United stretches by state and source."""


def _no_times() -> Ints:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Holding:
    """What is stored of a symbol in a span.

    Attributes:
        batch: the candles as they stand.
        answers: the same by the answers it came from, with the rows that later ones replaced and the facts inside the
            span.
        exact: whether the database itself told the answers; else they are made up of candles and facts.
    """

    batch: CandleBatch
    answers: tuple[Answer, ...]
    exact: bool

    @classmethod
    async def read(cls, storage: StorageHooks, symbol: Symbol, span: Span, batch: CandleBatch) -> Self:
        """Everything besides the candles, which are read already.

        Raises:
            StorageError: the database did not give it.
        """
        if storage.capabilities.revisions:
            return cls(batch, tuple(await storage.answers(LoadRead(symbol=symbol, span=span))), exact=True)
        facts = await storage.coverage(CoverageQuery(symbol=symbol, span=span))
        actions = await storage.actions(ActionQuery.of(symbol)) if storage.capabilities.actions else ()
        return cls(batch, tuple(_answers(symbol, batch, _cut(facts, span), tuple(actions))), exact=False)

    @property
    def facts(self) -> list[Coverage]:
        """The facts of all answers."""
        return [fact for answer in self.answers for fact in answer.coverage]

    @property
    def replaced(self) -> int:
        """Rows that do not stand any more: what earlier answers said."""
        return sum(len(answer.batch) for answer in self.answers) - len(self.batch)

    @property
    def proven(self) -> Proven:
        """What the facts say together."""
        spans: dict[tuple[CoverageState, str], list[Span]] = {}
        for fact in self.facts:
            spans.setdefault((fact.state, fact.source), []).append(fact.span)
        return {key: Spans.of(parts) for key, parts in spans.items()}

    @property
    def actions(self) -> dict[tuple[int, ActionKind], tuple[tuple[int, int], Action]]:
        """Splits and dividends of the market, by moment and kind, each with moment and rank of the answer that told."""
        return {
            (action.at, action.kind): ((answer.answered_at, answer.rank), action)
            for answer in sorted(self.answers, key=lambda answer: (answer.answered_at, answer.rank))
            for action in answer.actions
        }

    def extra(self) -> set[str]:
        """Names of the columns beyond those of every candle."""
        return set(chain(self.batch.extra, *(answer.batch.extra for answer in self.answers)))

    def checksum(self, extra: Sequence[str], *, exact: bool) -> bytes:
        """SHA-256 over the candles and, if `exact`, over all that was said of each."""
        said = [(f"{one.answered_at} {one.rank} {one.source}", one.batch) for one in self.answers if len(one.batch)]
        return checksum([("", self.batch), *(said if exact else [])], extra)


def _cut(facts: Sequence[Coverage], span: Span) -> list[Coverage]:
    return [replace(fact, span=inside) for fact in facts if (inside := fact.span.intersect(span))]


def _answers(
    symbol: Symbol, batch: CandleBatch, facts: Sequence[Coverage], actions: tuple[Action, ...]
) -> Iterator[Answer]:
    """Candles and facts as the answers that they may have come from.

    A candle counts as given by the last answer that vouches for it; one that none vouches for gives way to anything,
    and so does a split or a dividend.
    """
    origins: dict[tuple[str, int, int], list[Coverage]] = {}
    owner = np.zeros(len(batch), np.intp)
    numbers = {(UNDATED, 0, _LOWEST): 0}
    for fact in sorted(facts, key=lambda fact: fact.answered_at):
        origin = (fact.source, fact.answered_at, _LOWEST if fact.evidence is Evidence.IMPORTED else 0)
        origins.setdefault(origin, []).append(fact)
        if fact.state is CoverageState.ANSWERED:
            low, high = np.searchsorted(batch.open_time, (fact.span.start, fact.span.end))
            owner[low:high] = numbers.setdefault(origin, len(numbers))
    for origin in sorted({*origins, *numbers}, key=lambda origin: (origin[1:], origin[0])):
        source, answered_at, rank = origin
        rows = batch[owner == numbers[origin]] if origin in numbers else CandleBatch.empty()
        coverage, told = tuple(origins.get(origin, ())), actions if source == UNDATED else ()
        yield Answer(
            symbol=symbol,
            source=source,
            answered_at=answered_at,
            rank=rank,
            batch=rows,
            coverage=coverage,
            actions=told,
        )


# ── comparing ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Difference:
    """What a second database has otherwise. It may hold more, and later, than the first.

    Attributes:
        lacking: open times of which it lacks something that was said.
        clashing: open times of which it says something else by the same moment and rank, so that one of both is wrong.
        unproven: stretches whose proof it lacks.
        untold: splits and dividends that it lacks.
        own: candles that it alone holds.
    """

    lacking: Ints = field(default_factory=_no_times)
    clashing: Ints = field(default_factory=_no_times)
    unproven: int = 0
    untold: int = 0
    own: int = 0

    def __bool__(self) -> bool:
        return bool(len(self.lacking) or len(self.clashing) or self.unproven or self.untold)


def compare(first: Holding, second: Holding, *, extra: bool, actions: bool) -> Difference:
    """What the second lacks of the first, by checksums, and row by row only where these differ.

    Args:
        first: what is to be there.
        second: what is there.
        extra: whether the second can hold further columns.
        actions: whether it can hold splits and dividends.
    """
    names = sorted(first.extra() | second.extra()) if extra else []
    exact = first.exact and second.exact
    proven, there = first.proven, second.proven
    untold = _untold(first, second) if actions else 0
    if first.checksum(names, exact=exact) == second.checksum(names, exact=exact) and proven == there:
        return Difference(untold=untold)
    own = int((~np.isin(second.batch.open_time, first.batch.open_time, assume_unique=True)).sum())
    unproven = sum(len((spans - there.get(key, Spans())).parts) for key, spans in proven.items())
    if not len(second.batch):
        return Difference(lacking=first.batch.open_time, unproven=unproven, untold=untold)
    standing = _standing(first, second, names)
    if not exact:
        return Difference(lacking=standing, unproven=unproven, untold=untold, own=own)
    said, heard = Statements.of(first.answers, names).visible(), Statements.of(second.answers, names)
    found = heard.in_force(said)
    agrees = (found >= 0) & same(said.values, heard.values[found])
    together = (found >= 0) & (heard.answered_at[found] == said.answered_at) & (heard.rank[found] == said.rank)
    later = _later(said, heard, standing)
    clashing = np.union1d(said.open_time[together & ~agrees], standing[later == 0])
    lacking = np.union1d(said.open_time[~together & ~agrees], standing[later < 0])
    return Difference(
        lacking=np.setdiff1d(lacking, clashing, assume_unique=True),
        clashing=clashing,
        unproven=unproven,
        untold=untold,
        own=own,
    )


def _untold(first: Holding, second: Holding) -> int:
    """Splits and dividends that the second lacks, or has otherwise by no later answer."""
    there = second.actions
    return sum(
        key not in there or (there[key][1] != action and there[key][0] <= stamp)
        for key, (stamp, action) in first.actions.items()
    )


def _standing(first: Holding, second: Holding, extra: Sequence[str]) -> Ints:
    """Open times at which the second has no candle, or one with other values."""
    names = (*VALUES, *extra)
    absent = first.batch[~np.isin(first.batch.open_time, second.batch.open_time, assume_unique=True)]
    shared, mine, theirs = np.intersect1d(
        first.batch.open_time, second.batch.open_time, assume_unique=True, return_indices=True
    )
    agree = same(matrix(first.batch, names)[mine], matrix(second.batch, names)[theirs])
    return np.union1d(absent.open_time, shared[~agree])


def _later(said: Statements, heard: Statements, times: Ints) -> Ints:
    """By open time, whether the last row heard is later than the last one said (1), as late (0), or earlier (-1)."""
    stamps = []
    for one in (said, heard):
        rows = np.searchsorted(one.open_time, times, side="right") - 1
        known = (rows >= 0) & (one.open_time[rows] == times)
        stamps.append((np.where(known, one.answered_at[rows], -1), np.where(known, one.rank[rows], _LOWEST - 1)))
    (before, low), (after, high) = stamps
    compared: Ints = np.where(before == after, np.sign(high - low), np.sign(after - before))
    return compared
