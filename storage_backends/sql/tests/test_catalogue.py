"""Symbols found by their names: the right ones, without looking at the others."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from sqlalchemy import Connection

from candle_hookspecs import Registration, SymbolQuery
from candle_sql import catalogue
from candle_sqlite import SqliteStorage
from candle_sqlite.connections import driver_of
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import market
from storage_backends.sql.tests.lookups import REGISTRATIONS, meant, queries


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(SqliteStorage.Settings(), make_context(tmp_path, "sqlite"))
    yield storage
    storage.candle_close()


def test_a_lookup_finds_what_a_plain_loop_finds(storage: SqliteStorage) -> None:
    storage.candle_register(REGISTRATIONS)

    @given(query=queries())
    @example(query=SymbolQuery(name="비트코인/원"))
    @example(query=SymbolQuery(name="비K/usdt"))
    @example(query=SymbolQuery(base="ß"))
    @settings(max_examples=200)
    def alike(query: SymbolQuery) -> None:
        assert [(found.symbol, found.market) for found in storage.candle_symbols(query)] == meant(query)

    alike()


QUERIES = (
    SymbolQuery(name="b7usdt"),
    SymbolQuery(name="B7/usdt", exchange="example", tradetype="spot", coverage=True, statistics=True),
    SymbolQuery(name="비트코인/USDT"),
    SymbolQuery(base="b7"),
    SymbolQuery(archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="B7", quote="USDT", contract=""),
)
SYMBOLS = [market(f"B{number}").symbol("1m") for number in (3, 5, 7)]


def test_a_lookup_costs_the_same_among_thousands(storage: SqliteStorage) -> None:
    storage.candle_register([one_minute(number) for number in range(20)])
    among_few = costs(storage)
    storage.candle_register([one_minute(number) for number in range(20, 3_000)])
    for few, many in zip(among_few, costs(storage), strict=True):
        assert many < 2 * few


def one_minute(number: int) -> Registration:
    return Registration(market=market(f"B{number}"), timeframes=("1m",))


def costs(storage: SqliteStorage) -> list[int]:
    """The steps of SQLite's machine for each of the `QUERIES`, for the numbers of `SYMBOLS`, and to register them."""
    with storage._read() as connection:
        read = [steps(connection, partial(catalogue.find, query=query)) for query in QUERIES]
        read.append(steps(connection, partial(catalogue.numbers, wanted=SYMBOLS)))
    with storage._write() as connection:
        again = [one_minute(number) for number in (3, 5, 7)]
        return [*read, steps(connection, partial(catalogue.register, registrations=again, now=0))]


def steps(connection: Connection, work: Callable[[Connection], object]) -> int:
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    driver = driver_of(connection)
    driver.set_progress_handler(step, 1)
    work(connection)
    driver.set_progress_handler(None, 0)
    return taken
