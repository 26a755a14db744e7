"""The plugin: candles in one SQLite file."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator
from sqlalchemy import Connection, Select

from candle_hookspecs import (
    CONTRACT_VERSION,
    BadInputError,
    CandleBatch,
    LoadRead,
    MaintenanceTask,
    Operation,
    PluginContext,
    SaveReceipt,
    StorageCapabilities,
    hookimpl,
)
from candle_hookspecs import Settings as BaseSettings
from candle_sql import Merge, SqlStorage
from candle_sql.migrations import needs_upgrade, stored_version, upgrade
from candle_sql.statements import Columns
from candle_sql.upkeep import Step
from candle_sqlite import upkeep
from candle_sqlite.connections import Connections, blank, driver_of
from candle_sqlite.failures import translated
from candle_sqlite.merge import merge
from candle_sqlite.read import fetch, load


class SqliteStorage(SqlStorage):
    """Candles in one SQLite file, made at the first write. Several threads and processes may use it at once."""

    class Settings(BaseSettings):
        """What may stand under ``[storage]``.

        Attributes:
            path: the file; relative to the folder of the TOML file, ``~`` is the home folder.
            busy_timeout: seconds to wait for another program that writes.
            cache_kib: page cache of a connection, KiB. More helps nothing that is written in order.
            readers: connections for reading, and so the most reads at one time.
        """

        path: Path = Path("candles.sqlite3")
        busy_timeout: float = Field(default=30.0, ge=0)
        cache_kib: int = Field(default=2_000, ge=100)
        readers: int = Field(default=4, ge=1)

        @field_validator("path")
        @classmethod
        def _is_a_file(cls, path: Path) -> Path:
            if str(path) == ":memory:":
                raise ValueError("':memory:' is not a file; for a database in memory use backend = \"memory\"")
            return path.expanduser()

    capabilities: ClassVar[StorageCapabilities] = StorageCapabilities(
        contract=CONTRACT_VERSION,
        durable=True,
        shared=True,
        extra_columns=True,
        executes=True,
        revisions=True,
        actions=True,
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        super().__init__(context)
        self._path = (context.base_dir / settings.path).absolute()
        self._connections = Connections(
            self._path,
            busy_timeout=settings.busy_timeout,
            cache_kib=settings.cache_kib,
            readers=settings.readers,
        )
        self._current = False  # whether the schema was seen to be the present one

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with translated(self._path), self._connections.write() as connection:
            if not self._current:
                upgrade(connection, self.migrations, self.place)
            yield connection
        self._current = True

    @contextmanager
    def _look(self) -> Iterator[Connection | None]:
        if not self._path.exists() and self._path.parent.is_dir():
            yield None
        else:
            with translated(self._path), self._connections.read() as connection:
                yield connection

    @contextmanager
    def _operate(self, operation: Operation) -> Iterator[Connection]:
        if not self._path.exists():
            raise BadInputError(
                f"there is no table {operation.table!r}: {self.place!r} does not exist; make it with its tables first"
            )
        with translated(self._path), self._connections.write() as connection:
            yield connection

    def _lock(self, connection: Connection, symbol_ids: Collection[int]) -> None:
        """BEGIN IMMEDIATE keeps every other writer out already."""

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._path):
            if self._current or self._is_current():
                with self._connections.read() as connection:
                    yield connection
            else:
                with blank().begin() as connection:
                    upgrade(connection, self.migrations, self.place)
                    yield connection

    def _is_current(self) -> bool:
        """Bring the file up to date if it is an older one. False: there is none, or nothing in it."""
        if not self._path.exists() and self._path.parent.is_dir():
            return False
        with self._connections.read() as connection:
            version = stored_version(connection, self.place)
        if version and needs_upgrade(version, self.migrations, self.place):
            with self._write():
                pass
        self._current = bool(version)
        return self._current

    def _merge(self, connection: Connection, task: Merge) -> SaveReceipt:
        return merge(connection, task)

    def _fetch(self, connection: Connection, query: Select[Any]) -> Columns:
        return fetch(connection, query)

    @hookimpl
    def candle_load(self, read: LoadRead) -> CandleBatch:
        """Candles in time order, at most `read.limit`, in one short transaction."""
        with self._read() as connection:
            return load(connection, self._number(connection, read.symbol), read)

    def _upkeep(self, task: MaintenanceTask) -> Step:
        if not self._path.exists():
            return Step()
        with translated(self._path):
            return upkeep.TASKS[task](self._connections)

    def _measure(self, connection: Connection) -> tuple[int | None, dict[str, int | float | str]]:
        return upkeep.measure(self._path, driver_of(connection))

    @hookimpl
    def candle_close(self) -> None:
        """Close the file."""
        with translated(self._path):
            self._connections.close()
