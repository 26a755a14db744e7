"""Storages that are each wrong in one way about a user's tables, about upkeep, or in what they tell of themselves."""

import time
from dataclasses import replace

from candle_hookspecs import (
    MaintenanceReport,
    MaintenanceTask,
    Operation,
    OperationType,
    SaveReceipt,
    SaveWrite,
    StorageStatus,
)
from candle_hookspecs.storage import Row
from candle_testkit.memory import MemoryStorage

from .executing import ExecutingMemory
from .sabotage import noticed_by

# ── a user's tables ──────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("inserted_rows_are_stored")
class StoresEmptyTextAsUnknown(ExecutingMemory):
    def run(self, statement: str, values: list[object]) -> int:
        return super().run(statement, [value or None if isinstance(value, str) else value for value in values])


@noticed_by("an_update_sets_what_it_names_where_the_key_is")
class CountsRowsGiven(ExecutingMemory):
    def candle_execute(self, operation: Operation) -> int:
        super().candle_execute(operation)
        return len(operation.rows)


@noticed_by("an_upsert_sets_what_it_names_or_inserts")
class ReplacesTheWholeRow(ExecutingMemory):
    def run(self, statement: str, values: list[object]) -> int:
        if " ON CONFLICT " in statement:
            insert = statement.split(" ON CONFLICT ", maxsplit=1)[0].replace("INSERT", "INSERT OR REPLACE")
            return super().run(insert, values[: insert.count("?")])
        return super().run(statement, values)


@noticed_by("a_delete_looks_at_the_key_alone")
class DeletesByAllThatIsGiven(ExecutingMemory):
    def write(self, operation: Operation, row: Row) -> int:
        if operation.type is OperationType.DELETE:
            return super().write(replace(operation, key=tuple(row)), row)
        return super().write(operation, row)


@noticed_by("rows_are_written_in_the_order_given")
class WritesByShape(ExecutingMemory):
    def candle_execute(self, operation: Operation) -> int:
        return super().candle_execute(replace(operation, rows=tuple(sorted(operation.rows, key=len, reverse=True))))


@noticed_by("an_operation_is_all_or_nothing")
class CommitsRowByRow(ExecutingMemory):
    def write(self, operation: Operation, row: Row) -> int:
        touched = super().write(operation, row)
        self.tables.commit()
        return touched


@noticed_by("a_value_that_no_database_holds_is_refused")
class StoresWhatItPrints(ExecutingMemory):
    def run(self, statement: str, values: list[object]) -> int:
        plain = (str, int, float, type(None))
        return super().run(statement, [value if isinstance(value, plain) else repr(value) for value in values])


@noticed_by("what_is_not_there_is_refused_by_name")
class TakesNamesInAnyCase(ExecutingMemory):
    def table_names(self) -> list[str]:
        return [name for stored in super().table_names() for name in (stored, stored.capitalize())]


@noticed_by("a_key_must_be_whole_and_tell_rows_apart")
class TakesRowsWithoutKey(ExecutingMemory):
    def refuse_keys(self, operation: Operation, key: tuple[str, ...]) -> None:
        whole = tuple(row for row in operation.rows if all(row.get(name) is not None for name in key))
        super().refuse_keys(replace(operation, rows=whole), key)


@noticed_by("candles_are_not_written_past_the_save")
class ExecutesOnCandles(ExecutingMemory):
    def candle_execute(self, operation: Operation) -> int:
        return 0 if operation.table == "candles" else super().candle_execute(operation)


@noticed_by("operations_at_the_same_time_are_all_kept")
class MixesOperationsUp(ExecutingMemory):
    def candle_execute(self, operation: Operation) -> int:
        self.pending = operation
        time.sleep(0.002)
        return super().candle_execute(self.pending)


@noticed_by("executed_rows_are_there_after_reopening")
class SaysThatTablesLast(ExecutingMemory):
    capabilities = replace(ExecutingMemory.capabilities, durable=True)


@noticed_by("hostile_names_and_values_are_but_names_and_values")
class QuotesNaively(ExecutingMemory):
    def quoted(self, name: str) -> str:
        return f'"{name}"'


# ── upkeep and status ────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("every_task_ends_while_others_write")
class HasAlwaysMoreToDo(MemoryStorage):
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        return replace(super().candle_maintain(task), more=task is MaintenanceTask.VACUUM)


@noticed_by("status_counts_what_is_stored")
class CountsWhatWasEverSaved(MemoryStorage):
    saved = 0

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        self.saved += receipt.inserted
        return receipt

    def candle_status(self) -> StorageStatus:
        return replace(super().candle_status(), candles=self.saved)


@noticed_by("status_counts_revisions")
class TakesCandlesForRevisions(MemoryStorage):
    def candle_status(self) -> StorageStatus:
        status = super().candle_status()
        return replace(status, revisions=status.candles)


@noticed_by("a_storage_that_was_never_written_holds_nothing")
class SaysThereIsASchema(MemoryStorage):
    def candle_status(self) -> StorageStatus:
        return replace(super().candle_status(), schema=1)
