"""What an answer proves, and what it only says: every way in which a page can mislead."""

from datetime import UTC, datetime
from typing import Any

import pytest

from candle_testkit.sandbox import MarketConfig, OffGrid
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import MINUTE, World, after, bitcoin, ms

START = "2024-01-01"
PAGES = 5


def at(minute: float) -> str:
    return after(START, minute)


SLOTS = PAGES * 1_000
END = at(SLOTS)


async def collected(world: World, start: str = START, end: str = END, *, requests: int) -> World:
    """Collect, compare with the truth, hold the number of requests, and see that a second run asks nothing."""
    summary = await world.collect(start, end)
    assert summary.complete
    assert len(world.asked()) <= requests
    world.assert_complete(start, end)
    world.forget()
    await world.collect(start, end)
    assert world.asked() == []
    return world


# ── rows off the grid ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("extra", [False, True], ids=["moved", "extra"])
@pytest.mark.parametrize("slot", [0, 998, 999, 1_000, SLOTS - 1])
async def test_a_page_that_ends_near_a_row_off_the_grid(make_world: MakeWorld, slot: int, extra: bool) -> None:
    odd = OffGrid("1m", at(slot), 31_000, extra=extra)
    world = await collected(make_world(bitcoin(off_grid=[odd])), requests=PAGES + 1)
    assert ms(at(slot)) + 31_000 in world.stored(START, END)["open_time"]


@pytest.mark.parametrize("slot", [999, 1_999])
async def test_a_full_page_may_hide_a_row_off_the_grid_behind_it(make_world: MakeWorld, slot: int) -> None:
    """The last page is filled by the rows on the grid; what opens after the last of them is in the range, too."""
    odd = OffGrid("1m", at(slot), 31_000, extra=True)
    world = await collected(make_world(bitcoin(off_grid=[odd])), START, at(slot + 1), requests=slot // 1_000 + 2)
    assert len(world.stored(START, at(slot + 1))["open_time"]) == slot + 2


async def test_ranges_side_by_side_leave_nothing_between(make_world: MakeWorld) -> None:
    odd = [OffGrid("1m", at(slot), 31_000, extra=True) for slot in range(99, 1_000, 100)]
    world = make_world(bitcoin(off_grid=odd))
    for start in range(0, 1_000, 100):
        await world.collect(at(start), at(start + 100))
    world.assert_complete(START, at(1_000))
    assert len(world.stored(START, at(1_000))["open_time"]) == 1_010


async def test_every_page_ends_on_a_row_off_the_grid(make_world: MakeWorld) -> None:
    odd = [OffGrid("1m", at(page * 1_000 + 999), 30_000, extra=page % 2 == 0) for page in range(PAGES)]
    await collected(make_world(bitcoin(off_grid=odd)), requests=2 * PAGES)


# ── holes, beginnings and ends ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("head", [60, 1_000, 1_440])
async def test_a_hole_of_ten_months(make_world: MakeWorld, head: int) -> None:
    start, end = after("2023-02-01", -head), after("2023-12-01", 1_440)
    world = make_world(bitcoin(listed="2022-06-01", holes=[("2023-02-01", "2023-12-01")]))
    await collected(world, start, end, requests=8)  # 438 pages of it would be empty
    assert len(world.stored(start, end)["open_time"]) == head + 1_440


async def test_a_range_inside_a_hole(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(holes=[(at(-10_000), at(20_000))]))
    await collected(world, START, END, requests=2)
    async with world.open() as candles:
        slots = await candles.slots("BTC/USDT", "1m", start=START, end=END)
    assert (slots.proven_empty, slots.slots, slots.rows) == (SLOTS, SLOTS, 0)


async def test_many_holes_of_more_than_a_page(make_world: MakeWorld) -> None:
    holes = [(at(start), at(start + 1_700)) for start in range(500, 20_000, 2_000)]
    await collected(make_world(bitcoin(holes=holes)), START, at(20_000), requests=20)


async def test_a_range_wholly_before_listing(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed="2024-03-01"))
    await collected(world, requests=2)
    async with world.open() as candles:
        slots = await candles.slots("BTC/USDT", "1m", start=START, end=END)
    assert (slots.not_listed, slots.slots, slots.rows) == (SLOTS, SLOTS, 0)


async def test_nothing_before_listing_is_ever_asked_again(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed="2024-03-01"))
    await world.collect(START, END)
    world.forget()
    summary = await world.collect("2017-01-01", at(20_000))
    assert summary.complete
    assert world.asked() == []


@pytest.mark.parametrize("minute", [1, 999, 1_000, 1_001, 2_345, SLOTS - 1])
async def test_a_range_partly_before_listing(make_world: MakeWorld, minute: int) -> None:
    world = make_world(bitcoin(listed=at(minute)))
    await collected(world, requests=PAGES + 2)
    async with world.open() as candles:
        slots = await candles.slots("BTC/USDT", "1m", start=START, end=END)
    assert (slots.not_listed, slots.filled, slots.proven_empty) == (minute, SLOTS - minute, 0)


@pytest.mark.parametrize("minute", [1, 1_000, 2_345, SLOTS - 1])
async def test_a_range_partly_after_delisting(make_world: MakeWorld, minute: int) -> None:
    world = make_world(bitcoin(delisted=at(minute)))
    await collected(world, requests=PAGES + 2)
    assert len(world.stored(START, END)["open_time"]) == minute


async def test_a_range_wholly_after_delisting(make_world: MakeWorld) -> None:
    await collected(make_world(bitcoin(delisted=at(-7_000))), requests=2)


async def test_a_market_that_ended_within_ten_years(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed=at(1_000), delisted=at(3_500)))
    await collected(world, "2015-01-01", "2024-05-31", requests=8)
    assert len(world.stored()["open_time"]) == 2_500


@pytest.mark.parametrize("slots", [1, 2, 999, 1_000, 1_001, 1_999, 2_001])
async def test_ranges_around_the_size_of_a_page(make_world: MakeWorld, slots: int) -> None:
    """A page of one row, and one that is a row short, are ordinary ends of a range."""
    await collected(make_world(), START, at(slots), requests=-(-slots // 1_000))


async def test_a_market_with_a_candle_now_and_then(make_world: MakeWorld) -> None:
    """Costs requests by its bars, not by its slots."""
    holes = [(at(day * 1_440 + 1), at((day + 1) * 1_440)) for day in range(60)]
    world = await collected(make_world(bitcoin(holes=holes)), START, at(60 * 1_440), requests=4)
    assert len(world.stored(START, at(60 * 1_440))["open_time"]) == 60


# ── answers that mislead ─────────────────────────────────────────────────────────────────────────────────────────────

PLACES = {"first": 500, "middle": 2_500, "last": 4_500}
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lying empty": ("lying_empty", {}),
    "one row": ("one_row", {"keep": "first"}),
    "the last row alone": ("one_row", {"keep": "last"}),
    "one row short": ("short", {"rows": 1}),
    "one row short in front": ("short", {"rows": 1, "side": "first"}),
    "half a page": ("short", {"rows": 500}),
    "every row twice": ("duplicates", {}),
    "a row twice": ("duplicates", {"rows": 1}),
    "reordered": ("reordered", {}),
    "rows of another range": ("other_range", {}),
    "a price that is no number": ("nan", {"row": 17, "column": 2}),
    "cut short": ("truncated", {}),
    "a web page": ("html", {}),
    "an object": ("wrong_shape", {}),
    "a row of four": ("wrong_shape", {"shape": "short_row"}),
    "a price of null": ("wrong_shape", {"shape": "null_price"}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_misleading_answer(make_world: MakeWorld, fault: str, place: str) -> None:
    world = make_world()
    kind, options = FAULTS[fault]
    world.sandbox.faults.script(kind, at=at(PLACES[place]), **options)
    summary = await world.collect(START, END)
    assert [request.fault for request in world.asked() if request.fault] == [kind]
    assert world.sandbox.faults.waiting() == []
    assert summary.complete
    assert summary.db_records_count == summary.collected_count == SLOTS
    assert len(world.asked()) <= PAGES + 2
    world.assert_complete(START, END)


async def test_all_of_it_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    for number, (kind, options) in enumerate(FAULTS.values()):
        world.sandbox.faults.script(kind, at=at(number * 1_000 + 500), **options)
    end = at(len(FAULTS) * 1_000)
    assert (await world.collect(START, end)).complete
    assert world.sandbox.faults.waiting() == []
    assert len(world.asked()) <= 3 * len(FAULTS)
    world.assert_complete(START, end)


async def test_a_lying_empty_answer_before_a_real_hole(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(holes=[(at(2_300), at(4_100))]))
    world.sandbox.faults.script("lying_empty", at=at(2_100))
    await collected(world, requests=PAGES + 4)


async def test_a_lying_answer_where_the_market_begins(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed=at(1_500)))
    world.sandbox.faults.script("lying_empty")
    await collected(world, requests=PAGES + 4)


async def test_rows_of_another_range_where_the_market_begins(make_world: MakeWorld) -> None:
    """Nothing lies before its first page, so the wrong rows come from behind it; where it began gives them the lie."""
    world = make_world(bitcoin(listed=at(1_500)))
    world.sandbox.faults.script("other_range")
    await collected(world, requests=PAGES + 3)


# ── near the present ─────────────────────────────────────────────────────────────────────────────────────────────────


def halted(halt: float, resumed: float) -> MarketConfig:
    return bitcoin(holes=[(at(halt), at(resumed))])


async def test_a_halt_near_the_present_is_asked_again_and_not_frozen(make_world: MakeWorld) -> None:
    world = make_world(halted(3_000, 3_010), at=at(3_006.5))
    early = await world.collect(START)
    assert early.overlap_analysis_results["pending"] == 6
    assert [end for _, end in early.pending] == [datetime(2024, 1, 3, 2, 6, tzinfo=UTC)]
    world.assert_honest()
    assert not [end for _, end in world.proven("answered") if end > ms(at(3_000))]

    world.sandbox.clock.set(at(3_030.5))
    world.forget()
    late = await world.collect(START)
    assert late.complete
    assert late.pending == ()
    assert 1 <= len(world.asked()) <= 3  # the page, where the market began, and the leap from the other end
    world.assert_complete(START, at(3_030))
    async with world.open() as candles:
        slots = await candles.slots("BTC/USDT", "1m", start=START, end=at(3_030))
    assert (slots.filled, slots.proven_empty, slots.missing) == (3_020, 10, 0)


async def test_an_exchange_that_lies_near_the_present_is_asked_again(make_world: MakeWorld) -> None:
    """It says twice, from both ends, that nothing was traded in the last minutes; a moment later it knows better."""
    world = make_world(at=at(2_005.5))
    await world.collect(START, at(2_000))
    world.sandbox.faults.script("lying_empty", times=2)
    lied = await world.collect(START)
    assert lied.pending
    assert lied.db_records_count == 2_000
    world.assert_honest()
    world.sandbox.faults.clear()
    told = await world.collect(START)
    assert told.complete
    assert told.pending == ()
    assert told.db_records_count == 2_005
    world.assert_complete(START, at(2_005))


async def test_a_long_halt_that_lasts_is_believed_up_to_the_doubtful_minutes(make_world: MakeWorld) -> None:
    world = make_world(halted(1_000, 50_000), at=at(4_000.5))
    await world.collect(START)
    proven = world.proven("answered")
    assert proven[0][0] <= ms(START)
    assert proven[-1][1] <= ms(at(4_000)) - 600_000 + MINUTE
    assert proven[-1][1] >= ms(at(3_900))
    world.assert_honest()
    world.forget()
    await world.collect(START)
    assert len(world.asked()) <= 2
