"""What writing takes besides the merge of rows: sources with their ids, facts, and candles counted or deleted."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from candle_hookspecs import (
    PRICE_COLUMNS,
    Answer,
    BadInputError,
    CoverageState,
    SaveReceipt,
    SaveWrite,
    Span,
    Symbol,
    iso,
)
from candle_sql import facts
from candle_sql.facts import Fact, Standing
from candle_sql.merge import Merge
from candle_sql.statements import within
from candle_sql.tables import candle_extras, candles, revision_extras, revisions, sources, symbols

SourceIds: TypeAlias = dict[tuple[str, int], int]
"""Name and rank of a source → its id."""


def refuse_unknown_prices(answer: Answer) -> None:
    """Refuse an answer with a candle that has no price or volume.

    Raises:
        BadInputError: it names the symbol, the column and the moment.
    """
    for name in (*PRICE_COLUMNS, "volume"):
        unknown = np.isnan(getattr(answer.batch, name))
        if unknown.any():
            moment = iso(int(answer.batch.open_time[unknown.argmax()]))
            raise BadInputError(
                f"{str(answer.symbol)!r} has no {name!r} at {moment!r}: only the optional columns may be unknown; "
                "drop the row or ask again"
            )


def stored_sources(connection: Connection) -> SourceIds:
    """Every source there is."""
    return {(row.name, row.rank): row.id for row in connection.execute(select(sources))}


def new_sources(write: SaveWrite, stored: SourceIds) -> list[tuple[str, int]]:
    """Name and rank of those that the write adds, sorted.

    A source that changes its rank gets another id, so that what is stored keeps the rank it was given with.
    """
    wanted = {(answer.source, answer.rank) for answer in write.answers}
    wanted |= {(fact.source, answer.rank) for answer in write.answers for fact in answer.coverage}
    return sorted(wanted - stored.keys())


def add_sources(connection: Connection, fresh: list[tuple[str, int]]) -> None:
    """Give sources their ids."""
    if fresh:
        connection.execute(insert(sources), [{"name": name, "rank": rank} for name, rank in fresh])


class Ledger:
    """What a save must know besides the rows, read once for all answers and written once at the end."""

    def __init__(self, connection: Connection, write: SaveWrite, ids: dict[Symbol, int], sources: SourceIds) -> None:
        self._connection = connection
        self._ids = ids
        self._sources = sources
        moments = [answer.answered_at for answer in write.answers]
        moments += [fact.answered_at for answer in write.answers for fact in answer.coverage]
        self._standing = facts.since(connection, set(ids.values()), min(moments))
        self._known = {standing.fact for group in self._standing.values() for standing in group}
        self._fresh: set[Fact] = set()
        self._receipts: dict[int, SaveReceipt] = {}

    def admit(self, answer: Answer) -> Merge:
        """The answer with its standing; its facts count for those that are admitted after it."""
        symbol_id = self._ids[answer.symbol]
        merge = Merge(
            symbol_id=symbol_id,
            source_id=self._sources[answer.source, answer.rank],
            answer=answer,
            settling=self._settling(symbol_id, answer),
        )
        for fact in answer.coverage:
            source_id = self._sources[fact.source, answer.rank]
            row = Fact(
                symbol_id,
                fact.span.start,
                fact.span.end,
                source_id,
                fact.state.value,
                fact.evidence.value,
                fact.answered_at,
            )
            self._standing[symbol_id].append(Standing(row, answer.rank))
            self._fresh.add(row)
        return merge

    def _settling(self, symbol_id: int, answer: Answer) -> tuple[Standing, ...]:
        """The facts of later answers, the earliest first."""
        moment = (answer.answered_at, answer.rank)
        later = (one for one in self._standing[symbol_id] if one.moment > moment)
        answered = (one for one in later if one.fact.state == CoverageState.ANSWERED.value)
        return tuple(sorted(answered, key=lambda one: one.moment))

    def count(self, symbol_id: int, receipt: SaveReceipt) -> None:
        """Remember what came of an answer's rows."""
        self._receipts[symbol_id] = self._receipts.get(symbol_id, SaveReceipt()) + receipt

    def write(self) -> None:
        """Store the facts, and what was counted."""
        facts.add(self._connection, self._fresh - self._known)
        changes = {number: (one.inserted, one.revised) for number, one in self._receipts.items()}
        count_rows(self._connection, changes)


def count_rows(connection: Connection, changes: Mapping[int, tuple[int, int]]) -> None:
    """Add to what is counted of symbols: candles and revisions by symbol id."""
    counted = {
        symbols.c.candle_count: symbols.c.candle_count + bindparam("_candles"),
        symbols.c.revision_count: symbols.c.revision_count + bindparam("_revisions"),
    }
    rows = [
        {"_symbol_id": symbol_id, "_candles": added, "_revisions": revised}
        for symbol_id, (added, revised) in changes.items()
        if added or revised
    ]
    if rows:
        connection.execute(update(symbols).where(symbols.c.id == bindparam("_symbol_id")).values(counted), rows)


def forget_candles(connection: Connection, symbol_id: int, span: Span | None) -> int:
    """Delete the candles of a span, None being all, with their history and extra columns; how many there were."""
    replaced = within(revisions, symbol_id, span)
    numbers = select(revisions.c.id).where(replaced)
    connection.execute(delete(revision_extras).where(revision_extras.c.revision_id.in_(numbers)))
    connection.execute(delete(revisions).where(replaced))
    connection.execute(delete(candle_extras).where(within(candle_extras, symbol_id, span)))
    deleted = connection.execute(delete(candles).where(within(candles, symbol_id, span))).rowcount
    count_rows(connection, {symbol_id: (-deleted, 0)})
    return deleted
