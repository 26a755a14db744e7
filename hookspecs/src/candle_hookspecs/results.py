"""What the kernel hands back to its users."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from candle_hookspecs.storage import SaveReceipt
from candle_hookspecs.symbols import Symbol

TimeRange: TypeAlias = tuple[datetime, datetime]
"""Half-open, aware UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionConfig:
    """How much `get_candles` may hold in memory.

    Attributes:
        max_memory_objects: most candles in one result.
        enable_memory_warning: warn when a result comes near.
        fallback_to_streaming: over the bound, assemble the result by streaming, with a warning, instead of raising
            `MemoryLimitError`.
    """

    max_memory_objects: int = 50_000
    enable_memory_warning: bool = True
    fallback_to_streaming: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionProgress:
    """How far a collection is.

    Attributes:
        current_chunk, total_chunks: windows done, and windows known by now (the work-list may grow or shrink).
        collected_count: candles committed so far.
        covered_slots, total_slots: grid slots that are proven by now, and wanted.
        estimated_remaining_seconds: from the pace so far; infinite before the first answer.
        current_chunk_range: what the newest answer proved.
    """

    symbol: Symbol
    current_chunk: int
    total_chunks: int
    collected_count: int
    covered_slots: int
    total_slots: int
    estimated_remaining_seconds: float
    current_chunk_range: TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSummary:
    """What a collection did.

    Attributes:
        collected_count: candles of the range that answers vouch for, this run's and earlier ones'.
        db_records_count: candles in the database in this range now, counted there.
        time_range: the range wanted, clipped to what can be closed by now.
        chunks_processed: answers that were committed. api_calls_made: history requests sent, retries included.
        overlap_analysis_results: grid slots of the range: ``wanted``, ``already_covered``, ``asked``, and at the end
            ``missing``, ``pending``.
        saved: rows by what became of them.
        missing: stretches that are still not proven.
        pending: stretches so recent that their emptiness is not believed yet; the next run asks again.
        problems: what a person should look at, in words.
    """

    symbol: Symbol
    collected_count: int
    db_records_count: int
    time_range: TimeRange
    chunks_processed: int
    duration_seconds: float
    api_calls_made: int
    overlap_analysis_results: Mapping[str, int]
    saved: SaveReceipt = field(default_factory=SaveReceipt)
    missing: tuple[TimeRange, ...] = ()
    pending: tuple[TimeRange, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every slot of the range is proven, but for those that only the next run can prove."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotReport:
    """Where every grid slot of a range stands.

    Filled + proven_empty + not_listed + out_of_reach + missing = slots; rows = filled + off_grid.
    """

    symbol: Symbol
    time_range: TimeRange
    slots: int
    filled: int
    proven_empty: int
    not_listed: int
    out_of_reach: int
    missing: int
    off_grid: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingConfig:
    """How `stream_candles` hands candles over.

    Rows in one chunk, chunks held ready, and whether a slow consumer slows the collection.
    """

    chunk_yield_size: int = 1_000
    buffer_chunks: int = 2
    enable_backpressure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingMeta:
    """Where a chunk stands in its stream; `total_progress` runs from 0.0 to 1.0."""

    chunk_index: int
    chunk_count: int
    total_progress: float
    chunk_time_range: TimeRange
    is_final_chunk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """What an update over many symbols did; each failed symbol stands with its cause."""

    success_symbols: list[Symbol]
    failed_symbols: list[tuple[Symbol, str]]
    total_rows: int
    duration_seconds: float = 0.0
