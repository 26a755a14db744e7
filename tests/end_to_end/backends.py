"""The databases that tests of killed writers run on. Another one is another function, and its name in `BACKENDS`."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from storage_backends.postgres.tests.server import any_server, create_database, drop_database

ORDERS = "CREATE TABLE orders (id BIGINT PRIMARY KEY, operation BIGINT NOT NULL, note TEXT)"


@dataclass
class Backend:
    """A candle database and one with a table `orders`, empty both.

    Attributes:
        tables: what stands in the configuration: `storage`, and `stores` with `orders`.
        candles, orders: ask that database by plain SQL, past the code under test.
    """

    tables: dict[str, Any]
    candles: Callable[[str], list[tuple[Any, ...]]]
    orders: Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def sqlite(folder: Path) -> Iterator[Backend]:
    """Two files."""
    candles, orders = folder / "candles.sqlite3", folder / "orders.sqlite3"

    def ask(file: Path, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    ask(orders, ORDERS)
    tables = {"storage": {"path": str(candles)}, "stores": {"orders": {"backend": "sqlite", "path": str(orders)}}}
    yield Backend(tables, lambda statement: ask(candles, statement), lambda statement: ask(orders, statement))


@contextmanager
def postgres(_: Path) -> Iterator[Backend]:
    """Two databases, on a server of their own or on the one that the environment names."""

    def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    with any_server() as server:
        candles, orders = create_database(server), create_database(server)
        ask(orders, ORDERS)
        tables = {
            "storage": {"backend": "postgres", "url": candles},
            "stores": {"orders": {"backend": "postgres", "url": orders}},
        }
        try:
            yield Backend(tables, lambda statement: ask(candles, statement), lambda statement: ask(orders, statement))
        finally:
            drop_database(server, candles)
            drop_database(server, orders)


BACKENDS = [sqlite, postgres]
