"""Splits and dividends, kept once for all timeframes of a market."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, delete, insert, select

from candle_hookspecs import Action, ActionKind, ActionQuery, Answer, Symbol
from candle_sql.tables import actions, markets, sources, symbols

_NAMES: Final = ("archetype", "exchange", "tradetype", "base", "quote", "contract")

Key: TypeAlias = tuple[int, int, str]
"""Market, moment and kind: what makes an action one."""


class Told(NamedTuple):
    """An action, and when and by whom it was told."""

    action: Action
    answered_at: int
    rank: int
    source: str


def pending(connection: Connection, answers: Sequence[Answer], ids: Mapping[Symbol, int]) -> dict[Key, Answer]:
    """What the answers tell of actions that is not stored, or is stored otherwise.

    Args:
        connection: in a transaction.
        answers: in any order.
        ids: of their symbols.

    Returns:
        By market, moment and kind: the answer that told it last.
    """
    told = [answer for answer in answers if answer.actions]
    if not told:
        return {}
    homes = _markets(connection, {ids[answer.symbol] for answer in told})
    latest: dict[Key, Answer] = {}
    for answer in sorted(told, key=lambda answer: (answer.answered_at, answer.rank)):
        for action in answer.actions:
            latest[homes[ids[answer.symbol]], action.at, action.kind.value] = answer
    stored = {
        (market_id, one.action.at, one.action.kind.value): one
        for market_id in {key[0] for key in latest}
        for one in _of(connection, market_id)
    }
    return {key: answer for key, answer in latest.items() if _is_news(stored.get(key), answer, key)}


def save(connection: Connection, news: Mapping[Key, Answer], numbers: Mapping[tuple[str, int], int]) -> None:
    """Store what `pending` found. The caller keeps others out.

    Args:
        connection: in a write transaction.
        news: what to store.
        numbers: ids of sources by name and rank.
    """
    for (market_id, at, kind), answer in news.items():
        connection.execute(
            delete(actions).where(actions.c.market_id == market_id, actions.c.at == at, actions.c.kind == kind)
        )
        action = _find(answer, at, kind)
        connection.execute(
            insert(actions).values(
                market_id=market_id, at=at, kind=kind, value=action.value, close=action.close,
                answered_at=answer.answered_at, source_id=numbers[answer.source, answer.rank],
            )
        )  # fmt: skip


def read(connection: Connection, query: ActionQuery) -> list[Action]:
    """The actions of a market, in the order of their moments."""
    named = (markets.c[name] == getattr(query, name) for name in _NAMES)
    market_id = connection.scalar(select(markets.c.id).where(*named))
    found = (one.action for one in _of(connection, market_id)) if market_id is not None else iter(())
    return [action for action in found if query.span is None or action.at in query.span]


def of_symbol(connection: Connection, symbol_id: int) -> list[Told]:
    """The actions of a symbol's market, with who told them."""
    return list(_of(connection, _markets(connection, {symbol_id})[symbol_id]))


def _of(connection: Connection, market_id: int) -> Iterator[Told]:
    query = (
        select(actions, sources.c.rank, sources.c.name)
        .join_from(actions, sources)
        .where(actions.c.market_id == market_id)
        .order_by(actions.c.at, actions.c.kind)
    )
    for row in connection.execute(query):
        yield Told(Action(row.at, ActionKind(row.kind), row.value, row.close), row.answered_at, row.rank, row.name)


def _markets(connection: Connection, symbol_ids: set[int]) -> dict[int, int]:
    query = select(symbols.c.id, symbols.c.market_id).where(symbols.c.id.in_(sorted(symbol_ids)))
    return {row.id: row.market_id for row in connection.execute(query)}


def _find(answer: Answer, at: int, kind: str) -> Action:
    return next(action for action in reversed(answer.actions) if (action.at, action.kind.value) == (at, kind))


def _is_news(stored: Told | None, answer: Answer, key: Key) -> bool:
    if stored is None:
        return True
    later = (answer.answered_at, answer.rank) >= (stored.answered_at, stored.rank)
    return later and stored.action != _find(answer, key[1], key[2])
