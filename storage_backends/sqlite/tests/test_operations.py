"""A user's own tables: what SQLite does with types, rules, and tables that are altered."""

import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_hookspecs import BadInputError, MaintenanceTask, Operation, OperationType, StorageConstraintError
from candle_hookspecs.storage import Row
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.execution import names, quoted, several

Opener = Callable[..., SqliteStorage]


@pytest.fixture
def users(open_storage: Opener, tmp_path: Path) -> SqliteStorage:
    """A storage on a file that somebody else made, without candles."""
    with closing(sqlite3.connect(tmp_path / "strategies.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE strategies (name TEXT PRIMARY KEY, weight REAL NOT NULL)")
        connection.execute("CREATE TABLE symbols (name TEXT PRIMARY KEY, note TEXT)")
        connection.execute("CREATE TABLE parts (id INTEGER PRIMARY KEY, whole TEXT REFERENCES strategies"
                           " DEFERRABLE INITIALLY DEFERRED)")  # fmt: skip
    return open_storage(path="strategies.sqlite3")


def insert(table: str, *rows: Row) -> Operation:
    return Operation(table=table, type=OperationType.INSERT, rows=rows)


def table_names(storage: SqliteStorage) -> list[str]:
    with closing(sqlite3.connect(storage.place)) as anyone:
        return [name for (name,) in anyone.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def test_operations_need_no_candles_and_make_none(users: SqliteStorage) -> None:
    assert users.candle_execute(insert("strategies", {"name": "a", "weight": 1})) == 1
    assert users.candle_execute(insert("symbols", {"name": "BTC", "note": "the user's own"})) == 1
    for task in MaintenanceTask:
        report = users.candle_maintain(task)
        assert (report.problems, report.more) == ((), False)
    assert [name for name in table_names(users) if not name.startswith("sqlite_")] == ["parts", "strategies", "symbols"]


def test_a_rule_that_is_looked_at_in_the_end_undoes_the_operation(users: SqliteStorage) -> None:
    with pytest.raises(StorageConstraintError, match="FOREIGN KEY"):
        users.candle_execute(insert("parts", {"id": 1, "whole": "nobody"}))
    assert users.candle_execute(insert("strategies", {"name": "a", "weight": 1})) == 1
    assert users.candle_execute(insert("parts", {"id": 2, "whole": "a"})) == 1
    with closing(sqlite3.connect(users.place)) as anyone:
        assert anyone.execute("SELECT id FROM parts").fetchall() == [(2,)]


def test_a_refusal_shows_no_row(users: SqliteStorage) -> None:
    secret = {"name": "my secret", "weight": None}
    with pytest.raises(StorageConstraintError) as caught:
        users.candle_execute(insert("strategies", secret))
    assert "my secret" not in "".join(traceback.format_exception(caught.value))


def test_no_file_is_made_for_an_operation(open_storage: Opener, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="'orders'"):
        open_storage(path="absent.sqlite3").candle_execute(insert("orders", {"id": 1}))
    assert list(tmp_path.iterdir()) == []


def test_dates_and_structures_are_written_as_their_column_says(users: SqliteStorage) -> None:
    with closing(sqlite3.connect(users.place)) as anyone:
        anyone.execute("CREATE TABLE kept (day DATE, moment DATETIME, made TEXT, number INTEGER, content JSON)")
    day, moment = date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = {"day": day, "moment": moment.replace(tzinfo=None), "made": moment, "content": {"a": [1, None]}}
    as_text = {"day": "someday", "moment": 5, "made": "x", "content": "[1]"}
    assert users.candle_execute(insert("kept", rows, as_text)) == 2
    with closing(sqlite3.connect(users.place)) as anyone:
        stored = anyone.execute("SELECT day, moment, made, content FROM kept").fetchall()
    written = ("2024-01-02", "2024-01-02 03:04:05.000000", "2024-01-02T03:04:05+00:00", '{"a": [1, null]}')
    assert stored == [written, ("someday", 5, "x", "[1]")]
    with pytest.raises(BadInputError, match="give a number or text"):
        users.candle_execute(insert("kept", {"number": moment}))


def test_what_the_database_computes_is_not_given(users: SqliteStorage) -> None:
    with closing(sqlite3.connect(users.place)) as anyone:
        anyone.execute("CREATE TABLE doubled (x REAL, y REAL GENERATED ALWAYS AS (2 * x))")
    with pytest.raises(BadInputError, match="'y'"):
        users.candle_execute(insert("doubled", {"x": 1, "y": 2}))
    assert users.candle_execute(insert("doubled", {"x": 1})) == 1


def test_an_index_over_some_rows_tells_none_apart(users: SqliteStorage) -> None:
    with closing(sqlite3.connect(users.place)) as anyone:
        anyone.execute("CREATE TABLE some (a INTEGER, b INTEGER)")
        anyone.execute("CREATE UNIQUE INDEX partial ON some (a) WHERE b > 0")
        anyone.execute("CREATE UNIQUE INDEX computed ON some (abs(b))")
    for name in ("a", "b"):
        operation = Operation(table="some", type=OperationType.UPSERT, rows=({"a": 1, "b": 1},), key=(name,))
        with pytest.raises(BadInputError, match="unique"):
            users.candle_execute(operation)


def contents(connection: sqlite3.Connection) -> Counter[tuple[str, tuple[object, ...]]]:
    """Every row of every table, the schema's included."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return Counter(
        (name, row)
        for name in [*tables, "sqlite_master"]
        for row in connection.execute(f"SELECT * FROM {quoted(name)}").fetchall()
    )


@given(several(2, 5), several(2, 4), st.sampled_from(OperationType), st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_but_the_rows_meant_is_touched(
    tables: list[str], columns: list[str], type: OperationType, data: st.DataObject
) -> None:
    """Whatever tables and columns are called: in the whole file one row of one table is another."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "mine.sqlite3")) as anyone:
        for table in tables:
            anyone.execute(
                f"CREATE TABLE {quoted(table)} ({', '.join(map(quoted, columns))}, UNIQUE ({quoted(columns[0])}))"
            )
            anyone.executemany(f"INSERT INTO {quoted(table)} ({quoted(columns[0])}) VALUES (?)", [("one",), ("two",)])
        anyone.commit()
        before = contents(anyone)
        table = data.draw(st.sampled_from(tables))
        key = "three" if type is OperationType.INSERT else "two"
        row = {columns[0]: key, columns[-1]: data.draw(names)}
        storage = SqliteStorage(SqliteStorage.Settings(path=Path("mine.sqlite3")), make_context(Path(folder), "sqlite"))
        operation = Operation(table=table, type=type, rows=(row,), key=(columns[0],))
        assert storage.candle_execute(operation) == 1
        storage.candle_close()
        after = contents(anyone)
        select = f"SELECT {quoted(columns[-1])} FROM {quoted(table)} WHERE {quoted(columns[0])} = ?"
        stored = anyone.execute(select, (key,)).fetchall()
    gone, come = before - after, after - before
    assert sum(gone.values()) == (0 if type is OperationType.INSERT else 1)
    assert sum(come.values()) == (0 if type is OperationType.DELETE else 1)
    assert {name for name, _ in [*gone, *come]} == {table}
    assert stored == ([] if type is OperationType.DELETE else [(row[columns[-1]],)])


def alter(storage: SqliteStorage, *statements: str) -> None:
    with closing(sqlite3.connect(storage.place)) as anyone:
        for statement in statements:
            anyone.execute(statement)


def test_a_table_that_is_altered_is_looked_at_again(users: SqliteStorage) -> None:
    row = {"name": "a", "note": "x"}
    upsert = Operation(table="symbols", type=OperationType.UPSERT, rows=(row,))
    assert users.candle_execute(upsert) == 1
    alter(users, "ALTER TABLE symbols ADD COLUMN rank INTEGER")
    assert users.candle_execute(insert("symbols", {"name": "b", "rank": 2})) == 1
    alter(users, "ALTER TABLE symbols RENAME COLUMN note TO remark")
    with pytest.raises(BadInputError, match="'note'"):
        users.candle_execute(upsert)
    alter(users, "DROP TABLE symbols", "CREATE TABLE symbols (name TEXT, note TEXT)")
    assert users.candle_execute(insert("symbols", row, row)) == 2
    with pytest.raises(BadInputError, match="primary key"):
        users.candle_execute(upsert)
    alter(users, "DROP TABLE symbols")
    with pytest.raises(BadInputError, match="'symbols'"):
        users.candle_execute(insert("symbols", row))


def test_a_unique_index_that_is_gone_is_missed(users: SqliteStorage) -> None:
    alter(users, "CREATE TABLE orders (id INTEGER, side TEXT)", "CREATE UNIQUE INDEX by_id ON orders (id)")
    upsert = Operation(table="orders", type=OperationType.UPSERT, rows=({"id": 1, "side": "buy"},), key=("id",))
    assert [users.candle_execute(upsert) for _ in range(2)] == [1, 1]
    alter(users, "DROP INDEX by_id")
    with pytest.raises(BadInputError, match="unique"):
        users.candle_execute(upsert)
    with closing(sqlite3.connect(users.place)) as anyone:
        assert anyone.execute("SELECT id, side FROM orders").fetchall() == [(1, "buy")]
