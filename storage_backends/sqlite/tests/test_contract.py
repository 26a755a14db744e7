import sqlite3
from contextlib import closing
from pathlib import Path

from candle_hookspecs import COLUMNS, Symbol
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage import StorageContract


class TestSqlite(StorageContract):
    def open(self, folder: Path) -> SqliteStorage:
        return SqliteStorage(SqliteStorage.Settings(), make_context(folder, "sqlite"))

    def stored(self, storage: SqliteStorage, symbol: Symbol) -> list[tuple[float | None, ...]]:
        names = ("archetype", "exchange", "tradetype", "base", "quote", "timeframe", "contract")
        query = f"SELECT {', '.join(COLUMNS)} FROM v_candles WHERE {' AND '.join(f'{name} = ?' for name in names)}"
        with closing(sqlite3.connect(storage.place)) as connection:
            return connection.execute(query, [getattr(symbol, name) for name in names]).fetchall()

    def script(self, storage: SqliteStorage, sql: str) -> None:
        with closing(sqlite3.connect(storage.place)) as connection:
            connection.executescript(sql)

    def select(self, storage: SqliteStorage, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(storage.place)) as connection:
            return connection.execute(sql).fetchall()
