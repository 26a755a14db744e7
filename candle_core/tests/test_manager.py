"""The API that users call, with an exchange in this process and a storage in memory."""

import asyncio
import threading
from typing import Any

import pytest

import candle_core
from candle_core import blocking
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    CollectionConfig,
    CollectionProgress,
    ConfigError,
    MemoryLimitError,
    Symbol,
    UnknownMarketError,
    UnknownSymbolError,
    UnknownTimeframeError,
    to_ms,
)

MINUTE = 60_000
CONFIG = {"storage": {"backend": "memory"}, "defaults": {"exchange": "FAKE", "tradetype": "SPOT"}}
DAY: dict[str, Any] = {"start": "2023-11-01", "end": "2023-11-02"}
SYMBOL = Symbol("CRYPTO", "FAKE", "SPOT", "BTC", "USDT", "1m")


async def test_what_was_collected_is_there(clock: Any, exchange: Any) -> None:
    seen: list[CollectionProgress] = []
    async with candle_core.open(CONFIG, clock=clock) as candles:
        summary = await candles.collect_candles_only("BTC/USDT", "1m", **DAY, progress_callback=seen.append)
        batch = await candles.load("BTC/USDT", "1m", **DAY)
    assert summary.complete
    assert summary.symbol == SYMBOL
    assert (summary.collected_count, summary.db_records_count, summary.saved.inserted) == (1440, 1440, 1440)
    assert summary.api_calls_made == len(exchange.instances[0].requests) == 15, "1,440 slots, 100 to a page"
    assert batch.open_time.tolist() == list(range(to_ms("2023-11-01"), to_ms("2023-11-02"), MINUTE))
    assert (batch.close == batch.open_time / MINUTE).all(), "the exchange's own values"
    assert seen[-1].covered_slots == seen[-1].total_slots == 1440


async def test_nothing_is_asked_twice_and_a_hole_costs_what_covers_it(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T01:00")
        await candles.collect_candles_only("BTC/USDT", "1m", start="2023-11-01T02:00", end="2023-11-01T03:00")
        (provider,) = exchange.instances
        provider.requests.clear()
        whole: dict[str, Any] = {"start": "2023-11-01", "end": "2023-11-01T03:00"}
        summary = await candles.collect_candles_only("BTC/USDT", "1m", **whole)
        assert (len(provider.requests), summary.saved.inserted, summary.db_records_count) == (1, 60, 180)
        again = await candles.collect_candles_only("BTC/USDT", "1m", **whole)
        assert (len(provider.requests), again.api_calls_made, again.db_records_count) == (1, 0, 180)
        refetched = await candles.collect_candles_only("BTC/USDT", "1m", **whole, refetch=True)
        assert refetched.api_calls_made > 0
        assert refetched.saved.unchanged == 180


@pytest.mark.parametrize(
    "symbol",
    ["BTC/USDT", "btcusdt", SYMBOL, str(SYMBOL)],
    ids=["ccxt", "native", "symbol", "text"],
)
async def test_a_symbol_in_every_form(clock: Any, exchange: Any, symbol: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        timeframe = None if "CRYPTO" in str(symbol) else "1m"
        batch = await candles.get_candles(symbol, timeframe, count=5)
        assert len(batch) == 5
        assert [record.symbol for record in await candles.symbols()] == [SYMBOL]


async def test_slots_add_up(clock: Any, exchange: Any) -> None:
    holes = [to_ms("2023-11-01T00:05"), to_ms("2023-11-01T00:06")]
    config = CONFIG | {"providers": {"fake": {"holes": holes}}}
    async with candle_core.open(config, clock=clock) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T01:00")
        report = await candles.slots("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T02:00")
    assert (report.slots, report.filled, report.proven_empty, report.missing) == (120, 58, 2, 60)


async def test_only_closed_candles_by_the_clock_of_the_exchange(clock: Any, exchange: Any) -> None:
    clock.ms = to_ms("2023-11-01T12:00:30")
    async with candle_core.open(CONFIG, clock=clock) as candles:
        batch = await candles.get_candles("BTC/USDT", "1m", count=3)
    assert batch.last == to_ms("2023-11-01T11:59")


async def test_markets_are_listed_by_name(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        markets = await candles.markets("fake", "spot")
    assert [market.ccxt_symbol for market in markets] == ["BTC/USDT", "ETH/USDT"]


async def test_reading_by_count(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T01:00")
        newest = await candles.load("BTC/USDT", "1m", count=3)
        oldest = await candles.load("BTC/USDT", "1m", start="2023-11-01T00:10", count=3)
        assert (newest.last, len(newest)) == (to_ms("2023-11-01T00:59"), 3)
        assert (oldest.first, len(oldest)) == (to_ms("2023-11-01T00:10"), 3)
        assert len(await candles.load("BTC/USDT", "1m")) == 60
        with pytest.raises(BadSpanError):
            await candles.load("BTC/USDT", "1m", count=0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"symbol": "DOGE/USDT"}, UnknownMarketError, ["'DOGE/USDT'", "candle markets FAKE SPOT"]),
        ({"tradetype": "FUTURES"}, UnknownMarketError, ["no FUTURES market", "what there is, is SPOT"]),
        ({"symbol": ["BTC/USDT"]}, BadInputError, ["['BTC/USDT']", "give one symbol"]),
        ({"timeframe": "7m"}, UnknownTimeframeError, ["'7m'", "1m, 1h"]),
        ({"timeframe": "minute"}, UnknownTimeframeError, ["'minute'"]),
        ({"timeframe": None}, BadInputError, ["'1m'"]),
        ({"start": "2023-11-02", "end": "2023-11-01"}, BadSpanError, ["2023-11-01"]),
        ({"start": "soon"}, BadSpanError, ["'soon'"]),
        ({"symbol": SYMBOL, "exchange": "UPBIT"}, BadInputError, ["'UPBIT'", "contradicts"]),
        ({"symbol": "A-B-C-D-E-F-G-H"}, BadInputError, ["'A-B-C-D-E-F-G-H'"]),
    ],
    ids=["market", "trade-type", "list", "timeframe", "no-timeframe", "none", "order", "time", "contradiction", "text"],
)
async def test_bad_input_asks_for_no_history(
    clock: Any, exchange: Any, arguments: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    asked: dict[str, Any] = {"symbol": "BTC/USDT", "timeframe": "1m", "start": "2023-11-01"} | arguments
    async with candle_core.open(CONFIG, clock=clock) as candles:
        with pytest.raises(error) as caught:
            await candles.collect_candles_only(**asked)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert [one.requests for one in exchange.instances] in ([], [[]])


async def test_no_exchange_named(clock: Any, exchange: Any) -> None:
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        with pytest.raises(ConfigError, match=r"no exchange for 'BTC/USDT'.*\[defaults\]"):
            await candles.collect_candles_only("BTC/USDT", "1m", count=5)


async def test_an_exchange_that_is_not_installed_is_why_its_trade_type_is_not_known(clock: Any) -> None:
    config = {"storage": {"backend": "memory"}, "providers": {"kraken": {"plugin": "nosuch"}}}
    async with candle_core.open(config, clock=clock) as candles:
        with pytest.raises(ConfigError, match=r"no tradetype for 'BTC/USD'.*pip install candle-nosuch"):
            await candles.collect_candles_only("BTC/USD", "1h", exchange="KRAKEN", count=5)


async def test_what_is_not_stored_says_how_to_get_it(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        with pytest.raises(UnknownSymbolError, match="candle collect FAKE SPOT BTC/USDT 1m"):
            await candles.load("BTC/USDT", "1m")


async def test_a_result_too_large_is_refused_before_history_is_asked_for(clock: Any, exchange: Any) -> None:
    bound = CollectionConfig(max_memory_objects=100, fallback_to_streaming=False)
    async with candle_core.open(CONFIG, clock=clock) as candles:
        with pytest.raises(MemoryLimitError, match="1440 candles"):
            await candles.get_candles("BTC/USDT", "1m", **DAY, config=bound)
        assert exchange.instances[0].requests == []
        with pytest.warns(ResourceWarning, match="1440 candles"):
            batch = await candles.get_candles("BTC/USDT", "1m", **DAY, config=CollectionConfig(max_memory_objects=100))
        assert len(batch) == 1440


async def test_several_symbols_at_once(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        summaries = await asyncio.gather(
            *(candles.collect_candles_only(name, "1m", **DAY) for name in ("BTC/USDT", "ETH/USDT"))
        )
    assert [summary.db_records_count for summary in summaries] == [1440, 1440]
    assert exchange.instances[0].closed == 1


# ── the blocking twin ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_without_await(clock: Any, exchange: Any) -> None:
    with blocking.open(CONFIG, clock=clock) as candles:
        summary = candles.collect_candles_only("BTC/USDT", "1m", **DAY)
        batch = candles.load("BTC/USDT", "1m")
        assert [market.base for market in candles.markets("FAKE")] == ["BTC", "ETH"]
        with pytest.raises(UnknownMarketError):
            candles.get_candles("DOGE/USDT", "1m", count=5)
    assert (summary.db_records_count, len(batch)) == (1440, 1440)
    assert exchange.instances[0].closed == 1


async def test_the_blocking_twin_works_where_a_loop_runs_already(clock: Any, exchange: Any) -> None:
    """As in a notebook."""
    with blocking.open(CONFIG, clock=clock) as candles:
        assert len(candles.get_candles("BTC/USDT", "1m", count=5)) == 5


def test_any_thread_may_use_it(clock: Any, exchange: Any) -> None:
    found: list[int] = []
    with blocking.open(CONFIG, clock=clock) as candles:
        threads = [
            threading.Thread(target=lambda: found.append(len(candles.get_candles("BTC/USDT", "1m", count=5))))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [5, 5, 5, 5]


@pytest.mark.parametrize("defaults", [{}, {"exchange": "ELSEWHERE", "tradetype": "SWAP"}])
@pytest.mark.usefixtures("exchange")
async def test_the_trade_type_may_be_left_out_where_an_exchange_has_one(clock: Any, defaults: dict[str, str]) -> None:
    async with candle_core.open({"storage": {"backend": "memory"}, "defaults": defaults}, clock=clock) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", exchange="FAKE", **DAY)
        assert len(await candles.load("BTC/USDT", "1m", exchange="FAKE")) == 1440
