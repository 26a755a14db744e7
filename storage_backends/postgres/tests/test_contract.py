from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from candle_hookspecs import COLUMNS, Symbol
from candle_postgres import PostgresStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage import Database, StorageContract


def open_at(url: str, folder: Path) -> PostgresStorage:
    return PostgresStorage(PostgresStorage.Settings(url=url), make_context(folder, "postgres"))


class TestPostgres(StorageContract):
    stories = settings(StorageContract.stories, max_examples=8)  # every story takes a database of its own

    @pytest.fixture(autouse=True)
    def _databases(self, databases: Callable[..., str], blueprint: str) -> None:
        self.url, self.blueprint = databases, blueprint

    def database(self, folder: Path) -> Database:
        self.url(folder, self.blueprint)  # most examples of hypothesis want one of their own
        return super().database(folder)

    def open(self, folder: Path) -> PostgresStorage:
        return self.opener(folder)()

    def opener(self, folder: Path) -> Callable[[], PostgresStorage]:
        return partial(open_at, self.url(folder), folder)

    def stored(self, storage: PostgresStorage, symbol: Symbol) -> list[tuple[float | None, ...]]:
        names = ("archetype", "exchange", "tradetype", "base", "quote", "timeframe", "contract")
        query = f"SELECT {', '.join(COLUMNS)} FROM v_candles WHERE {' AND '.join(f'{name} = %s' for name in names)}"
        with psycopg.connect(self.url(storage.context.base_dir)) as connection:
            return connection.execute(query, [getattr(symbol, name) for name in names]).fetchall()

    def script(self, storage: PostgresStorage, sql: str) -> None:
        with psycopg.connect(self.url(storage.context.base_dir)) as connection:
            connection.execute(sql)

    def select(self, storage: PostgresStorage, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(storage.context.base_dir)) as connection:
            return connection.execute(sql).fetchall()
