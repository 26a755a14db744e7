"""The merge of an answer that others overtook, or that has extra columns: every row is put into its candle's history.

A history holds what was said of one open time, in the order of (answered_at, rank), and of two statements with the same
moment and rank in the order in which they were saved. Its last statement stands in `candles`, the others are in
`revisions`. What repeats its predecessor is left out where a fact shows that it was said.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, insert, select

from candle_hookspecs import CandleBatch, SaveReceipt, StorageCorruptError, iso
from candle_sql.facts import Standing
from candle_sql.merge import Merge
from candle_sql.rows import VALUES, Values, extras_of, values_of
from candle_sql.tables import candle_extras, candles, revision_extras, revisions, sources

_CHUNK: Final = 500  # rows looked up in one statement

Moment: TypeAlias = tuple[int, int]
"""When an answer was given, and the rank of its source."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What an answer said of an open time, extra columns included; `number` is its id in `revisions`."""

    moment: Moment
    source_id: int
    values: Values
    extras: dict[str, float]
    number: int | None = None

    def repeats(self, other: "Statement") -> bool:
        """Whether both say the same, whoever said it and when."""
        return self.values == other.values and self.extras == other.extras


History: TypeAlias = list[Statement]


def insert_into(history: Sequence[Statement], said: Statement, *, proven: bool, settled: Standing | None) -> History:
    """The history with one statement more, or as it was if that tells nothing new.

    Args:
        history: in its order; what stands comes last.
        said: what to add.
        proven: whether a fact shows that it was said, so that it may be left out where it repeats its predecessor.
        settled: the earliest fact that is later than what is said. The statement before it was repeated then.
    """
    place = _place(history, said.moment)
    before = history[place - 1] if place else None
    if before is not None and before.repeats(said) and (proven or before.moment == said.moment):
        return list(history)
    added = [said]
    if before is not None and settled is not None and not before.repeats(said):
        repeated = replace(before, moment=settled.moment, source_id=settled.fact.source_id, number=None)
        if place == len(history) or repeated.moment < history[place].moment:
            added.append(repeated)
    kept = [one for one in history[:place] if one.moment != said.moment or not _is(one, said)]
    return [*kept, *added, *history[place:]]


def _place(history: Sequence[Statement], moment: Moment) -> int:
    return bisect_right(history, moment, key=lambda one: one.moment)


def _is(one: Statement, other: Statement) -> bool:
    return one.source_id == other.source_id and one.repeats(other)


# ── merging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def merge_by_row(connection: Connection, task: Merge) -> SaveReceipt:
    """Merge an answer's rows with whatever is stored, inside the caller's write transaction.

    Right for every answer, and slow: for those alone that no bulk statement merges. `SaveReceipt.lacking` is not
    counted.
    """
    batch, receipt = task.answer.batch, SaveReceipt()
    unproven, settled = task.unproven(), task.settled_by()
    for low in range(0, len(batch), _CHUNK):
        part, rows = batch[low : low + _CHUNK], slice(low, low + _CHUNK)
        receipt += _merge_part(connection, task, part, unproven[rows].tolist(), settled[rows].tolist())
    return receipt


def _merge_part(
    connection: Connection, task: Merge, batch: CandleBatch, unproven: list[bool], settled: list[int]
) -> SaveReceipt:
    open_times = batch.open_time.tolist()
    found, changes = _read(connection, task.symbol_id, open_times), _Changes(task.symbol_id)
    moment = (task.answer.answered_at, task.answer.rank)
    inserted = revised = unchanged = 0
    rows = zip(open_times, values_of(batch), extras_of(batch), unproven, settled, strict=True)
    for open_time, values, extras, is_unproven, fact in rows:
        said, before = Statement(moment, task.source_id, values, extras), found.get(open_time, [])
        after = insert_into(before, said, proven=not is_unproven, settled=task.settling[fact] if fact >= 0 else None)
        if not before:
            inserted += 1
        elif before[-1].repeats(said):
            unchanged += 1
        elif after[-1] is said:
            revised += 1
        if after != before:
            changes.enter(open_time, before, after)
    changes.write(connection)
    outdated = len(batch) - inserted - revised - unchanged
    return SaveReceipt(inserted=inserted, revised=revised, unchanged=unchanged, outdated=outdated)


class _Changes:
    """Histories that became others, written together."""

    def __init__(self, symbol_id: int) -> None:
        self._symbol_id = symbol_id
        self._stood: list[dict[str, Any]] = []
        self._standing: list[tuple[int, Statement]] = []
        self._replaced: list[tuple[int, Statement]] = []
        self._dropped: list[dict[str, Any]] = []

    def enter(self, open_time: int, before: History, after: History) -> None:
        *replaced, standing = after
        if not before or standing is not before[-1]:
            self._standing.append((open_time, standing))
            if before:
                self._stood.append({"_open_time": open_time})
        self._replaced += [(open_time, one) for one in replaced if one.number is None]
        kept = {one.number for one in replaced}
        self._dropped += [{"_number": one.number} for one in before[:-1] if one.number not in kept]

    def write(self, connection: Connection) -> None:
        if self._stood:
            for table in (candle_extras, candles):
                mine = (table.c.symbol_id == self._symbol_id, table.c.open_time == bindparam("_open_time"))
                connection.execute(delete(table).where(*mine), self._stood)
        if self._dropped:
            for column in (revision_extras.c.revision_id, revisions.c.id):
                connection.execute(delete(column.table).where(column == bindparam("_number")), self._dropped)
        if self._standing:
            connection.execute(insert(candles), [self._row(*one) for one in self._standing])
            if extras := list(self._extras()):
                connection.execute(insert(candle_extras), extras)
        self._keep(connection, [one for one in self._replaced if not one[1].extras])
        self._keep_extras(connection, [one for one in self._replaced if one[1].extras])

    def _row(self, open_time: int, said: Statement) -> dict[str, Any]:
        answered_at, _ = said.moment
        own = {"symbol_id": self._symbol_id, "open_time": open_time}
        stamp = {"answered_at": answered_at, "source_id": said.source_id}
        return own | dict(zip(VALUES, said.values, strict=True)) | stamp

    def _extras(self) -> Iterator[dict[str, Any]]:
        for open_time, said in self._standing:
            own = {"symbol_id": self._symbol_id, "open_time": open_time}
            yield from (own | {"name": name, "value": value} for name, value in said.extras.items())

    def _keep(self, connection: Connection, replaced: Sequence[tuple[int, Statement]]) -> None:
        if replaced:
            connection.execute(insert(revisions), [self._row(*one) for one in replaced])

    def _keep_extras(self, connection: Connection, replaced: Sequence[tuple[int, Statement]]) -> None:
        if not replaced:
            return
        statement = insert(revisions).returning(revisions.c.id, sort_by_parameter_order=True)
        numbers = connection.scalars(statement, [self._row(*one) for one in replaced])
        rows = [
            {"revision_id": number, "name": name, "value": value}
            for number, (_, said) in zip(numbers, replaced, strict=True)
            for name, value in said.extras.items()
        ]
        connection.execute(insert(revision_extras), rows)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(connection: Connection, symbol_id: int, open_times: Sequence[int]) -> dict[int, History]:
    """The histories at these open times."""
    found: dict[int, History] = {}
    stood = _here(candle_extras, symbol_id, open_times)
    extras = _by_key(connection.execute(select(*(candle_extras.c[name] for name in _EXTRA)).where(stood)))
    ranked = select(*(candles.c[name] for name in _SAID), sources.c.rank).join_from(candles, sources)
    for open_time, *values, answered_at, source_id, rank in connection.execute(
        ranked.where(_here(candles, symbol_id, open_times))
    ):
        found[open_time] = [Statement((answered_at, rank), source_id, tuple(values), extras.get(open_time, {}))]
    if not found:
        return found
    for open_time, one in _replaced(connection, symbol_id, open_times):
        history = found.get(open_time)
        if history is None:
            raise StorageCorruptError(
                f"what was said before of the candle at {iso(open_time)!r} is kept, but the candle itself is gone: the "
                "database was changed by another program; forget the stretch with its candles, and collect it again"
            )
        history.insert(len(history) - 1, one)
    return found


def _replaced(connection: Connection, symbol_id: int, open_times: Sequence[int]) -> Iterator[tuple[int, Statement]]:
    here = _here(revisions, symbol_id, open_times)
    named = select(*revision_extras.c).join_from(revision_extras, revisions).where(here)
    extras = _by_key(connection.execute(named))
    ranked = (
        select(*(revisions.c[name] for name in _SAID), sources.c.rank, revisions.c.id)
        .join_from(revisions, sources)
        .where(here)
        .order_by(revisions.c.answered_at, sources.c.rank, revisions.c.id)
    )
    for open_time, *values, answered_at, source_id, rank, number in connection.execute(ranked):
        yield open_time, Statement((answered_at, rank), source_id, tuple(values), extras.get(number, {}), number)


_SAID: Final = ("open_time", *VALUES, "answered_at", "source_id")
_EXTRA: Final = ("open_time", "name", "value")


def _here(table: Any, symbol_id: int, open_times: Sequence[int]) -> Any:
    return (table.c.symbol_id == symbol_id) & table.c.open_time.in_(open_times)


def _by_key(rows: Iterable[Any]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for key, name, value in rows:
        found.setdefault(key, {})[name] = value
    return found
