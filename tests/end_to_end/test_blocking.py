"""The blocking twin, plainly and where an event loop runs already, as in a notebook."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from candle_core import blocking
from candle_hookspecs import BadSpanError, CandleBatch, CollectionProgress, UnknownMarketError
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import World, after, assert_equal, tables, write_toml

START = "2024-01-01"
END = after(START, 2_500)


def collect_and_load(world: World, tell: Callable[[CollectionProgress], None] | None = None) -> CandleBatch:
    """What a script does."""
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        summary = candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END, progress_callback=tell)
        assert summary.complete
        assert candles.slots("BTC/USDT", "1m", start=START, end=END).filled == 2_500
        return candles.load("BTC/USDT", "1m", start=START, end=END)


def test_plainly(make_world: MakeWorld) -> None:
    world = make_world()
    assert_equal(collect_and_load(world).columns(), world.truth(START, END))
    world.assert_complete(START, END)


async def test_inside_a_running_loop(make_world: MakeWorld) -> None:
    """A notebook's cell runs on the loop itself and calls straight away."""
    world = make_world()
    assert asyncio.get_running_loop().is_running()
    assert_equal(collect_and_load(world).columns(), world.truth(START, END))


async def test_in_a_thread_beside_a_running_loop(make_world: MakeWorld) -> None:
    """The collection goes on each time that the loop has answered it: so both run."""
    world, loop = make_world(), asyncio.get_running_loop()
    answers: list[int] = []

    async def tick(number: int) -> None:
        answers.append(number)

    def ask(progress: CollectionProgress) -> None:
        asyncio.run_coroutine_threadsafe(tick(progress.covered_slots), loop).result(timeout=120)

    batch = await asyncio.to_thread(collect_and_load, world, ask)
    assert answers[-1] == 2_500
    assert_equal(batch.columns(), world.truth(START, END))


def test_kept_open_over_many_cells(make_world: MakeWorld) -> None:
    """Opened in one cell, used in others, closed in the last."""
    world = make_world()
    with ExitStack() as notebook:
        candles = notebook.enter_context(blocking.open(tables(world.sandbox.url, world.path)))
        for cell in range(3):
            candles.collect_candles_only("BTC/USDT", "1m", start=START, end=after(START, 500 * (cell + 1)))
            assert len(candles.load("BTC/USDT", "1m", start=START, end=after(START, 500 * (cell + 1)))) == 500 * (
                cell + 1
            )
    world.assert_complete(START, after(START, 1_500))


def test_several_threads_share_one_manager(make_world: MakeWorld) -> None:
    world = make_world()
    with blocking.open(tables(world.sandbox.url, world.path)) as candles, ThreadPoolExecutor(4) as threads:
        timeframes = ["1m", "5m", "1h", "1d"]
        jobs = [
            threads.submit(candles.collect_candles_only, "BTC/USDT", timeframe, start=START, end=END)
            for timeframe in timeframes
        ]
        assert all(job.result(timeout=120).complete for job in jobs)
    for timeframe in timeframes:
        world.assert_complete(START, END, timeframe=timeframe)


def test_errors_arrive_as_they_are(make_world: MakeWorld) -> None:
    world = make_world()
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        with pytest.raises(BadSpanError):
            candles.collect_candles_only("BTC/USDT", "1m", start=END, end=START)
        with pytest.raises(UnknownMarketError):
            candles.collect_candles_only("NO/SUCH", "1m", start=START, end=END)
        assert candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END).complete


def test_no_thread_is_left_behind(make_world: MakeWorld) -> None:
    world = make_world()
    collect_and_load(world)
    before = set(threading.enumerate())
    collect_and_load(world)
    assert set(threading.enumerate()) - before == set()


def test_progress_is_told_and_ends_full(make_world: MakeWorld) -> None:
    world = make_world()
    told: list[CollectionProgress] = []
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END, progress_callback=told.append)
    assert [one.covered_slots for one in told] == sorted(one.covered_slots for one in told)
    assert (told[-1].covered_slots, told[-1].total_slots, told[-1].estimated_remaining_seconds) == (2_500, 2_500, 0.0)


def test_a_script_of_four_lines(make_world: MakeWorld) -> None:
    """As a user would type it, in a process of its own, down to the DataFrame."""
    world = make_world()
    file = write_toml(world.sandbox.url, world.path)
    script = (
        "from candle_core import blocking\n"
        f"with blocking.open({str(file)!r}) as candles:\n"
        f"    candles.collect_candles_only('BTC/USDT', '1m', start='{START}', end='{END}')\n"
        "    frame = candles.load('BTC/USDT', '1m').to_pandas()\n"
        "print(len(frame), frame.index[0].isoformat(), repr(float(frame.close.iloc[-1])))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    count, first, close = done.stdout.split()
    assert int(count) == 2_500
    assert first == "2024-01-01T00:00:00+00:00"
    assert float(close) == world.truth(START, END)["close"][-1]
