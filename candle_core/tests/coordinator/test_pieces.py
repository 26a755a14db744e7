"""A long range in pieces: whole pages of the plain request, and no piece without need."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from candle_core.coordinator.profiles.pieces import Chunk, cut, pieces
from candle_core.plan import cut as pages
from candle_core.timeframes import Grid
from candle_hookspecs import Anchor, BadInputError, FetchRequest, ProviderCapabilities, Span, to_ms

DAY = 86_400_000
HOUR = 3_600_000


def span(start: str, end: str) -> Span:
    return Span(to_ms(start), to_ms(end))


@settings(max_examples=300)
@example(Anchor.END, "1M", Chunk.WEEK, 7, to_ms("2020-09-01") + 1, 212 * DAY)
@given(
    anchor=st.sampled_from(Anchor),
    timeframe=st.sampled_from(["1h", "4h", "1d", "1w", "1M"]),
    chunk=st.sampled_from(Chunk),
    page=st.sampled_from([7, 200, 1000]),
    start=st.integers(to_ms("2020-01-01"), to_ms("2021-01-01")),
    length=st.integers(1, 500 * DAY),
)
def test_the_pieces_are_the_pages_of_the_whole(
    anchor: Anchor, timeframe: str, chunk: Chunk, page: int, start: int, length: int
) -> None:
    grid, whole = Grid.of(timeframe), Span(start, start + length)
    chunks = cut(whole, chunk)
    found = pieces(chunks, whole.end, grid, page, anchor)
    assert (found[0].start, found[-1].end) == (whole.start, whole.end)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert len(found) <= len(chunks)
    able = ProviderCapabilities(contract=1, timeframes=(timeframe,), tradetypes=("SPOT",), page_limit=page)
    wish = FetchRequest(markets=(), timeframe=timeframe, span=whole, anchor=anchor)
    asked = [one.span for piece in found for one in pages(replace(wish, span=piece), grid, able)]
    assert asked == [one.span for one in pages(wish, grid, able)]


@pytest.mark.parametrize("anchor", Anchor)
def test_a_chunk_is_there_with_the_page_that_ends_it(anchor: Anchor) -> None:
    chunks = cut(span("2024-01-01", "2024-04-01"), "month")
    found = pieces(chunks, chunks[-1].end, Grid.of("1h"), 200, anchor)
    assert len(found) == 3
    for piece, chunk in zip(found, chunks, strict=True):
        assert 0 <= piece.end - chunk.end < 200 * HOUR


def test_what_is_not_closed_yet_is_no_page() -> None:
    """An exchange that counts back counts from the last closed candle, whatever end was asked for."""
    chunks = cut(span("2024-01-01", "2024-12-01"), "month")
    found = pieces(chunks, to_ms("2024-03-11"), Grid.of("1d"), 30, Anchor.END)
    assert [piece.start for piece in found] == [to_ms("2024-01-01"), to_ms("2024-02-10")]


def test_no_such_chunk() -> None:
    with pytest.raises(BadInputError, match="'day' is no chunk; there are week, month"):
        cut(span("2024-01-01", "2024-02-01"), "day")
