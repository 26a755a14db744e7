"""What the profiles of the coordinator save over plain requests for the same candles, in requests and in time.

    python -m bench.profiles

The exchange is a sandbox on loopback that takes 100 ms for every answer, as a distant one does. Upbit's limit of ten a
second holds, as the plugin knows it.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import candle_core
from bench.kept import kept
from candle_core.coordinator import LargeCandleRequest, ManyRequest, MarketDataCoordinator
from candle_core.coordinator.profiles import ChartView, backtest, collect_many, screen
from candle_hookspecs import Ticker
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig

LATENCY_MS: Final = 100
NOW: Final = "2024-06-01T00:00:30"
LOOKS: Final = 5
MINUTE: Final = 60_000


@dataclass(frozen=True)
class Cost:
    """What one way took: history requests and listings, seconds, and, where that is the point, seconds to the first."""

    requests: int
    seconds: float
    first: float = 0.0


def run() -> None:
    """Measure and print.

    Raises:
        SystemExit: a profile saves nothing.
    """
    print(f"{LATENCY_MS} ms an answer\n")
    print(f"{'':34}{'requests':>16}{'seconds':>18}{'to the first':>18}")
    missed = []
    for name, measure in MEASURES.items():
        plain, profile = asyncio.run(measure())
        print(f"{name:34}{_pair(plain.requests, profile.requests)}", end="")
        print(f"{_pair(plain.seconds, profile.seconds, 18)}{_pair(plain.first, profile.first, 18)}")
        slow = profile.seconds >= plain.seconds / 2 and profile.first >= plain.first / 2
        if profile.requests >= plain.requests and slow:
            missed.append(name)
    if missed:
        raise SystemExit(f"profiles that save nothing: {', '.join(missed)}")


def _pair(plain: float, profile: float, width: int = 16) -> str:
    form = ",.0f" if isinstance(plain, int) else ".2f"
    return f"{f'{plain:{form}} → {profile:{form}}' if plain else '':>{width}}"


async def screening() -> tuple[Cost, Cost]:
    """The newest 50 candles of 20 markets, one of which trades every twenty minutes."""
    markets = [_upbit(f"C{index:02}") for index in range(19)] + [_upbit("THIN", trades=72)]
    names = [market.symbol for market in markets]
    costs = []
    for profile in (False, True):
        async with _open(markets, "upbit") as (sandbox, coordinator):
            began = time.perf_counter()
            if profile:
                request = LargeCandleRequest(exchange="UPBIT", symbols=names, timeframe="1m", count=50)
                assert [len(one.candles) async for one in screen(coordinator, request)] == [50] * 20
            else:
                # Whoever wants 50 of each has to reach back as far as the thinnest needs: two days show it.
                request = LargeCandleRequest(exchange="UPBIT", symbols=names, timeframe="1m", count=2 * 1440)
                plain = await coordinator.get_candle_data(request)
                assert all(len(batch) >= 50 for batch in plain.candles.values())
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def prefiltering() -> tuple[Cost, Cost]:
    """The newest 50 candles of those of 40 markets that are traded most; plain: a screen of all."""
    coins = (MarketConfig(f"C{number:02}USDT", f"C{number:02}", "USDT", price="30000") for number in range(40))
    markets = [replace(coin, turnover=str(1_000_000 * (number + 1))) for number, coin in enumerate(coins)]
    request = LargeCandleRequest(
        exchange="BINANCE", symbols=[market.symbol for market in markets], timeframe="1m", count=50
    )

    def busy(ticker: Ticker) -> bool:
        return (ticker.quote_volume or 0) > 15_000_000

    costs = []
    for profile in (False, True):
        async with _open(markets, "binance") as (sandbox, coordinator):
            began = time.perf_counter()
            found = [one.symbol async for one in screen(coordinator, request, prefilter=busy if profile else None)]
            assert 0 < len(found) <= 20 if profile else len(found) == 40, len(found)
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def backtesting(most: int | None = None) -> tuple[Cost, Cost]:
    """Six months of minutes, so many requests under way, or as many as each takes by itself."""
    market = MarketConfig("BTCUSDT", "BTC", "USDT", price="30000", turnover="300000000", listed="2023-01-01")
    request = LargeCandleRequest(
        exchange="BINANCE", symbols="BTC/USDT", timeframe="1m", start="2023-12-01", end="2024-06-01",
        max_concurrency=most,
    )  # fmt: skip
    costs = []
    # What the sandbox needs to make up 264 full pages is as much as all the rest, and no part of it.
    with Sandbox(_config([market], latency_ms=0)) as sandbox, kept(sandbox.url, LATENCY_MS) as url:
        for profile in (False, False, True):
            async with _connect(sandbox, url, "binance") as coordinator:
                began, first, rows, requests = time.perf_counter(), 0.0, 0, 0
                if profile:
                    async for part in backtest(coordinator, request):
                        first = first or time.perf_counter() - began
                        rows += part.report.rows
                        requests += part.report.requests
                else:
                    plain = await coordinator.get_candle_data(request)
                    first, rows, requests = time.perf_counter() - began, plain.report.rows, plain.report.requests
                assert rows == 183 * 1440
                costs.append(Cost(requests, time.perf_counter() - began, first))
    return costs[1], costs[2]  # the first time, answers were not kept yet


async def backtesting_days() -> tuple[Cost, Cost]:
    """Three years of days in months, each of which is far less than a page; plain: each month by itself."""
    costs = []
    for profile in (False, True):
        async with _open([_upbit("BTC", listed="2020-01-01")], "upbit") as (sandbox, coordinator):
            began, rows = time.perf_counter(), 0
            request = LargeCandleRequest(
                exchange="UPBIT", symbols="KRW-BTC", timeframe="1d", start="2021-06-01", end="2024-06-01"
            )
            if profile:
                async for part in backtest(coordinator, request):
                    rows += part.report.rows
            else:
                months = [f"{year}-{month:02}-01" for year in range(2021, 2025) for month in range(1, 13)][5:42]
                for start, end in pairwise(months):
                    rows += (await coordinator.get_candle_data(replace(request, start=start, end=end))).report.rows
            assert rows == 1096
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def charting() -> tuple[Cost, Cost]:
    """500 candles on a screen, looked at every minute; plain: the exchange is asked for all of them each time."""
    costs = []
    for profile in (False, True):
        async with _open([_upbit("BTC")], "upbit") as (sandbox, coordinator):
            request = LargeCandleRequest(exchange="UPBIT", symbols="KRW-BTC", timeframe="1m", count=500)
            view = ChartView(coordinator, request)
            began = time.perf_counter()
            for _ in range(LOOKS):
                if profile:
                    await view.look()
                else:
                    await coordinator.candles.collect_candles_only(
                        "KRW-BTC", "1m", exchange="UPBIT", tradetype="SPOT", count=500, refetch=True
                    )
                sandbox.clock.advance(MINUTE)
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def forming() -> tuple[Cost, Cost]:
    """The same with the candle that is still open; plain: the newest two are asked for besides the increment."""
    costs = []
    for profile in (False, True):
        async with _open([_upbit("BTC")], "upbit") as (sandbox, coordinator):
            request = LargeCandleRequest(exchange="UPBIT", symbols="KRW-BTC", timeframe="1m", count=100)
            view = ChartView(coordinator, request, forming=profile)
            began = time.perf_counter()
            for _ in range(LOOKS):
                look = (await view.look())["KRW-BTC"]
                if profile:
                    assert look.forming is not None
                else:
                    await ChartView(coordinator, replace(request, count=1), forming=True).look()
                sandbox.clock.advance(MINUTE)
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def batching() -> tuple[Cost, Cost]:
    """An hour of 40 markets that nobody asked for before; plain: one after another."""
    markets = [_upbit(f"C{index:02}") for index in range(40)]
    names = [market.symbol for market in markets]
    costs = []
    for profile in (False, True):
        async with _open(markets, "upbit") as (sandbox, coordinator):
            began = time.perf_counter()
            if profile:
                request = LargeCandleRequest(exchange="UPBIT", symbols=names, timeframe="1m", count=60)
                assert (await coordinator.get_candle_data(request)).complete
            else:
                for name in names:
                    await coordinator.candles.get_candles(name, "1m", exchange="UPBIT", tradetype="SPOT", count=60)
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


async def keeping() -> tuple[Cost, Cost]:
    """A quarter after an hour of 40 markets in three timeframes was stored, all are brought up to now again."""
    coins = [f"C{index:02}" for index in range(40)]
    markets = [MarketConfig(f"{coin}USDT", coin, "USDT", price="30000", turnover="300000000") for coin in coins]
    names, timeframes = [market.symbol for market in markets], ["1m", "3m", "5m"]
    many = ManyRequest(exchange="BINANCE", symbols=names, timeframes=timeframes, count=60)
    costs = []
    for profile in (False, True):
        async with _open(markets, "binance") as (sandbox, coordinator):
            assert (await collect_many(coordinator, many)).complete
            sandbox.ledger.clear()
            sandbox.clock.advance(15 * MINUTE)
            began = time.perf_counter()
            if profile:
                assert (await collect_many(coordinator, many)).complete
            else:
                for timeframe in timeframes:
                    request = LargeCandleRequest(exchange="BINANCE", symbols=names, timeframe=timeframe, count=60)
                    assert (await coordinator.get_candle_data(request)).complete
            costs.append(Cost(sandbox.ledger.count(), time.perf_counter() - began))
    return costs[0], costs[1]


MEASURES: Final[dict[str, Callable[[], Coroutine[Any, Any, tuple[Cost, Cost]]]]] = {
    "screening: 50 of 20, one thin": screening,
    "screening: the busiest of 40": prefiltering,
    "backtest: six months of minutes": backtesting,
    "  the same, 8 calls at once each": partial(backtesting, 8),
    "backtest: three years of days": backtesting_days,
    f"chart: 500 candles, {LOOKS} looks": charting,
    f"  with the open one, {LOOKS} looks": forming,
    "batch: an hour of 40": batching,
    "many: 40 in three timeframes": keeping,
}


class _Clock:
    """The sandbox's own, which is set on by hand; waiting takes real time."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._began = int(time.monotonic() * 1000)

    def now(self) -> int:
        return self._sandbox.clock.now() + int(time.monotonic() * 1000) - self._began

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _upbit(coin: str, trades: int = 20_000_000, listed: str = "2023-01-01") -> MarketConfig:
    return MarketConfig(
        f"KRW-{coin}", coin, "KRW", "1000", "0.00000001", "42000000", "50000000", trades, listed=listed,
        exchange="UPBIT",
    )  # fmt: skip


def _config(markets: list[MarketConfig], latency_ms: int = LATENCY_MS) -> SandboxConfig:
    limits = Limits(weight=None, group=None)
    return SandboxConfig(markets=markets, clock=NOW, speed=0, latency_ms=latency_ms, limits=limits)


@asynccontextmanager
async def _open(markets: list[MarketConfig], exchange: str) -> AsyncIterator[tuple[Sandbox, MarketDataCoordinator]]:
    with Sandbox(_config(markets)) as sandbox:
        async with _connect(sandbox, sandbox.url, exchange) as coordinator:
            yield sandbox, coordinator


@asynccontextmanager
async def _connect(sandbox: Sandbox, url: str, exchange: str) -> AsyncIterator[MarketDataCoordinator]:
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            "storage": {"path": str(Path(folder) / "candles.sqlite3")},
            "providers": {exchange: {"rest_url": url}},
        }
        async with candle_core.open(tables, clock=_Clock(sandbox)) as candles:
            yield MarketDataCoordinator(candles)


if __name__ == "__main__":
    run()
