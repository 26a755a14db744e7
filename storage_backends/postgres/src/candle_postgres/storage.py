"""The plugin: candles in a PostgreSQL database."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, Field, SecretStr, field_validator
from sqlalchemy import Connection, Select

from candle_hookspecs import (
    CONTRACT_VERSION,
    Action,
    ActionQuery,
    Answer,
    BadInputError,
    CandleBatch,
    Coverage,
    CoverageQuery,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Operation,
    PluginContext,
    Registration,
    SaveReceipt,
    SaveWrite,
    StorageCapabilities,
    StorageStatus,
    SymbolQuery,
    SymbolRecord,
    hookimpl,
)
from candle_hookspecs import Settings as BaseSettings
from candle_postgres import upkeep
from candle_postgres.address import Address
from candle_postgres.connections import Connections, blank, driver_of
from candle_postgres.failures import translated
from candle_postgres.merge import merge
from candle_postgres.patience import Patience
from candle_postgres.read import fetch, load
from candle_postgres.schema import PARTITIONS, prepare
from candle_sql import Merge, SqlStorage
from candle_sql.migrations import needs_upgrade, stored_version, upgrade
from candle_sql.statements import Columns
from candle_sql.status import holds_candles
from candle_sql.upkeep import Step

_KEYS: Final = 0x63616E64  # the first half of every advisory lock of ours
_SHARES: Final = 256  # symbols share that many locks: the server's table of locks has room for a few thousand
_CATALOGUE: Final = _SHARES  # the locks behind those of symbols
_SCHEMA: Final = _SHARES + 1


class PostgresStorage(SqlStorage):
    """Candles in a PostgreSQL database. Any number of threads, processes and machines may use it at once."""

    class Settings(BaseSettings):
        """What may stand under ``[storage]``.

        Attributes:
            url: ``postgresql://user:password@host:5432/database``; keep it out of the file with
                ``{ env = "CANDLE_POSTGRES_URL" }``. The database must be there, empty or made by an earlier start.
            pool_size: most connections that this process opens.
            connect_timeout: seconds to wait for one to be opened.
            reconnect_timeout: seconds for which a server that went away in the middle of the work is waited for.
        """

        model_config = ConfigDict(hide_input_in_errors=True)

        url: SecretStr
        pool_size: int = Field(default=10, ge=1)
        connect_timeout: float = Field(default=10.0, gt=0)
        reconnect_timeout: float = Field(default=30.0, ge=0)

        @field_validator("url")
        @classmethod
        def _is_an_address(cls, url: SecretStr) -> SecretStr:
            Address.parse(url.get_secret_value())
            return url

    capabilities: ClassVar[StorageCapabilities] = StorageCapabilities(
        contract=CONTRACT_VERSION,
        durable=True,
        shared=True,
        extra_columns=True,
        executes=True,
        revisions=True,
        actions=True,
        writers=3,
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        super().__init__(context)
        self._address = Address.parse(settings.url.get_secret_value())
        self._connections = Connections(
            self._address, size=settings.pool_size, connect_timeout=settings.connect_timeout
        )
        self._patience = Patience(self._connections, self.place, settings.reconnect_timeout, context.logger)
        self._upkeep_left = upkeep.Rounds()
        self._current = False  # whether the schema was seen to be the present one

    @property
    def place(self) -> str:
        """Host, port and database."""
        return self._address.place

    # ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with translated(self._address, writing=True):
            if not self._current:
                self._upgrade()
            with self._connections.write() as connection:
                yield connection

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._address, writing=False):
            if self._current or self._is_current():
                with self._connections.read() as connection:
                    yield connection
            else:
                with blank().begin() as connection:
                    upgrade(connection, self.migrations, self.place)
                    yield connection

    @contextmanager
    def _look(self) -> Iterator[Connection | None]:
        with translated(self._address, writing=False), self._connections.read() as connection:
            yield connection

    @contextmanager
    def _operate(self, operation: Operation) -> Iterator[Connection]:
        with translated(self._address, writing=True), self._connections.write() as connection:
            if operation.table in PARTITIONS and holds_candles(connection):
                raise BadInputError(
                    f"{operation.table!r} in {self.place!r} is a part of the candles; save or forget them instead"
                )
            yield connection

    def _greet(self) -> None:
        """Notice here, and not in the middle of the work, that the server was away."""
        with translated(self._address, writing=False), self._connections.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def _is_current(self) -> bool:
        """Bring the schema up to date if it is an older one. False: there is nothing in the database."""
        with self._connections.read() as connection:
            version = stored_version(connection, self.place)
        if version and needs_upgrade(version, self.migrations, self.place):
            self._upgrade()
        self._current = bool(version)
        return self._current

    def _upgrade(self) -> None:
        """Of several that start at once the first makes the tables, and the others find them made."""
        with self._connections.write() as connection:
            _take(connection, [_SCHEMA])
            prepare(connection, self.migrations, self.place)
        self._current = True

    def _lock(self, connection: Connection, symbol_ids: Collection[int]) -> None:
        _take(connection, sorted({number % _SHARES for number in symbol_ids}) or [_CATALOGUE])

    # ── what SQL backends have in common, tried again while the server is away ──────────────────────────────────────

    @hookimpl
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        """Make markets and their timeframes known."""
        return self._patience(super().candle_register, registrations)

    @hookimpl
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        """The registered symbols that match."""
        return self._patience(super().candle_symbols, query)

    @hookimpl
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        """Commit candles and the facts that prove them, in one transaction. Doing it twice changes nothing."""
        return self._patience(super().candle_save, write)

    @hookimpl
    def candle_count(self, read: LoadRead) -> int:
        """How many candles the read would return without a limit."""
        return self._patience(super().candle_count, read)

    @hookimpl
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        """Everything stored of a span, as the answers it came from."""
        return self._patience(super().candle_answers, read)

    @hookimpl
    def candle_actions(self, query: ActionQuery) -> Sequence[Action]:
        """Splits and dividends of a market."""
        return self._patience(super().candle_actions, query)

    @hookimpl
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        """The facts that match, each whole, in the order of their spans."""
        return self._patience(super().candle_coverage, query)

    @hookimpl
    def candle_forget(self, forget: Forget) -> int:
        """Take proof back, and candles if asked."""
        return self._patience(super().candle_forget, forget)

    @hookimpl
    def candle_execute(self, operation: Operation) -> int:
        """Write rows of a user's own table, in one transaction. Doing it twice might do harm, so it is tried once."""
        self._patience(self._greet)
        return self._patience(super().candle_execute, operation, twice=False)

    @hookimpl
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Do one step of upkeep."""
        return self._patience(super().candle_maintain, task)

    @hookimpl
    def candle_status(self) -> StorageStatus:
        """How the database stands, without changing it."""
        return self._patience(super().candle_status)

    # ── what is Postgres's own ──────────────────────────────────────────────────────────────────────────────────────

    def _merge(self, connection: Connection, task: Merge) -> SaveReceipt:
        return merge(connection, [task])[0]

    def _merge_all(self, connection: Connection, merges: Sequence[Merge]) -> Sequence[SaveReceipt]:
        return merge(connection, merges)

    @hookimpl
    def candle_load(self, read: LoadRead) -> CandleBatch:
        """Candles in time order, at most `read.limit`, in one short transaction."""
        return self._patience(self._load, read)

    def _load(self, read: LoadRead) -> CandleBatch:
        with self._read() as connection:
            return load(connection, self._number(connection, read.symbol), read)

    def _fetch(self, connection: Connection, query: Select[Any]) -> Columns:
        return fetch(connection, query)

    def _upkeep(self, task: MaintenanceTask) -> Step:
        with self._look() as connection:
            if connection is None or not holds_candles(connection):
                return Step()
        with translated(self._address, writing=True):
            return self._upkeep_left.step(task, self._connections)

    def _measure(self, connection: Connection) -> tuple[int | None, dict[str, int | float | str]]:
        return upkeep.measure(driver_of(connection))

    @hookimpl
    def candle_close(self) -> None:
        """Close the connections."""
        self._connections.close()


def _take(connection: Connection, keys: Sequence[int]) -> None:
    """Take advisory locks in the order given; they are held until the transaction ends."""
    driver_of(connection).execute(
        "SELECT pg_advisory_xact_lock(%s::int, key) FROM unnest(%s::int[]) AS key", (_KEYS, list(keys))
    )
