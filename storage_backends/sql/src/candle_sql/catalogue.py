"""Markets and symbols: register, find, number."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, TypeAlias
from unicodedata import category

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from candle_hookspecs import (
    Coverage,
    Market,
    MarketStatus,
    Registration,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    to_datetime,
)
from candle_sql import facts
from candle_sql.tables import ExactDecimal, candles, markets, symbols

_KEY: Final = ("archetype", "exchange", "tradetype", "base", "quote", "contract")
_FIELDS: Final = tuple(field.name for field in fields(Market))
_CHUNK: Final = 500
_SEEKS: Final = 10_000
"""Look-ups in an index for which markets may be asked at once; more cost as much as reading thousands of them."""

_DECIMALS: Final = tuple(name for name in _FIELDS if isinstance(markets.c[name].type, ExactDecimal))
_STATUS: Final = {status.value: status for status in MarketStatus}
_IN_ORDER: Final = attrgetter(*(f"symbol.{field.name}" for field in fields(Symbol)))
"""As `Symbol` compares, but in one go."""

_Key: TypeAlias = tuple[str, ...]


def _chunks(values: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def _key(of: Market | Symbol) -> _Key:
    return tuple(getattr(of, name) for name in _KEY)


def _among(keys: Collection[_Key]) -> Iterator[ColumnElement[bool]]:
    """Markets that share as many parts with the keys as are worth looking up in their index; few that are not meant."""
    seeks = 1
    for name, parts in zip(_KEY, map(set, zip(*keys, strict=True)), strict=True):
        seeks *= len(parts)
        if seeks > _SEEKS:
            return
        yield markets.c[name].in_(sorted(parts))


def _values(market: Market) -> dict[str, Any]:
    values = {name: getattr(market, name) for name in _FIELDS}
    return values | {"status": market.status.value, "extra": dict(market.extra)}


def _plain(name: str) -> ColumnElement[Any]:
    """A column of a market as its text, so that nothing is decoded again for each of its timeframes."""
    if name == "extra":
        return cast(markets.c.extra, String).label(name)
    return type_coerce(markets.c[name], String).label(name) if name in _DECIMALS else markets.c[name]


_PLAIN: Final = tuple(map(_plain, _FIELDS))


def _market(texts: Iterable[Any]) -> Market:
    """A market from its `_PLAIN` columns."""
    values = dict(zip(_FIELDS, texts, strict=True))
    for name in _DECIMALS:
        if values[name] is not None:
            values[name] = Decimal(values[name])
    values["status"], values["extra"] = _STATUS[values["status"]], json.loads(values["extra"])
    return Market(**values)


# ── registering ──────────────────────────────────────────────────────────────────────────────────────────────────────


def register(connection: Connection, registrations: Sequence[Registration], now: int) -> list[SymbolRecord]:
    """Add what is new, bring up to date what is known. The caller's transaction keeps other writers out.

    Args:
        connection: in a write transaction.
        registrations: what to make known.
        now: UTC ms, the moment of registration of what is new.

    Returns:
        A record for each market and timeframe, in the order given.
    """
    listed = {_key(entry.market): entry.market for entry in registrations}
    market_ids = _save_markets(connection, listed)
    wanted = {(market_ids[_key(entry.market)], frame) for entry in registrations for frame in entry.timeframes}
    registered = _save_symbols(connection, wanted, now)
    return [
        SymbolRecord(
            symbol=entry.market.symbol(frame),
            market=listed[_key(entry.market)],
            registered=to_datetime(registered[market_ids[_key(entry.market)], frame]),
        )
        for entry in registrations
        for frame in entry.timeframes
    ]


def _save_markets(connection: Connection, listed: Mapping[_Key, Market]) -> dict[_Key, int]:
    known = _known_markets(connection, listed)
    fresh = [_values(market) for key, market in listed.items() if key not in known]
    if fresh:
        connection.execute(insert(markets), fresh)
    changed = [
        _values(market) | {"_id": known[key][0]}
        for key, market in listed.items()
        if key in known and known[key][1] != market
    ]
    if changed:
        connection.execute(update(markets).where(markets.c.id == bindparam("_id")), changed)
    if fresh:
        known = _known_markets(connection, listed)
    return {key: found for key, (found, _) in known.items()}


def _known_markets(connection: Connection, keys: Collection[_Key]) -> dict[_Key, tuple[int, Market]]:
    query = select(markets.c.id, *_PLAIN).where(*_among(keys))
    found = ((number, _market(texts)) for number, *texts in connection.execute(query))
    return {_key(market): (number, market) for number, market in found}


def _save_symbols(connection: Connection, wanted: set[tuple[int, str]], now: int) -> dict[tuple[int, str], int]:
    known: dict[tuple[int, str], int] = {}
    for chunk in _chunks({market_id for market_id, _ in wanted}):
        query = select(symbols.c.market_id, symbols.c.timeframe, symbols.c.registered)
        for row in connection.execute(query.where(symbols.c.market_id.in_(chunk))):
            known[row.market_id, row.timeframe] = row.registered
    fresh = dict.fromkeys(sorted(wanted - known.keys()), now)
    if fresh:
        rows = [{"market_id": market_id, "timeframe": frame} for market_id, frame in fresh]
        connection.execute(insert(symbols).values(registered=now, candle_count=0, revision_count=0), rows)
    return known | fresh


# ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def find(connection: Connection, query: SymbolQuery) -> list[SymbolRecord]:
    """The registered symbols that match, in the order of `Symbol`."""
    conditions = tuple(_conditions(query))
    known: dict[int, Market] = {}
    proofs: Mapping[int, tuple[Coverage, ...]] = {}
    if query.coverage:
        chosen = select(symbols.c.id).join_from(symbols, markets).where(*conditions)
        proofs = facts.of_all(connection, chosen if conditions else None)
    records = []
    for number, market_id, timeframe, registered, *row in connection.execute(_statement(query, conditions)):
        first, last, rows, revisions = row[:4] if query.statistics else (None,) * 4
        market = known.get(market_id) or known.setdefault(market_id, _market(row[-len(_PLAIN) :]))
        if _matches(market, query):
            records.append(
                SymbolRecord(
                    symbol=market.symbol(timeframe),
                    market=market,
                    registered=to_datetime(registered),
                    first=first,
                    last=last,
                    rows=rows,
                    revisions=revisions,
                    coverage=proofs.get(number, ()) if query.coverage else None,
                )
            )
    return sorted(records, key=_IN_ORDER)


def _statement(query: SymbolQuery, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """Symbols with, if asked for, their statistics, and with their markets."""
    own: list[ColumnElement[Any]] = [symbols.c.id, symbols.c.market_id, symbols.c.timeframe, symbols.c.registered]
    if query.statistics:
        same = candles.c.symbol_id == symbols.c.id  # a look into the key for each end, and what saves have counted
        own += (select(edge(candles.c.open_time)).where(same).scalar_subquery() for edge in (func.min, func.max))
        own += (symbols.c.candle_count, symbols.c.revision_count)
    return select(*own, *_PLAIN).join_from(symbols, markets).where(*conditions)


def _conditions(query: SymbolQuery) -> Iterator[ColumnElement[bool]]:
    """What the database can sift; `_matches` has the last word. Names are found by `MARKETS_BY_NAME`."""
    if query.timeframe is not None:
        yield symbols.c.timeframe == query.timeframe
    if query.status is not None:
        yield markets.c.status == query.status.value
    for name in _KEY:
        wanted = getattr(query, name)
        if wanted is not None and _folds_alike(wanted):
            yield func.lower(markets.c[name]) == wanted.lower()
    if query.name is not None and _folds_alike(query.name):
        either = (func.lower(markets.c[name]) == query.name.lower() for name in ("ccxt_symbol", "native_id"))
        yield or_(*either)


def _folds_alike(wanted: str) -> bool:
    """Whether every database folds it as Python does: ASCII, and letters that have no case (``Lo``), such as Hangul.

    What is called with one of the eleven other characters that Python folds to ASCII (``ß``, the Kelvin sign) is found
    by that character alone.
    """
    return all(char.isascii() or category(char) == "Lo" for char in wanted)


def _matches(market: Market, query: SymbolQuery) -> bool:
    for name in _KEY:
        wanted = getattr(query, name)
        if wanted is not None and getattr(market, name).casefold() != wanted.casefold():
            return False
    return query.name is None or market.answers_to(query.name)


def numbers(connection: Connection, wanted: Iterable[Symbol]) -> dict[Symbol, int]:
    """The ids of those of the symbols that are registered."""
    asked = set(wanted)
    exact = (markets.c[name] for name in _KEY)
    statement = select(symbols.c.id, symbols.c.timeframe, *exact).join_from(symbols, markets)
    statement = statement.where(*_among({_key(symbol) for symbol in asked}))
    found = {
        Symbol(row.archetype, row.exchange, row.tradetype, row.base, row.quote, row.timeframe, row.contract): row.id
        for row in connection.execute(statement)
    }
    return {symbol: found[symbol] for symbol in asked if symbol in found}
