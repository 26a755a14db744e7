"""What is known is not asked for again; what is missing costs exactly the requests that cover it."""

from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import PAGE, World, after, bitcoin, ms

START = "2024-01-01"


def at(minute: float) -> str:
    return after(START, minute)


def assert_asked(world: World, count: int, first: float, last: float) -> None:
    """So many history requests, and none that starts outside of the minutes from `first` to `last`."""
    asked = [int(request.params["startTime"]) for request in world.asked()]
    assert len(asked) == count
    assert all(ms(at(first)) <= moment < ms(at(last)) for moment in asked), asked


async def test_a_second_identical_collection_makes_no_history_request(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(holes=[(at(1_500), at(1_800))]))
    first = await world.collect(START, at(5_000))
    before = world.counts()
    world.forget()
    second = await world.collect(START, at(5_000))
    assert world.sandbox.ledger.count() == 0
    assert second.api_calls_made == second.chunks_processed == second.saved.inserted == 0
    assert second.collected_count == second.db_records_count == first.db_records_count == 4_700
    assert second.complete
    assert world.counts() == before


async def test_what_is_within_the_known_is_not_asked_either(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(3_000))
    world.forget()
    async with world.open() as candles:
        for bounds in ((0, 1), (7.5, 2_999.25), (999, 1_001), (2_999, 3_000)):
            part = await candles.collect_candles_only("BTC/USDT", "1m", start=at(bounds[0]), end=at(bounds[1]))
            assert part.complete
        counted = await candles.collect_candles_only("BTC/USDT", "1m", start=at(10), count=500)
        batch = await candles.get_candles("BTCUSDT", "1m", start=at(10), end=at(20))
    assert counted.db_records_count == 500
    assert len(batch) == 10
    assert world.asked() == []


async def test_a_hole_in_the_middle_costs_exactly_its_pages(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(3_000))
    await world.collect(at(7_500), at(10_000))
    world.forget()
    whole = await world.collect(START, at(10_000))
    assert_asked(world, 5, 2_999, 7_500)
    assert sum(request.rows or 0 for request in world.asked()) == whole.saved.inserted == 4_500
    assert whole.overlap_analysis_results == {
        "wanted": 10_000, "already_covered": 5_500, "asked": 4_500, "missing": 0, "pending": 0,
    }  # fmt: skip
    world.assert_complete(START, at(10_000))


async def test_a_missing_slot_costs_one_row(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(1_234))
    await world.collect(at(1_235), at(2_000))
    world.forget()
    await world.collect(START, at(2_000))
    (request,) = world.asked()
    assert request.rows == 1
    world.assert_complete(START, at(2_000))


async def test_many_holes_cost_their_pages(make_world: MakeWorld) -> None:
    world = make_world()
    for start in range(0, 12_000, 3_000):
        await world.collect(at(start), at(start + 1_700))
    world.forget()
    await world.collect(START, at(12_000))
    assert len(world.asked()) == 4 * 2  # 1,300 slots each
    assert sum(request.rows or 0 for request in world.asked()) == 4 * 1_300
    world.assert_complete(START, at(12_000))


async def test_older_history_is_prepended(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(at(5_000), at(8_000))
    world.forget()
    await world.collect(at(2_000), at(8_000))
    assert_asked(world, 3, 1_999, 5_000)
    world.assert_complete(at(2_000), at(8_000))


async def test_newer_candles_are_appended(make_world: MakeWorld) -> None:
    world = make_world(at=at(4_000.5))
    first = await world.collect(at(2_000))
    assert first.db_records_count == 2_000
    world.sandbox.clock.set(at(6_500.5))
    world.forget()
    second = await world.collect(at(2_000))
    assert_asked(world, 3, 3_999, 6_500)
    assert second.db_records_count == 4_500
    world.assert_complete(at(2_000), at(6_500))


async def test_a_count_reaches_back_from_now(make_world: MakeWorld) -> None:
    world = make_world(at=at(9_000.5))
    first = await world.collect(count=1_500)
    assert (first.db_records_count, first.api_calls_made) == (1_500, 2)
    world.forget()
    again = await world.collect(count=1_500)
    assert (again.db_records_count, world.asked()) == (1_500, [])
    world.sandbox.clock.set(at(9_010.5))
    moved = await world.collect(count=1_500)
    assert (moved.db_records_count, moved.saved.inserted, moved.api_calls_made) == (1_500, 10, 1)
    world.assert_complete(at(7_500), at(9_010))


async def test_overlapping_ranges_are_asked_once(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(3_000))
    await world.collect(at(1_500), at(4_500))
    await world.collect(at(4_000), at(6_000))
    assert len(world.asked()) == 3 + 2 + 2
    assert sum(request.rows or 0 for request in world.asked()) == 6_000
    world.assert_complete(START, at(6_000))


async def test_timeframes_are_kept_apart(make_world: MakeWorld) -> None:
    world = make_world()
    end = at(3 * PAGE)
    for timeframe, pages in (("1m", 3), ("5m", 1), ("1h", 1), ("1d", 1)):
        world.forget()
        await world.collect(START, end, timeframe=timeframe)
        assert len(world.asked()) == len(world.asked(interval=timeframe)) == pages
    world.forget()
    for timeframe in ("1m", "5m", "1h", "1d"):
        await world.collect(START, end, timeframe=timeframe)
        world.assert_complete(START, end, timeframe=timeframe)
    assert world.asked() == []


async def test_refetching_asks_for_everything_and_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(START, at(3_000))
    world.forget()
    again = await world.collect(START, at(3_000), refetch=True)
    assert len(world.asked()) == 3
    assert (again.saved.unchanged, again.saved.inserted, again.saved.revised) == (3_000, 0, 0)
    world.assert_complete(START, at(3_000))
