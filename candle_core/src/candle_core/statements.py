"""What answers said of each open time, side by side: who changed what, and whether two databases hold the same."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import COLUMNS, INTEGER_COLUMNS, UNKNOWN_COUNT, Answer, CandleBatch, Floats, Ints

VALUES: Final = COLUMNS[1:]
"""The columns that an answer gives for an open time."""


@dataclass(frozen=True, slots=True)
class Statements:
    """A row for each open time of each answer, sorted by open time, then moment, then rank.

    Attributes:
        open_time, answered_at: UTC ms. rank: of the source.
        source: index into `sources`.
        values: float64, a column for each of `names`; NaN where the answer did not say.
    """

    open_time: Ints
    answered_at: Ints
    rank: Ints
    source: NDArray[np.intp]
    values: Floats
    names: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], extra: Iterable[str] = ()) -> Self:
        """The rows of answers.

        Args:
            answers: in any order; of two that agree in moment and rank the later one in the list comes later.
            extra: columns beyond `COLUMNS` to look at.
        """
        spoken = [answer for answer in answers if len(answer.batch)]
        names = (*VALUES, *extra)
        sources = tuple(dict.fromkeys(answer.source for answer in spoken))
        sizes = [len(answer.batch) for answer in spoken]
        table = cls(
            np.concatenate([np.empty(0, np.int64), *(answer.batch.open_time for answer in spoken)]),
            np.repeat(np.array([answer.answered_at for answer in spoken], np.int64), sizes),
            np.repeat(np.array([answer.rank for answer in spoken], np.int64), sizes),
            np.repeat(np.array([sources.index(answer.source) for answer in spoken], np.intp), sizes),
            np.concatenate([np.empty((0, len(names))), *(matrix(answer.batch, names) for answer in spoken)]),
            names,
            sources,
        )
        return table[np.lexsort((table.rank, table.answered_at, table.open_time))]

    def __len__(self) -> int:
        return len(self.open_time)

    def __getitem__(self, rows: NDArray[Any]) -> Self:
        """Rows by mask or by index, in all columns."""
        columns = {name: getattr(self, name)[rows] for name in ("open_time", "answered_at", "rank", "source", "values")}
        return replace(self, **columns)

    def visible(self) -> Self:
        """Without what another of the same moment and rank hides, that was said after it."""
        same = np.ones(max(len(self) - 1, 0), np.bool_)
        for column in (self.open_time, self.answered_at, self.rank):
            same &= column[1:] == column[:-1]
        return self[~np.append(same, False)[: len(self)]]

    def in_force(self, asked: "Statements") -> NDArray[np.intp]:
        """For each row asked, the last row here of its open time up to its own moment and rank; -1: there is none."""
        here, there = len(self), len(asked)
        both = [
            np.concatenate([getattr(self, name), getattr(asked, name)]) for name in ("rank", "answered_at", "open_time")
        ]
        order = np.lexsort((np.repeat((0, 1), (here, there)), *both))
        latest = np.maximum.accumulate(np.where(order < here, np.arange(here + there), -1))
        found = np.full(there, -1, np.intp)
        for_asked = order >= here
        places = latest[for_asked]
        found[order[for_asked] - here] = np.where(places >= 0, order[places], -1)
        known = found >= 0
        known[known] = self.open_time[found[known]] == asked.open_time[known]
        return np.where(known, found, -1)


def matrix(batch: CandleBatch, names: Sequence[str]) -> Floats:
    """Columns of a batch side by side, (rows, names), NaN where something is unknown."""
    columns = batch.columns()
    found = np.full((len(batch), len(names)), np.nan)
    for index, name in enumerate(names):
        if name in columns:
            column = columns[name]
            found[:, index] = np.where(column == UNKNOWN_COUNT, np.nan, column) if name in INTEGER_COLUMNS else column
    return found


def same(left: Floats, right: Floats) -> NDArray[np.bool_]:
    """Which rows agree in every value, unknown ones included."""
    agree: NDArray[np.bool_] = ((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=1)
    return agree


def checksum(batches: Iterable[tuple[str, CandleBatch]], extra: Iterable[str] = ()) -> bytes:
    """SHA-256 over the columns of batches, each under a title; the same for the same values.

    An absent column counts as one of unknowns, and a zero has no sign, because databases keep neither apart.
    """
    digest = hashlib.sha256()
    names = (*VALUES, *extra)
    for title, batch in batches:
        digest.update(f"{title} {len(batch)}\n".encode())
        digest.update(np.ascontiguousarray(batch.open_time).data)
        values = matrix(batch, names) + 0.0
        values[np.isnan(values)] = np.nan
        digest.update(values.data)
    return digest.digest()


def pairs(statements: Statements) -> Iterator[tuple[int, int]]:
    """Rows that follow one another on the same open time."""
    later = np.flatnonzero(np.diff(statements.open_time) == 0) + 1
    return ((row - 1, row) for row in later.tolist())
