"""From an operation to the transactions that write it."""

from asyncio import Future
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from candle_core.batch.operation import BatchOperation, OperationCallback
from candle_core.writer import BatchConfig
from candle_core.writer.queue import Task, Work
from candle_core.writer.sizes import size_of_batch, size_of_rows
from candle_hookspecs import Answer, BadInputError, Operation, OperationType, Priority

MB: Final = 1e6

Failures: TypeAlias = list[tuple["Part", BaseException]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one transaction writes of an operation: the task, the caller's rows in it, rows that fill a transaction."""

    task: Task
    rows: list[Any]
    size: int
    fill: int


def operation_of(
    table: str,
    kind: OperationType,
    rows: Sequence[Mapping[str, Any]],
    priority: Priority,
    callback: OperationCallback | None,
    key: Sequence[str],
) -> BatchOperation:
    """An operation as a caller hands it in.

    Raises:
        BadInputError: no rows, a row that is no mapping, no such type or priority.
    """
    if not isinstance(rows, list | tuple) or not rows:
        raise BadInputError(
            f"rows for {table!r} are a list of at least one mapping, not {type(rows).__name__} {rows!r:.40}"
        )
    if strange := next((row for row in rows if not isinstance(row, Mapping)), None):
        raise BadInputError(f"a row for {table!r} is a mapping of columns to values, not {type(strange).__name__}")
    try:
        return BatchOperation(
            table_name=table, operation_type=OperationType(kind), data_rows=list(rows), priority=Priority(priority),
            key=(key,) if isinstance(key, str) else tuple(key), callback=callback,
        )  # fmt: skip
    except ValueError as error:
        raise BadInputError(
            f"{error}; types are {[*OperationType.__members__]}, priorities {[*Priority.__members__]}"
        ) from None


def table_parts(operation: BatchOperation, config: BatchConfig) -> list[Part]:
    """One part, however many rows: they stand or fall together. Beyond `max_memory_mb`, slices."""
    fill = config.fill(operation.table_name, operation.operation_type)

    def part(rows: list[Any], size: int) -> Part:
        kind, key = operation.operation_type, operation.key
        named = tuple({str(name): value for name, value in row.items()} for row in rows)
        return Part(Operation(table=operation.table_name, type=kind, rows=named, key=key), rows, size, fill)

    rows, size = operation.data_rows, size_of_rows(operation.data_rows)
    if size <= config.max_memory_mb * MB:
        return [part(rows, size)]
    return [part(some, size_of_rows(some)) for some in _slices(rows, size, fill, config)]


def candle_parts(answers: Sequence[Answer], rows: list[Any], config: BatchConfig) -> list[Part]:
    """A part for each answer. If there are several, the rows of each are its `CandleBatch`."""
    fill = config.insert_batch_size
    if len(answers) == 1:
        return [Part(answers[0], rows, size_of_rows(rows) + size_of_batch(answers[0].batch), fill)]
    return [Part(answer, [answer.batch], size_of_batch(answer.batch), fill) for answer in answers]


def _slices(rows: list[Any], size: int, fill: int, config: BatchConfig) -> Iterator[list[Any]]:
    """As many rows as fill a transaction, or fewer, so that no slice is much larger than the bound."""
    length = max(1, min(fill, int(len(rows) * config.max_memory_mb * MB / size)))
    for start in range(0, len(rows), length):
        yield rows[start : start + length]


class Watch:
    """Waits for all parts of an operation without a task of its own, then says which of them failed."""

    def __init__(self, parts: Sequence[Part], works: Sequence[Work], end: Callable[[float, Failures], None]) -> None:
        self._left = len(parts)
        self._seconds = 0.0
        self._failures: Failures = []
        self._end = end
        for part, work in zip(parts, works, strict=True):
            work.done.add_done_callback(partial(self._finished, part, work))

    def _finished(self, part: Part, work: Work, done: "Future[Any]") -> None:
        self._seconds += work.seconds
        if (error := done.exception()) is not None:
            self._failures.append((part, error))
        self._left -= 1
        if not self._left:
            self._end(self._seconds, self._failures)
