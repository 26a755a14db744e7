"""Many symbols at a time: all that can be had is there, value for value, and what cannot is named."""

import json
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any, Final

import numpy as np
import pytest

import candle_core
from candle_core.update import run
from candle_core.update.buffer import RowBuffer
from candle_hookspecs import Answer, Candles
from candle_testkit.sandbox import Limits, MarketConfig
from candle_testkit.sandbox.faults import Fault, Faults
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import KLINES, World, assert_equal, inside, ms, tables

NOW: Final = "2024-06-01T00:00:30"
LISTED: Final = "2024-05-31T06:00"
MARKETS: Final = 300
BUFFER: Final = 20_000
FOR_EVER: Final = 10_000

WAYS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "5xx for ever": ({"kind": "status", "status": 503}, "503"),
    "nothing there": ({"kind": "status", "status": 404}, "404"),
    "a body cut short": ({"kind": "truncated"}, "not candles"),
    "no number": ({"kind": "nan"}, "not finite"),
    "out of order": ({"kind": "reordered"}, "out of order"),
    "no answer in time": ({"kind": "slow", "seconds": 60.0}, "did not answer within"),
}
"""How an exchange may fail a single market, and a word of what the user reads."""


def base(number: int) -> str:
    return f"M{number:03}"


def market(number: int, **options: Any) -> MarketConfig:
    return MarketConfig(f"{base(number)}USDT", base(number), "USDT", listed=LISTED, **options)


def script() -> dict[str, str]:
    """Every tenth market fails, in turn in one of the ways."""
    ways = list(WAYS)
    return {base(number): ways[number // 10 % len(ways)] for number in range(0, MARKETS, 10)}


def failing(names: dict[str, str]) -> Faults:
    faults = []
    for name, way in names.items():
        options = dict(WAYS[way][0])
        faults.append(Fault(options.pop("kind"), FOR_EVER, f"{name}USDT", options=options))
    return Faults(script=faults)


class Scales(RowBuffer):
    """Remembers the most rows that were held at once."""

    most = 0

    async def save(self, answer: Answer) -> None:
        Scales.most = max(Scales.most, self.rows + len(answer.batch))
        await super().save(answer)


def assert_stored(world: World, number: int, until: str) -> None:
    truth = world.truth(LISTED, until, symbol=f"{base(number)}USDT")
    assert_equal(world.stored(base=base(number)), truth)
    answered = world.proven("answered", base=base(number))
    assert answered[0][0] <= ms(LISTED)
    assert len(answered) == 1
    assert answered[0][1] == int(truth["open_time"][-1]) + 60_000


async def update(world: World, **options: Any) -> Any:
    config = tables(world.sandbox.url, world.path)
    config["providers"]["binance"]["timeout"] = 5  # so long that only who never answers is ever given up
    async with candle_core.open(config, clock=world.clock) as candles:
        return await candles.active_update("CRYPTO", "BINANCE", "SPOT", timeframes=["1m"], **options)


@pytest.mark.slow
async def test_three_hundred_symbols_of_which_thirty_fail_in_six_ways(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = script()
    markets = [market(number) for number in range(MARKETS)]
    world = make_world(*markets, at=NOW, clock=FastClock(NOW, 10), faults=failing(names), limits=Limits(weight=None))
    monkeypatch.setattr(run, "RowBuffer", Scales)
    Scales.most = 0
    result = await update(world, buffer_size=BUFFER)

    assert {failed.base: way_of(cause) for failed, cause in result.failed_symbols} == names
    assert len(result.failed_symbols) == 30
    assert [one.base for one in result.success_symbols] == [
        base(number) for number in range(MARKETS) if base(number) not in names
    ]
    for number in range(MARKETS):
        if base(number) not in names:
            assert_stored(world, number, NOW)
    slots = (ms(NOW) - ms(LISTED)) // 60_000
    assert result.total_rows == 270 * slots == world.counts()[0]
    assert BUFFER <= Scales.most < 2 * (BUFFER + 10 * 1_000), "two lots, and a page of each request under way"

    world.sandbox.faults.clear()
    world.forget()
    again = await update(world)
    assert ([one.base for one in again.success_symbols], again.failed_symbols) == (list(names), [])
    assert {one.params["symbol"] for one in world.asked()} == {f"{name}USDT" for name in names}
    for name in names:
        assert_stored(world, int(name[1:]), NOW)


def way_of(cause: str) -> str:
    said = re.sub(r"127\.0\.0\.1:\d+", "", cause)  # a port may read like a status
    (way,) = (way for way, (_, words) in WAYS.items() if words in said)
    return way


KILLED: Final = """
import json, sys
from candle_core import blocking

with blocking.open(json.loads(sys.argv[1])) as candles:
    candles.active_update("CRYPTO", "BINANCE", "SPOT", timeframes=["1m"], buffer_size=5_000)
"""


@pytest.mark.slow
async def test_a_run_that_is_killed_loses_only_what_is_asked_again(make_world: MakeWorld) -> None:
    world = make_world(*map(market, range(60)), at=NOW, latency_ms=100, limits=Limits(weight=None))
    run_until(world, 10_000)
    kept = stored(world)
    slots = (ms(NOW) - ms(LISTED)) // 60_000
    assert kept < 60 * slots
    for number in range(60):
        truth = world.truth(LISTED, NOW, symbol=f"{base(number)}USDT")
        there = np.isin(truth["open_time"], world.stored(base=base(number))["open_time"])
        proven = inside(truth["open_time"], world.proven("answered", base=base(number)))
        assert np.array_equal(there, proven), "durable together, rows and proof"
    result = await update(world)
    assert result.total_rows == 60 * slots - kept
    for number in range(60):
        assert_stored(world, number, NOW)


def run_until(world: World, rows: int) -> None:
    """Update in a process that is killed as soon as so many rows are there."""
    config = json.dumps(tables(world.sandbox.url, world.path))
    with subprocess.Popen([sys.executable, "-c", KILLED, config]) as process:
        while stored(world) < rows:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()


def stored(world: World) -> int:
    """Rows that another connection sees; none before there are tables."""
    with suppress(sqlite3.OperationalError):
        return world.counts()[0]
    return 0


async def test_a_candle_that_closed_costs_one_request_and_none_before(make_world: MakeWorld) -> None:
    world = make_world(*(market(number) for number in range(20)), at=NOW)
    assert len((await update(world)).success_symbols) == 20
    for seconds, each in ((20, 0), (10, 0), (5, 1), (20, 0)):
        world.forget()
        world.sandbox.clock.advance(seconds * 1_000)
        async with world.open() as candles:
            result = await candles.passive_update()
        assert (result.total_rows, result.requests, len(world.asked())) == (20 * each, 20 * each, 20 * each)
    for number in range(20):
        assert_stored(world, number, "2024-06-01T00:01")


async def test_holes_are_mended_and_those_of_the_exchange_asked_once(make_world: MakeWorld) -> None:
    hole = ("2024-05-31T12:00", "2024-05-31T13:00")
    world = make_world(market(0, holes=(hole,)), at=NOW)

    async def collect(candles: Candles, start: str, end: str) -> None:
        await candles.collect_candles_only("M000/USDT", "1m", start=start, end=end)

    async with world.open() as candles:
        await collect(candles, "2024-05-31T10:00", "2024-05-31T11:00")
        await collect(candles, "2024-05-31T20:00", "2024-05-31T21:00")
        await candles.passive_update()
        world.forget()
        rested = await candles.passive_update()
    assert (rested.requests, world.asked()) == (0, [])
    truth = world.truth("2024-05-31T10:00", NOW, symbol="M000USDT")
    assert len(truth["open_time"]) == 13 * 60
    assert_equal(world.stored(base="M000"), truth)


async def test_several_timeframes_from_the_beginning(make_world: MakeWorld) -> None:
    world = make_world(market(0), market(1), at=NOW)
    async with world.open() as candles:
        result = await candles.active_update("CRYPTO", "BINANCE", "SPOT", timeframes=["5m", "1h", "1d"])
        records = {str(one.symbol): one for one in await candles.symbols()}
    assert len(result.success_symbols) == len(records) == 6
    for timeframe in ("5m", "1h", "1d"):
        for number in (0, 1):
            truth = world.truth("2024-05-31", NOW, symbol=f"{base(number)}USDT", timeframe=timeframe)
            assert_equal(world.stored(base=base(number), timeframe=timeframe), truth)
    assert np.all([one.market.listed is not None for one in records.values()])


async def test_a_run_asks_each_market_for_its_clock_only_once(make_world: MakeWorld) -> None:
    world = make_world(market(0), market(1), at=NOW)
    await update(world)
    world.forget()
    world.sandbox.clock.advance(60_000)
    async with world.open() as candles:
        await candles.passive_update()
    paths = [one.path for one in world.sandbox.ledger.requests()]
    assert sorted(paths) == sorted(["/api/v3/time", KLINES, KLINES]), "the clock, and a request for each"
