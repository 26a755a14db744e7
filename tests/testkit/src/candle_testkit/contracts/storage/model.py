"""What a storage must hold, as a plain dictionary: who said what of which slot, and what must stand for it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from candle_hookspecs import (
    COLUMNS,
    INTEGER_COLUMNS,
    UNKNOWN_COUNT,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    SaveReceipt,
    Span,
)
from candle_testkit.contracts.storage.harness import MINUTE, START, StoredRow, batch_of

Kind: TypeAlias = tuple[str, str, str]
"""What facts must share to be united: source, state, evidence."""
Proof: TypeAlias = tuple[Kind, int, int]
"""One slot of one fact: its kind, the slot, the moment of the answer."""

EXTRA: Final = "funding"
_NAMES: Final = (*COLUMNS, EXTRA)
_EVER: Final = 2**62


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def row(index: int, word: int) -> StoredRow:
    """The candle of a slot in one of several wordings; every fifth opens off the grid.

    Wording 1 differs from 0 in every column, 2 knows less, 3 differs by one bit and, in an extra column, by a value.
    """
    level = 100.0 + (word % 2 if word < 3 else 0) + word // 4 + index / 7
    close = math.nextafter(level + 1, math.inf) if word == 3 else level + 1
    known = word != 2
    return (
        START + index * MINUTE + (31_000 if index % 5 == 4 else 0), level, level + 2, level - 1, close, level / 3,
        level * 5 if known else None, index + word if known else None, level / 9, index / 3 if word == 3 else None,
    )  # fmt: skip


def slot_of(open_time: int) -> int:
    """The slot that a moment lies in."""
    return (open_time - START) // MINUTE


def batch(rows: Iterable[StoredRow], *, extra: bool) -> CandleBatch:
    """Rows of `row` as a batch, with the extra column or without it."""
    given = list(rows)
    columns = dict(zip(_NAMES, map(list, zip(*given, strict=True)), strict=True)) if given else _empty()
    if not extra:
        del columns[EXTRA]
    return batch_of({name: _unknown_as_numbers(name, values) for name, values in columns.items()})


def _empty() -> dict[str, list[Any]]:
    return {name: [] for name in _NAMES}


def _unknown_as_numbers(name: str, values: list[Any]) -> NDArray[Any]:
    kind, unknown = (np.int64, UNKNOWN_COUNT) if name in INTEGER_COLUMNS else (np.float64, math.nan)
    return np.array([unknown if value is None else value for value in values], kind)


def rows_in(found: CandleBatch) -> dict[int, StoredRow]:
    """The rows of a batch by slot, as `row` gives them."""
    columns, absent = found.columns(), [None] * len(found)
    values = (_numbers_as_unknown(name, columns[name]) if name in columns else absent for name in _NAMES)
    return {slot_of(read[0]): read for read in zip(*values, strict=True)}


def _numbers_as_unknown(name: str, column: NDArray[Any]) -> list[Any]:
    unknown = column == UNKNOWN_COUNT if name in INTEGER_COLUMNS and name != "open_time" else column != column
    return [None if gone else value for value, gone in zip(column.tolist(), unknown.tolist(), strict=True)]


# ── what was said ────────────────────────────────────────────────────────────────────────────────────────────────────


class Statement(NamedTuple):
    """What one answer said of one slot.

    Attributes:
        row: None: it claims to have all there is, and lacked the slot. What stood before is kept then, and which of
            several that is, is open.
        faint: it said what stood already, and the fact that tells so was taken back or united with others: the storage
            may have forgotten it.
    """

    at: int
    rank: int
    order: int
    row: StoredRow | None
    faint: bool = False


@dataclass
class Series:
    """What was said of one symbol."""

    said: dict[int, list[Statement]] = field(default_factory=dict)
    proofs: set[Proof] = field(default_factory=set)
    revisions: int | None = 0
    orders: int = 0

    def copy(self) -> "Series":
        """A series that changes for itself."""
        said = {index: list(statements) for index, statements in self.said.items()}
        return Series(said, set(self.proofs), self.revisions, self.orders)

    # ── what must be read ───────────────────────────────────────────────────────────────────────────────────────────

    def standing(self, index: int, until: int = _EVER) -> list[StoredRow]:
        """The rows of which one must be read for a slot, by the answers up to a moment; none: no row."""
        said = self.said.get(index, [])
        latest = max(((one.at, one.rank) for one in said), default=None)
        return _standing((one for one in said if one.at <= until), latest)

    def rows(self, until: int = _EVER) -> dict[int, list[StoredRow]]:
        """`standing` of every slot that has a row, in time order."""
        found = ((index, self.standing(index, until)) for index in sorted(self.said))
        return {index: rows for index, rows in found if rows}

    def moments(self) -> set[int]:
        """When anything was said."""
        return {one.at for statements in self.said.values() for one in statements}

    # ── what is done ────────────────────────────────────────────────────────────────────────────────────────────────

    def save(self, answer: Answer) -> "Expected":
        """Hear an answer."""
        given, expected = rows_in(answer.batch), Expected(lacking=0)
        self.orders += 1
        origin = answer.answered_at, answer.rank, self.orders
        for index in _exhaustive(answer) - given.keys():
            expected.lacking += bool(self.standing(index))
            self.said.setdefault(index, []).append(Statement(*origin, None))
        for index, said in given.items():
            before = self.standing(index)
            self.said.setdefault(index, []).append(Statement(*origin, said))
            expected.enter(said, before, self.standing(index))
        for fact in answer.coverage:
            kind = fact.source, fact.state.value, fact.evidence.value
            self.proofs |= {(kind, index, fact.answered_at) for index in _slots(fact.span)}
        return expected

    def forget(self, span: Span | None, *, candles: bool) -> int:
        """Take proof back, and candles; returns how many of those there were."""
        gone = {index for index in self._touched() if span is None or index in _slots(span)}
        self.proofs = {proof for proof in self.proofs if proof[1] not in gone}
        if not candles:
            self._blur(gone, _EVER)
            return 0
        deleted = sum(bool(self.standing(index)) for index in gone)
        self.said = {index: statements for index, statements in self.said.items() if index not in gone}
        return deleted

    def compact(self, older_than: int) -> None:
        """Unite facts answered before a moment: of one kind, over slots that follow each other, the earliest moment."""
        old = {proof for proof in self.proofs if proof[2] < older_than}
        self.proofs -= old
        for kind in {kind for kind, _, _ in old}:
            self.proofs |= {(kind, index, moment) for index, moment in _united(kind, old)}
        self._blur(self.said.keys(), older_than)

    def _touched(self) -> set[int]:
        return {*self.said, *(index for _, index, _ in self.proofs)}

    def _blur(self, slots: Iterable[int], older_than: int) -> None:
        for index in slots:
            statements = sorted(self.said.get(index, ()))
            for depth, one in enumerate(statements):
                if one.at < older_than and one.row in _standing(statements[:depth], None):
                    statements[depth] = one._replace(faint=True)
            if statements:
                self.said[index] = statements


def _standing(statements: Iterable[Statement], latest: tuple[int, int] | None) -> list[StoredRow]:
    """What may stand.

    Of several statements of one moment and rank the one saved last does; but when something later is known already they
    are all too late, and which of them is kept is open.
    """
    found: list[StoredRow] = []
    below = sorted(statements, key=lambda one: (one.at, one.rank, one.order))
    while below:
        top = below.pop()
        if top.row is None:
            return found + [one.row for one in below if one.row is not None]
        found.append(top.row)
        tied = bool(below) and (below[-1].at, below[-1].rank) == (top.at, top.rank) != latest
        if not top.faint and not tied:
            break
    return found


def _slots(span: Span) -> range:
    """Slots of a span; spans of the machine start and end at slots."""
    return range(slot_of(span.start), slot_of(span.end))


def _exhaustive(answer: Answer) -> set[int]:
    """Slots of which the answer claims to have every candle."""
    claims = (fact for fact in answer.coverage if _claims_all(fact))
    return {index for fact in claims for index in _slots(fact.span)}


def _claims_all(fact: Coverage) -> bool:
    return fact.state is CoverageState.ANSWERED and fact.evidence is not Evidence.IMPORTED


def _united(kind: Kind, proofs: Iterable[Proof]) -> Iterator[tuple[int, int]]:
    moments: dict[int, int] = {}
    for other, index, moment in proofs:
        if other == kind:
            moments[index] = min(moment, moments.get(index, moment))
    run: list[int] = []
    for index in sorted(moments):
        if run and index != run[-1] + 1:
            yield from _bearing_the_earliest(run, moments)
            run = []
        run.append(index)
    yield from _bearing_the_earliest(run, moments)


def _bearing_the_earliest(run: list[int], moments: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    earliest = min((moments[index] for index in run), default=0)
    return ((index, earliest) for index in run)


# ── what a receipt must say ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Expected:
    """What a receipt must say. Where it is open what stands, it is open too what a row counts as."""

    lacking: int
    inserted: int = 0
    unchanged: int = 0
    revised: int = 0
    outdated: int = 0
    undecided: int = 0

    def enter(self, said: StoredRow, before: list[StoredRow], after: list[StoredRow]) -> None:
        """Count one row, from what stood and what stands."""
        if not before:
            self.inserted += 1
        elif len({*before}) > 1 or len({*after}) > 1:
            self.undecided += 1
        elif before[0] == said:
            self.unchanged += 1
        elif after[0] == said:
            self.revised += 1
        else:
            self.outdated += 1

    def __add__(self, other: "Expected") -> "Expected":
        names = ("lacking", "inserted", "unchanged", "revised", "outdated", "undecided")
        return Expected(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def check(self, receipt: SaveReceipt) -> None:
        """Compare it with what the storage said."""
        assert (receipt.inserted, receipt.lacking) == (self.inserted, self.lacking), f"{receipt} instead of {self}"
        undecided = 0
        for name in ("unchanged", "revised", "outdated"):
            surplus = getattr(receipt, name) - getattr(self, name)
            assert surplus >= 0, f"{receipt} instead of {self}"
            undecided += surplus
        assert undecided == self.undecided, f"{receipt} instead of {self}"
