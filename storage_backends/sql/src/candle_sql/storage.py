"""The hooks that every SQL backend has in common. A backend adds its connections, its merge and its range read."""

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, func, select

from candle_hookspecs import (
    IN_FLIGHT,
    Action,
    ActionQuery,
    Answer,
    BadInputError,
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
    StorageError,
    StorageStatus,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    UnknownSymbolError,
    hookimpl,
)
from candle_sql import actions, catalogue, execution, facts, status
from candle_sql.found import Found
from candle_sql.merge import Merge
from candle_sql.migrations import MIGRATIONS, Migration
from candle_sql.statements import Columns, answers, fetch, known, within
from candle_sql.tables import candles
from candle_sql.upkeep import STEP, Step
from candle_sql.writing import (
    Ledger,
    SourceIds,
    add_sources,
    forget_candles,
    new_sources,
    refuse_unknown_prices,
    stored_sources,
)


class SqlStorage(ABC):
    """Catalogue, coverage, counts and upkeep over SQLAlchemy Core, for any number of threads."""

    migrations: ClassVar[Sequence[Migration]] = MIGRATIONS

    def __init__(self, context: PluginContext) -> None:
        self.context = context
        self._found: dict[str, Found] = {}
        self._numbers: dict[Symbol, int] = {}  # ids never change, so what was once read stays true

    @property
    @abstractmethod
    def place(self) -> str:
        """The database as messages name it; no password in it."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Connection]:
        """One short read transaction on the present schema. An absent database reads as an empty one."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Connection]:
        """One write transaction on the present schema; rolled back whole on any error."""

    @abstractmethod
    def _look(self) -> AbstractContextManager[Connection | None]:
        """One read transaction on the database as it is, with whatever tables. None: there is no database."""

    @abstractmethod
    def _operate(self, operation: Operation) -> AbstractContextManager[Connection]:
        """One write transaction on the database as it is, with or without candle tables, of which it makes none.

        Raises:
            BadInputError: there is no database, and so no such table.
        """

    @abstractmethod
    def _lock(self, connection: Connection, symbol_ids: Collection[int]) -> None:
        """Keep other writers away from these symbols, or, if none are named, from catalogue and sources.

        It holds until the transaction ends. Whoever needs both locks symbols first.
        """

    @abstractmethod
    def _merge(self, connection: Connection, merge: Merge) -> SaveReceipt:
        """Merge one answer's rows."""

    def _merge_all(self, connection: Connection, merges: Sequence[Merge]) -> Iterable[SaveReceipt]:
        """Merge the rows of a write's answers in the order given. A backend may have a way for many at once."""
        return (self._merge(connection, merge) for merge in merges)

    def _fetch(self, connection: Connection, query: Select[Any]) -> Columns:
        """Read a query of integers and floats; NULL becomes `UNKNOWN_COUNT` or NaN. A backend has faster ways."""
        return fetch(connection, query)

    @abstractmethod
    def _upkeep(self, task: MaintenanceTask) -> Step:
        """Do a step of a task other than COMPACT; nothing where there is no database."""

    @abstractmethod
    def _measure(self, connection: Connection) -> tuple[int | None, dict[str, int | float | str]]:
        """Bytes on disk, and what else is worth a look. A read transaction of `_look`."""

    # ── catalogue ───────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        """Make markets and their timeframes known."""
        if not registrations:
            return []
        with self._write() as connection:
            self._lock(connection, ())
            return catalogue.register(connection, registrations, self.context.clock.now())

    @hookimpl
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        """The registered symbols that match."""
        with self._read() as connection:
            return catalogue.find(connection, query)

    def _number(self, connection: Connection, symbol: Symbol) -> int:
        return self._resolve(connection, [symbol])[symbol]

    def _resolve(self, connection: Connection, wanted: Iterable[Symbol]) -> dict[Symbol, int]:
        """The ids of symbols.

        Raises:
            UnknownSymbolError: one of them was never registered.
        """
        asked = set(wanted)
        if unseen := {symbol for symbol in asked if symbol not in self._numbers}:  # others may be adding to them
            self._numbers |= catalogue.numbers(connection, unseen)
        for symbol in asked:
            if symbol not in self._numbers:
                raise UnknownSymbolError(
                    f"{self.place!r} holds no symbol {str(symbol)!r}; register it, or collect it first"
                )
        return {symbol: self._numbers[symbol] for symbol in asked}

    # ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        """Commit candles and the facts that prove them, in one transaction."""
        receipt = SaveReceipt()
        for answer in write.answers:
            refuse_unknown_prices(answer)
        if not write.answers:
            return receipt
        with self._write() as connection:
            ids = self._resolve(connection, (answer.symbol for answer in write.answers))
            self._lock(connection, set(ids.values()))
            sources = self._sources(connection, write)
            ledger = Ledger(connection, write, ids, sources)
            by_key = sorted(write.answers, key=lambda answer: ids[answer.symbol])
            merges = [ledger.admit(answer) for answer in by_key]
            for merge, done in zip(merges, self._merge_all(connection, merges), strict=True):
                ledger.count(merge.symbol_id, done)
                receipt += done
            ledger.write()
            if actions.pending(connection, write.answers, ids):
                self._lock(connection, ())  # symbols of one market share them, so others may have saved some
                actions.save(connection, actions.pending(connection, write.answers, ids), sources)
        return receipt

    def _sources(self, connection: Connection, write: SaveWrite) -> SourceIds:
        """The sources, those of the write added."""
        found = stored_sources(connection)
        if new_sources(write, found):
            self._lock(connection, ())
            add_sources(connection, new_sources(write, stored_sources(connection)))  # others may have added some
            found = stored_sources(connection)
        return found

    @hookimpl
    def candle_count(self, read: LoadRead) -> int:
        """How many candles the read would return without a limit."""
        with self._read() as connection:
            symbol_id = self._number(connection, read.symbol)
            query = select(func.count()).where(within(candles, symbol_id, read.span))
            if read.as_of is not None:
                query = select(func.count()).select_from(known(symbol_id, read.span, read.as_of).subquery())
            return connection.scalar(query) or 0

    @hookimpl
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        """Everything stored of a span, as the answers it came from."""
        with self._read() as connection:
            symbol_id = self._number(connection, read.symbol)
            return answers(connection, read.symbol, symbol_id, read.span, self._fetch)

    @hookimpl
    def candle_actions(self, query: ActionQuery) -> Sequence[Action]:
        """Splits and dividends of a market."""
        with self._read() as connection:
            return actions.read(connection, query)

    # ── proof ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        """The facts that match, each whole, in the order of their spans."""
        with self._read() as connection:
            return facts.read(connection, self._number(connection, query.symbol), query)

    @hookimpl
    def candle_forget(self, forget: Forget) -> int:
        """Take proof back, and candles if asked."""
        with self._write() as connection:
            symbol_id = self._number(connection, forget.symbol)
            self._lock(connection, (symbol_id,))
            facts.cut(connection, symbol_id, forget)
            return forget_candles(connection, symbol_id, forget.span) if forget.candles else 0

    # ── tables of the user's own ────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_execute(self, operation: Operation) -> int:
        """Write rows of a user's own table, in one transaction."""
        if operation.table in self._found:
            try:
                return self._execute(operation)
            except (BadInputError, StorageError) as error:
                if not isinstance(error, BadInputError) and type(error) is not StorageError:
                    raise  # the row or the database is at fault
                self._found.pop(operation.table, None)  # the table may have been altered: look again
        return self._execute(operation)

    def _execute(self, operation: Operation) -> int:
        with self._operate(operation) as connection:
            return execution.run(connection, operation, self.place, self._found)

    # ── upkeep ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Do one step of upkeep."""
        start = time.perf_counter()
        step = self._compact() if task is MaintenanceTask.COMPACT else self._upkeep(task)
        return MaintenanceReport(task=task, seconds=time.perf_counter() - start, **step._asdict())

    def _compact(self) -> Step:
        older_than = self.context.clock.now() - IN_FLIGHT
        with self._look() as found:
            if found is None or not status.holds_candles(found):
                return Step()
        with self._read() as connection:
            symbol_ids = facts.crowded(connection, older_than)
        changed, writing = 0, 0.0
        for symbol_id in symbol_ids:
            while bundles := self._bundles(symbol_id, older_than):
                for bundle in bundles:  # a transaction each, so that no writer waits for all of them
                    if writing > STEP:
                        return Step(changed, more=True)
                    start = time.perf_counter()
                    with self._write() as connection:
                        self._lock(connection, (symbol_id,))
                        changed += facts.unite(connection, bundle)
                    writing += time.perf_counter() - start
        return Step(changed)

    def _bundles(self, symbol_id: int, older_than: int) -> list[facts.Bundle]:
        with self._read() as connection:
            return facts.bundles(connection, symbol_id, older_than)

    @hookimpl
    def candle_status(self) -> StorageStatus:
        """How the database stands, without changing it."""
        with self._look() as connection:
            if connection is None:
                return StorageStatus(place=self.place)
            size, details = self._measure(connection)
            return status.read(connection, self.migrations, self.place, size, details)
