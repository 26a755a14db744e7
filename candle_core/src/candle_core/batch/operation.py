"""One thing that a caller wants written."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from candle_hookspecs import OperationType, Priority

OperationCallback: TypeAlias = Callable[["BatchOperation"], Awaitable[None] | None]
"""Told when an operation is written or has failed; plain or async. What it raises is logged and harms nobody."""


@dataclass(slots=True, eq=False, kw_only=True)
class BatchOperation:
    """Rows on their way into a table, and what became of them.

    Attributes:
        table_name, operation_type, data_rows, priority, key, callback: as they were handed in. After a failure
            `data_rows` holds the rows that were not written.
        estimated_size_mb: what the rows take in memory, in 10⁶ bytes.
        still_open: candles that were left out because they may still change.
        created_at, processed_at: aware, UTC; `processed_at` is None until the end.
        processing_time: seconds in transactions, the wait before them not counted.
        is_processed: everything is durable.
        error: why not; empty otherwise. cause: the exception itself.
    """

    table_name: str
    operation_type: OperationType
    data_rows: list[Any] = field(repr=False)
    priority: Priority = Priority.NORMAL
    key: tuple[str, ...] = ()
    callback: OperationCallback | None = field(default=None, repr=False)
    operation_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    estimated_size_mb: float = 0.0
    still_open: int = 0
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    processed_at: datetime | None = None
    processing_time: float = 0.0
    is_processed: bool = False
    error: str = ""
    cause: Exception | None = field(default=None, repr=False)
