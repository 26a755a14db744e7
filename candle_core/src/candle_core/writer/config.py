"""``[batch]``: how much is gathered, how much may wait, and how often upkeep is done."""

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from candle_hookspecs import OperationType


class BatchConfig(BaseModel):
    """The bounds of a `BatchDBManager` and the writer under it.

    Attributes:
        insert_batch_size: rows of INSERT, UPSERT or DELETE, or candles, that make a transaction.
        update_batch_size: rows of UPDATE that do.
        tables: the same for single tables, whatever the operation, by name.
        max_memory_mb: of all that waits, in 10⁶ bytes of memory. Over it the queue is flushed and whoever brings more
            waits; an operation that is larger by itself is written at once, in slices.
        flush_interval_seconds: longest time for which NORMAL and LOW operations wait for company. CRITICAL and HIGH
            ones do not wait for any.
        max_queue_size: most operations that wait; over it as over the memory.
        max_concurrent_batches: most transactions at one time, where the database gains from more than one.
        checkpoint_interval_seconds, analyze_interval_seconds, compact_interval_seconds, vacuum_interval_seconds: how
            often the database is kept up while it is open.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    insert_batch_size: PositiveInt = 1_000
    update_batch_size: PositiveInt = 500
    tables: dict[str, PositiveInt] = Field(default_factory=dict)
    max_memory_mb: PositiveFloat = 100.0
    flush_interval_seconds: PositiveFloat = 10.0
    max_queue_size: PositiveInt = 10_000
    max_concurrent_batches: PositiveInt = 3
    checkpoint_interval_seconds: PositiveFloat = 3_600.0
    analyze_interval_seconds: PositiveFloat = 3_600.0
    compact_interval_seconds: PositiveFloat = 3_600.0
    vacuum_interval_seconds: PositiveFloat = 86_400.0

    def fill(self, table: str, kind: OperationType) -> int:
        """Rows of such an operation that make a transaction."""
        update = kind is OperationType.UPDATE
        return self.tables.get(table, self.update_batch_size if update else self.insert_batch_size)
