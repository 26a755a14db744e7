"""Schema versions: up, never down, all or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from candle_hookspecs import (
    Action,
    ActionKind,
    ActionQuery,
    CandleBatch,
    LoadRead,
    Registration,
    SaveWrite,
    StorageError,
    StorageSchemaError,
    SymbolQuery,
)
from candle_sql import MIGRATIONS, Migration
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, fact, slot, span
from storage_backends.sql.tests.older import write_older

NEWEST = MIGRATIONS[-1].version


def add_notes(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE markets ADD COLUMN notes TEXT"))


def columns_of(connection: Connection) -> list[str]:
    return [column["name"] for column in inspect(connection).get_columns("markets")]


def fail_half_way(connection: Connection) -> None:
    add_notes(connection)
    connection.execute(text("SELECT no_such_column FROM markets"))


class Next(SqliteStorage):
    """The program after this one."""

    migrations = (*MIGRATIONS, Migration(NEWEST + 1, add_notes))


class Failing(SqliteStorage):
    """A program whose step does not work."""

    migrations = (*MIGRATIONS, Migration(NEWEST + 1, fail_half_way))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database of the present version, one candle in it."""
    storage = open_as(SqliteStorage, tmp_path)
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    storage.candle_save(SaveWrite(answers=(answer(candles([0])),)))
    storage.candle_close()
    return tmp_path


def open_as(kind: type[SqliteStorage], folder: Path) -> SqliteStorage:
    return kind(kind.Settings(), make_context(folder, "sqlite"))


def test_an_older_database_is_brought_up_to_date_by_reading_it(folder: Path) -> None:
    newer = open_as(Next, folder)
    assert newer.candle_load(LoadRead(symbol=SYMBOL)) == candles([0])
    with newer._read() as connection:
        assert "notes" in columns_of(connection)
    newer.candle_close()


def test_a_newer_database_is_refused(folder: Path) -> None:
    newer = open_as(Next, folder)
    newer.candle_register([Registration(market=BTC, timeframes=("1h",))])
    newer.candle_close()
    storage = open_as(SqliteStorage, folder)
    refused = rf"version {NEWEST + 1}, .* up to {NEWEST}; upgrade"
    with pytest.raises(StorageSchemaError, match=refused):
        storage.candle_symbols(SymbolQuery())
    with pytest.raises(StorageSchemaError, match=refused):
        storage.candle_save(SaveWrite(answers=(answer(candles([1])),)))
    storage.candle_close()


def test_a_step_that_fails_changes_nothing(folder: Path) -> None:
    broken = open_as(Failing, folder)
    with pytest.raises(StorageError, match="no_such_column"):
        broken.candle_symbols(SymbolQuery())
    broken.candle_close()
    storage = open_as(SqliteStorage, folder)
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles([0])
    with storage._read() as connection:
        assert "notes" not in columns_of(connection)
    storage.candle_close()


# ── the steps there were ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def older(tmp_path: Path, version: int) -> Path:
    """A folder with a database that this version wrote."""
    write_older(version, tmp_path)
    return tmp_path


def schema_of(file: Path) -> set[tuple[str, str]]:
    """What is in a file, by the statements that made it, whatever their line breaks."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, "".join(sql.split())) for name, sql in rows}


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_file_of_an_older_version_becomes_one_of_today(older: Path) -> None:
    old, new = open_as(SqliteStorage, older), open_as(SqliteStorage, older / "new")
    (older / "new").mkdir()
    for storage in (old, new):
        storage.candle_register([Registration(market=BTC, timeframes=("1h",))])
        assert storage.candle_status().schema == NEWEST
        storage.candle_close()
    assert schema_of(older / "candles.sqlite3") == schema_of(older / "new" / "candles.sqlite3")


@pytest.mark.parametrize("version", [1])
def test_what_version_1_wrote_is_there(older: Path) -> None:
    storage = open_as(SqliteStorage, older)
    batch = storage.candle_load(LoadRead(symbol=SYMBOL))
    assert batch.close.tolist() == [101.0, 102.0]
    assert storage.candle_load(LoadRead(symbol=SYMBOL, as_of=4)) == CandleBatch.empty()
    assert storage.candle_load(LoadRead(symbol=SYMBOL, as_of=5)) == batch
    (record,) = storage.candle_symbols(SymbolQuery(statistics=True))
    assert (record.rows, record.revisions) == (2, 1)
    storage.candle_save(SaveWrite(answers=(answer(candles([0, 1]), at=9),)))
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles([0, 1])
    assert storage.candle_load(LoadRead(symbol=SYMBOL, as_of=8)) == batch
    storage.candle_close()


@pytest.mark.parametrize("version", [2])
def test_what_version_2_wrote_is_there(older: Path) -> None:
    storage = open_as(SqliteStorage, older)
    for name in ("btcusdt", "BTC/usdt"):
        (record,) = storage.candle_symbols(SymbolQuery(name=name, statistics=True, coverage=True))
        assert (record.symbol, record.rows, record.revisions) == (SYMBOL, 2, 2)
        assert record.coverage == (fact(span(0, 2), 5),)
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles([0, 1], price=7.0)
    before = storage.candle_load(LoadRead(symbol=SYMBOL, as_of=8))
    assert before.close.tolist() == candles([0, 1]).close.tolist()
    assert before.extra["funding"].tolist()[1] == 0.25
    assert storage.candle_actions(ActionQuery.of(SYMBOL)) == [Action(slot(0), ActionKind.SPLIT, 2.0)]
    storage.candle_close()


def test_versions_count_up_from_one() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
