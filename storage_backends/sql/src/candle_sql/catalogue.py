"""Markets and symbols: register, find, number."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, or_, select, update

from candle_hookspecs import Market, MarketStatus, Registration, Symbol, SymbolQuery, SymbolRecord, to_datetime
from candle_sql.tables import candles, markets, symbols

_KEY: Final = ("archetype", "exchange", "tradetype", "base", "quote", "contract")
_FIELDS: Final = tuple(field.name for field in fields(Market))
_NAMES: Final = ("archetype", "exchange", "tradetype", "base", "quote")
_CHUNK: Final = 500

_Key: TypeAlias = tuple[str, ...]


def _chunks(values: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def _key(market: Market) -> _Key:
    return tuple(getattr(market, name) for name in _KEY)


def _values(market: Market) -> dict[str, Any]:
    values = {name: getattr(market, name) for name in _FIELDS}
    return values | {"status": market.status.value, "extra": dict(market.extra)}


def _market(row: Row[Any]) -> Market:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Market(**values | {"status": MarketStatus(row.status)})


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
    exchanges = sorted({key[1] for key in keys})
    query = select(markets).where(markets.c.exchange.in_(exchanges))
    if len(keys) == 1:  # one market of thousands: let the index find it
        (only,) = keys
        query = select(markets).where(*(markets.c[name] == part for name, part in zip(_KEY, only, strict=True)))
    found = ((row.id, _market(row)) for row in connection.execute(query))
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
    own_columns = (symbols.c.timeframe, symbols.c.registered, symbols.c.candle_count, symbols.c.revision_count)
    columns: list[ColumnElement[Any]] = [*markets.c, *own_columns]
    if query.statistics:
        own = candles.c.symbol_id == symbols.c.id
        for name, edge in (("first", func.min), ("last", func.max)):
            columns.append(select(edge(candles.c.open_time)).where(own).scalar_subquery().label(name))
    statement = select(*columns).join_from(symbols, markets).where(*_conditions(query))
    records = (_record(row, statistics=query.statistics) for row in connection.execute(statement))
    return sorted((record for record in records if _matches(record, query)), key=lambda record: record.symbol)


def _record(row: Row[Any], *, statistics: bool) -> SymbolRecord:
    market = _market(row)
    return SymbolRecord(
        symbol=market.symbol(row.timeframe),
        market=market,
        registered=to_datetime(row.registered),
        first=row.first if statistics else None,
        last=row.last if statistics else None,
        rows=row.candle_count if statistics else None,
        revisions=row.revision_count if statistics else None,
    )


def _conditions(query: SymbolQuery) -> Iterator[ColumnElement[bool]]:
    """What the database can sift. It folds the case of ASCII only; `_matches` has the last word."""
    if query.timeframe is not None:
        yield symbols.c.timeframe == query.timeframe
    if query.status is not None:
        yield markets.c.status == query.status.value
    for name in _NAMES:
        wanted = getattr(query, name)
        if wanted is not None and wanted.isascii():
            yield func.lower(markets.c[name]) == wanted.lower()
    if query.name is not None and query.name.isascii():
        either = (func.lower(markets.c[name]) == query.name.lower() for name in ("ccxt_symbol", "native_id"))
        yield or_(*either)


def _matches(record: SymbolRecord, query: SymbolQuery) -> bool:
    wanted = ((getattr(record.symbol, name), getattr(query, name)) for name in _NAMES)
    if any(want is not None and have.casefold() != want.casefold() for have, want in wanted):
        return False
    return query.name is None or record.market.answers_to(query.name)


def numbers(connection: Connection, wanted: Iterable[Symbol]) -> dict[Symbol, int]:
    """The ids of those of the symbols that are registered."""
    asked = set(wanted)
    exact = (markets.c[name] for name in _KEY)
    statement = select(symbols.c.id, symbols.c.timeframe, *exact).join_from(symbols, markets)
    for part in ("exchange", "base"):
        values = {getattr(symbol, part) for symbol in asked}
        if len(values) <= _CHUNK:
            statement = statement.where(markets.c[part].in_(sorted(values)))
    found = {
        Symbol(row.archetype, row.exchange, row.tradetype, row.base, row.quote, row.timeframe, row.contract): row.id
        for row in connection.execute(statement)
    }
    return {symbol: found[symbol] for symbol in asked if symbol in found}
