"""Backtest: a long range in chunks of the calendar, some of them collected at once, handed out in time order."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from candle_core.coordinator.coordinator import MAX_CONCURRENCY, MarketDataCoordinator
from candle_core.coordinator.models import LargeCandleRequest, LargeCandleResponse
from candle_core.timeframes import Grid
from candle_hookspecs import BadInputError, Span, TimeRange, to_datetime

AHEAD: Final = 2
"""Chunks collected at once."""


class Chunk(StrEnum):
    """How a range is cut, in UTC."""

    WEEK = "week"  # from Monday
    MONTH = "month"


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

    Two chunks are collected at once, each with half of the calls that the request may have under way: while one ends,
    the next one fills the line to the exchange. So the first is there long before the last, and memory holds two.
    Where neither the request nor the coordinator says how many calls that are, they are as many as pay at the exchange.

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
    began, parts, most = time.perf_counter(), _cut(span, chunk), _concurrency(coordinator, request)
    ahead = min(AHEAD, most, len(parts))
    each = replace(request, count=None, to=None, max_concurrency=most // ahead)
    waiting = deque(parts)
    running: deque[asyncio.Task[LargeCandleResponse]] = deque()
    try:
        for done, part in enumerate(parts, 1):
            while waiting and len(running) < ahead:
                piece = waiting.popleft()
                one = replace(each, start=piece.start, end=piece.end)
                running.append(asyncio.create_task(coordinator.get_candle_data(one)))
            response = await running[0]
            running.popleft()
            if progress_callback is not None:
                when = (to_datetime(part.start), to_datetime(part.end))
                elapsed = time.perf_counter() - began
                left = elapsed / done * (len(parts) - done)
                progress_callback(
                    BacktestProgress(
                        done=done, total=len(parts), time_range=when, elapsed_seconds=elapsed,
                        estimated_remaining_seconds=left,
                    )
                )  # fmt: skip
            yield response
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _concurrency(coordinator: MarketDataCoordinator, request: LargeCandleRequest) -> int:
    if request.max_concurrency is None and coordinator.max_concurrency == MAX_CONCURRENCY:
        return max(MAX_CONCURRENCY, coordinator.candles.kernel.provider(request.exchange).capabilities.concurrency)
    return request.max_concurrency or coordinator.max_concurrency


def _cut(span: Span, chunk: Chunk | str) -> list[Span]:
    if chunk not in set(Chunk):
        raise BadInputError(f"{chunk!r} is no chunk; there are {', '.join(Chunk)}")
    calendar = Grid.of("1w" if chunk == Chunk.WEEK else "1M")
    edges, edge = [span.start], calendar.after(span.start)
    while edge < span.end:
        edges.append(edge)
        edge = calendar.after(edge)
    return [Span(start, end) for start, end in zip(edges, [*edges[1:], span.end], strict=True)]
