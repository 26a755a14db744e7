"""Candles: by the one pipeline into the database, several symbols side by side, and every slot accounted for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import LargeCandleRequest, MarketDataCoordinator
from candle_hookspecs import (
    BadSpanError,
    CollectionProgress,
    MarketGoneError,
    Priority,
    StorageError,
    UnknownMarketError,
    UnknownTimeframeError,
    to_ms,
)

CONFIG = {"storage": {"backend": "memory"}}
MINUTE = 60_000
DAY = {"start": "2023-11-01", "end": "2023-11-02"}


@asynccontextmanager
async def coordinated(clock: Any, **options: Any) -> AsyncIterator[tuple[candle_core.Candles, MarketDataCoordinator]]:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        yield candles, MarketDataCoordinator(candles, **options)


def wanted(symbols: Any = ("A/X", "B/X", "C/X"), **options: Any) -> LargeCandleRequest:
    return LargeCandleRequest(exchange="bazaar", symbols=symbols, timeframe="1m", **(options or DAY))


async def test_a_day_of_three_markets_is_stored_and_handed_back(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (candles, coordinator):
        response = await coordinator.get_candle_data(wanted())
        stored = {
            name: await candles.load(name, "1m", exchange="BAZAAR", tradetype="SPOT") for name in response.candles
        }
    provider = bazaar.instances[0]
    assert dict(response.candles) == stored
    for batch in stored.values():
        assert batch.open_time.tolist() == list(range(to_ms("2023-11-01"), to_ms("2023-11-02"), MINUTE))
    assert response.continuous
    assert {report.filled for report in response.slots.values()} == {1440}
    assert len(provider.sent) == response.report.requests == 3 * 15, "1,440 slots, 100 to a page"
    assert provider.listings == 1
    assert (response.report.rows, response.report.size) == (3 * 1440, 450)
    assert response.report.time_range is not None
    assert [moment.isoformat() for moment in response.report.time_range] == [
        "2023-11-01T00:00:00+00:00", "2023-11-01T23:59:00.001000+00:00",
    ]  # fmt: skip


async def test_what_is_stored_costs_nothing(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(["A/X"]))
        again = await coordinator.get_candle_data(wanted(["A/X", "AX", "B/X"]))
    assert (again.report.requests, again.report.cache_hits, again.report.rows) == (15, 2, 3 * 1440)


@pytest.mark.parametrize(("most", "symbols"), [(1, 3), (3, 1), (3, 2), (3, 10), (5, 2)])
async def test_no_more_requests_are_under_way_than_allowed(clock: Any, bazaar: Any, most: int, symbols: int) -> None:
    names = [f"{base}/X" for base in "ABCDEFGHIJ"[:symbols]]
    async with coordinated(clock, max_concurrency=most) as (_, coordinator):
        response = await coordinator.get_candle_data(wanted(names))
    assert response.continuous
    assert bazaar.instances[0].most_under_way == most


async def test_the_priority_reaches_every_request(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(priority=Priority.LOW, **DAY))
    assert {request.priority for request in bazaar.instances[0].sent} == {Priority.LOW}


async def test_simultaneous_requests_for_the_same_become_one(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(["A/X", "B/X"], start="2023-10-01", count=1))
        bazaar.instances[0].sent.clear()
        first, second = await asyncio.gather(
            coordinator.get_candle_data(wanted(["A/X"])), coordinator.get_candle_data(wanted(["B/X", "AX"]))
        )
    assert len(bazaar.instances[0].sent) == 2 * 15
    assert first.candles["A/X"] == second.candles["AX"]
    assert (second.report.joined, second.report.requests) == (1, 15)


async def test_one_market_fails_alone(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(start="2023-10-01", count=1))
        bazaar.instances[0].gone.add("B")
        response = await coordinator.get_candle_data(wanted(["A/X", "B/X", "C/X", "NO/SUCH"]))
    assert set(response.candles) == {"A/X", "C/X"}
    assert isinstance(response.failures["B/X"], MarketGoneError)
    assert isinstance(response.failures["NO/SUCH"], UnknownMarketError)
    assert not response.complete
    assert not response.continuous
    assert response.report.failed == 2


async def test_retries_are_counted(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(["A/X"], start="2023-10-01", count=1))
        bazaar.instances[0].failing["A"] = 3
        response = await coordinator.get_candle_data(wanted(["A/X"]))
    assert response.continuous
    assert (response.report.requests, response.report.retries) == (18, 3)


async def test_nothing_is_closed_yet(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as (_, coordinator):
        response = await coordinator.get_candle_data(wanted(["A/X"], start="2030-01-01", count=5))
    assert len(response.candles["A/X"]) == 0
    assert (response.slots, response.report.rows, response.report.time_range) == ({}, 0, None)


async def test_progress_is_told(clock: Any, bazaar: Any) -> None:
    told: list[CollectionProgress] = []
    async with coordinated(clock) as (_, coordinator):
        await coordinator.get_candle_data(wanted(["A/X", "B/X"]), progress_callback=told.append)
    assert {one.symbol.base for one in told} == {"A", "B"}
    assert max(one.covered_slots for one in told) == 1440


async def test_a_failing_database_is_nobodys_failure_but_everybodys(
    clock: Any, bazaar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with coordinated(clock) as (candles, coordinator):

        async def broken(*_: Any) -> Any:
            raise StorageError("the disk is gone")

        monkeypatch.setattr(candles.kernel.storage(), "coverage", broken)
        with pytest.raises(StorageError, match="the disk is gone"):
            await coordinator.get_candle_data(wanted())


async def test_an_impossible_request_is_refused(clock: Any, bazaar: Any) -> None:
    with pytest.raises(BadSpanError, match="needs a start or a count"):
        LargeCandleRequest(exchange="BAZAAR", symbols="A/X", timeframe="1m")
    with pytest.raises(UnknownTimeframeError):
        LargeCandleRequest(exchange="BAZAAR", symbols="A/X", timeframe="1x", count=1)
    async with coordinated(clock) as (_, coordinator):
        with pytest.raises(UnknownTimeframeError, match="'5m'"):
            await coordinator.get_candle_data(
                LargeCandleRequest(exchange="BAZAAR", symbols="A/X", timeframe="5m", count=1)
            )


@pytest.mark.parametrize("first", [0, 1])
async def test_the_text_of_a_symbol_is_no_market_wherever_it_stands(first: int, clock: Any, bazaar: Any) -> None:
    """A symbol says a timeframe, and a request has its own."""
    text = "CRYPTO-BAZAAR-SPOT-A-X-1m"
    names = ["B/X", text] if first else [text, "B/X"]
    async with coordinated(clock) as (_, coordinator):
        response = await coordinator.get_candle_data(wanted(names))
    assert list(response.candles) == ["B/X"]
    assert isinstance(response.failures[text], UnknownMarketError)
