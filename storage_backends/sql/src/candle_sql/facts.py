"""Coverage facts: read, add, cut, unite."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select

from candle_hookspecs import Coverage, CoverageQuery, CoverageState, Evidence, Forget, Span
from candle_sql.tables import coverage, sources

_CHUNK: Final = 500
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


def crowded(connection: Connection, older_than: int) -> Sequence[int]:
    """Symbols with facts that may be united."""
    return connection.scalars(select(coverage.c.symbol_id).where(coverage.c.answered_at < older_than).distinct()).all()


def compact(connection: Connection, symbol_id: int, older_than: int) -> int:
    """Unite the facts of a symbol that touch and agree in source, state and evidence.

    Only what was answered before `older_than` (UTC ms): an answer still on its way must be compared with the moments of
    those that overtook it. The united fact bears the earliest of the moments, which holds for all of it.

    Returns:
        How many facts there are less.
    """
    old = and_(coverage.c.symbol_id == symbol_id, coverage.c.answered_at < older_than)
    facts = [Fact(*row) for row in connection.execute(select(coverage).where(old))]

    def kind(fact: Fact) -> tuple[int, str, str]:
        return fact.source_id, fact.state, fact.evidence

    united: list[Fact] = []
    for _, group in groupby(sorted(facts, key=lambda fact: (*kind(fact), fact)), key=kind):
        united += _unite(group)
    if len(united) < len(facts):
        connection.execute(delete(coverage).where(old))
        connection.execute(insert(coverage), [fact._asdict() for fact in united])
    return len(facts) - len(united)


def _unite(facts: Iterable[Fact]) -> list[Fact]:
    """Facts of one kind in the order of their start."""
    united: list[Fact] = []
    for fact in facts:
        last = united[-1] if united else None
        if last is not None and fact.span_start <= last.span_end:
            united[-1] = last._replace(
                span_end=max(last.span_end, fact.span_end), answered_at=min(last.answered_at, fact.answered_at)
            )
        else:
            united.append(fact)
    return united
