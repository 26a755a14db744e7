"""Three ways to hand over the same candles: a batch, a stream, a summary."""

import asyncio
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest

from candle_hookspecs import (
    CandleBatch,
    Candles,
    CollectionConfig,
    MemoryLimitError,
    StreamingConfig,
    StreamingMeta,
    TransientError,
)
from candle_testkit.sandbox import OffGrid

from .conftest import MakeWorld
from .world import MINUTE, World, after, assert_equal, bitcoin, ms

START = "2024-01-01"


def at(minute: float) -> str:
    return after(START, minute)


async def streamed(candles: Candles, **options: Any) -> list[tuple[CandleBatch, StreamingMeta]]:
    return [chunk async for chunk in candles.stream_candles("BTC/USDT", "1m", **options)]


def columns(batch: CandleBatch) -> dict[str, Any]:
    return batch.columns()


RANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a day": ({}, START, at(1_440)),
    "a sparse stretch": ({"holes": [(at(n * 50), at(n * 50 + 47)) for n in range(1, 60)]}, START, at(3_000)),
    "rows off the grid": (
        {"off_grid": [OffGrid("1m", at(n), 31_000, extra=bool(n % 2)) for n in (3, 999, 1_000, 1_501)]},
        START,
        at(2_000),
    ),
    "a beginning inside": ({"listed": at(700)}, START, at(2_000)),
}


@pytest.mark.parametrize("name", RANGES)
async def test_the_three_modes_give_the_same(make_world: MakeWorld, name: str) -> None:
    options, start, end = RANGES[name]
    found: list[dict[str, Any]] = []
    for mode in ("batch", "summary", "stream"):
        world = make_world(bitcoin(**options))
        async with world.open() as candles:
            if mode == "batch":
                batch = await candles.get_candles("BTC/USDT", "1m", start=start, end=end)
            elif mode == "summary":
                summary = await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)
                batch = await candles.load("BTC/USDT", "1m", start=start, end=end)
                assert summary.collected_count == summary.db_records_count == len(batch)
            else:
                chunks = await streamed(candles, start=start, end=end, config=StreamingConfig(chunk_yield_size=300))
                batch = CandleBatch.concat(chunk for chunk, _ in chunks)
        assert_equal(columns(batch), world.truth(start, end))
        found.append(columns(batch))
    assert_equal(found[0], found[1])
    assert_equal(found[0], found[2])


async def test_a_stream_says_where_it_stands(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        chunks = await streamed(candles, start=START, end=at(2_500), config=StreamingConfig(chunk_yield_size=1_000))
    assert [len(chunk) for chunk, _ in chunks] == [1_000, 1_000, 500]
    assert [meta.chunk_index for _, meta in chunks] == [0, 1, 2]
    assert [meta.is_final_chunk for _, meta in chunks] == [False, False, True]
    assert [meta.chunk_count for _, meta in chunks] == [3, 3, 3]
    assert [round(meta.total_progress, 6) for _, meta in chunks] == [0.4, 0.8, 1.0]
    times = [(ms(at(0)), ms(at(1_000))), (ms(at(1_000)), ms(at(2_000))), (ms(at(2_000)), ms(at(2_500)))]
    ranges = [tuple(int(edge.timestamp() * 1000) for edge in meta.chunk_time_range) for _, meta in chunks]
    assert ranges == times


async def test_an_exact_multiple_ends_with_a_full_last_chunk(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        chunks = await streamed(candles, start=START, end=at(2_000), config=StreamingConfig(chunk_yield_size=500))
    assert [(len(chunk), meta.is_final_chunk) for chunk, meta in chunks] == [(500, False)] * 3 + [(500, True)]


async def test_what_is_known_is_streamed_without_asking(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(5_000))
    world.forget()
    async with world.open() as candles:
        assert sum(len(chunk) for chunk, _ in await streamed(candles, start=START, end=at(5_000))) == 5_000
    assert world.asked() == []


async def test_a_slow_reader_slows_the_collection(make_world: MakeWorld) -> None:
    world = make_world()
    config = StreamingConfig(chunk_yield_size=500, buffer_chunks=2)
    async with world.open() as candles:
        stream = candles.stream_candles("BTC/USDT", "1m", start=START, end=at(100_000), config=config)
        first, _ = await anext(stream)
        await asyncio.sleep(0.5)  # much longer than the pages of the whole range would take
        asked = len(world.asked())
        await stream.aclose()
    assert len(first) == 500
    assert asked <= 15  # two chunks ready, and what was under way: at most one fan-out of pages


async def test_without_back_pressure_it_runs_ahead(make_world: MakeWorld) -> None:
    world = make_world()
    config = StreamingConfig(chunk_yield_size=500, buffer_chunks=2, enable_backpressure=False)
    async with world.open() as candles:
        stream = candles.stream_candles("BTC/USDT", "1m", start=START, end=at(20_000), config=config)
        await anext(stream)
        async with asyncio.timeout(120):
            while len(world.asked()) < 20:  # noqa: ASYNC110 - the sandbox runs on another loop
                await asyncio.sleep(0.02)
        await stream.aclose()


async def test_leaving_early_stops_and_keeps(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        async for _chunk, meta in candles.stream_candles("BTC/USDT", "1m", start=START, end=at(50_000)):
            if meta.chunk_index == 2:
                break
        asked = -1
        while asked != (asked := len(world.asked())):  # noqa: ASYNC110 - the sandbox runs on another loop
            await asyncio.sleep(0.5)
    # What went on to the end would have everything by now.
    assert 3_000 <= len(world.stored()["open_time"]) < 50_000
    world.assert_honest()


async def test_a_failure_comes_after_everything_before_it(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(10))  # the market is known
    world.sandbox.faults.script("status", times=100, at=at(3_500), status=500)
    got: list[CandleBatch] = []
    async with world.open() as candles:
        with pytest.raises(TransientError):
            await read_into(got, candles)
    whole = CandleBatch.concat(got)
    assert np.array_equal(whole.open_time, ms(START) + MINUTE * np.arange(len(whole)))
    assert 2_000 <= len(whole) <= 3_500


async def read_into(got: list[CandleBatch], candles: Candles) -> None:
    async for chunk, meta in candles.stream_candles("BTC/USDT", "1m", start=START, end=at(6_000)):
        assert not meta.is_final_chunk
        got.append(chunk)


async def test_over_the_bound_a_batch_is_put_together_from_a_stream(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        with pytest.warns(ResourceWarning, match="max_memory_objects=1000"):
            batch = await candles.get_candles(
                "BTC/USDT", "1m", start=START, end=at(3_000), config=CollectionConfig(max_memory_objects=1_000)
            )
    assert_equal(columns(batch), world.truth(START, at(3_000)))


async def test_over_the_bound_without_fallback_nothing_is_asked(make_world: MakeWorld) -> None:
    world = make_world()
    config = CollectionConfig(max_memory_objects=1_000, fallback_to_streaming=False)
    async with world.open() as candles:
        with pytest.raises(MemoryLimitError, match="max_memory_objects=1000"):
            await candles.get_candles("BTC/USDT", "1m", start=START, end=at(1_001), config=config)
        assert world.asked() == []
        assert len(await candles.get_candles("BTC/USDT", "1m", start=START, end=at(1_000), config=config)) == 1_000


async def test_the_warning_can_be_turned_off(make_world: MakeWorld) -> None:
    world = make_world()
    config = CollectionConfig(max_memory_objects=100, enable_memory_warning=False)
    async with world.open() as candles:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(await candles.get_candles("BTC/USDT", "1m", start=START, end=at(500), config=config)) == 500


@pytest.mark.parametrize(
    "bounds",
    [
        {"to": at(100), "end": START},
        {"to": START, "end": at(100)},
        {"start": START, "to": at(100)},
        {"to": at(100), "count": 100},
        {"start": START, "count": 100},
    ],
    ids=str,
)
async def test_a_range_may_be_said_in_many_ways(make_world: MakeWorld, bounds: dict[str, Any]) -> None:
    world = make_world()
    async with world.open() as candles:
        batch = await candles.get_candles("BTCUSDT", "1m", **bounds)
    assert_equal(columns(batch), world.truth(START, at(100)))


async def test_streaming_needs_no_more_memory_for_more_candles(make_world: MakeWorld) -> None:
    world = make_world()
    peaks = [await _peak_of_stream(world, minutes) for minutes in (5_000, 40_000)]
    assert peaks[1] < 1.5 * peaks[0]


async def _peak_of_stream(world: World, minutes: int) -> int:
    await world.collect(START, at(minutes))
    tracemalloc.start()
    try:
        async with world.open() as candles:
            async for _chunk, _meta in candles.stream_candles("BTC/USDT", "1m", start=START, end=at(minutes)):
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
