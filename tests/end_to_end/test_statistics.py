"""What the manager says that it asked, against what the exchange saw."""

from pathlib import Path

import numpy as np
import pytest

import candle_core
from candle_core import blocking
from candle_hookspecs import CandleError
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import KLINES, after, bitcoin, tables

START = "2024-01-01"
NOW = "2024-06-01T00:00:30"


async def test_calls_weight_and_rows_are_those_of_the_ledger(make_world: MakeWorld) -> None:
    world = make_world(clock=FastClock(NOW, 1))
    async with world.open() as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=after(START, 25_000))
        told = await candles.statistics()
    asked, ledger = world.asked(), world.sandbox.ledger.requests()
    candle_calls = told.of("BINANCE")
    assert candle_calls.calls == len(asked)
    assert candle_calls.rows == sum(request.rows or 0 for request in asked)
    assert candle_calls.spent == {"weight": sum(request.weight for request in asked)}
    assert (candle_calls.retries, candle_calls.errors, candle_calls.hits) == (0, {}, 0)
    assert candle_calls.size > 25_000 * 20
    assert candle_calls.p50 is not None
    assert 0 < candle_calls.p50 <= (candle_calls.p99 or 0) < 10
    assert told.of("binance", "markets").calls == 1
    assert told.of("binance", "markets").rows == 1
    assert sum(entry.spent.get("weight", 0) for entry in told.entries) == sum(request.weight for request in ledger)
    assert told.of("UPBIT").calls == 0


async def test_failures_pauses_and_retries_are_counted_by_what_happened(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(), at=NOW, speed=20.0, clock=FastClock(NOW, 20))
    world.sandbox.faults.script("status", at=after(START, 1_500), status=503)
    world.sandbox.faults.script("truncated", at=after(START, 3_500))
    world.sandbox.faults.script("rate_limited", at=after(START, 5_500), retry_after=3)
    async with world.open() as candles:
        summary = await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=after(START, 9_000))
        told = (await candles.statistics()).of("BINANCE")
    asked = world.asked()
    assert world.sandbox.faults.waiting() == []
    assert told.calls == len(asked) == summary.api_calls_made
    assert told.retries == sum(request.fault is not None for request in asked) == 3
    assert told.pauses == sum(request.status == 429 for request in asked) == 1
    assert sum(told.errors.values()) == 3
    assert told.errors["RateLimitedError"] == 1
    assert told.rows == sum(request.rows or 0 for request in asked if request.fault is None)


async def test_what_fails_in_the_end_is_no_retry_of_the_next(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(), at=NOW, speed=50.0, clock=FastClock(NOW, 50))
    world.sandbox.faults.script("status", 1_000, status=503)
    async with world.open() as candles:
        for _ in range(2):
            with pytest.raises(CandleError):
                await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=after(START, 100))
        told = (await candles.statistics()).of("BINANCE")
    assert (told.calls, told.retries, told.rows) == (len(world.asked()), 8, 0)
    assert told.errors == {"TransientError": 10}
    assert told.p50 is None


async def test_processes_add_up_by_day(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(clock=FastClock(NOW, 1))
    before: list[float] = []
    for number in range(3):
        async with world.open() as candles:
            start = after(START, number * 3_000)
            await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=after(start, 3_000))
            alone, together = await candles.statistics(), await candles.statistics(NOW)
            before.append(alone.of("BINANCE").p50 or np.nan)
        assert together.of("BINANCE").calls == len(world.asked())
    async with world.open() as candles:
        assert (await candles.statistics()).entries == ()
        kept = await candles.statistics(NOW)
        assert (await candles.statistics("2024-06-02")).entries == ()
    assert kept.since.isoformat() == "2024-06-01T00:00:00+00:00"
    assert kept.of("BINANCE").calls == len(world.asked())
    assert kept.of("BINANCE").rows == sum(request.rows or 0 for request in world.asked())
    assert min(before) <= (kept.of("BINANCE").p50 or 0) <= max(before)
    assert "statistic" not in {name for (name,) in world.query("SELECT name FROM sqlite_master")}
    async with candle_core.open({"storage": {"path": str(tmp_path / "other.sqlite3")}}) as candles:
        assert (await candles.statistics("1970-01-01")).entries == (), "the real exchange was not asked"


def test_the_blocking_twin_tells_the_same(make_world: MakeWorld) -> None:
    world = make_world()
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        candles.collect_candles_only("BTC/USDT", "1m", start=START, end=after(START, 100))
        assert candles.statistics().of("BINANCE").calls == world.sandbox.ledger.count(KLINES)
