"""A coordinator whose manager is closed, or belongs to another event loop, asks nobody and opens nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import (
    ChartView,
    LargeCandleRequest,
    LargeOrderbookRequest,
    LargeTickerRequest,
    LargeTradeRequest,
    ManyRequest,
    MarketDataCoordinator,
    backtest,
    collect_many,
    screen,
)
from candle_hookspecs import BadInputError

CONFIG = {"storage": {"backend": "memory"}}
MARKET: dict[str, Any] = {"exchange": "BAZAAR", "symbols": "A/X"}
MINUTES = LargeCandleRequest(**MARKET, timeframe="1m", count=5)
DAY = LargeCandleRequest(**MARKET, timeframe="1m", start="2024-01-01", end="2024-01-02")

Ask = Callable[[MarketDataCoordinator], Awaitable[object]]


async def all_of(steps: Any) -> list[Any]:
    return [step async for step in steps]


EVERY_WAY: dict[str, Ask] = {
    "candles": lambda coordinator: coordinator.get_candle_data(MINUTES),
    "tickers": lambda coordinator: coordinator.get_ticker_data(LargeTickerRequest(**MARKET, max_age=60)),
    "orderbooks": lambda coordinator: coordinator.get_orderbook_data(LargeOrderbookRequest(**MARKET)),
    "trades": lambda coordinator: coordinator.get_trade_data(LargeTradeRequest(**MARKET, count=3)),
    "screen": lambda coordinator: all_of(screen(coordinator, MINUTES)),
    "backtest": lambda coordinator: all_of(backtest(coordinator, DAY)),
    "chart": lambda coordinator: ChartView(coordinator, MINUTES, forming=True).look(),
    "many": lambda coordinator: collect_many(coordinator, ManyRequest(**MARKET, timeframes="1m", count=5)),
}


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_after_the_close_nobody_is_asked(way: str, clock: Any, bazaar: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        coordinator = MarketDataCoordinator(candles)
        await EVERY_WAY[way](coordinator)
    (provider,) = bazaar.instances
    asked = len(provider.sent), provider.listings
    with pytest.raises(BadInputError, match="is closed"):
        await EVERY_WAY[way](coordinator)
    assert (len(provider.sent), provider.listings) == asked


@pytest.mark.parametrize("way", EVERY_WAY)
def test_another_event_loop_is_told_so_and_spoils_nothing(way: str, clock: Any, bazaar: Any) -> None:
    opening = candle_core.open(CONFIG, clock=clock)
    with asyncio.Runner() as own, asyncio.Runner() as other:
        coordinator = MarketDataCoordinator(own.run(opening.__aenter__()))
        with pytest.raises(BadInputError, match="another event loop"):
            other.run(_ask(way, coordinator))
        assert not bazaar.instances, "nothing was built on the wrong loop"
        own.run(_ask(way, coordinator))
        own.run(opening.__aexit__(None, None, None))


async def _ask(way: str, coordinator: MarketDataCoordinator) -> None:
    await EVERY_WAY[way](coordinator)
