"""How a long range is cut: into chunks of the calendar to hand out, and into pieces of whole pages to ask for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from candle_core.coordinator.models import LargeCandleResponse
from candle_core.timeframes import Grid
from candle_hookspecs import Anchor, BadInputError, CandleBatch, SlotReport, Span, to_datetime


class Chunk(StrEnum):
    """How a range is cut, in UTC."""

    WEEK = "week"  # from Monday
    MONTH = "month"


def cut(span: Span, chunk: Chunk | str) -> list[Span]:
    """Chunks of the calendar, the first and the last of which may be shorter.

    Raises:
        BadInputError: no such chunk.
    """
    if chunk not in set(Chunk):
        raise BadInputError(f"{chunk!r} is no chunk; there are {', '.join(Chunk)}")
    calendar = Grid.of("1w" if chunk == Chunk.WEEK else "1M")
    edges, edge = [span.start], calendar.after(span.start)
    while edge < span.end:
        edges.append(edge)
        edge = calendar.after(edge)
    return _between(edges, span.end)


def pieces(chunks: Sequence[Span], closed: int, grid: Grid, page: int, anchor: Anchor) -> list[Span]:
    """The same range in pieces that end with or soon after a chunk, each as many pages as a plain request has there.

    A chunk is hardly ever a number of whole pages. If each were asked for by itself, each would cost a request more
    than its share, and months of days, which are far less than a page, a request each.

    Args:
        chunks: in time order, one behind the other.
        closed: the first open time that is not to be had yet, UTC ms.
        grid: of the timeframe.
        page: most candles in one answer.
        anchor: the end from which pages are counted, of the whole range too.
    """
    start, end = chunks[0].start, chunks[-1].end
    first, behind = grid.index(start - 1) + 1, grid.index(min(end, closed) - 1) + 1
    edges = [start]
    for chunk in chunks[1:]:
        slot = grid.index(chunk.start - 1) + 1
        if anchor is Anchor.START:
            slot += (first - slot) % page
            edge = grid.open(slot - 1) + 1  # as `plan.cut` does: what opens off the grid belongs to the next page
        else:
            slot += (behind - slot) % page
            edge = grid.open(slot)
        if first < slot < behind and edge > edges[-1]:
            edges.append(edge)
    return _between(edges, end)


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of a piece; `counted`: what it cost stands in the report of a chunk already."""

    span: Span
    response: LargeCandleResponse
    counted: bool = False


def unite(chunk: Span, found: Sequence[Piece], slots: dict[str, SlotReport]) -> LargeCandleResponse:
    """A chunk out of the pieces that it lies in, which are one or more."""
    last = found[-1].response
    fresh = [piece.response.report for piece in found if not piece.counted]
    failures = {name: error for piece in found for name, error in piece.response.failures.items()}
    candles = {
        name: CandleBatch.concat([piece.response.candles[name].between(chunk) for piece in found])
        for name in last.candles
        if name not in failures
    }
    held = [batch for batch in candles.values() if len(batch)]
    report = replace(
        last.report,
        failed=len(failures),
        rows=sum(map(len, held)),
        requests=sum(report.requests for report in fresh),
        retries=sum(report.retries for report in fresh),
        cache_hits=min((report.cache_hits for report in fresh), default=len(candles)),
        joined=max((report.joined for report in fresh), default=0),
        size=sum(report.size for report in fresh),
        duration_seconds=max((report.duration_seconds for report in fresh), default=0.0),
        request_seconds=tuple(seconds for report in fresh for seconds in report.request_seconds),
        time_range=_range(held),
    )
    summaries = {name: summary for name, summary in last.summaries.items() if name not in failures}
    return LargeCandleResponse(candles=candles, slots=slots, summaries=summaries, failures=failures, report=report)


def _range(held: Sequence[CandleBatch]) -> tuple[datetime, datetime] | None:
    if not held:
        return None
    return to_datetime(min(batch.first for batch in held)), to_datetime(max(batch.last for batch in held) + 1)


def _between(edges: Sequence[int], end: int) -> list[Span]:
    return [Span(start, stop) for start, stop in zip(edges, [*edges[1:], end], strict=True)]
