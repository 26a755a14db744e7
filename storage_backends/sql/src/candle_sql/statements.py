"""What was said and when, read back: candles as of a moment, and all that is stored as the answers it came from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, FromClause, Integer, Select, and_, func, not_, select
from sqlalchemy import union_all as both

from candle_hookspecs import (
    COLUMNS,
    OPTIONAL_COLUMNS,
    UNKNOWN_COUNT,
    Action,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Span,
    Symbol,
)
from candle_sql import actions, facts
from candle_sql.tables import candle_extras, candles, revision_extras, revisions, sources

Columns: TypeAlias = Mapping[str, NDArray[Any]]
Fetch: TypeAlias = Callable[[Connection, Select[Any]], Columns]
"""Reads a query of numbers: int64 and float64 columns by name; NULL as `UNKNOWN_COUNT` or NaN."""


def fetch(connection: Connection, query: Select[Any]) -> Columns:
    """Read a query row by row: the way of every database."""
    rows = connection.execute(query).all()
    kinds = {column.name: _kind(column) for column in query.selected_columns}
    values = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    return {
        name: np.array([unknown if value is None else value for value in column], kind)
        for (name, (kind, unknown)), column in zip(kinds.items(), values, strict=True)
    }


def _kind(column: ColumnElement[Any]) -> tuple[type[np.generic], float]:
    return (np.int64, UNKNOWN_COUNT) if isinstance(column.type, Integer) else (np.float64, np.nan)


def literal(connection: Connection, query: Select[Any]) -> str:
    """A query of numbers as a driver takes it, without parameters."""
    return str(query.compile(connection, compile_kwargs={"literal_binds": True}))


_STAMP: Final = ("answered_at", "source_id")


def within(table: FromClause, symbol_id: int, span: Span | None) -> ColumnElement[bool]:
    """The rows of a symbol with open times in the span, in a table that has both."""
    own = table.c.symbol_id == symbol_id
    return own if span is None else and_(own, table.c.open_time >= span.start, table.c.open_time < span.end)


def _same_candle(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    return and_(left.c.symbol_id == right.c.symbol_id, left.c.open_time == right.c.open_time)


def _named(table: FromClause, names: tuple[str, ...]) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


# ── as of a moment ───────────────────────────────────────────────────────────────────────────────────────────────────


def known(symbol_id: int, span: Span | None, as_of: int) -> Select[Any]:
    """The candles of a symbol as the answers up to a moment (UTC ms, inclusive) had them.

    Returns:
        A query of `COLUMNS` in no order, each open time once.
    """
    replaced = _replaced_after(symbol_id, span, as_of)
    standing = select(*_named(candles, COLUMNS)).where(within(candles, symbol_id, span), candles.c.answered_at <= as_of)
    said = both(standing, select(*_named(replaced, COLUMNS))).subquery("known")
    return select(*said.c)


def known_extras(symbol_id: int, span: Span | None, as_of: int) -> Select[Any]:
    """Their extra columns: a query of open_time, name, value in no order."""
    standing = (
        select(candle_extras.c.open_time, candle_extras.c.name, candle_extras.c.value)
        .join_from(candle_extras, candles, _same_candle(candle_extras, candles))
        .where(within(candles, symbol_id, span), candles.c.answered_at <= as_of)
    )
    replaced = _replaced_after(symbol_id, span, as_of)
    before = select(replaced.c.open_time, revision_extras.c.name, revision_extras.c.value).join_from(
        replaced, revision_extras, revision_extras.c.revision_id == replaced.c.id
    )
    said = both(standing, before).subquery("known_extras")
    return select(*said.c)


def _replaced_after(symbol_id: int, span: Span | None, as_of: int) -> FromClause:
    """Of each candle that an answer after the moment changed, the last statement up to it."""
    order = (revisions.c.answered_at.desc(), sources.c.rank.desc(), revisions.c.id.desc())
    place = func.row_number().over(partition_by=revisions.c.open_time, order_by=order).label("place")
    ranked = (
        select(*revisions.c, place)
        .join_from(revisions, sources)
        .where(within(revisions, symbol_id, span), revisions.c.answered_at <= as_of)
        .subquery("ranked")
    )
    return (
        select(*ranked.c)
        .join_from(ranked, candles, _same_candle(ranked, candles))
        .where(ranked.c.place == 1, candles.c.answered_at > as_of)
        .subquery("replaced")
    )


# ── by answers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(connection: Connection, symbol: Symbol, symbol_id: int, span: Span | None, fetch: Fetch) -> list[Answer]:
    """Everything stored of a symbol in a span, as the answers it came from, by (answered_at, rank, source).

    Of two statements of one moment and rank the one saved first is left out: no read ever shows it.
    """
    origins = {row.id: (row.rank, row.name) for row in connection.execute(select(sources))}
    said = fetch(connection, _said(symbol_id, span))
    extras = _extras(connection, symbol_id, span)
    proven = _facts(connection, symbol_id, span, origins)
    told = _actions(connection, symbol_id, origins)
    batches = dict(_batches(said, extras))
    keys = sorted({*batches, *proven, *told}, key=lambda key: (key[0], origins[key[1]]))
    return [
        Answer(
            symbol=symbol,
            source=origins[source_id][1],
            rank=origins[source_id][0],
            answered_at=answered_at,
            batch=batches.get((answered_at, source_id), CandleBatch.empty()),
            coverage=tuple(proven.get((answered_at, source_id), ())),
            actions=tuple(told.get((answered_at, source_id), ())),
        )
        for answered_at, source_id in keys
    ]


_Key: TypeAlias = tuple[int, int]
"""Moment and source id: what makes an answer one."""


def _said(symbol_id: int, span: Span | None) -> Select[Any]:
    names = (*COLUMNS, *_STAMP)
    replaced = _replaced(symbol_id, span)
    standing = select(*_named(candles, names)).where(within(candles, symbol_id, span))
    said = both(standing, select(*_named(replaced, names))).subquery("said")
    return select(*said.c)


def _replaced(symbol_id: int, span: Span | None) -> FromClause:
    """Statements that do not stand any more, each the last one saved of its moment and rank."""
    moment = (revisions.c.open_time, revisions.c.answered_at, sources.c.rank)
    place = func.row_number().over(partition_by=moment, order_by=revisions.c.id.desc()).label("place")
    ranked = (
        select(*revisions.c, sources.c.rank, place)
        .join_from(revisions, sources)
        .where(within(revisions, symbol_id, span))
        .subquery("ranked")
    )
    at_once = and_(candles.c.answered_at == ranked.c.answered_at, sources.c.rank == ranked.c.rank)
    return (
        select(*ranked.c)
        .join_from(ranked, candles, _same_candle(ranked, candles))
        .join(sources, sources.c.id == candles.c.source_id)
        .where(ranked.c.place == 1, not_(at_once))
        .subquery("replaced")
    )


def _extras(connection: Connection, symbol_id: int, span: Span | None) -> dict[_Key, list[tuple[int, str, float]]]:
    standing = (
        select(*_named(candles, ("open_time", *_STAMP)), candle_extras.c.name, candle_extras.c.value)
        .join_from(candle_extras, candles, _same_candle(candle_extras, candles))
        .where(within(candles, symbol_id, span))
    )
    replaced = _replaced(symbol_id, span)
    before = select(
        *_named(replaced, ("open_time", *_STAMP)), revision_extras.c.name, revision_extras.c.value
    ).join_from(replaced, revision_extras, revision_extras.c.revision_id == replaced.c.id)
    found: dict[_Key, list[tuple[int, str, float]]] = {}
    queries: tuple[Select[Any], ...] = (standing, before)
    for query in queries:
        for open_time, answered_at, source_id, name, value in connection.execute(query):
            found.setdefault((answered_at, source_id), []).append((open_time, name, value))
    return found


def _facts(
    connection: Connection, symbol_id: int, span: Span | None, origins: Mapping[int, tuple[int, str]]
) -> dict[_Key, list[Coverage]]:
    found: dict[_Key, list[Coverage]] = {}
    for fact in facts.overlapping(connection, symbol_id, span):
        whole = Span(fact.span_start, fact.span_end)
        inside = whole if span is None else whole.intersect(span)
        _, source = origins[fact.source_id]
        if inside is not None:
            found.setdefault((fact.answered_at, fact.source_id), []).append(
                Coverage(inside, CoverageState(fact.state), Evidence(fact.evidence), source, fact.answered_at)
            )
    return found


def _actions(
    connection: Connection, symbol_id: int, origins: Mapping[int, tuple[int, str]]
) -> dict[_Key, list[Action]]:
    numbers = {origin: source_id for source_id, origin in origins.items()}
    found: dict[_Key, list[Action]] = {}
    for one in actions.of_symbol(connection, symbol_id):
        found.setdefault((one.answered_at, numbers[one.rank, one.source]), []).append(one.action)
    return found


def _batches(said: Columns, extras: Mapping[_Key, list[tuple[int, str, float]]]) -> Iterator[tuple[_Key, CandleBatch]]:
    """The rows cut into answers."""
    order = np.lexsort((said["open_time"], said["source_id"], said["answered_at"]))
    rows = {name: column[order] for name, column in said.items()}
    stamps = np.column_stack([rows[name] for name in _STAMP])
    edges = np.flatnonzero((stamps[1:] != stamps[:-1]).any(axis=1)) + 1
    for low, high in zip([0, *edges.tolist()], [*edges.tolist(), len(order)], strict=True):
        if low < high:
            answered_at, source_id = stamps[low].tolist()
            columns = {name: rows[name][low:high] for name in COLUMNS}
            yield (answered_at, source_id), _batch(columns, extras.get((answered_at, source_id), []))


def _batch(columns: dict[str, NDArray[Any]], extras: list[tuple[int, str, float]]) -> CandleBatch:
    kept = {name: column for name, column in columns.items() if name not in OPTIONAL_COLUMNS or is_known(column)}
    added: dict[str, NDArray[np.float64]] = {}
    for open_time, name, value in extras:
        column = added.setdefault(name, np.full(len(columns["open_time"]), np.nan))
        column[np.searchsorted(columns["open_time"], open_time)] = value
    return CandleBatch(**kept, extra=dict(sorted(added.items())))  # type: ignore[arg-type] # only the columns are spread


def is_known(column: NDArray[Any]) -> bool:
    """Whether any row has a value."""
    return bool((column != UNKNOWN_COUNT).any() if column.dtype == np.int64 else not np.isnan(column).all())
