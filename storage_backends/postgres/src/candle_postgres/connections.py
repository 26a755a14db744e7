"""Connections to one database, and how each is set up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from candle_hookspecs import StorageUnavailableError
from candle_postgres.address import Address

_OLDEST: Final = 15_00_00  # the first with MERGE
_WAIT: Final = 600  # seconds until one of the connections must be free

_AGE: Final = "candle age"  # in the info of a pooled connection: how often the server had gone away before

_SET_UP: Final = "SET client_min_messages = warning; SET jit = off"
"""Compiling a plan costs more than it gains: every query here is either short or a plain copy."""


class Connections:
    """A pool of connections. Any thread may ask."""

    def __init__(self, address: Address, *, size: int, connect_timeout: float) -> None:
        self._address, self._connect_timeout = address, connect_timeout
        self._engine = create_engine(
            "postgresql+psycopg://", creator=self._open, poolclass=QueuePool, pool_size=size, max_overflow=0,
            pool_timeout=_WAIT, use_native_hstore=False, hide_parameters=True,
        )  # fmt: skip
        self._age = 0
        event.listen(self._engine, "connect", self._note_age)
        event.listen(self._engine, "checkout", self._refuse_doubtful)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction whose statements each see what others have committed by then."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, for as long as the block lasts."""
        with self._engine.connect() as connection:
            driver = driver_of(connection)
            driver.isolation_level, driver.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            try:
                with connection.begin():
                    yield connection
            finally:
                if not driver.closed:  # back to what the server has for a default; it may be read-only
                    driver.isolation_level = driver.read_only = None

    @contextmanager
    def outside(self) -> Iterator[psycopg.Connection]:
        """A driver connection in no transaction: for VACUUM."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield driver_of(connection)

    def doubt(self) -> None:
        """Let no connection that is open now be used again. Each is closed when its turn comes."""
        self._age += 1

    def close(self) -> None:
        """Close them all. None is in use."""
        self._engine.dispose()

    def _note_age(self, _: Any, record: ConnectionPoolEntry) -> None:
        record.info[_AGE] = self._age

    def _refuse_doubtful(self, _: Any, record: ConnectionPoolEntry, __: Any) -> None:
        if record.info[_AGE] < self._age:
            raise DisconnectionError("opened before the server went away")

    def _open(self) -> psycopg.Connection:
        timeout = {"connect_timeout": max(2, round(self._connect_timeout))}  # libpq knows no less
        driver = psycopg.connect(**{**timeout, **self._address.parameters})
        try:
            if driver.info.server_version < _OLDEST:
                raise StorageUnavailableError(
                    f"{self._address.place!r} runs PostgreSQL {driver.info.parameter_status('server_version')}; "
                    "15 is the oldest that will do"
                )
            driver.autocommit = True
            driver.execute(_SET_UP)
            driver.autocommit = False
        except BaseException:
            driver.close()
            raise
        return driver


def blank() -> Engine:
    """An empty database in this process's memory, which answers for one that has no tables yet."""
    return create_engine("sqlite://", poolclass=NullPool)


def driver_of(connection: Connection) -> psycopg.Connection:
    """The psycopg connection under SQLAlchemy's, in the same transaction."""
    return cast(psycopg.Connection, connection.connection.dbapi_connection)
