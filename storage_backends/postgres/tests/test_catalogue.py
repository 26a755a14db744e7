"""Symbols found by their names: the right ones, by an index."""

import pytest
from hypothesis import example, given, settings
from sqlalchemy import text

from candle_hookspecs import Registration, SymbolQuery
from candle_postgres import PostgresStorage
from candle_sql import catalogue
from candle_sql.statements import literal
from candle_testkit.contracts.storage.harness import market
from storage_backends.sql.tests.lookups import REGISTRATIONS, meant, queries


def test_a_lookup_finds_what_a_plain_loop_finds(storage: PostgresStorage) -> None:
    storage.candle_register(REGISTRATIONS)
    ours = {entry.market.exchange for entry in REGISTRATIONS}

    @given(query=queries())
    @example(query=SymbolQuery(name="비트코인/원"))
    @settings(max_examples=200)
    def alike(query: SymbolQuery) -> None:
        found = [one for one in storage.candle_symbols(query) if one.symbol.exchange in ours]
        assert [(one.symbol, one.market) for one in found] == meant(query)

    alike()


@pytest.mark.parametrize(
    "query",
    [SymbolQuery(name="b7/usdt", exchange="EXAMPLE", tradetype="SPOT"), SymbolQuery(base="b7", quote="usdt")],
    ids=["name", "parts"],
)
def test_one_of_thousands_is_looked_up_by_an_index(storage: PostgresStorage, query: SymbolQuery) -> None:
    listed = [market(f"B{number}") for number in range(3_000)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    (found,) = storage.candle_symbols(query)
    assert found.market == listed[7]
    with storage._read() as connection:
        asked = literal(connection, catalogue._statement(query, catalogue._conditions(query)))
        plan = "\n".join(connection.scalars(text(f"EXPLAIN {asked}")))
    assert "Seq Scan on markets" not in plan
    assert "markets_by_" in plan
