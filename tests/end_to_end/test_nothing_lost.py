"""Every candle that the exchange has, and every slot accounted for."""

from decimal import Decimal

import numpy as np

from candle_testkit.sandbox import MarketConfig, OffGrid
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import MINUTE, VALUES, World, after, assert_equal, bitcoin, ms

START = "2024-01-01"
SLOTS = 200_000
END = after(START, SLOTS)
LISTED = after(START, 14_640)


def disturbed() -> MarketConfig:
    """Listed inside the range; holes of every size, quiet stretches, and rows off the grid of both kinds."""
    return bitcoin(
        listed=LISTED,
        holes=[
            (after(START, 20_000), after(START, 20_001)),  # one slot
            (after(START, 31_000), after(START, 31_060)),
            (after(START, 45_640), after(START, 52_840)),  # five days: pages that fall wholly into it
            (after(START, 90_000.25), after(START, 90_000.75)),  # inside a slot, which is there all the same
            (after(START, 199_990), after(START, 200_010)),  # across the end of the range
        ],
        quiet=[(after(START, 60_000), after(START, 60_600)), (after(START, 150_000), after(START, 150_001))],
        off_grid=[
            OffGrid("1m", after(START, 15_639), 30_000),  # last of its page
            OffGrid("1m", after(START, 16_640), 1_000, extra=True),  # first of its page
            OffGrid("1m", after(START, 70_000), 59_000),
            OffGrid("1m", after(START, 70_001), 1_000, extra=True),
            OffGrid("1m", after(START, 123_456), 12_000, extra=True),
            OffGrid("1m", after(START, 199_980), 20_000, extra=True),
        ],
    )


async def test_the_slot_equation_holds_to_the_last_slot(make_world: MakeWorld) -> None:
    world = make_world(disturbed())
    summary = await world.collect(START, END)
    async with world.open() as candles:
        slots = await candles.slots("BTC/USDT", "1m", start=START, end=END)
        batch = await candles.load("BTC/USDT", "1m", start=START, end=END)

    truth = world.truth(START, END)
    on_grid = int((truth["open_time"] % MINUTE == 0).sum())
    in_holes = 1 + 60 + 7_200 + 10
    moved, doubled = 2, 4
    assert slots.slots == SLOTS
    assert slots.not_listed == 14_640
    assert slots.proven_empty == in_holes + moved
    assert slots.filled == on_grid == SLOTS - 14_640 - in_holes - moved
    assert slots.off_grid == len(truth["open_time"]) - on_grid == moved + doubled
    assert slots.rows == len(truth["open_time"]) == slots.filled + slots.off_grid
    assert (slots.missing, slots.out_of_reach) == (0, 0)

    assert summary.complete
    assert summary.collected_count == summary.db_records_count == len(truth["open_time"])
    assert_equal(batch.columns(), truth)
    world.assert_complete(START, END)
    assert_decimals(world)


def assert_decimals(world: World) -> None:
    """Every number is the float nearest to the text on the wire, by way of `Decimal`, on a sample."""
    rows = world.sandbox.ledger.rows("BTCUSDT", "1m", ms(START), ms(END))[::97]
    stored = world.stored(START, END)
    for name in set(VALUES) - {"open_time", "trades"}:
        wanted = [float(Decimal(int(units)).scaleb(-8)) for units in rows[name]]
        assert stored[name][::97].tolist() == wanted


async def test_200_000_of_200_000_not_199_616(make_world: MakeWorld) -> None:
    """The failure that started this project: a dense market, all slots there, and 384 candles short."""
    world = make_world(bitcoin(listed="2023-12-01"))
    summary = await world.collect(START, END)
    async with world.open() as candles:
        batch = await candles.load("BTC/USDT", "1m", start=START, end=END)

    expected = ms(START) + MINUTE * np.arange(SLOTS)
    assert len(world.truth(START, END)["open_time"]) == SLOTS
    assert summary.collected_count == summary.db_records_count == len(batch) == SLOTS
    assert summary.saved.inserted == SLOTS
    assert np.array_equal(batch.open_time, expected)
    assert len(world.asked()) == SLOTS // 1_000
    world.assert_complete(START, END)


async def test_count_takes_exactly_so_many_slots_back_from_now(make_world: MakeWorld) -> None:
    world = make_world(at="2024-06-01T00:00:30")
    summary = await world.collect(count=25_001)
    wanted = world.truth(after("2024-06-01", -25_001), "2024-06-01")
    assert len(wanted["open_time"]) == 25_001
    assert summary.collected_count == summary.db_records_count == 25_001
    assert_equal(world.stored(), wanted)
    world.assert_honest()


async def test_each_timeframe_holds_every_candle(make_world: MakeWorld) -> None:
    world = make_world(disturbed())
    for timeframe in ("5m", "1h", "1d"):
        summary = await world.collect("2024-01-01", "2024-05-18", timeframe=timeframe)
        assert summary.complete
        assert summary.db_records_count == len(
            world.truth("2024-01-01", "2024-05-18", timeframe=timeframe)["open_time"]
        )
        world.assert_complete("2024-01-01", "2024-05-18", timeframe=timeframe)


async def test_since_1970_means_all_of_it(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed="2024-05-30T00:00"))
    summary = await world.collect("1970-01-01", "2024-06-01", timeframe="1h")
    assert summary.complete
    world.assert_complete("2024-05-30", "2024-06-01", timeframe="1h")
