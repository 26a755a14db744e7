"""Screening, backtest, chart: the candles are those of a plain request, and what they cost is less."""

import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import LargeCandleRequest, MarketDataCoordinator
from candle_core.coordinator.profiles import BacktestProgress, ChartView, backtest, screen
from candle_core.dispatch import StorageHooks
from candle_hookspecs import BadInputError, CandleBatch, LoadRead, MarketGoneError, UnknownMarketError, to_ms

MINUTE = 60_000


@asynccontextmanager
async def coordinated(clock: Any, **options: Any) -> AsyncIterator[MarketDataCoordinator]:
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        yield MarketDataCoordinator(candles, **options)


def wanted(symbols: Any, **options: Any) -> LargeCandleRequest:
    return LargeCandleRequest(exchange="BAZAAR", symbols=symbols, timeframe="1m", **options)


def opens(batch: CandleBatch) -> list[int]:
    return list(batch.open_time.tolist())


# ── screening ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_screening_looks_back_as_far_as_each_market_needs(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        provider = bazaar.instances[0]
        provider.apart = {"B": 60, "C": 1440}
        found = {one.symbol: one async for one in screen(coordinator, wanted(["A/X", "B/X", "C/X"], count=150))}
        sent = len(provider.sent)
    last = (clock.ms - 3_000) // MINUTE * MINUTE - MINUTE
    for name, apart in {"A/X": 1, "B/X": 60, "C/X": 1440}.items():
        step = apart * MINUTE
        newest = last // step * step
        assert opens(found[name].candles) == [newest - index * step for index in range(149, -1, -1)]
    # The plain request would have to reach back as far in every market as in the thinnest: 216,000 slots.
    assert sum(one.requests for one in found.values()) == sent - 1
    assert sent < 150 < 216_000 / 100


async def test_screening_ends_where_a_market_begins_or_at_its_bound(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        bazaar.instances[0].apart = {"A": 100_000}
        (one,) = [one async for one in screen(coordinator, wanted("A/X", count=50), max_slots=250_000)]
    assert len(one.candles) in (2, 3)
    assert one.error is None


async def test_what_is_stored_comes_first_and_what_is_not_wanted_any_more_is_not_asked(clock: Any, bazaar: Any) -> None:
    names = [f"{base}/X" for base in "ABCDEFGHIJ"]
    async with coordinated(clock, max_concurrency=1) as coordinator:
        await coordinator.get_candle_data(wanted(["D/X", "I/X"], count=50))
        provider = bazaar.instances[0]
        provider.sent.clear()
        seen = []
        async with aclosing(screen(coordinator, wanted(names, count=50))) as found:
            async for one in found:
                seen.append((one.symbol, one.requests))
                if len(seen) == 3:
                    break
        assert seen == [("D/X", 0), ("I/X", 0), ("A/X", 1)]
        assert len(provider.sent) <= 2


async def test_a_market_that_fails_is_told_among_the_others(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        bazaar.instances[0].gone.add("B")
        found = {one.symbol: one async for one in screen(coordinator, wanted(["A/X", "B/X", "NO/SUCH"], count=5))}
    assert len(found["A/X"].candles) == 5
    assert isinstance(found["B/X"].error, MarketGoneError)
    assert isinstance(found["NO/SUCH"].error, UnknownMarketError)


# ── backtest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chunk", "edges"),
    [
        ("month", ["2023-09-20", "2023-10-01", "2023-11-01", "2023-11-05"]),
        ("week", ["2023-09-20", "2023-09-25", "2023-10-02", "2023-10-09", "2023-10-16", "2023-10-23", "2023-10-30",
                  "2023-11-05"]),
    ],
)  # fmt: skip
async def test_a_backtest_comes_in_chunks_of_the_calendar(
    clock: Any, bazaar: Any, chunk: str, edges: list[str]
) -> None:
    told: list[BacktestProgress] = []
    request = wanted(["A/X", "B/X"], start="2023-09-20", end="2023-11-05")
    async with coordinated(clock, max_concurrency=4) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        bazaar.instances[0].apart = {"A": 60, "B": 30}
        parts = [one async for one in backtest(coordinator, request, chunk, progress_callback=told.append)]
        again = await coordinator.get_candle_data(request)
    assert [one.time_range[0] for one in told] == [datetime.fromisoformat(edge + "T00:00+00:00") for edge in edges[:-1]]
    assert (told[-1].done, told[-1].total) == (len(edges) - 1, len(edges) - 1)
    for name, apart in (("A/X", 60), ("B/X", 30)):
        united = [moment for part in parts for moment in opens(part.candles[name])]
        assert united == list(range(to_ms("2023-09-20"), to_ms("2023-11-05"), apart * MINUTE))
    assert all(part.continuous for part in parts)
    assert again.report.requests == 0
    assert bazaar.instances[0].most_under_way <= 4


@pytest.mark.parametrize(
    ("said", "asked", "most"), [({}, {}, 8), ({"max_concurrency": 4}, {}, 4), ({}, {"max_concurrency": 2}, 2)]
)
async def test_a_backtest_asks_as_widely_as_pays_if_nobody_says_otherwise(
    clock: Any, bazaar: Any, said: dict[str, int], asked: dict[str, Any], most: int
) -> None:
    request = wanted("A/X", start="2023-10-02", end="2023-10-16", **asked)
    async with coordinated(clock, **said) as coordinator:
        parts = [part async for part in backtest(coordinator, request, "week")]
    assert [len(part.candles["A/X"]) for part in parts] == [7 * 1440] * 2
    assert bazaar.instances[0].most_under_way == most
    assert bazaar.instances[0].capabilities.concurrency == 8


@pytest.mark.parametrize("most", [1, 2, 5])
async def test_a_backtest_of_several_markets_keeps_to_the_bound_from_piece_to_piece(
    clock: Any, bazaar: Any, most: int
) -> None:
    names = ["A/X", "B/X", "C/X"]
    request = wanted(names, start="2023-11-05", end="2023-11-07", max_concurrency=most)
    async with coordinated(clock) as coordinator:
        parts = [part async for part in backtest(coordinator, request, "week")]
    assert all(part.continuous for part in parts)
    assert [len(part.candles[name]) for part in parts for name in names] == [1440] * 6
    provider = bazaar.instances[0]
    assert provider.most_under_way == most
    assert len(provider.sent) == sum(part.report.requests for part in parts) == 3 * math.ceil(2 * 1440 / 100)


async def test_a_symbol_that_means_no_market_is_told_with_every_chunk(clock: Any, bazaar: Any) -> None:
    request = wanted(["A/X", "NO/SUCH"], start="2023-11-05", end="2023-11-07")
    async with coordinated(clock) as coordinator:
        parts = [part async for part in backtest(coordinator, request, "week")]
    assert len(parts) == 2
    for part in parts:
        assert isinstance(part.failures["NO/SUCH"], UnknownMarketError)
        assert (list(part.candles), part.report.failed) == (["A/X"], 1)
        assert not part.continuous


async def test_a_backtest_that_is_left_collects_no_further(clock: Any, bazaar: Any) -> None:
    request = wanted("A/X", start="2023-01-01", end="2023-11-01")
    async with coordinated(clock, max_concurrency=2) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        bazaar.instances[0].apart = {"A": 60}
        async with aclosing(backtest(coordinator, request)) as parts:
            async for part in parts:
                assert len(part.candles["A/X"]) == 31 * 24
                break
        assert len(bazaar.instances[0].sent) < 1 + 4 * 8


# ── chart ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_look_at_a_chart_asks_for_what_is_new(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        view = ChartView(coordinator, wanted(["A/X", "B/X"], count=250))
        first = await view.look()
        provider = bazaar.instances[0]
        assert len(first["A/X"].candles) == len(first["A/X"].added) == 250
        provider.sent.clear()
        nothing = await view.look()
        assert (len(provider.sent), len(nothing["A/X"].added)) == (0, 0), "no candle has closed meanwhile"
        assert nothing["A/X"].candles == first["A/X"].candles
        clock.ms += 3 * MINUTE
        second = await view.look()
        assert len(provider.sent) == 2, "one for each market"
        plain = await coordinator.get_candle_data(wanted("A/X", count=250))
    assert second["A/X"].candles == plain.candles["A/X"]
    assert opens(second["A/X"].added) == opens(second["A/X"].candles)[-3:]
    assert opens(second["A/X"].candles)[0] == opens(first["A/X"].candles)[3]


async def test_the_forming_candle_is_given_on_request_and_never_stored(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_candle_data(wanted("J/X", count=1))
        bazaar.instances[0].apart = {"B": 10_000}
        looks = await ChartView(coordinator, wanted(["A/X", "B/X"], count=20), forming=True).look()
        stored = await coordinator.candles.load("A/X", "1m", exchange="BAZAAR", tradetype="SPOT")
    forming = looks["A/X"].forming
    assert forming is not None
    assert to_ms(forming.open_time) == clock.ms // MINUTE * MINUTE
    assert stored.last < to_ms(forming.open_time)
    assert looks["B/X"].forming is None, "nothing was traded in this minute"


async def test_a_market_that_fails_keeps_what_was_seen_and_catches_up(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        view = ChartView(coordinator, wanted(["A/X", "B/X"], count=20))
        first = await view.look()
        bazaar.instances[0].gone.add("B")
        clock.ms += 2 * MINUTE
        failed = await view.look()
        assert isinstance(failed["B/X"].error, MarketGoneError)
        assert failed["B/X"].candles == first["B/X"].candles
        bazaar.instances[0].gone.clear()
        clock.ms += 2 * MINUTE
        caught_up = await view.look()
    assert [len(caught_up[name].added) for name in ("A/X", "B/X")] == [2, 4]
    assert opens(caught_up["A/X"].candles) == opens(caught_up["B/X"].candles)


async def test_a_market_that_is_gone_lets_no_look_read_more_than_the_chart_shows(
    clock: Any, bazaar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    load = StorageHooks.load

    async def noted(storage: StorageHooks, wish: LoadRead) -> CandleBatch:
        batch = await load(storage, wish)
        read.append(len(batch))
        return batch

    monkeypatch.setattr(StorageHooks, "load", noted)
    async with coordinated(clock) as coordinator:
        view = ChartView(coordinator, wanted(["A/X", "B/X"], count=50))
        first = looks = await view.look()
        bazaar.instances[0].gone.add("B")
        for _ in range(20):
            clock.ms += 10 * MINUTE
            read.clear()
            looks = await view.look()
            assert sum(read) <= 50 + 10
            assert len(looks["A/X"].added) == 10
        assert isinstance(looks["B/X"].error, MarketGoneError)
        assert looks["B/X"].candles == first["B/X"].candles
        bazaar.instances[0].gone.clear()
        clock.ms += 10 * MINUTE
        caught_up = await view.look()
    assert opens(caught_up["A/X"].candles) == opens(caught_up["B/X"].candles)
    assert len(caught_up["B/X"].candles) == 50


# ── what cannot be asked ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_impossible_requests_are_refused(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        with pytest.raises(BadInputError, match="give a count"):
            await anext(screen(coordinator, wanted("A/X", start="2023-01-01", count=5)))
        with pytest.raises(BadInputError, match="max_slots=0"):
            await anext(screen(coordinator, wanted("A/X", count=5), max_slots=0))
        with pytest.raises(BadInputError, match="both its ends"):
            await anext(backtest(coordinator, wanted("A/X", count=5)))
        with pytest.raises(BadInputError, match="'day' is no chunk"):
            await anext(backtest(coordinator, wanted("A/X", start="2023-01-01", end="2023-02-01"), "day"))
        with pytest.raises(BadInputError, match="no bounds"):
            ChartView(coordinator, wanted("A/X", end="2023-01-01", count=5))
