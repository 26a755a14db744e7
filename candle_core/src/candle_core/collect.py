"""Collecting one symbol: which range, what of it is missing, the run, and what came of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from candle_core.checks import settled_until
from candle_core.coverage import Known, count_slots
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, Throttle, read_facts
from candle_core.provider import Provider
from candle_core.ranges import Bounds
from candle_core.reading import read_all
from candle_core.retry import with_retries
from candle_core.spans import Spans
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.writer import Writer
from candle_hookspecs import (
    CandleBatch,
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

    Attributes:
        span: None: nothing of it is.
        known: what the facts said of it at a first look; None: nobody has looked.
    """

    record: SymbolRecord
    provider: Provider
    grid: Grid
    span: Span | None
    known: Known | None = None


async def find_task(kernel: Kernel, query: SymbolQuery, bounds: Bounds, *, refetch: bool = False) -> Task:
    """Resolve symbol and range. The exchange is asked for its clock only if the answer depends on it.

    Raises:
        UnknownMarketError, UnknownTimeframeError, ProviderError: see `Catalogue.resolve`.
    """
    return await task_of(kernel, await Catalogue(kernel).resolve(query), bounds, refetch=refetch)


async def task_of(kernel: Kernel, record: SymbolRecord, bounds: Bounds, *, refetch: bool = False) -> Task:
    """`find_task` of a symbol that is resolved. Facts that came with it are looked at before the database is asked.

    Raises:
        ProviderError: the exchange did not tell the time.
    """
    provider = kernel.provider(record.symbol.exchange)
    grid = await provider.open_grid(record.symbol.timeframe)
    known = None if record.coverage is None else Known.of(record.coverage, Pipeline.sources(provider))
    if (span := bounds.closed) and not refetch:
        known = known or await _look(kernel, record, provider, span)
        if not known.lacking(span, grid):
            return Task(record, provider, grid, span, known)
    return Task(record, provider, grid, bounds.span(grid, await horizon(kernel, provider, grid)), known)


async def horizon(kernel: Kernel, provider: Provider, grid: Grid) -> int:
    """The first open time whose candle is not final yet, by the exchange's clock, which is asked for once.

    Raises:
        ProviderError: the exchange did not answer.
    """
    await with_retries(provider, provider.warm_up)
    return settled_until(grid, provider.clock.now() - DATE_RESOLUTION, provider.capabilities.settle)


class Collection:
    """One collection, from the first look at what is known to the summary. Made by `begin`."""

    def __init__(
        self, kernel: Kernel, task: Task, span: Span, known: Known, stored: int | None, pipeline: Pipeline
    ) -> None:
        self.span = span
        self.pipeline = pipeline
        self._kernel = kernel
        self._task = task
        self._known = known
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
        span, known = task.span, task.known
        assert span is not None
        if refetch:
            known = Known.of((), ())
        elif known is None or known.lacking(span, task.grid):  # others may have collected since the first look
            known = await _look(kernel, task.record, task.provider, span)
        covered = known.covered & Spans((span,))
        pipeline = Pipeline(
            kernel, task.provider, writer, task.record, span, covered,
            oldest_first=oldest_first, throttle=throttle, widest=widest, priority=priority,
        )  # fmt: skip
        # Where nothing is to be asked the same candles are there afterwards, and counted then.
        stored = await _count(kernel, task.record, covered) if pipeline.asked else None
        return cls(kernel, task, span, known, stored, pipeline)

    def report_to(self, callback: ProgressCallback | None) -> None:
        """Call back after every commit."""
        if callback is not None:
            self.pipeline.committed = lambda proven: callback(self._progress(proven))

    async def known(self) -> Known:
        """What the facts say by now. Whoever reads the candles too asks for it first, so that it vouches for no more.

        Raises:
            StorageError: the database cannot be read.
        """
        if not self.pipeline.tally.pages:
            return self._known
        return await _look(self._kernel, self._task.record, self._task.provider, self.span)

    async def summary(self, batch: CandleBatch | None = None) -> CollectionSummary:
        """What came of it, counted in the database, or in the candles of the range where they were read since."""
        pipeline, grid = self.pipeline, self._task.grid
        pending = pipeline.work.pending()
        missing = pipeline.work.missing() - pending
        whole, record = Spans((self.span,)), self._task.record
        stored, there = self._stored, await _count(self._kernel, record, whole, batch)
        if stored is None:
            covered = self._known.covered & whole
            stored = there if covered == whole else await _count(self._kernel, record, covered, batch)
        summary = CollectionSummary(
            symbol=record.symbol,
            collected_count=stored + pipeline.tally.fresh,
            db_records_count=there,
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


async def collect_and_read(kernel: Kernel, writer: Writer, task: Task) -> CandleBatch:
    """Fetch what is missing of a task, commit it, and read all of it.

    Raises:
        ProviderError, StorageError: what was committed stays.
    """
    if task.span is None:
        return CandleBatch.empty()
    collection = await Collection.begin(kernel, writer, task)
    await collection.pipeline.run()
    batch = await read_all(kernel.storage(), LoadRead(symbol=task.record.symbol, span=task.span))
    await collection.summary(batch)  # which is told to the extensions
    return batch


async def _look(kernel: Kernel, record: SymbolRecord, provider: Provider, span: Span) -> Known:
    return Known.of(await read_facts(kernel, record, span), Pipeline.sources(provider))


async def _count(kernel: Kernel, record: SymbolRecord, spans: Spans, batch: CandleBatch | None = None) -> int:
    """Candles in some spans, by a batch that has them all, else by the database."""
    if batch is not None:
        return sum(len(batch.between(span)) for span in spans)
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
