"""Ended at any moment, by Ctrl-C or by `kill -9`: what was committed stays, and the next run asks only for the rest."""

import asyncio
import json
import random
import signal

import numpy as np
import pytest

from candle_hookspecs import CollectionProgress
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.processes import end_after, finish, start_collecting
from tests.end_to_end.world import MINUTE, PAGE, World, after, assert_equal, bitcoin, inside, ms

START = "2024-01-01"
PAGES = 60
END = after(START, PAGES * PAGE)
WORDS = ("--start", START, "--end", END)
KILLS = 6


def world_with_holes(make_world: MakeWorld) -> World:
    """Slow enough to be hit in the middle."""
    holes = [(after(START, 20_500), after(START, 22_800)), (after(START, 41_000), after(START, 41_001))]
    return make_world(bitcoin(holes=holes), latency_ms=15)


def missing_stretches(world: World) -> list[tuple[int, int]]:
    """First and last slot of each stretch that no fact covers."""
    slots = list(range(ms(START), ms(END), MINUTE))
    if not world.path.exists():
        return [(slots[0], slots[-1])]
    known = inside(np.array(slots), [*world.proven("answered"), *world.proven("not-listed")])
    stretches: list[tuple[int, int]] = []
    for slot, covered in zip(slots, known, strict=True):
        if covered:
            continue
        if stretches and stretches[-1][1] == slot - MINUTE:
            stretches[-1] = stretches[-1][0], slot
        else:
            stretches.append((slot, slot))
    return stretches


def assert_only_the_rest_was_asked(world: World, missing: list[tuple[int, int]]) -> None:
    """Each stretch costs its pages, and no request starts outside of all of them, but for the one that asks once where
    the market begins."""
    asked = [int(request.params["startTime"]) for request in world.asked()]
    assert asked.count(0) <= 1
    asked = [moment for moment in asked if moment]
    pages = sum(-(-((last - first) // MINUTE + 1) // PAGE) for first, last in missing)
    assert len(asked) <= pages
    for moment in asked:
        assert any(first - MINUTE < moment <= last for first, last in missing), moment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_ended_again_and_again(make_world: MakeWorld, number: signal.Signals) -> None:
    world = world_with_holes(make_world)
    moments = random.Random(20180208)
    rows = 0
    for kill in range(KILLS):
        missing = missing_stretches(world) if world.counts()[1] else []
        world.forget()
        process = start_collecting(world, *WORDS)
        end_after(world, process, moments.randrange(0 if kill == 0 else 1, 9), moments.uniform(0, 0.04), number)
        code, out, err = finish(process)
        if number is signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 128 + signal.SIGINT, err
            assert "Traceback" not in err
            assert "interrupted" in json.loads(out)["error"]["message"]
        if missing:
            assert_only_the_rest_was_asked(world, missing)
        if world.counts()[0]:
            world.assert_honest()
        assert world.counts()[0] >= rows
        rows = world.counts()[0]
    assert 0 < rows < len(world.truth(START, END)["open_time"]), "no run was ended half way"

    missing = missing_stretches(world)
    world.forget()
    code, out, err = finish(start_collecting(world, *WORDS))
    assert (code, err) == (0, "")
    (summary,) = json.loads(out)["symbols"]
    assert summary["saved"]["inserted"] == world.counts()[0] - rows
    assert summary["db_records_count"] == len(world.truth(START, END)["open_time"])
    assert_only_the_rest_was_asked(world, missing)
    # `truth` is what an uninterrupted run holds, too: see test_nothing_lost.
    world.assert_complete(START, END)


def test_the_result_equals_an_uninterrupted_one(make_world: MakeWorld) -> None:
    broken = world_with_holes(make_world)
    for requests in (5, 12, 3):
        broken.forget()
        process = start_collecting(broken, *WORDS)
        end_after(broken, process, requests, 0.01, signal.SIGKILL)
        finish(process)
    assert finish(start_collecting(broken, *WORDS))[0] == 0

    whole = World(broken.sandbox, broken.path.with_name("whole.sqlite3"))
    assert finish(start_collecting(whole, *WORDS))[0] == 0
    assert_equal(broken.stored(), whole.stored())
    assert broken.proven("answered") == whole.proven("answered")


def test_two_signals_end_it_at_once(make_world: MakeWorld) -> None:
    """Whoever presses Ctrl-C twice wants out; the database is none the worse."""
    world = world_with_holes(make_world)
    process = start_collecting(world, *WORDS)
    end_after(world, process, 20, 0.0, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code in (128 + signal.SIGINT, -signal.SIGINT)
    assert "Traceback" not in err
    world.assert_honest()
    assert finish(start_collecting(world, *WORDS))[0] == 0
    world.assert_complete(START, END)


async def test_a_cancelled_collection_keeps_what_it_committed(make_world: MakeWorld) -> None:
    world = world_with_holes(make_world)
    far = asyncio.Event()

    def watch(progress: CollectionProgress) -> None:
        if progress.current_chunk >= 20:
            far.set()

    async with world.open() as candles:
        running = asyncio.create_task(
            candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END, progress_callback=watch)
        )
        await far.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert world.counts()[0] > 0
    world.assert_honest()
    missing = missing_stretches(world)
    world.forget()
    await world.collect(START, END)
    assert_only_the_rest_was_asked(world, missing)
    world.assert_complete(START, END)


async def test_two_processes_at_once_fill_one_database(make_world: MakeWorld) -> None:
    world = world_with_holes(make_world)
    processes = [start_collecting(world, "--start", START, "--end", END) for _ in range(2)]
    assert [finish(process)[0] for process in processes] == [0, 0]
    world.assert_complete(START, END)
