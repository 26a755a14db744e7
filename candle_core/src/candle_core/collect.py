"""Collecting one symbol: range, plan, run, summary."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from candle_core.checks import settled_until
from candle_core.coverage import Known, count_slots, with_slots
from candle_core.kernel import Kernel, Provider
from candle_core.pipeline import Pipeline, read_facts
from candle_core.ranges import wanted_span
from candle_core.retry import with_retries
from candle_core.spans import Spans
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.writer import Writer
from candle_hookspecs import (
    CollectionProgress,
    CollectionSummary,
    LoadRead,
    Moment,
    SaveReceipt,
    Span,
    SymbolQuery,
    SymbolRecord,
    TimeRange,
    to_datetime,
    to_ms,
)

DATE_RESOLUTION: Final = 1_000
"""Milliseconds. An answer dated in whole seconds may know that much less than the exchange's clock says."""

ProgressCallback = Callable[[CollectionProgress], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionWish:
    """What to collect; see `Candles.collect_candles_only`."""

    query: SymbolQuery
    start: Moment | None = None
    end: Moment | None = None
    count: int | None = None
    refetch: bool = False
    progress_callback: ProgressCallback | None = None


async def collect(kernel: Kernel, writer: Writer, wish: CollectionWish) -> CollectionSummary:
    """Fetch what is missing and commit it.

    Raises:
        CandleError: any of its children; what was committed stays, and the next run goes on from there.
    """
    began = time.perf_counter()
    record = await Catalogue(kernel).resolve(wish.query)
    provider = kernel.provider(record.symbol.exchange)
    grid = provider.grid(record.symbol.timeframe)
    start, end = await wanted_range(kernel, provider, record, wish)
    if start == end:
        return _nothing(record, start)
    wanted = Span(start, end)
    facts = [] if wish.refetch else await read_facts(kernel, record, wanted)
    covered = Known.of(facts, Pipeline.sources(provider)).covered & Spans((wanted,))
    stored = await _count(kernel, record, covered)
    progress = _Progress(record, grid, wish.progress_callback)
    pipeline = Pipeline(kernel, provider, writer, record, wanted, facts, progress)
    progress.pipeline = pipeline
    await pipeline.run()
    pending = pipeline.work.pending()
    missing = pipeline.work.missing() - pending
    summary = CollectionSummary(
        symbol=record.symbol,
        collected_count=stored + pipeline.tally.fresh,
        db_records_count=await _count(kernel, record, Spans((wanted,))),
        time_range=_range(wanted),
        chunks_processed=pipeline.tally.pages,
        duration_seconds=time.perf_counter() - began,
        api_calls_made=pipeline.tally.requests,
        overlap_analysis_results={
            "wanted": grid.count(wanted),
            "already_covered": grid.count(wanted) - pipeline.asked,
            "asked": pipeline.asked,
            "missing": count_slots(missing, grid),
            "pending": count_slots(pending, grid),
        },
        saved=pipeline.tally.receipt,
        missing=tuple(_range(span) for span in missing),
        pending=tuple(_range(span) for span in pending),
        problems=tuple(_problems(pipeline.tally.receipt, missing)),
    )
    await kernel.emit(
        "collection.finished", record.symbol, rows=summary.collected_count, requests=summary.api_calls_made
    )
    return summary


async def wanted_range(
    kernel: Kernel, provider: Provider, record: SymbolRecord, wish: CollectionWish
) -> tuple[int, int]:
    """The range that a wish means, clipped to what is closed by the exchange's clock; UTC ms.

    The exchange is asked for its clock only if the answer depends on it.
    """
    grid = provider.grid(record.symbol.timeframe)
    if wish.start is not None and wish.end is not None and wish.count is None and not wish.refetch:
        start, end = wanted_span(grid, to_ms(wish.end), wish.start, wish.end, None)
        facts = await read_facts(kernel, record, Span(start, end))
        if not with_slots(Spans((Span(start, end),)) - Known.of(facts, Pipeline.sources(provider)).covered, grid):
            return start, end
    await with_retries(kernel, provider, provider.warm_up)
    horizon = settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)
    return wanted_span(grid, horizon, wish.start, wish.end, wish.count)


class _Progress:
    """Turns commits into `CollectionProgress`."""

    def __init__(self, record: SymbolRecord, grid: Grid, callback: ProgressCallback | None) -> None:
        self.pipeline: Pipeline | None = None
        self._record = record
        self._grid = grid
        self._callback = callback
        self._began = time.perf_counter()

    def __call__(self, proven: Span) -> None:
        if self._callback is None or self.pipeline is None:
            return
        work, tally = self.pipeline.work, self.pipeline.tally
        total = self._grid.count(work.wanted)
        missing = count_slots(work.missing(), self._grid)
        done = self.pipeline.asked - missing
        elapsed = time.perf_counter() - self._began
        self._callback(
            CollectionProgress(
                symbol=self._record.symbol,
                current_chunk=tally.pages,
                total_chunks=tally.pages + self.pipeline.windows_left(),
                collected_count=tally.fresh,
                covered_slots=total - missing,
                total_slots=total,
                estimated_remaining_seconds=elapsed / done * missing if done else float("inf"),
                current_chunk_range=_range(proven),
            )
        )


async def _count(kernel: Kernel, record: SymbolRecord, spans: Spans) -> int:
    return sum([await kernel.storage().count(LoadRead(symbol=record.symbol, span=span)) for span in spans])


def _range(span: Span) -> TimeRange:
    return to_datetime(span.start), to_datetime(span.end)


def _problems(saved: SaveReceipt, missing: Spans) -> Iterator[str]:
    if saved.lacking:
        yield f"{saved.lacking} stored candles are lacking in a later answer; they are kept"
    for span in missing:
        yield f"{span!s} was neither proven nor refused; collect it again"


def _nothing(record: SymbolRecord, moment: int) -> CollectionSummary:
    return CollectionSummary(
        symbol=record.symbol,
        collected_count=0,
        db_records_count=0,
        time_range=(to_datetime(moment), to_datetime(moment)),
        chunks_processed=0,
        duration_seconds=0.0,
        api_calls_made=0,
        overlap_analysis_results={"wanted": 0, "already_covered": 0, "asked": 0, "missing": 0, "pending": 0},
    )
