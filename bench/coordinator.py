"""What the coordinator's asking side by side saves, by kind of data: one call at a time, three, and twelve.

    python -m bench.coordinator [calls]

The exchange is a sandbox on loopback that lifts its limits; its answers are kept, and given after 200 ms each, as those
of a distant one are. What comes is compared: nothing may be lost, doubled or in another order, however many calls are
under way.
"""

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import candle_core
from bench.kept import kept
from candle_core.coordinator import (
    MAX_CONCURRENCY,
    LargeCandleRequest,
    LargeOrderbookRequest,
    LargeRequest,
    LargeResponse,
    LargeTickerRequest,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_hookspecs import Kind
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig

CALLS: Final = 24
LATENCY_MS: Final = 200
LANES: Final = (1, MAX_CONCURRENCY, 12)
BAR: Final = 3.0
"""Times as fast as one at a time, with the most lanes."""
TICKERS: Final = 20
"""Markets in a call for tickers at Binance."""


def run(calls: int = CALLS) -> None:
    """Measure and print.

    Raises:
        SystemExit: a kind misses the bar, or gives something else.
    """
    names = [f"C{number:03}" for number in range(TICKERS * calls)]
    markets = [MarketConfig(f"{name}USDT", name, "USDT", price="30000", turnover="300000000") for name in names]
    config = SandboxConfig(markets=markets, clock="2024-06-01T00:00:30", speed=0, limits=Limits(weight=None))
    print(f"{calls} calls of each kind, {LATENCY_MS} ms an answer, by calls under way at once; seconds\n")
    print(f"{'':12}" + "".join(f"{lanes:>10}" for lanes in LANES) + f"{'times as fast':>24}")
    missed = []
    with Sandbox(config) as sandbox, kept(sandbox.url, LATENCY_MS) as url:
        for kind in Kind:
            ask = partial(_ask, url, [market.symbol for market in markets], kind, calls)
            asyncio.run(ask(LANES[-1]))  # so that every answer is kept
            measured = [asyncio.run(ask(lanes)) for lanes in LANES]
            seconds, found = [one[0] for one in measured], [one[1] for one in measured]
            times = [seconds[0] / other for other in seconds[1:]]
            print(f"{kind:12}" + "".join(f"{one:10.2f}" for one in seconds), end="")
            print(f"{' and '.join(f'{one:.1f}' for one in times):>24}")
            if times[-1] < BAR:
                missed.append(f"{kind}: {times[-1]:.1f} times as fast, the bar is {BAR:.0f}")
            if any(other != found[0] for other in found):
                missed.append(f"{kind}: not the same")
    if missed:
        raise SystemExit("; ".join(missed))


async def _ask(url: str, names: list[str], kind: Kind, calls: int, lanes: int) -> tuple[float, Any]:
    """Seconds, and what came, into a fresh database; the market's listing is known by then."""
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            "storage": {"path": str(Path(folder) / "candles.sqlite3")},
            "providers": {"binance": {"rest_url": url}},
        }
        async with candle_core.open(tables) as candles:
            coordinator = MarketDataCoordinator(candles, lanes)
            await coordinator.get_orderbook_data(LargeOrderbookRequest(exchange="BINANCE", symbols=names[-1]))
            await coordinator.get_candle_data(first_candle(names[0]))
            began = time.perf_counter()
            response, found = await answer(coordinator, large(kind, calls, names))
            seconds = time.perf_counter() - began
    assert response.complete
    assert response.report.requests == calls, response.report
    return seconds, found


def first_candle(name: str) -> LargeCandleRequest:
    """What tells how dense the market is, on which depends how widely it is asked."""
    return LargeCandleRequest(exchange="BINANCE", symbols=name, timeframe="1m", start="2024-01-01", count=1)


def large(kind: Kind, calls: int, names: list[str]) -> LargeRequest:
    """A request that costs so many calls at Binance."""
    made: dict[Kind, LargeRequest] = {
        Kind.CANDLES: LargeCandleRequest(exchange="BINANCE", symbols=names[0], timeframe="1m", count=1000 * calls),
        Kind.TICKERS: LargeTickerRequest(exchange="BINANCE", symbols=names[: TICKERS * calls]),
        Kind.ORDERBOOKS: LargeOrderbookRequest(exchange="BINANCE", symbols=names[:calls], depth=10),
        Kind.TRADES: LargeTradeRequest(exchange="BINANCE", symbols=names[:calls], count=20),
    }
    return made[kind]


async def answer(coordinator: MarketDataCoordinator, request: LargeRequest) -> tuple[LargeResponse, Any]:
    """The response, and what it holds of each market."""
    if isinstance(request, LargeCandleRequest):
        candles = await coordinator.get_candle_data(request)
        return candles, candles.candles
    if isinstance(request, LargeTickerRequest):
        tickers = await coordinator.get_ticker_data(request)
        return tickers, tickers.tickers
    if isinstance(request, LargeOrderbookRequest):
        books = await coordinator.get_orderbook_data(request)
        return books, books.orderbooks
    assert isinstance(request, LargeTradeRequest)
    trades = await coordinator.get_trade_data(request)
    return trades, trades.trades


if __name__ == "__main__":
    run(*map(int, sys.argv[1:2]))
