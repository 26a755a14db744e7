"""What stands in the database: how it is made, divided, and seen by whoever opens it."""

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest

from candle_hookspecs import (
    COLUMNS,
    BadInputError,
    LoadRead,
    MaintenanceTask,
    Operation,
    OperationType,
    Registration,
    SaveReceipt,
    SaveWrite,
    StorageStatus,
    SymbolQuery,
    UnknownSymbolError,
)
from candle_postgres import PostgresStorage
from candle_sql.tables import metadata
from candle_testkit.contracts.storage.harness import (
    BTC,
    SYMBOL,
    answer,
    batch_of,
    candles,
    market,
    rows_of,
    slot,
    span,
)

Opener = Callable[..., PostgresStorage]

PARTITION = re.compile(r"candles_p\d\d")


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def tables(url: str) -> set[object]:
    return {name for (name,) in ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_reading_makes_no_tables(open_storage: Opener, url: str) -> None:
    storage = open_storage()
    assert storage.candle_symbols(SymbolQuery(statistics=True)) == []
    for question in (storage.candle_load, storage.candle_count, storage.candle_answers):
        with pytest.raises(UnknownSymbolError, match="candle_test_"):
            question(LoadRead(symbol=SYMBOL))
    for task in MaintenanceTask:
        assert storage.candle_maintain(task).changed == 0
    status = storage.candle_status()
    assert (status.schema, status.symbols, status.candles) == (0, 0, 0)
    assert tables(url) == set()


def test_a_reader_sees_tables_made_later(open_storage: Opener) -> None:
    reader, writer = open_storage(), open_storage()
    assert reader.candle_symbols(SymbolQuery()) == []
    writer.candle_register([Registration(market=BTC, timeframes=("1m",))])
    assert [record.symbol for record in reader.candle_symbols(SymbolQuery())] == [SYMBOL]


def test_every_table_and_column_says_what_it_is(storage: PostgresStorage, url: str) -> None:
    said = dict[str, str](
        ask(
            url,
            "SELECT relname || '.' || attname, col_description(attrelid, attnum) FROM pg_attribute "
            "JOIN pg_class ON pg_class.oid = attrelid WHERE attnum > 0 AND relnamespace = 'public'::regnamespace",
        )
    )
    for table in metadata.sorted_tables:
        for column in table.columns:
            assert said[f"{table.name}.{column.name}"] == column.comment


def test_the_candles_of_a_symbol_lie_together(storage: PostgresStorage, url: str) -> None:
    listed = [market(f"B{number}") for number in range(100)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    storage.candle_save(SaveWrite(answers=tuple(answer(candles(range(3)), symbol=one.symbol("1m")) for one in listed)))
    query = "SELECT symbol_id, count(DISTINCT tableoid), count(*) FROM candles GROUP BY symbol_id"
    assert {row[1:] for row in ask(url, query)} == {(1, 3)}
    assert len(ask(url, "SELECT DISTINCT tableoid FROM candles")) > 20, "symbols are to be spread over the partitions"


def test_anyone_can_query_the_view_by_the_key(storage: PostgresStorage, url: str) -> None:
    listed = [market(f"B{number}") for number in range(200)]
    storage.candle_register([Registration(market=one, timeframes=("1m", "1h")) for one in listed])
    storage.candle_save(
        SaveWrite(answers=tuple(answer(candles(range(300)), symbol=one.symbol("1m")) for one in listed))
    )
    query = (
        "SELECT * FROM v_candles WHERE archetype = 'CRYPTO' AND exchange = 'EXAMPLE' AND tradetype = 'SPOT' "
        f"AND base = 'B7' AND quote = 'USDT' AND timeframe = '1m' AND open_time >= {slot(290)} ORDER BY open_time"
    )
    assert [row[7:] for row in ask(url, query)] == rows_of(candles(range(290, 300)))
    for analyzed in (False, True):
        if analyzed:
            with psycopg.connect(url, autocommit=True) as anyone:
                anyone.execute("ANALYZE")
        plan = [str(line) for (line,) in ask(url, f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) {query}")]
        read = [at for at, line in enumerate(plan) if "candles_p" in line and "never executed" not in line]
        assert len({PARTITION.findall(plan[at])[0] for at in read}) == 1, plan
        assert not [line for line in plan if "Seq Scan on candles" in line], plan
        assert any(
            "symbol_id = s.id" in plan[at + 1] and "open_time >=" in plan[at + 1] and "Index Cond" in plan[at + 1]
            for at in read
        ), plan


def test_unknown_values_are_null_and_the_sign_of_zero_is_kept(storage: PostgresStorage, url: str) -> None:
    full = candles(range(4)).columns()
    full["open"] = np.array([-0.0, 0.0, np.inf, 5e-324])
    full["quote_volume"] = np.array([np.nan, -0.0, 1.0, np.nan])
    full["trades"] = np.array([-1, 0, -1, 2**62])
    del full["taker_buy_volume"]
    given = batch_of(full)
    storage.candle_save(SaveWrite(answers=(answer(given),)))
    rows = ask(url, "SELECT quote_volume, trades, taker_buy_volume FROM candles ORDER BY open_time")
    assert rows == [(None, None, None), (0.0, 0, None), (1.0, None, None), (None, 2**62, None)]
    loaded = storage.candle_load(LoadRead(symbol=SYMBOL))
    assert loaded == given
    assert loaded.open.tobytes() == given.open.tobytes()
    assert storage.candle_save(SaveWrite(answers=(answer(given, at=2),))) == SaveReceipt(unchanged=4)
    rows = ask(url, "SELECT count(*) FROM revisions WHERE quote_volume = 'NaN'")
    assert rows == [(0,)]


def test_a_partition_is_not_a_table_of_the_users_own(storage: PostgresStorage) -> None:
    with pytest.raises(BadInputError, match=r"'candles_p00' .* part of the candles"):
        storage.candle_execute(Operation(table="candles_p00", type=OperationType.DELETE, rows=({"symbol_id": 1},)))


def test_a_live_minute_of_a_whole_exchange(storage: PostgresStorage) -> None:
    listed = [market(f"B{number}") for number in range(1_200)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])

    def write(minute: int, change: float = 0.0) -> SaveWrite:
        return SaveWrite(
            answers=tuple(
                answer(
                    candles([minute], price + change), minute + 1 + int(change), proven=span(minute, minute + 1),
                    symbol=one.symbol("1m"),
                )
                for price, one in enumerate(listed, start=1)
            )
        )  # fmt: skip

    assert storage.candle_save(write(0)) == SaveReceipt(inserted=1_200)
    assert storage.candle_save(write(1)) == SaveReceipt(inserted=1_200)
    assert storage.candle_save(write(1)) == SaveReceipt(unchanged=1_200)
    assert storage.candle_save(write(1, change=5.0)) == SaveReceipt(revised=1_200)
    found = storage.candle_symbols(SymbolQuery(timeframe="1m", statistics=True))
    assert {(one.rows, one.revisions) for one in found if one.symbol.base != "BTC"} == {(2, 1)}
    assert storage.candle_load(LoadRead(symbol=listed[700].symbol("1m"), span=span(1, 2))) == candles([1], 706)


def test_analyze_and_vacuum_go_from_table_to_table(storage: PostgresStorage, url: str) -> None:
    assert storage.candle_maintain(MaintenanceTask.CHECKPOINT).changed == 0, "the server takes in its own log"
    listed = [market(f"B{number}") for number in range(20)]
    storage.candle_register([Registration(market=one, timeframes=("1m",)) for one in listed])
    for price in (1, 2):
        given = (answer(candles(range(500), price), at=price, symbol=one.symbol("1m")) for one in listed)
        storage.candle_save(SaveWrite(answers=tuple(given)))
    storage.candle_close()  # a server counts what a session did at the latest when it ends
    changed = "SELECT relname FROM pg_stat_user_tables WHERE n_mod_since_analyze > 50 AND relname LIKE 'candles_p%'"
    dead = "SELECT relname FROM pg_stat_user_tables WHERE n_dead_tup > 0 AND relname LIKE 'candles_p%'"
    for task, waiting in ((MaintenanceTask.ANALYZE, changed), (MaintenanceTask.VACUUM, dead)):
        until(lambda: len(ask(url, waiting)) > 2)  # noqa: B023 - called at once
        steps = [storage.candle_maintain(task)]
        while steps[-1].more:
            steps.append(storage.candle_maintain(task))
        assert len(steps) > 2, "a table a step"
        assert all(step.changed for step in steps)
        until(lambda: not ask(url, waiting))  # noqa: B023
    assert storage.candle_maintain(MaintenanceTask.VACUUM).changed == 0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def test_check_finds_what_is_wrong(storage: PostgresStorage, url: str) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3)), proven=span(0, 3)),)))
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    with psycopg.connect(url) as anyone:
        anyone.execute(f"DELETE FROM candles WHERE open_time = {slot(1)}")
        anyone.execute(f"UPDATE candles SET source_id = 77 WHERE open_time = {slot(2)}")
        anyone.execute("INSERT INTO candle_extras VALUES (99, 0, 'funding', 1)")
    problems = storage.candle_maintain(MaintenanceTask.CHECK).problems
    assert len(problems) == 3
    assert "'candles' refers to 1 rows of 'sources'" in problems[0]
    assert "'candle_extras' refers to 1 rows of 'symbols'" in problems[1]
    assert "has 2 candles and not 3" in problems[2]


def test_status(storage: PostgresStorage, url: str) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(900)), proven=span(0, 3)),)))
    status = storage.candle_status()
    assert status == StorageStatus(
        place=storage.place, schema=3, size=status.size, symbols=1, candles=900, facts=1, details=status.details
    )
    (version,) = ask(url, "SHOW server_version")[0]
    assert status.details["server"] == f"PostgreSQL {version}"
    assert status.details["partitions"] == len([name for name in tables(url) if str(name).startswith("candles_p")])
    (size,) = ask(url, "SELECT pg_database_size(current_database())")[0]
    assert status.size == pytest.approx(size, rel=0.05)


def test_the_view_has_the_columns_of_the_contract(storage: PostgresStorage, url: str) -> None:
    with psycopg.connect(url) as anyone:
        description = anyone.execute("SELECT * FROM v_candles").description or []
    assert [column.name for column in description][7:] == list(COLUMNS)
