"""A storage in memory that executes operations on a user's tables, which a plain `sqlite3` connection keeps."""

import sqlite3
from dataclasses import replace

from candle_hookspecs import (
    BadInputError,
    Operation,
    OperationType,
    PluginContext,
    StorageConstraintError,
)
from candle_hookspecs.storage import Row
from candle_testkit.memory import MemoryStorage

REFUSED = (sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError, UnicodeEncodeError)


class ExecutingMemory(MemoryStorage):
    """One statement a row, in its plainest form."""

    capabilities = replace(MemoryStorage.capabilities, executes=True)

    def __init__(self, settings: MemoryStorage.Settings, context: PluginContext) -> None:
        super().__init__(settings, context)
        self.tables = sqlite3.connect(":memory:", check_same_thread=False)

    def candle_execute(self, operation: Operation) -> int:
        with self._lock:
            self.refuse(operation)
            try:
                with self.tables:
                    return sum(self.write(operation, row) for row in operation.rows)
            except sqlite3.IntegrityError as error:
                raise StorageConstraintError(f"{operation.table!r}: {error}") from error
            except REFUSED as error:
                raise BadInputError(f"{operation.table!r}: {error}") from error

    def candle_close(self) -> None:
        self.tables.close()

    # ── checking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, operation: Operation) -> None:
        if operation.table not in self.table_names():
            raise BadInputError(f"no table {operation.table!r}")
        columns = [name for _, name, *_ in self.tables.execute(f"PRAGMA table_info({self.quoted(operation.table)})")]
        for name in [*operation.key, *(name for row in operation.rows for name in row)]:
            if name not in columns:
                raise BadInputError(f"no column {name!r}")
        key = self.key(operation)
        if operation.type is not OperationType.INSERT:
            if not key:
                raise BadInputError("no key")
            self.refuse_keys(operation, key)

    def refuse_keys(self, operation: Operation, key: tuple[str, ...]) -> None:
        for row in operation.rows:
            for name in key:
                if row.get(name) is None:
                    raise BadInputError(f"no {name!r} in a row")
        if operation.type is OperationType.UPSERT and not self.is_unique(operation.table, key):
            raise BadInputError(f"{key!r} is not unique")

    def table_names(self) -> list[str]:
        return [name for (name,) in self.tables.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def key(self, operation: Operation) -> tuple[str, ...]:
        columns = self.tables.execute(f"PRAGMA table_info({self.quoted(operation.table)})")
        return operation.key or tuple(name for _, name, *_, primary in columns if primary)

    def is_unique(self, table: str, key: tuple[str, ...]) -> bool:
        indexes = self.tables.execute(f"PRAGMA index_list({self.quoted(table)})").fetchall()
        return any(
            {column for _, _, column in self.tables.execute(f"PRAGMA index_info({self.quoted(index)})")} == set(key)
            for _, index, unique, *_ in indexes
            if unique
        )

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def write(self, operation: Operation, row: Row) -> int:
        key, table = self.key(operation), self.quoted(operation.table)
        where = " AND ".join(f"{self.quoted(name)} = ?" for name in key)
        found = [row[name] for name in key] if operation.type is not OperationType.INSERT else []
        rest = {name: value for name, value in row.items() if name not in key}
        sets = ", ".join(f"{self.quoted(name)} = ?" for name in rest)
        names, places = ", ".join(map(self.quoted, row)), ", ".join("?" * len(row))
        insert = f"INSERT INTO {table} ({names}) VALUES ({places})"
        match operation.type:
            case OperationType.INSERT:
                return self.run(insert, list(row.values()))
            case OperationType.UPDATE:
                return self.run(f"UPDATE {table} SET {sets} WHERE {where}", [*rest.values(), *found])
            case OperationType.DELETE:
                return self.run(f"DELETE FROM {table} WHERE {where}", found)
            case OperationType.UPSERT:
                conflict = f"ON CONFLICT ({', '.join(map(self.quoted, key))}) DO UPDATE SET {sets}"
                return self.run(f"{insert} {conflict}", [*row.values(), *rest.values()])

    def run(self, statement: str, values: list[object]) -> int:
        return self.tables.execute(statement, values).rowcount
