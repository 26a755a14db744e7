# ruff: noqa: D102 - a check is called what it checks
"""Checks of `candle_execute`, for storages that have it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from candle_hookspecs import BadInputError, Operation, OperationType, StorageConstraintError
from candle_hookspecs.storage import Row
from candle_testkit.contracts.storage.harness import Database, StorageHarness, answer, candles, span

INSERT, UPDATE, UPSERT, DELETE = OperationType
TABLES: Final = """
    CREATE TABLE strategies (name VARCHAR(200) PRIMARY KEY, weight DOUBLE PRECISION NOT NULL, note VARCHAR(200));
    CREATE TABLE orders (id BIGINT PRIMARY KEY, market VARCHAR(200), side VARCHAR(200), amount DOUBLE PRECISION,
                         UNIQUE (market, side));
    CREATE TABLE journal (moment BIGINT, note VARCHAR(200));
"""
STRATEGIES: Final = 'SELECT name, weight, note FROM strategies ORDER BY "name"'
ORDERS: Final = "SELECT id, market, side, amount FROM orders ORDER BY id"
HOSTILE_VALUES: Final = (
    "'; DROP TABLE orders; --",
    'a "b" `c` [d]',
    "100 % %s %(x)s :y ?",
    "\\' \\\\",
    "비트코인 \u202e",
    "",
)


def execute(db: Database, type: OperationType, table: str, *rows: Row, key: Sequence[str] = ()) -> int:
    """Carry out an operation."""
    return int(db.call("candle_execute", Operation(table=table, type=type, rows=rows, key=tuple(key))))


# ── hostile names ────────────────────────────────────────────────────────────────────────────────────────────────────

RESERVED: Final = (
    "select",
    "table",
    "order",
    "group",
    "from",
    "user",
    "values",
    "default",
    "null",
    "index",
    "c0",
    "k0",
)
TRAPS: Final = (
    'a"b', "a'b", "a;b", "a--b", "[a]", "a]b", "a%b", "%s", "%(a)s", "a:b", ":a", "a\\b", "a b", " a", "a.b", "a,b",
    "?", "$1", "a/*", "*/", "`a`", "(a)", "a\nb", "a\tb", "캔들", "é", "\u202ea", '"', '""', "'; DROP TABLE orders; --",
    '"; DROP TABLE orders; --',
)  # fmt: skip
names = (
    st.sampled_from(RESERVED + TRAPS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
).filter(
    lambda name: 0 < len(name.encode()) <= 60 and not name.lower().startswith(("sqlite_", "pg_", "candle", "v_candle"))
)
"""Names of tables and columns that a database takes if they are quoted, and that are nobody else's."""


def several(least: int, most: int) -> st.SearchStrategy[list[str]]:
    """Names that differ, in any case of their letters."""
    return st.lists(names, min_size=least, max_size=most, unique_by=lambda name: name.casefold())


@dataclass(frozen=True)
class Hostile:
    """Two tables of one set of columns, the first of which is the key; and a name that neither has."""

    tables: list[str]
    columns: list[str]
    absent: str


hostile = st.builds(Hostile, tables=several(2, 2), columns=several(3, 3), absent=names).filter(
    lambda one: one.absent.casefold() not in {name.casefold() for name in one.tables + one.columns}
)

WORST: Final = Hostile(tables=['"; DROP TABLE orders; --', "select"], columns=["%(a)s", 'a"b', ":c0"], absent="c1")


def quoted(name: str) -> str:
    """An identifier in SQL, by the standard."""
    return '"' + name.replace('"', '""') + '"'


class ExecutionChecks(StorageHarness):
    """Rows of a user's own tables. Skipped unless `capabilities.executes`."""

    def test_inserted_rows_are_stored(self, db: Database) -> None:
        made(db)
        rows: list[Row] = [
            {"name": value, "weight": number / 7, "note": value} for number, value in enumerate(HOSTILE_VALUES)
        ]
        assert (
            execute(db, INSERT, "strategies", *rows, {"name": "bare", "weight": 1}, {"weight": -1.5, "name": "B"}) == 8
        )
        expected = {(row["name"], row["weight"], row["note"]) for row in rows} | {("bare", 1, None), ("B", -1.5, None)}
        assert set(db.select(STRATEGIES)) == expected
        assert execute(db, INSERT, "journal", {"moment": 1, "note": "a"}, {"moment": 1, "note": "a"}) == 2
        assert execute(db, INSERT, "journal") == 0
        assert len(db.select("SELECT moment FROM journal")) == 2

    def test_an_update_sets_what_it_names_where_the_key_is(self, db: Database) -> None:
        filled(db)
        assert execute(db, UPDATE, "orders", {"id": 1, "amount": 9.0}, {"id": 77, "amount": 9.0}) == 1
        assert db.select(ORDERS) == [(1, "BTC", "buy", 9.0), (2, "BTC", "sell", 2.0), (3, "ETH", "buy", 3.0)]
        assert execute(db, UPDATE, "orders", {"market": "BTC", "amount": None}, key=["market"]) == 2
        assert db.select(ORDERS) == [(1, "BTC", "buy", None), (2, "BTC", "sell", None), (3, "ETH", "buy", 3.0)]

    def test_an_upsert_sets_what_it_names_or_inserts(self, db: Database) -> None:
        filled(db)
        assert execute(db, UPSERT, "orders", {"id": 1, "amount": 9.0}, {"id": 4, "market": "XRP"}) == 2
        before = [(2, "BTC", "sell", 2.0), (3, "ETH", "buy", 3.0), (4, "XRP", None, None)]
        assert db.select(ORDERS) == [(1, "BTC", "buy", 9.0), *before]
        row = {"id": 8, "market": "BTC", "side": "buy", "amount": 1.0}
        assert execute(db, UPSERT, "orders", row, key=["side", "market"]) == 1
        assert db.select(ORDERS) == [*before, (8, "BTC", "buy", 1.0)]

    def test_a_delete_looks_at_the_key_alone(self, db: Database) -> None:
        filled(db)
        assert execute(db, DELETE, "orders", {"id": 1, "market": "ETH"}, {"id": 77}) == 1
        assert [row[0] for row in db.select(ORDERS)] == [2, 3]
        assert execute(db, DELETE, "orders", {"market": "BTC", "side": "sell"}, key=["market", "side"]) == 1
        assert [row[0] for row in db.select(ORDERS)] == [3]

    def test_rows_are_written_in_the_order_given(self, db: Database) -> None:
        filled(db)
        first, third = ({"id": 1, "side": side, "amount": amount} for side, amount in (("a", 1.0), ("c", 3.0)))
        assert execute(db, UPSERT, "orders", first, {"id": 1, "amount": 2.0}, third) == 3
        assert db.select(ORDERS)[0] == (1, "BTC", "c", 3.0)

    def test_an_operation_is_all_or_nothing(self, db: Database) -> None:
        filled(db)
        before = db.select(ORDERS), db.select(STRATEGIES)
        good = [{"id": number, "market": f"M{number}"} for number in range(10, 700)]
        for broken in ({"id": 1}, {"id": 900, "market": "ETH", "side": "buy"}):
            with pytest.raises(StorageConstraintError, match="orders"):
                execute(db, INSERT, "orders", *good, broken)
            assert (db.select(ORDERS), db.select(STRATEGIES)) == before, "half of a refused operation was stored"
        with pytest.raises(StorageConstraintError, match="strategies"):
            execute(db, UPSERT, "strategies", {"name": "a", "weight": 1.0}, {"name": "b", "weight": None})
        assert (db.select(ORDERS), db.select(STRATEGIES)) == before
        assert execute(db, INSERT, "orders", *good) == 690

    def test_a_value_that_no_database_holds_is_refused(self, db: Database) -> None:
        filled(db)
        for value in (object(), "\ud800", {1, 2}):
            with pytest.raises(BadInputError, match="orders"):
                execute(db, INSERT, "orders", {"id": 8, "market": "a"}, {"id": 9, "market": value})
        with pytest.raises(BadInputError, match="orders"):
            execute(db, INSERT, "orders", {"id": 2**80})
        assert [row[0] for row in db.select(ORDERS)] == [1, 2, 3]

    def test_what_is_not_there_is_refused_by_name(self, db: Database) -> None:
        filled(db)
        before = db.select(ORDERS)
        good = {"id": 8, "market": "XRP"}
        for table in ("Orders", "orders ", "orders; --", 'orders" --', "or\0ders", "strategies, orders", ""):
            with pytest.raises(BadInputError) as caught:
                execute(db, INSERT, table, good)
            assert repr(table) in str(caught.value)
        for name in ("Market", "market ", "id = id; --", 'id" --', "mar\0ket", "rowid", ""):
            for type in OperationType:
                with pytest.raises(BadInputError) as caught:
                    execute(db, type, "orders", good, {"id": 1, name: 1})
                assert repr(name) in str(caught.value)
                if type is not INSERT:
                    with pytest.raises(BadInputError) as caught:
                        execute(db, type, "orders", {**good, name: 1}, key=[name])
                    assert repr(name) in str(caught.value)
        assert db.select(ORDERS) == before

    def test_a_key_must_be_whole_and_tell_rows_apart(self, db: Database) -> None:
        filled(db)
        before = db.select(ORDERS)
        for type in (UPDATE, UPSERT, DELETE):
            for row in ({"amount": 1.0}, {"id": None, "amount": 1.0}):
                with pytest.raises(BadInputError, match="'id'"):
                    execute(db, type, "orders", {"id": 1, "amount": 7.0}, row)
            with pytest.raises(BadInputError, match="key"):
                execute(db, type, "journal", {"moment": 1, "note": "x"})
        with pytest.raises(BadInputError, match="market"):
            execute(db, UPSERT, "orders", {"id": 1, "market": "BTC"}, key=["market"])
        assert db.select(ORDERS) == before

    def test_candles_are_not_written_past_the_save(self, db: Database) -> None:
        made(db)
        db.save(answer(candles(range(3))))
        before = db.stored(), db.symbols(statistics=True)
        for table in (
            "candles",
            "v_candles",
            "symbols",
            "markets",
            "coverage",
            "sources",
            "candle_meta",
            "candle_extras",
        ):
            for type in OperationType:
                with pytest.raises(BadInputError, match=table):
                    execute(db, type, table, {"symbol_id": 1, "open_time": 1}, key=["symbol_id"])
        assert (db.stored(), db.symbols(statistics=True)) == before

    def test_operations_at_the_same_time_are_all_kept(self, db: Database) -> None:
        filled(db)

        def operation(number: int) -> Operation:
            mine = {"id": 100 + number, "market": f"M{number}", "amount": float(number)}
            return Operation(table="orders", type=UPSERT, rows=({"id": 1, "amount": float(number)}, mine))

        assert db.together(*(("candle_execute", operation(number)) for number in range(24))) == [2] * 24
        rows = db.select(ORDERS)
        assert rows[3:] == [(100 + number, f"M{number}", None, float(number)) for number in range(24)]
        assert rows[0][3] in range(24)

    def test_executed_rows_are_there_after_reopening(self, db: Database) -> None:
        if not db.capabilities.durable:
            pytest.skip("capabilities.durable is False")
        filled(db)
        db.reopen()
        assert [row[0] for row in db.select(ORDERS)] == [1, 2, 3]

    def test_hostile_names_and_values_are_but_names_and_values(self, db: Database, tmp_path: Path) -> None:
        need_execution(db)

        @example(hostile=WORST, values=list(HOSTILE_VALUES[:4]))
        @given(
            hostile=hostile,
            values=st.lists(st.sampled_from(HOSTILE_VALUES + TRAPS), min_size=4, max_size=4, unique=True),
        )
        @settings(max_examples=40, deadline=None)
        def live(hostile: Hostile, values: list[str]) -> None:
            folder = tmp_path / uuid.uuid4().hex
            folder.mkdir()
            fresh = self.database(folder)
            try:
                self._play_hostile(made(fresh), hostile, values)
            finally:
                fresh.close()

        live()

    def _play_hostile(self, db: Database, hostile: Hostile, values: list[str]) -> None:
        table, other = hostile.tables
        key, note, extra = hostile.columns
        kinds = (f"{quoted(key)} BIGINT PRIMARY KEY", f"{quoted(note)} VARCHAR(200)", f"{quoted(extra)} VARCHAR(200)")
        for name in hostile.tables:
            db.script(f"CREATE TABLE {quoted(name)} ({', '.join(kinds)})")
            db.script(f"INSERT INTO {quoted(name)} VALUES (1, 'one', 'x'), (2, 'two', 'y')")  # noqa: S608 - quoted

        def rows(name: str) -> list[tuple[Any, ...]]:
            chosen = ", ".join(quoted(column) for column in hostile.columns)
            return db.select(f"SELECT {chosen} FROM {quoted(name)} ORDER BY {quoted(key)}")  # noqa: S608 - quoted

        db.save(answer(candles(range(3)), proven=span(0, 3)))
        untouched = rows(other), db.stored(), db.facts(), db.symbols(statistics=True)
        assert execute(db, INSERT, table, {key: 3, note: values[0]}, {key: 4, extra: values[1]}) == 2
        assert execute(db, UPDATE, table, {key: 1, note: values[2]}) == 1
        assert execute(db, UPSERT, table, {key: 2, extra: values[3]}, {key: 5, note: values[0]}) == 2
        assert execute(db, DELETE, table, {note: values[0]}, key=[note]) == 2
        expected = [(1, values[2], "x"), (2, "two", values[3]), (4, None, values[1])]
        assert rows(table) == expected
        for type in OperationType:
            with pytest.raises(BadInputError):
                execute(db, type, hostile.absent, {key: 1, note: "x"})
            with pytest.raises(BadInputError):
                execute(db, type, table, {key: 1, note: "x"}, {key: 2, hostile.absent: "x"})
        assert rows(table) == expected
        assert (rows(other), db.stored(), db.facts(), db.symbols(statistics=True)) == untouched
        assert db.select("SELECT count(*) FROM orders") == [(0,)]


def need_execution(db: Database) -> None:
    """Skip where the storage does not execute. Inside an example of hypothesis it would count as one that fails."""
    if not db.capabilities.executes:
        pytest.skip("capabilities.executes is False")


def made(db: Database) -> Database:
    """The same, with tables of a user's own; skipped where the storage does not execute."""
    need_execution(db)
    db.script(TABLES)
    return db


def filled(db: Database) -> None:
    """Three orders and a strategy."""
    made(db)
    orders = [(1, "BTC", "buy", 1.0), (2, "BTC", "sell", 2.0), (3, "ETH", "buy", 3.0)]
    rows = [dict(zip(("id", "market", "side", "amount"), order, strict=True)) for order in orders]
    assert execute(db, INSERT, "orders", *rows) == 3
    assert execute(db, INSERT, "strategies", {"name": "a", "weight": 0.5}) == 1
    assert db.select(ORDERS) == orders
