"""What the kernel hands back to its users."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from candle_hookspecs.limits import Limit
from candle_hookspecs.storage import SaveReceipt, SymbolRecord
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
class SymbolSummary(SymbolRecord):
    """A registered symbol, and, if asked for, what is stored of it and how much of its history is proven.

    Attributes:
        slots: grid slots of its history, from the first moment that is answered or stored (where there is none, from
            the market's listing) to the last candle that is closed, or to the market's end. None: not asked for, or
            nobody knows the grid, as the exchange's plugin is not installed.
        proven: how many of them are certain: answered, with a candle or without, or not listed.
    """

    slots: int | None = None
    proven: int | None = None

    @property
    def share(self) -> float | None:
        """Proven of all slots, 0.0 to 1.0, and 1.0 only where all are; None where there is no slot to be proven."""
        return self.proven / self.slots if self.slots and self.proven is not None else None


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


class AnomalyKind(StrEnum):
    """What cannot be true of a candle."""

    HIGH = "high"  # its high is below its open, close or low
    LOW = "low"  # its low is above its open, close or high
    PRICE = "price"  # one of its prices is negative
    VOLUME = "volume"  # its volume is negative


@dataclass(frozen=True, slots=True)
class Anomaly:
    """How many stored candles have something that cannot be true, and when the first of them opens."""

    kind: AnomalyKind
    count: int
    first: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What is stored of a symbol, looked at row by row. Two rows of one open time cannot be: it is their key.

    Attributes:
        slots: where every slot stands, and the range looked at; without slots where nothing is stored or proven.
        covered: slots that are proven. A candle whose proof was taken back fills its slot, but does not cover it.
        gaps: missing stretches between the first and the last moment that is proven or stored, inside the market's
            listed life where the exchange states it.
        anomalies: what cannot be true, one entry for each kind found. They are kept as the source gave them.
        revisions: how often a later answer changed a candle of the symbol, in any range; None where the database does
            not count that.
        first, last: open time of the oldest and the newest candle in the range.
    """

    slots: SlotReport
    covered: int = 0
    gaps: tuple[TimeRange, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    revisions: int | None = None
    first: datetime | None = None
    last: datetime | None = None

    @property
    def symbol(self) -> Symbol:
        """Whose candles these are."""
        return self.slots.symbol

    @property
    def clean(self) -> bool:
        """Whether there are neither gaps nor anomalies."""
        return not self.gaps and not self.anomalies


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """How a later answer changed a candle.

    Attributes:
        open_time: the candle's, aware UTC.
        changes: column → what it was and what it became; None: unknown.
        answered_before, answered_after: when the two answers were given, by the source's clock; None: an import, which
            bears no date.
        source_before, source_after: who gave them.
    """

    open_time: datetime
    changes: Mapping[str, tuple[float | None, float | None]]
    answered_before: datetime | None
    answered_after: datetime | None
    source_before: str
    source_after: str


class CopyState(StrEnum):
    """What came of a symbol that was copied."""

    COPIED = "copied"  # the target holds all that the source holds
    DIFFERENT = "different"  # after all the target says otherwise somewhere; it was left as it is
    FAILED = "failed"  # an error ended it; what was committed stays


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolCopy:
    """What a copy did for one symbol.

    Attributes:
        rows, facts, revisions: candles, coverage facts, and what earlier answers said of candles, that the source
            holds, as far as it was read.
        copied: rows that this run inserted or changed in the target.
        own: candles that only the target holds; they stay.
        cause: why it is not `CopyState.COPIED`; empty if it is.
    """

    symbol: Symbol
    rows: int = 0
    facts: int = 0
    revisions: int = 0
    copied: int = 0
    own: int = 0
    state: CopyState = CopyState.COPIED
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgress:
    """How far a copy is.

    Attributes:
        symbol: where something was done just now.
        done_rows, total_rows: candles copied or compared by now, and to be; each counts twice, as all is compared in
            the end.
        estimated_remaining_seconds: from the pace so far.
    """

    symbol: Symbol
    done_rows: int
    total_rows: int
    estimated_remaining_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySummary:
    """What became of a database that was copied to another.

    Attributes:
        source, target: where they are, as messages name them.
        symbols: one entry for each, in their order.
        notes: what one of the databases cannot keep, in words.
    """

    source: str
    target: str
    symbols: tuple[SymbolCopy, ...]
    duration_seconds: float
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the target holds all of every symbol."""
        return all(one.state is CopyState.COPIED for one in self.symbols)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What became of a file of candles.

    Attributes:
        rows: in the file. They are still_open + repeated + saved.inserted + revised + unchanged + outdated.
        still_open: rows left out because their candle was not closed, or not surely, when the file was written.
        repeated: rows dropped because their open time came again nearby.
        time_range: from the oldest row to the close of the newest.
        notes: what a person should know besides, in words.
    """

    symbol: Symbol
    file: str
    rows: int
    still_open: int
    repeated: int
    saved: SaveReceipt
    time_range: TimeRange
    duration_seconds: float
    notes: tuple[str, ...] = ()


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


class UpdateState(StrEnum):
    """How a symbol fares in an update."""

    STARTED = "started"  # its first request is about to be sent
    COLLECTING = "collecting"  # an answer came
    DONE = "done"  # everything that was missing is there
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProgress:
    """How far an update is.

    Attributes:
        symbol: where something happened just now.
        state: what happened; `cause`: why, if it failed.
        symbol_rows: candles that this run received of the symbol so far.
        done_symbols, failed_symbols, skipped_symbols, total_symbols: of the whole run, as far as it is planned: an
            exchange that has not answered yet is not counted.
        total_rows, requests: candles received, and history requests sent, by the whole run.
    """

    symbol: Symbol
    state: UpdateState
    cause: str = ""
    symbol_rows: int = 0
    done_symbols: int = 0
    failed_symbols: int = 0
    skipped_symbols: int = 0
    total_symbols: int = 0
    total_rows: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """What an update over many symbols did. Every symbol stands in one of the three lists, in their order.

    Attributes:
        success_symbols: asked, and everything that was missing is stored.
        failed_symbols: each with its cause; what came of them before is stored all the same.
        skipped_symbols: nothing was to be asked: no further candle is closed, or the market no longer trades and was
            asked within a day.
        total_rows: candles that this run stored, new or changed.
        revised: how many of them took the place of another.
        requests: history requests sent, retries included.
    """

    success_symbols: list[Symbol]
    failed_symbols: list[tuple[Symbol, str]]
    total_rows: int
    duration_seconds: float = 0.0
    skipped_symbols: list[Symbol] = field(default_factory=list)
    revised: int = 0
    requests: int = 0
