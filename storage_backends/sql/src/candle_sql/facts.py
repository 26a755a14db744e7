"""Coverage facts: read, add, cut, unite."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, delete, func, insert, select

from candle_hookspecs import Coverage, CoverageQuery, CoverageState, Evidence, Forget, Span
from candle_sql.tables import coverage, sources

_CHUNK: Final = 500
_STATES: Final = {state.value: state for state in CoverageState}
_EVIDENCE: Final = {evidence.value: evidence for evidence in Evidence}
_BUNDLE: Final = 500  # facts united in one transaction: some hundredths of a second
_DELETE: Final = delete(coverage).where(*(column == bindparam(column.name) for column in coverage.c))
_ORDER: Final = (coverage.c.span_start, coverage.c.span_end, coverage.c.answered_at, coverage.c.source_id)


class Fact(NamedTuple):
    """A row of the coverage table."""

    symbol_id: int
    span_start: int
    span_end: int
    source_id: int
    state: str
    evidence: str
    answered_at: int


class Standing(NamedTuple):
    """A stored fact with the rank of its source."""

    fact: Fact
    rank: int

    @property
    def moment(self) -> tuple[int, int]:
        """When it was proven, and with which rank."""
        return self.fact.answered_at, self.rank


def _overlaps(symbol_id: int, span: Span | None) -> ColumnElement[bool]:
    own = coverage.c.symbol_id == symbol_id
    return own if span is None else and_(own, coverage.c.span_start < span.end, coverage.c.span_end > span.start)


def read(connection: Connection, symbol_id: int, query: CoverageQuery) -> list[Coverage]:
    """The facts that match, whole, in the order of their spans."""
    statement = (
        select(coverage, sources.c.name)
        .join_from(coverage, sources)
        .where(_overlaps(symbol_id, query.span))
        .order_by(*_ORDER)
    )
    if query.state is not None:
        statement = statement.where(coverage.c.state == query.state.value)
    if query.source is not None:
        statement = statement.where(sources.c.name == query.source)
    return [_coverage(row) for row in connection.execute(statement)]


def _coverage(row: Row[Any]) -> Coverage:
    span = Span(row.span_start, row.span_end)
    return Coverage(span, CoverageState(row.state), Evidence(row.evidence), row.name, row.answered_at)


def of_all(connection: Connection, chosen: Select[tuple[int]] | None) -> dict[int, tuple[Coverage, ...]]:
    """All facts by symbol, in the order of their spans, in one query.

    Args:
        connection: in a read transaction.
        chosen: the ids of the symbols; None: every symbol.
    """
    statement = select(coverage).order_by(coverage.c.symbol_id, *_ORDER)
    if chosen is not None:
        statement = statement.where(coverage.c.symbol_id.in_(chosen))
    names = {row.id: row.name for row in connection.execute(select(sources))}
    found: dict[int, list[Coverage]] = {}
    for symbol_id, start, end, source_id, state, evidence, answered_at in connection.execute(statement):
        fact = Coverage(Span(start, end), _STATES[state], _EVIDENCE[evidence], names[source_id], answered_at)
        found.setdefault(symbol_id, []).append(fact)
    return {symbol_id: tuple(facts) for symbol_id, facts in found.items()}


def overlapping(connection: Connection, symbol_id: int, span: Span | None) -> list[Fact]:
    """The facts that reach into the span, whole, in the order of their spans."""
    statement = select(coverage).where(_overlaps(symbol_id, span)).order_by(*_ORDER)
    return [Fact(*row) for row in connection.execute(statement)]


def since(connection: Connection, symbol_ids: Collection[int], moment: int) -> dict[int, list[Standing]]:
    """By symbol, the facts answered at that moment (UTC ms) or later.

    Usually few or none: what overtook an answer on its way to the database, or is saved a second time.
    """
    found: dict[int, list[Standing]] = {symbol_id: [] for symbol_id in symbol_ids}
    ordered = sorted(found)
    for start in range(0, len(ordered), _CHUNK):
        statement = (
            select(coverage, sources.c.rank)
            .join_from(coverage, sources)
            .where(coverage.c.symbol_id.in_(ordered[start : start + _CHUNK]), coverage.c.answered_at >= moment)
        )
        for row in connection.execute(statement):
            found[row.symbol_id].append(Standing(Fact(*row[:-1]), row.rank))
    return found


def add(connection: Connection, facts: Collection[Fact]) -> None:
    """Add facts that are not there yet."""
    if facts:
        connection.execute(insert(coverage), [fact._asdict() for fact in sorted(facts)])


def cut(connection: Connection, symbol_id: int, forget: Forget) -> None:
    """Take `forget.span` out of every fact of the symbol."""
    reach, span = _overlaps(symbol_id, forget.span), forget.span
    facts = [Fact(*row) for row in connection.execute(select(coverage).where(reach))]
    connection.execute(delete(coverage).where(reach))
    if span is None:
        return
    rest = {fact._replace(span_end=span.start) for fact in facts if fact.span_start < span.start}
    rest |= {fact._replace(span_start=span.end) for fact in facts if fact.span_end > span.end}
    untouched = select(coverage).where(coverage.c.symbol_id == symbol_id)
    add(connection, rest - {Fact(*row) for row in connection.execute(untouched)})


# ── compaction ───────────────────────────────────────────────────────────────────────────────────────────────────────

Bundle: TypeAlias = list[list[Fact]]
"""Groups of facts, each of which can be one fact."""


def crowded(connection: Connection, older_than: int) -> Sequence[int]:
    """Symbols with facts that can be united: two of one kind that touch, answered before `older_than` (UTC ms)."""
    kind = (coverage.c.symbol_id, coverage.c.source_id, coverage.c.state, coverage.c.evidence)
    earlier = func.max(coverage.c.span_end).over(
        partition_by=kind, order_by=(coverage.c.span_start, coverage.c.span_end), rows=(None, -1)
    )
    old = select(coverage.c.symbol_id, coverage.c.span_start, earlier.label("earlier")).where(
        coverage.c.answered_at < older_than
    )
    facts = old.subquery()
    touching = select(facts.c.symbol_id).where(facts.c.earlier >= facts.c.span_start).distinct()
    return connection.scalars(touching.order_by(facts.c.symbol_id)).all()


def bundles(connection: Connection, symbol_id: int, older_than: int) -> list[Bundle]:
    """The facts of a symbol that touch and agree in source, state and evidence, in bundles for one transaction each.

    Only what was answered before `older_than` (UTC ms): an answer still on its way must be compared with the moments of
    those that overtook it. A group too large for one transaction comes in several parts, which touch in their turn.
    """
    old = and_(coverage.c.symbol_id == symbol_id, coverage.c.answered_at < older_than)
    facts = [Fact(*row) for row in connection.execute(select(coverage).where(old))]

    def kind(fact: Fact) -> tuple[int, str, str]:
        return fact.source_id, fact.state, fact.evidence

    found: list[Bundle] = [[]]
    for _, alike in groupby(sorted(facts, key=lambda fact: (*kind(fact), fact)), key=kind):
        for group in _groups(alike):
            if sum(map(len, found[-1])) + len(group) > _BUNDLE:
                found.append([])
            found[-1].append(group)
    return [bundle for bundle in found if bundle]


def _groups(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    """Those of two facts or more, each in the order of start. The facts are of one kind, in that order."""
    group: list[Fact] = []
    reach = 0
    for fact in facts:
        if group and (fact.span_start > reach or len(group) == _BUNDLE):
            if len(group) > 1:
                yield group
            group = []
        reach = max(reach, fact.span_end) if group else fact.span_end
        group.append(fact)
    if len(group) > 1:
        yield group


def unite(connection: Connection, bundle: Bundle) -> int:
    """Put one fact in the place of each group, in the caller's transaction, which keeps other writers out.

    It bears the earliest of the group's moments, which holds for all of it. A group of which something was taken back
    since it was read is left as it is.

    Returns:
        How many facts there are less.
    """
    gone = 0
    for group in bundle:
        with connection.begin_nested() as attempt:
            if connection.execute(_DELETE, [fact._asdict() for fact in group]).rowcount < len(group):
                attempt.rollback()
                continue
            end, moment = max(fact.span_end for fact in group), min(fact.answered_at for fact in group)
            add(connection, [group[0]._replace(span_end=end, answered_at=moment)])
        gone += len(group) - 1
    return gone
