"""Candles in time order while they are being collected, read behind the contiguous front of what is committed."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from candle_core.collect import Collection, Task
from candle_core.coverage import Known
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, read_facts
from candle_core.reading import read_chunks
from candle_core.writer import Writer
from candle_hookspecs import CandleBatch, LoadRead, Span, StreamingConfig, StreamingMeta, to_datetime

_log = logging.getLogger("candle")


async def stream(
    kernel: Kernel, writer: Writer, task: Task, config: StreamingConfig
) -> AsyncGenerator[tuple[CandleBatch, StreamingMeta], None]:
    """Collect a task, and yield its candles in chunks as soon as everything before them is committed.

    Leaving the loop early stops the collection; what was committed stays.

    Raises:
        ProviderError, StorageError: after everything before the failure was yielded.
    """
    if task.span is None:
        return
    source = _Stream(task, config)
    collection = await Collection.begin(
        kernel, writer, task, oldest_first=True, throttle=source.has_room if config.enable_backpressure else None
    )
    source.collection = collection
    collection.pipeline.committed = lambda _: source.moved.set()
    work = asyncio.create_task(collection.pipeline.run())
    work.add_done_callback(lambda _: source.moved.set())
    told = False
    try:
        held: CandleBatch | None = None  # one chunk is held back, so that the last one is known as the last
        async for chunk in source.chunks(kernel, writer, work):
            if held is not None:
                yield held, source.meta(held, final=False)
            held = chunk
        if held is not None:
            yield held, source.meta(held, final=work.done() and work.exception() is None)
        told = True
        await work
    finally:
        work.cancel()
        await asyncio.wait((work,))
        if not told and not work.cancelled() and (error := work.exception()):
            _log.warning("a stream that its reader left had failed: %s: %s", type(error).__name__, error)


class _Stream:
    """Where a stream stands."""

    def __init__(self, task: Task, config: StreamingConfig) -> None:
        assert task.span is not None
        self.collection: Collection | None = None
        self.moved = asyncio.Event()
        self._task = task
        self._span = task.span
        self._config = config
        self._read_to = task.span.start
        self._index = 0
        self._slots = task.grid.count(task.span)

    def has_room(self) -> bool:
        """Whether the collection may run further ahead of the reader."""
        if self.collection is None:
            return True
        front = min(self.collection.pipeline.work.proven.front(self._read_to), self._span.end)
        ready = self._task.grid.count(Span(self._read_to, front)) if front > self._read_to else 0
        return ready < self._config.buffer_chunks * self._config.chunk_yield_size

    async def chunks(
        self, kernel: Kernel, writer: Writer, work: "asyncio.Task[None]"
    ) -> AsyncGenerator[CandleBatch, None]:
        """Chunks of the configured size, the last one shorter."""
        size = self._config.chunk_yield_size
        rest = CandleBatch.empty()
        while True:
            self.moved.clear()
            finished = work.done()
            front = await self._last_front(kernel, writer, work) if finished else self._front()
            if front > self._read_to:
                read = LoadRead(symbol=self._task.record.symbol, span=Span(self._read_to, front))
                async for batch in read_chunks(kernel.storage(), read, rows=size):
                    rest = CandleBatch.concat([rest, batch])
                    while len(rest) >= size:
                        self._read_to = int(rest.open_time[size - 1]) + 1
                        self._wake()
                        yield rest[:size]
                        rest = rest[size:]
                self._read_to = front
                self._wake()
            if finished:
                break
            await self.moved.wait()
        if len(rest):
            yield rest

    def meta(self, chunk: CandleBatch, *, final: bool) -> StreamingMeta:
        """Where a chunk stands in the stream."""
        grid, size = self._task.grid, self._config.chunk_yield_size
        self._index += 1
        done = grid.count(Span(self._span.start, chunk.last + 1))
        return StreamingMeta(
            chunk_index=self._index - 1,
            chunk_count=self._index if final else max(self._index + 1, -(-self._slots // size)),
            total_progress=1.0 if final else done / self._slots,
            chunk_time_range=(to_datetime(chunk.first), to_datetime(grid.after(chunk.last))),
            is_final_chunk=final,
        )

    def _front(self) -> int:
        return self.collection.pipeline.committed_front() if self.collection else self._read_to

    async def _last_front(self, kernel: Kernel, writer: Writer, work: "asyncio.Task[None]") -> int:
        """The front when the work is over: all, or, after a failure, what was on its way to the database too."""
        if work.exception() is None:
            return self._span.end
        await writer.close()
        facts = await read_facts(kernel, self._task.record, self._span)
        covered = Known.of(facts, Pipeline.sources(self._task.provider)).covered
        return min(covered.front(self._read_to), self._span.end)

    def _wake(self) -> None:
        if self.collection:
            self.collection.pipeline.wake()
