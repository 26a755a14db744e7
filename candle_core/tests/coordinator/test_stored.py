"""Markets that are stored already: what the database is asked for them, and how long what it said is believed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import LargeCandleRequest, LargeCandleResponse, MarketDataCoordinator, candles
from candle_core.dispatch import Dispatch

NAMES = [f"{base}/X" for base in "ABCDEFGHIJ"]
DAY = {"start": "2023-11-01", "end": "2023-11-02"}
COUNT = {"count": 90}
"""Up to now, so that the exchange's clock has to say where it ends."""


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    path = {"path": str(tmp_path / "candles.sqlite3")} if request.param == "sqlite" else {}
    return {"backend": request.param, **path}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two symbols are many."""
    monkeypatch.setattr(candles, "MANY", 2)


@asynccontextmanager
async def coordinated(
    clock: Any, storage: dict[str, Any], most: int = 3
) -> AsyncIterator[tuple[candle_core.Candles, MarketDataCoordinator]]:
    async with candle_core.open({"storage": storage}, clock=clock) as opened:
        yield opened, MarketDataCoordinator(opened, most)


def wanted(symbols: list[str], **options: Any) -> LargeCandleRequest:
    return LargeCandleRequest(exchange="bazaar", symbols=symbols, timeframe="1m", **(options or DAY))


@contextmanager
def questions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each hook is asked meanwhile."""
    asked: Counter[str] = Counter()
    ask = Dispatch.ask

    async def counting(self: Dispatch, name: str, hook: str, *given: Any, **arguments: Any) -> Any:
        asked[hook] += 1
        return await ask(self, name, hook, *given, **arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Dispatch, "ask", counting)
        yield asked


def told(response: LargeCandleResponse) -> Any:
    """All that is said of the markets, whatever it cost."""
    summaries = {
        name: (one.collected_count, one.db_records_count, one.time_range, one.missing, one.pending, one.problems)
        for name, one in response.summaries.items()
    }
    return dict(response.candles), dict(response.slots), summaries, dict(response.failures)


@pytest.mark.parametrize("span", [DAY, COUNT])
async def test_many_that_are_stored_cost_a_question_each(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None, monkeypatch: pytest.MonkeyPatch, span: Any
) -> None:
    async with coordinated(clock, storage) as (_, coordinator):
        first = await coordinator.get_candle_data(wanted(NAMES, **span))
        with questions(monkeypatch) as asked:
            again = await coordinator.get_candle_data(wanted(NAMES, **span))
        monkeypatch.setattr(candles, "MANY", 100)
        by_themselves = await coordinator.get_candle_data(wanted(NAMES, **span))
    assert asked - Counter(candle_symbols=len(NAMES)) == {"candle_load": len(NAMES)}
    assert again.report.requests == 0
    assert told(again) == told(first) == told(by_themselves)
    assert again.continuous


async def test_of_many_names_what_is_registered_is_read_once(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candle_core.coordinator.records.FEW", 2)
    async with coordinated(clock, storage) as (_, coordinator):
        await coordinator.get_candle_data(wanted(NAMES))
        with questions(monkeypatch) as asked:
            await coordinator.get_candle_data(wanted(NAMES))
        with questions(monkeypatch) as few:
            await coordinator.get_candle_data(wanted(["A/X"]))
    assert asked == {"candle_symbols": 1, "candle_load": len(NAMES)}
    assert few == {"candle_symbols": 1, "candle_coverage": 1, "candle_load": 1}


async def test_a_part_that_is_missing_is_asked_for(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None
) -> None:
    async with coordinated(clock, storage) as (opened, coordinator):
        before = await coordinator.get_candle_data(wanted(NAMES))
        await opened.forget(
            "C/X", "1m", exchange="BAZAAR", tradetype="SPOT", start="2023-11-01T06:00", end="2023-11-01T07:00",
            candles=True,
        )  # fmt: skip
        bazaar.instances[0].sent.clear()
        after = await coordinator.get_candle_data(wanted(NAMES))
    assert {request.market.base for request in bazaar.instances[0].sent} == {"C"}
    assert after.candles == before.candles
    assert after.slots == before.slots
    assert after.summaries["C/X"].collected_count == 1440


async def test_what_is_taken_back_while_others_are_asked_is_asked_for(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None
) -> None:
    """What was known when the request came is not believed of a market that had to wait for others."""
    async with coordinated(clock, storage, most=1) as (opened, coordinator):
        await coordinator.get_candle_data(wanted(["B/X", "C/X"]))
        provider = bazaar.instances[0]
        provider.gate.clear()
        provider.begun.clear()
        work = asyncio.create_task(coordinator.get_candle_data(wanted(["A/X", "B/X", "C/X"])))
        async with asyncio.timeout(120):
            await provider.begun.wait()
            await opened.forget("B/X", "1m", exchange="BAZAAR", tradetype="SPOT", candles=True)
            provider.gate.set()
            response = await work
    assert response.continuous
    assert {name: len(batch) for name, batch in response.candles.items()} == dict.fromkeys(NAMES[:3], 1440)
    assert {name: one.filled for name, one in response.slots.items()} == dict.fromkeys(NAMES[:3], 1440)


async def test_one_that_cannot_be_had_fails_alone(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None
) -> None:
    async with coordinated(clock, storage) as (_, coordinator):
        await coordinator.get_candle_data(wanted(NAMES[:5]))
        await coordinator.get_candle_data(replace(wanted(NAMES), start="2023-10-01", end=None, count=1))
        bazaar.instances[0].gone.add("H")
        response = await coordinator.get_candle_data(wanted(NAMES))
    assert list(response.failures) == ["H/X"]
    assert set(response.candles) == {*NAMES} - {"H/X"}


async def test_cancelled_while_it_reads_it_leaves_nothing_behind(
    clock: Any, bazaar: Any, storage: dict[str, Any], together: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with coordinated(clock, storage) as (_, coordinator):
        before = await coordinator.get_candle_data(wanted(NAMES))
        ask, reading, gate = Dispatch.ask, asyncio.Event(), asyncio.Event()

        async def waiting(self: Dispatch, name: str, hook: str, *given: Any, **arguments: Any) -> Any:
            if hook == "candle_load":
                reading.set()
                await gate.wait()
            return await ask(self, name, hook, *given, **arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Dispatch, "ask", waiting)
            work = asyncio.create_task(coordinator.get_candle_data(wanted(NAMES)))
            async with asyncio.timeout(120):
                await reading.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        after = await coordinator.get_candle_data(wanted(NAMES))
    assert after.report.joined == 0
    assert told(after) == told(before)
