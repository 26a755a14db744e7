"""One writer, a few readers, and how each connection is set up."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler
from sqlalchemy.pool import NullPool, QueuePool

_RETRY: Final = 0.02  # seconds between attempts to switch a new file to WAL
_UNSHAREABLE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


class _Documenting(SQLiteDDLCompiler):
    """Writes each column's meaning into its CREATE TABLE, which SQLite keeps and ``.schema`` shows."""

    def get_column_specification(self, column: Column[Any], **options: Any) -> str:
        written: str = super().get_column_specification(column, **options)  # type: ignore[no-untyped-call]
        return f"{written} /* {column.comment} */" if column.comment else written


class Connections:
    """The engines of one file. Any thread may ask; writers wait for each other."""

    def __init__(self, path: Path, *, busy_timeout: float, cache_kib: int, readers: int) -> None:
        self.path = path
        self._busy_timeout, self._cache_kib = busy_timeout, cache_kib
        self._turn = threading.Lock()
        self._writer = _engine("BEGIN IMMEDIATE", creator=self._open_writer, poolclass=QueuePool, pool_size=1)
        self._readers = _engine(
            "BEGIN", creator=self._open_reader, poolclass=QueuePool, pool_size=readers, max_overflow=0, pool_timeout=600
        )

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds SQLite's write lock from its first moment."""
        with self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def outside(self) -> Iterator[sqlite3.Connection]:
        """The writer's driver connection, in no transaction: for what makes its own."""
        with self._turn, self._writer.connect() as connection:
            yield driver_of(connection)

    @contextmanager
    def beside(self) -> Iterator[sqlite3.Connection]:
        """A driver connection of its own, in no transaction, so that no writer of this process waits for it."""
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        with closing(self._open(address, _set_up_outsider, uri=True)) as driver:
            yield driver

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, for as long as the block lasts. The file must exist."""
        with self._readers.connect() as connection:
            if isinstance(driver_of(connection), _Frozen):
                connection.detach()
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close what is open. The last connection to close a file also takes its write-ahead log in."""
        self._readers.dispose()
        self._writer.dispose()

    def _open_writer(self) -> sqlite3.Connection:
        return self._open(str(self.path), self._set_up_writer)

    def _open_reader(self) -> sqlite3.Connection:
        address = self.path.absolute().as_uri()
        try:
            return self._open(f"{address}?mode=rw", _set_up_reader, uri=True)
        except sqlite3.OperationalError as error:
            shared = self.path.with_name(self.path.name + "-wal").exists()
            if error.sqlite_errorcode & 0xFF not in _UNSHAREABLE or shared or not self.path.exists():
                raise
            # In a folder that may not be written SQLite cannot share the file with a writer. No log stands beside it,
            # so there is none now; a connection that relies on it serves one read.
            return self._open(f"{address}?mode=ro&immutable=1", _set_up_reader, uri=True, factory=_Frozen)

    def _open(self, address: str, set_up: Callable[[sqlite3.Connection], None], **options: Any) -> sqlite3.Connection:
        timeout = self._busy_timeout
        driver: sqlite3.Connection = sqlite3.connect(
            address, timeout, isolation_level=None, check_same_thread=False, **options
        )
        try:
            driver.execute(f"PRAGMA cache_size = -{self._cache_kib}")
            set_up(driver)
        except sqlite3.Error:
            driver.close()
            raise
        return driver

    def _set_up_writer(self, driver: sqlite3.Connection) -> None:
        driver.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only before the first table
        self._switch_to_wal(driver)
        driver.execute("PRAGMA synchronous = NORMAL")
        driver.execute("PRAGMA foreign_keys = ON")

    def _switch_to_wal(self, driver: sqlite3.Connection) -> None:
        """SQLite does not wait for its lock here, so that processes which open a new file together would fail."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                driver.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY)
            else:
                return


def _set_up_reader(driver: sqlite3.Connection) -> None:
    driver.execute("SELECT 1 FROM sqlite_master").fetchone()  # fails here, or not at all
    driver.execute("PRAGMA query_only = ON")


def _set_up_outsider(driver: sqlite3.Connection) -> None:
    driver.execute("SELECT 1 FROM sqlite_master").fetchone()  # waits for whoever is opening or closing the file
    driver.execute("PRAGMA busy_timeout = 0")  # from here on it gives way


class _Frozen(sqlite3.Connection):
    """Opened in the belief that nobody writes the file."""


def blank() -> Engine:
    """An empty database in memory, for one connection."""
    return _engine("BEGIN", creator=lambda: sqlite3.connect(":memory:", isolation_level=None), poolclass=NullPool)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The stdlib connection under SQLAlchemy's, in the same transaction."""
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _engine(begin: str, **options: Any) -> Engine:
    engine = create_engine("sqlite+pysqlite://", **options)
    engine.dialect.ddl_compiler = _Documenting

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
