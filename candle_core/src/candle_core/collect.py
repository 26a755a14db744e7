"""Collecting one symbol: which range, what of it is missing, the run, and what came of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from candle_core.checks import settled_until
from candle_core.coverage import Known, count_slots, with_slots
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, Throttle, read_facts
from candle_core.provider import Provider
from candle_core.ranges import Bounds
from candle_core.retry import with_retries
from candle_core.spans import Spans
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.writer import Writer
from candle_hookspecs import (
    CollectionProgress,
    CollectionSummary,
    LoadRead,
    Priority,
    SaveReceipt,
    Span,
    SymbolQuery,
    SymbolRecord,
    TimeRange,
    to_datetime,
)

DATE_RESOLUTION: Final = 1_000
"""Milliseconds. An answer dated in whole seconds may know that much less than the exchange's clock says."""

ProgressCallback = Callable[[CollectionProgress], object]


@dataclass(frozen=True, slots=True)
class Task:
    """A range of a registered symbol, clipped to what is closed by the exchange's clock.

    `span` None: nothing of it is.
    """

    record: SymbolRecord
    provider: Provider
    grid: Grid
    span: Span | None


async def find_task(kernel: Kernel, query: SymbolQuery, bounds: Bounds, *, refetch: bool = False) -> Task:
    """Resolve symbol and range. The exchange is asked for its clock only if the answer depends on it.

    Raises:
        UnknownMarketError, UnknownTimeframeError, ProviderError: see `Catalogue.resolve`.
    """
    record = await Catalogue(kernel).resolve(query)
    provider = kernel.provider(record.symbol.exchange)
    grid = await provider.open_grid(record.symbol.timeframe)
    if (span := bounds.closed) and not refetch:
        known = Known.of(await read_facts(kernel, record, span), Pipeline.sources(provider))
        if not with_slots(Spans((span,)) - known.covered, grid):
            return Task(record, provider, grid, span)
    return Task(record, provider, grid, bounds.span(grid, await horizon(kernel, provider, grid)))


async def horizon(kernel: Kernel, provider: Provider, grid: Grid) -> int:
    """The first open time whose candle is not final yet, by the exchange's clock, which is asked for once.

    Raises:
        ProviderError: the exchange did not answer.
    """
    await with_retries(provider, provider.warm_up)
    return settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)


class Collection:
    """One collection, from the first look at what is known to the summary. Made by `begin`."""

    def __init__(self, kernel: Kernel, task: Task, span: Span, stored: int, pipeline: Pipeline) -> None:
        self.span = span
        self.pipeline = pipeline
        self._kernel = kernel
        self._task = task
        self._stored = stored
        self._began = time.perf_counter()

    @classmethod
    async def begin(
        cls,
        kernel: Kernel,
        writer: Writer,
        task: Task,
        *,
        refetch: bool = False,
        oldest_first: bool = False,
        throttle: Throttle | None = None,
        widest: Callable[[], int] | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> "Collection":
        """See what is known, and make the work-list of what is not. For the options see `Pipeline`."""
        span = task.span
        assert span is not None
        facts = [] if refetch else await read_facts(kernel, task.record, span)
        covered = Known.of(facts, Pipeline.sources(task.provider)).covered & Spans((span,))
        pipeline = Pipeline(
            kernel, task.provider, writer, task.record, span, covered,
            oldest_first=oldest_first, throttle=throttle, widest=widest, priority=priority,
        )  # fmt: skip
        return cls(kernel, task, span, await _count(kernel, task.record, covered), pipeline)

    def report_to(self, callback: ProgressCallback | None) -> None:
        """Call back after every commit."""
        if callback is not None:
            self.pipeline.committed = lambda proven: callback(self._progress(proven))

    async def summary(self) -> CollectionSummary:
        """What came of it, counted in the database."""
        pipeline, grid = self.pipeline, self._task.grid
        pending = pipeline.work.pending()
        missing = pipeline.work.missing() - pending
        summary = CollectionSummary(
            symbol=self._task.record.symbol,
            collected_count=self._stored + pipeline.tally.fresh,
            db_records_count=await _count(self._kernel, self._task.record, Spans((self.span,))),
            time_range=_range(self.span),
            chunks_processed=pipeline.tally.pages,
            duration_seconds=time.perf_counter() - self._began,
            api_calls_made=pipeline.tally.requests,
            overlap_analysis_results={
                "wanted": grid.count(self.span),
                "already_covered": grid.count(self.span) - pipeline.asked,
                "asked": pipeline.asked,
                "missing": count_slots(missing, grid),
                "pending": count_slots(pending, grid),
            },
            saved=pipeline.tally.receipt,
            missing=tuple(_range(span) for span in missing),
            pending=tuple(_range(span) for span in pending),
            problems=tuple(_problems(pipeline.tally.receipt, missing)),
        )
        data = {"rows": summary.collected_count, "requests": summary.api_calls_made}
        await self._kernel.emit("collection.finished", summary.symbol, **data)
        return summary

    def _progress(self, proven: Span) -> CollectionProgress:
        pipeline, grid = self.pipeline, self._task.grid
        total = grid.count(self.span)
        missing = count_slots(pipeline.work.missing(), grid)
        done = pipeline.asked - missing
        elapsed = time.perf_counter() - self._began
        return CollectionProgress(
            symbol=self._task.record.symbol,
            current_chunk=pipeline.tally.pages,
            total_chunks=pipeline.tally.pages + pipeline.windows_left(),
            collected_count=pipeline.tally.fresh,
            covered_slots=total - missing,
            total_slots=total,
            estimated_remaining_seconds=elapsed / done * missing if done else float("inf"),
            current_chunk_range=_range(proven),
        )


async def collect(
    kernel: Kernel, writer: Writer, task: Task, *, refetch: bool = False, callback: ProgressCallback | None = None
) -> CollectionSummary:
    """Fetch what is missing of a task and commit it.

    Raises:
        ProviderError, StorageError: what was committed stays, and the next run goes on from there.
    """
    if task.span is None:
        return _nothing(task.record, kernel.clock.now())
    collection = await Collection.begin(kernel, writer, task, refetch=refetch)
    collection.report_to(callback)
    await collection.pipeline.run()
    return await collection.summary()


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
        overlap_analysis_results=dict.fromkeys(("wanted", "already_covered", "asked", "missing", "pending"), 0),
    )
