"""The file itself: when it is made, how it is set up, what anyone sees who opens it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from candle_hookspecs import (
    COLUMNS,
    CoverageQuery,
    Forget,
    LoadRead,
    MaintenanceTask,
    Registration,
    SaveWrite,
    SymbolQuery,
    UnknownSymbolError,
)
from candle_sql.tables import metadata
from candle_sqlite import SqliteStorage
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, rows_of, slot, span

VIEW = [
    "archetype", "exchange", "tradetype", "base", "quote", "contract", "timeframe", "open_time", "open", "high", "low",
    "close", "volume", "quote_volume", "trades", "taker_buy_volume",
]  # fmt: skip


def test_reading_makes_no_file(open_storage: Callable[..., SqliteStorage], tmp_path: Path) -> None:
    storage = open_storage()
    assert storage.candle_symbols(SymbolQuery(statistics=True)) == []
    for ask in (storage.candle_load, storage.candle_count):
        with pytest.raises(UnknownSymbolError, match=r"candles\.sqlite3"):
            ask(LoadRead(symbol=SYMBOL))
    with pytest.raises(UnknownSymbolError):
        storage.candle_coverage(CoverageQuery(symbol=SYMBOL))
    for task in MaintenanceTask:
        assert storage.candle_maintain(task).changed == 0
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_a_file_made_later(open_storage: Callable[..., SqliteStorage]) -> None:
    reader, writer = open_storage(), open_storage()
    assert reader.candle_symbols(SymbolQuery()) == []
    writer.candle_register([Registration(market=BTC, timeframes=("1m",))])
    assert [record.symbol for record in reader.candle_symbols(SymbolQuery())] == [SYMBOL]


def test_an_empty_file_is_a_new_one(open_storage: Callable[..., SqliteStorage], tmp_path: Path) -> None:
    (tmp_path / "candles.sqlite3").touch()
    storage = open_storage()
    assert storage.candle_symbols(SymbolQuery()) == []
    assert len(storage.candle_register([Registration(market=BTC, timeframes=("1m",))])) == 1


def test_the_file_is_set_up(storage: SqliteStorage) -> None:
    with closing(sqlite3.connect(storage.place)) as anyone:
        assert anyone.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert anyone.execute("PRAGMA auto_vacuum").fetchone() == (2,), "2 is INCREMENTAL"
    with storage._connections.write() as writer:
        settings = {name: writer.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "foreign_keys")}
    assert settings == {"synchronous": 1, "foreign_keys": 1}


def test_what_is_free_goes_back_to_the_disk(storage: SqliteStorage) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(20_000))),)))
    storage.candle_maintain(MaintenanceTask.CHECKPOINT)
    full = Path(storage.place).stat().st_size
    assert storage.candle_forget(Forget(symbol=SYMBOL, candles=True)) == 20_000
    assert storage.candle_maintain(MaintenanceTask.VACUUM).changed > 100
    storage.candle_maintain(MaintenanceTask.CHECKPOINT)
    assert Path(storage.place).stat().st_size < full / 10


def test_anyone_can_query_the_view(storage: SqliteStorage) -> None:
    given = candles(range(3))
    storage.candle_save(SaveWrite(answers=(answer(given),)))
    with closing(sqlite3.connect(storage.place)) as anyone:
        cursor = anyone.execute("SELECT * FROM v_candles WHERE base = 'BTC' AND timeframe = '1m' ORDER BY open_time")
        assert [column[0] for column in cursor.description] == VIEW
        rows = cursor.fetchall()
        kinds = anyone.execute("SELECT typeof(open_time), typeof(close), typeof(trades) FROM v_candles").fetchall()
    assert [row[VIEW.index("open_time") :] for row in rows] == rows_of(given)
    assert rows[0][:7] == ("CRYPTO", "EXAMPLE", "SPOT", "BTC", "USDT", "", "1m")
    assert kinds == [("integer", "real", "integer")] * 3


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_query_of_the_view_uses_the_key(storage: SqliteStorage, analyzed: bool) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(2_000))),)))
    if analyzed:
        storage.candle_maintain(MaintenanceTask.ANALYZE)
    query = "EXPLAIN QUERY PLAN SELECT * FROM v_candles WHERE base = 'BTC' AND timeframe = '1m' AND open_time >= ?"
    with closing(sqlite3.connect(storage.place)) as anyone:
        plan = [row[3] for row in anyone.execute(query, (slot(0),))]
    assert any("SEARCH c USING PRIMARY KEY (symbol_id=? AND open_time>?)" in step for step in plan), plan
    assert any("SEARCH s" in step for step in plan), plan


def test_every_table_and_column_says_what_it_is(storage: SqliteStorage) -> None:
    with closing(sqlite3.connect(storage.place)) as anyone:
        schema = dict(anyone.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
    for table in metadata.sorted_tables:
        assert table.comment
        for column in table.columns:
            assert column.comment, f"{table.name}.{column.name}"
            assert f"/* {column.comment} */" in schema[table.name]


def test_check_finds_what_is_wrong(storage: SqliteStorage) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3)), proven=span(0, 3)),)))
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    with closing(sqlite3.connect(storage.place)) as anyone, anyone:
        anyone.execute("DELETE FROM candles WHERE open_time = ?", (slot(1),))
        anyone.execute("UPDATE candles SET source_id = 77 WHERE open_time = ?", (slot(2),))
    problems = storage.candle_maintain(MaintenanceTask.CHECK).problems
    assert len(problems) == 2
    assert "'candles' refers to a row of 'sources'" in problems[0]
    assert "has 2 candles and not 3" in problems[1]


def test_columns_are_those_of_the_contract() -> None:
    assert VIEW[7:] == list(COLUMNS)


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ValidationError, match="backend"):
        SqliteStorage.Settings(path=":memory:")


def test_a_path_of_any_name(open_storage: Callable[..., SqliteStorage], tmp_path: Path) -> None:
    folder = tmp_path / "a b#%20?'캔들"
    folder.mkdir()
    storage = open_storage(path=folder / "x?mode=ro&y.db")
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3))),)))
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(3))
    assert [path.name for path in folder.glob("*.db")] == ["x?mode=ro&y.db"]
