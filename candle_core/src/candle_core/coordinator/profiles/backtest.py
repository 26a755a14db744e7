"""Backtest: a long range in chunks of the calendar, collected ahead of the reader, handed out in time order."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from candle_core.checks import settled_until
from candle_core.collect import DATE_RESOLUTION
from candle_core.coordinator.candles import Way
from candle_core.coordinator.coordinator import MAX_CONCURRENCY, MarketDataCoordinator
from candle_core.coordinator.lanes import Lanes
from candle_core.coordinator.meter import Meter
from candle_core.coordinator.models import LargeCandleRequest, LargeCandleResponse
from candle_core.coordinator.profiles.pieces import Chunk, Piece, cut, pieces, unite
from candle_hookspecs import BadInputError, SlotReport, Span, TimeRange, to_datetime, to_ms

AHEAD: Final = 2
"""Pieces collected at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestProgress:
    """How far a backtest's data is.

    Attributes:
        done: chunks handed out, this one included. total: of so many.
        time_range: of this one.
        elapsed_seconds: since the backtest began, what its reader took for himself included.
        estimated_remaining_seconds: if the other chunks take as long as these.
    """

    done: int
    total: int
    time_range: TimeRange
    elapsed_seconds: float
    estimated_remaining_seconds: float


async def backtest(
    coordinator: MarketDataCoordinator,
    request: LargeCandleRequest,
    chunk: Chunk | str = Chunk.MONTH,
    *,
    progress_callback: Callable[[BacktestProgress], object] | None = None,
) -> AsyncGenerator[LargeCandleResponse, None]:
    """The candles of a range, chunk by chunk in time order.

    They are asked for oldest first, in the very pages of the plain request, so that it costs no request more. While one
    chunk is read and handed out, the next ones are on their way: two pieces, each about a chunk, or a page where chunks
    are less. So the first is there long before the last, the last sooner than all at once would be, and memory holds
    three. Each chunk may cost a request more where part of the range is stored already, for its pages begin elsewhere
    then, or where candles lie so thin that a page counted back from its end reaches into the piece before.

    The `summaries` of a response tell of the collection in which the end of the chunk came. Its `report` counts what
    came since the last chunk; where one answer holds several chunks, that is the first one's.

    Where neither the request nor the coordinator says how many calls may be under way, they are as many as pay at the
    exchange.

    Args:
        coordinator: what to ask through.
        request: with `start` and `end`.
        chunk: how to cut.
        progress_callback: called for each chunk, before it is handed out.

    Raises:
        BadInputError: the request has not both bounds, or no such chunk. And what `get_candle_data` raises.
    """
    span = request.bounds.closed
    if span is None:
        raise BadInputError("a backtest has both its ends: give a start and an end")
    began, chunks = time.perf_counter(), cut(span, chunk)
    ahead = _Ahead(coordinator, request, await _pieces(coordinator, request, chunks))
    try:
        for done, part in enumerate(chunks, 1):
            response = await ahead.chunk(part)
            if progress_callback is not None:
                elapsed = time.perf_counter() - began
                progress_callback(
                    BacktestProgress(
                        done=done, total=len(chunks), time_range=(to_datetime(part.start), to_datetime(part.end)),
                        elapsed_seconds=elapsed, estimated_remaining_seconds=elapsed / done * (len(chunks) - done),
                    )
                )  # fmt: skip
            yield response
    finally:
        await ahead.end()


async def _pieces(
    coordinator: MarketDataCoordinator, request: LargeCandleRequest, chunks: Sequence[Span]
) -> list[Span]:
    provider = coordinator.candles.kernel.provider(request.exchange)
    able, grid = provider.capabilities, await provider.open_grid(request.timeframe)
    await coordinator.records(request, (request.timeframe,))  # once, and not by each of the first pieces
    closed = settled_until(grid, provider.clock.now() - DATE_RESOLUTION, able.settle)
    return pieces(chunks, closed, grid, able.page_limit, able.anchors[0])


class _Ahead:
    """Collects piece after piece, some ahead of what is wanted of them."""

    def __init__(self, coordinator: MarketDataCoordinator, request: LargeCandleRequest, wanted: Sequence[Span]) -> None:
        symbols = len(request.symbols)
        self._coordinator = coordinator
        self._request = replace(request, count=None, to=None)
        lanes = Lanes(_concurrency(coordinator, request), symbols * len(wanted), AHEAD * symbols)
        self._way = Way(lanes=lanes, slots=False)  # chunks have their own
        self._waiting = deque(wanted)
        self._running: deque[tuple[Span, asyncio.Task[LargeCandleResponse]]] = deque()
        self._here: list[Piece] = []
        self._fill()

    async def chunk(self, part: Span) -> LargeCandleResponse:
        """The candles of the chunk behind the last one, as soon as they are there."""
        while self._running and not (self._here and self._here[-1].span.end >= part.end):
            span, task = self._running[0]
            response = await task
            self._running.popleft()
            self._here.append(Piece(span, response))
            self._fill()
        response = unite(part, self._here, await self._slots(part))
        self._here = [replace(piece, counted=True) for piece in self._here if piece.span.end > part.end]
        return response

    async def end(self) -> None:
        """Collect no further. What was committed stays."""
        tasks = [task for _, task in self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._running) < AHEAD:
            span = self._waiting.popleft()
            one = replace(self._request, start=span.start, end=span.end)
            self._running.append(
                (span, asyncio.create_task(self._coordinator.collect(one, replace(self._way, meter=Meter()))))
            )

    async def _slots(self, part: Span) -> dict[str, SlotReport]:
        found = {}
        for name, summary in self._here[-1].response.summaries.items():
            end = min(part.end, to_ms(summary.time_range[1]))
            if end > part.start:
                found[name] = await self._coordinator.candles.slots(summary.symbol, start=part.start, end=end)
        return found


def _concurrency(coordinator: MarketDataCoordinator, request: LargeCandleRequest) -> int:
    if request.max_concurrency is None and coordinator.max_concurrency == MAX_CONCURRENCY:
        return max(MAX_CONCURRENCY, coordinator.candles.kernel.provider(request.exchange).capabilities.concurrency)
    return coordinator.concurrency(request)
