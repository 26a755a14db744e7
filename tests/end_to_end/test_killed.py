"""`kill -9` of the writer at random moments: integrity clean, every acknowledged operation there, no false coverage.

CANDLE_TEST_KILLS sets how often, 25 times if it is not set.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import candle_core
from candle_hookspecs import MaintenanceTask
from candle_testkit.processes import Nursery, Work
from tests.end_to_end.backends import BACKENDS, Backend
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.killed import (
    BEGIN,
    OPEN,
    ORDERS,
    PAGE,
    PAGES,
    UPSERTS,
    collect,
    queue,
    stretch,
)
from tests.end_to_end.world import MINUTE, VALUES, World, assert_equal, bitcoin, inside, tables, united

KILLS = int(os.environ.get("CANDLE_TEST_KILLS", "25"))
MOST = 6  # operations, less one, that are waited for
ALIVE = 0.1  # seconds, at most, from there to the end
MINE = "FROM v_candles WHERE exchange = 'BINANCE' AND base = 'BTC' AND quote = 'USDT' AND timeframe = '1m'"


@pytest.fixture(params=BACKENDS, ids=lambda maker: maker.__name__)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with request.param(tmp_path) as made:
        yield made


def killed_again_and_again(work: Work, configuration: dict[str, Any], *, apart: int) -> Iterator[tuple[int, set[int]]]:
    """Kill writers; for each the number of its first operation and those that it had been told are durable.

    The next writer begins `apart` behind the last of those.
    """
    dice, first = random.Random(9), 0
    with Nursery(work) as nursery:
        for _ in range(KILLS):
            child = nursery.fork(configuration, first)
            assert child.hear() == OPEN
            told = {child.hear() for _ in range(dice.randrange(MOST))}
            time.sleep(dice.uniform(0, ALIVE))
            told.update(child.kill())
            yield first, told
            first = max({first, *told}) + apart


async def make_the_database(configuration: dict[str, Any]) -> None:
    """A market, and some candles before all others; the kill of a first run is test_interruption's."""
    async with candle_core.open(configuration) as candles:
        start, end = stretch(-1)
        await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)


async def assert_sound(configuration: dict[str, Any], *stores: str) -> None:
    async with candle_core.open(configuration) as candles:
        for store in stores:
            assert (await candles.kernel.storage(store).maintain(MaintenanceTask.CHECK)).problems == ()


def rows(backend: Backend, start: int, end: int) -> dict[str, Any]:
    """What is stored between two moments, by plain SQL."""
    found = backend.candles(
        f"SELECT {', '.join(VALUES)} {MINE} AND open_time >= {start} AND open_time < {end} ORDER BY open_time"
    )
    return (
        dict(zip(VALUES, map(np.array, zip(*found, strict=True)), strict=True))
        if found
        else {"open_time": np.array([])}
    )


def answered(backend: Backend) -> list[tuple[int, int]]:
    return united(backend.candles("SELECT span_start, span_end FROM coverage WHERE state = 'answered'"))


async def test_a_killed_collection(make_world: MakeWorld, backend: Backend) -> None:
    world = make_world(bitcoin(listed="2016-12-01"), at="2026-06-01T00:00:30")
    configuration = tables(world.sandbox.url, world.path) | backend.tables
    await make_the_database(configuration)
    for first, told in killed_again_and_again(collect, configuration, apart=1):
        last = max(told, default=first)
        assert told == set(range(first, last + 1)) or not told
        await assert_sound(configuration, "")
        assert_honest(world, backend, first, last + 2, told)
        world.sandbox.forgive()


def assert_honest(world: World, backend: Backend, first: int, last: int, told: set[int]) -> None:
    """The proof is read before the candles, for a server may still commit what it had been told to."""
    low, high = (round(stretch(number)[edge].timestamp() * 1000) for number, edge in ((first, 0), (last, 1)))
    claimed = answered(backend)
    stored, truth = rows(backend, low, high), world.sandbox.ledger.candles("BTCUSDT", "1m", low, high)
    times = truth["open_time"]
    real = np.isin(times, stored["open_time"])
    if real.any():
        assert_equal(stored, {name: truth[name][real] for name in VALUES})
    lost = inside(times, claimed) & ~real
    assert not lost.any(), f"proven and not stored: {times[lost][:10]}"
    end = low + len(told) * PAGES * PAGE * MINUTE
    assert real[times < end].all(), "a collection had ended, and candles of it are lost"
    assert inside(np.arange(low, end, MINUTE), claimed).all(), "a collection had ended, and its proof is lost"


async def test_a_killed_batch_writer(make_world: MakeWorld, backend: Backend) -> None:
    world = make_world(bitcoin(listed="2016-12-01"), at="2026-06-01T00:00:30")
    configuration = tables(world.sandbox.url, world.path) | backend.tables
    configuration["batch"] = {"flush_interval_seconds": 0.05}  # so that LOW is written, too, before the end
    await make_the_database(configuration)
    acknowledged: set[int] = set()
    # Far enough apart that nothing is handed in twice that was written, but not told.
    for _, told in killed_again_and_again(queue, configuration, apart=1_000):
        acknowledged |= told
        await assert_sound(configuration, "", "orders")
        written = dict(backend.orders("SELECT operation, count(*) FROM orders GROUP BY operation"))
        assert set(written.values()) <= {ORDERS}, "half an operation is there"
        assert {number for number in acknowledged if number % 2} <= written.keys()
        # The proof is read before the candles, as above.
        claimed = [
            slot for start, end in answered(backend) for slot in range(-(-start // MINUTE) * MINUTE, end, MINUTE)
        ]
        stored = dict(backend.candles(f"SELECT open_time, close {MINE}"))
        assert stored.keys() >= set(claimed), "proven and not stored"
        prices = Counter(close for moment, close in stored.items() if moment >= BEGIN.timestamp() * 1000)
        assert set(prices.values()) <= {UPSERTS}, "half an operation is there"
        assert {number for number in acknowledged if not number % 2} <= prices.keys()
