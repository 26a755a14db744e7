"""Many symbols at once, and the same one again: the database is asked for nothing twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import candle_core
from candle_core import symbols
from candle_core.collect import collect, find_task
from candle_core.coordinator import LargeCandleRequest, MarketDataCoordinator
from candle_core.dispatch import Dispatch
from candle_core.ranges import Bounds
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    BadInputError,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Market,
    MarketStatus,
    Registration,
    SaveWrite,
    Span,
    Symbol,
    SymbolQuery,
    UnknownSymbolError,
    to_ms,
)

FAKE: dict[str, Any] = {"exchange": "FAKE", "tradetype": "SPOT"}
HOURS: dict[str, Any] = {"start": "2023-11-01", "end": "2023-11-01T03:00"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each hook was asked."""
    counted: Counter[str] = Counter()
    ask = Dispatch.ask

    async def counting(self: Dispatch, name: str, hook: str, *given: Any, **arguments: Any) -> Any:
        counted[hook] += hook != "candle_close"
        return await ask(self, name, hook, *given, **arguments)

    monkeypatch.setattr(Dispatch, "ask", counting)
    return counted


def market(base: str, contract: str = "") -> Market:
    name = f"{base}/USDT{contract and ':USDT-' + contract}"
    return Market(
        archetype="CRYPTO", exchange="FAKE", tradetype="SPOT", base=base, quote="USDT", contract=contract,
        native_id=f"{base}{contract}", ccxt_symbol=name, status=MarketStatus.TRADING,
    )  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"storage": {"path": str(tmp_path / "candles.sqlite3")}}


@pytest.mark.parametrize("together", [True, False])
async def test_many_names_are_looked_up_together(
    config: dict[str, Any], asked: Counter[str], monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    bases = [f"B{number}" for number in range(8)]
    monkeypatch.setattr(symbols, "FEW", 7 if together else 8)
    named: list[str | Symbol] = [
        "b0/usdt",
        "B1",
        Symbol("CRYPTO", "FAKE", "SPOT", "B2", "USDT", "1m"),
        "CRYPTO-FAKE-SPOT-b3-USDT-1m",
    ]
    async with candle_core.open(config) as candles:
        entries = [market(base) for base in bases] + [market("B2", "240628")]
        await candles.kernel.storage().register([Registration(market=one, timeframes=("1m", "5m")) for one in entries])
        asked.clear()
        frame = await candles.load_many([*named, *(f"{base}/USDT" for base in bases[4:])], "1m", **FAKE)
    assert list(frame.batches) == [*map(str, named), "B4/USDT", "B5/USDT", "B6/USDT", "B7/USDT"]
    assert +asked == {"candle_symbols": 1 if together else 8, "candle_load": 8}


async def test_among_many_each_error_is_its_own(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "FEW", 1)
    async with candle_core.open(config) as candles:
        twins = [market("A"), market("B"), replace(market("C"), native_id="B/USDT")]
        await candles.kernel.storage().register([Registration(market=one, timeframes=("1m",)) for one in twins])
        with pytest.raises(UnknownSymbolError, match="no 'NO/SUCH' 1m"):
            await candles.load_many(["A/USDT", "NO/SUCH"], "1m", **FAKE)
        with pytest.raises(BadInputError, match="'B/USDT' is ambiguous"):
            await candles.load_many(["A/USDT", "B/USDT"], "1m", **FAKE)


async def test_among_many_one_that_is_not_stored_is_made(
    config: dict[str, Any], exchange: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbols, "FEW", 1)
    async with candle_core.open(config, clock=clock) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", **FAKE, **HOURS)
        await candles.collect_candles_only("ETH/USDT", "1h", **FAKE, **HOURS)
        frame = await candles.load_many(["BTC/USDT", "ETH/USDT"], "1h", **FAKE)
        alone = [await candles.load(name, "1h", **FAKE) for name in frame.batches]
    assert [len(batch) for batch in frame.batches.values()] == [3, 3]
    assert list(frame.batches.values()) == alone


async def test_nothing_is_looked_at_twice(
    config: dict[str, Any], exchange: Any, clock: Any, asked: Counter[str]
) -> None:
    async with candle_core.open(config, clock=clock) as candles:
        first = await candles.collect_candles_only("BTC/USDT", "1m", **FAKE, **HOURS)
        asked.clear()
        again = await candles.collect_candles_only("BTC/USDT", "1m", **FAKE, **HOURS)
        collected = Counter(asked)
        asked.clear()
        batch = await candles.get_candles("BTC/USDT", "1m", **FAKE, **HOURS)
        read = Counter(asked)
        asked.clear()
        await candles.plan_collection("BTC/USDT", "1m", **FAKE, start="2023-11-01", end="2023-11-02")
    assert collected == {"candle_symbols": 1, "candle_coverage": 1, "candle_count": 1}
    assert read == {"candle_symbols": 1, "candle_coverage": 1, "candle_load": 1}
    assert +asked == {"candle_symbols": 1, "candle_coverage": 1}
    assert len(batch) == 180
    assert (first.collected_count, first.db_records_count) == (180, 180)
    assert (again.collected_count, again.db_records_count) == (180, 180)
    assert (again.api_calls_made, again.complete) == (0, True)


async def test_what_others_collect_after_the_first_look_is_not_asked_for(
    config: dict[str, Any], exchange: Any, clock: Any
) -> None:
    async with candle_core.open(config, clock=clock) as candles:
        kernel = candles.kernel
        query = SymbolQuery(**FAKE, timeframe="1m", name="BTC/USDT")
        task = await find_task(kernel, query, Bounds.of(**HOURS))
        assert (await collect(kernel, kernel.writer(), task)).api_calls_made
        assert (await collect(kernel, kernel.writer(), task)).api_calls_made == 0


async def test_candles_beside_what_is_covered_are_counted_apart(
    config: dict[str, Any], exchange: Any, clock: Any
) -> None:
    """The range begins between two slots, where nothing need be proven and yet something may be stored."""
    first, last = to_ms("2023-11-01T00:01"), to_ms("2023-11-01T03:00")
    times = np.array([first - 15_000, *range(first, last + 1, 60_000)])
    columns: dict[str, Any] = dict.fromkeys(REQUIRED_COLUMNS, np.ones(len(times))) | {"open_time": times}
    fact = Coverage(Span(first, last + 1), CoverageState.ANSWERED, Evidence.ANCHORED, "fake:rest", last)
    async with candle_core.open(config, clock=clock) as candles:
        storage = candles.kernel.storage()
        (record,) = await storage.register([Registration(market=market("BTC"), timeframes=("1m",))])
        batch = CandleBatch.from_columns(columns)
        answer = Answer(symbol=record.symbol, source="fake:rest", answered_at=last, batch=batch, coverage=(fact,))
        await storage.save(SaveWrite(answers=(answer,)))
        summary = await candles.collect_candles_only(
            "BTC/USDT", "1m", **FAKE, start="2023-11-01T00:00:30", end="2023-11-01T03:00:30"
        )
        request = LargeCandleRequest(
            exchange="FAKE", symbols="BTC/USDT", timeframe="1m", start="2023-11-01T00:00:30", end="2023-11-01T03:00:30"
        )
        response = await MarketDataCoordinator(candles).get_candle_data(request)
    for one in (summary, response.summaries["BTC/USDT"]):
        assert one.api_calls_made == 0
        assert (one.collected_count, one.db_records_count) == (180, 181)
    assert response.candles["BTC/USDT"] == batch
    assert (response.slots["BTC/USDT"].filled, response.slots["BTC/USDT"].off_grid) == (180, 1)
