"""What a collection is told, foresees, and did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from candle_hookspecs.limits import Limit
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


@dataclass(frozen=True, slots=True)
class Spending:
    """What a plan takes from one limit, in the limit's own unit."""

    limit: Limit
    cost: float

    @property
    def seconds(self) -> float:
        """How long the limit needs to grant it: cost / amount × period.

        An upper bound of what it holds a collection back, as what one period grants may be spent at its beginning.
        """
        return self.cost / self.limit.amount * self.limit.period


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """What a collection would ask for; nothing was asked yet.

    Requests and costs are those of a market with a candle in every slot. A sparse one is mostly collected by fewer; a
    hole, or the market's beginning, costs one more.

    Attributes:
        time_range: the range wanted, clipped to what can be closed by now.
        wanted, already_covered, asked: grid slots of the range; those that need not be asked for; the rest.
        missing: the stretches to ask for, from the opening of a slot to that of another.
        requests: history requests.
        spending: what they take from each of the limits that they touch.
    """

    symbol: Symbol
    time_range: TimeRange
    wanted: int
    already_covered: int
    asked: int
    missing: tuple[TimeRange, ...] = ()
    requests: int = 0
    spending: tuple[Spending, ...] = ()

    @property
    def estimated_seconds(self) -> float:
        """How long the tightest limit needs to grant all of it; 0.0 where nothing limits."""
        return max((one.seconds for one in self.spending), default=0.0)
