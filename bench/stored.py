"""What it costs to ask for the candles of thousands of markets that are all stored already.

    python -m bench.stored [markets] [candles of each]

Beside the plainest way, which is to load one symbol after another through the hook of the database. CPU of the whole
process, in which a server of its own does not count, in the better of two rounds; and questions to the database for
each market, counted where the hooks are called. Every way gives the same candles.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import candle_core
from bench.storage import MINUTE, columns
from bench.symbols import fill
from candle_core.coordinator import LargeCandleRequest, MarketDataCoordinator
from candle_core.dispatch import Dispatch
from candle_hookspecs import CandleBatch, LoadRead, Span, SymbolQuery
from storage_backends.postgres.tests.server import any_server, create_database, drop_database

MARKETS: Final = 2_000
CANDLES: Final = 200
FRAMES: Final = 4
"""Timeframes in which each market is registered; asked for in one."""
ROUNDS: Final = 2
QUESTIONS_BAR: Final = 1.1
"""Questions to the database for each market."""
CPU_BAR: Final = 2.5
"""Times as much CPU as the plainest way."""

Found = dict[str, CandleBatch]


def run(markets: int = MARKETS, rows: int = CANDLES) -> None:
    """Measure both databases.

    Raises:
        SystemExit: above a bar.
    """
    missed: list[str] = []
    print(f"{markets:,} stored markets of {rows} candles; of each market\n")
    print(f"{'':28}{'questions':>10}{'ms CPU':>10}{'ms':>10}{'CPU, times the plainest':>26}")
    with tempfile.TemporaryDirectory() as folder, any_server() as server:
        path, url = Path(folder) / "candles.sqlite3", create_database(server)
        storages: tuple[dict[str, Any], ...] = (
            {"backend": "sqlite", "path": str(path)},
            {"backend": "postgres", "url": url},
        )
        try:
            for storage in storages:
                missed += asyncio.run(measure(storage, markets, rows))
        finally:
            drop_database(server, url)
    if missed:
        raise SystemExit("; ".join(missed))


async def measure(storage: dict[str, Any], markets: int, rows: int) -> list[str]:
    """Print a line for each way; what is above its bar."""
    missed, plainest, same = [], 0.0, None
    async with candle_core.open({"storage": storage}) as candles:
        await fill(candles, FRAMES * markets, columns(rows))
        for name, way in ways(candles, Span(0, rows * MINUTE)).items():
            took: list[tuple[float, float]] = []
            found: Found = {}
            for _ in range(ROUNDS):
                began, passed = time.process_time(), time.perf_counter()
                found = await way()
                took.append((time.process_time() - began, time.perf_counter() - passed))
            with counted() as hooks:
                await way()
            cpu, wall = min(took)
            plainest, same = plainest or cpu, same or found
            questions = len(hooks) / markets
            print(f"{storage['backend']:9} {name:18}{questions:10.2f}", end="")
            print(f"{cpu / markets * 1e3:10.2f}{wall / markets * 1e3:10.2f}{cpu / plainest:26.1f}")
            if len(found) != markets or found != same:
                missed.append(f"{storage['backend']}, {name}: not the same")
            if questions > QUESTIONS_BAR or cpu > CPU_BAR * plainest:
                missed.append(f"{storage['backend']}, {name}: {questions:.2f} questions, {cpu / plainest:.1f} times")
    return missed


def ways(candles: candle_core.Candles, span: Span) -> dict[str, Callable[[], Awaitable[Found]]]:
    """Name → how all markets are asked for, the plainest first."""
    storage, coordinator = candles.kernel.storage(), MarketDataCoordinator(candles)

    async def names() -> list[str]:
        query = SymbolQuery(exchange="BINANCE", tradetype="SPOT", timeframe="1m")
        return [record.market.ccxt_symbol for record in await storage.symbols(query)]

    async def one_by_one() -> Found:
        query = SymbolQuery(exchange="BINANCE", tradetype="SPOT", timeframe="1m")
        records = await storage.symbols(query)
        return {one.market.ccxt_symbol: await storage.load(LoadRead(symbol=one.symbol, span=span)) for one in records}

    async def coordinated() -> Found:
        request = LargeCandleRequest(
            exchange="BINANCE", tradetype="SPOT", symbols=await names(), timeframe="1m", start=0, end=span.end
        )
        response = await coordinator.get_candle_data(request)
        assert response.continuous
        assert not response.report.requests
        return dict(response.candles)

    async def loaded() -> Found:
        frame = await candles.load_many(
            await names(), "1m", exchange="BINANCE", tradetype="SPOT", start=0, end=span.end
        )
        return dict(frame.batches)

    return {"one by one": one_by_one, "get_candle_data": coordinated, "load_many": loaded}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The hooks that are called meanwhile."""
    hooks: list[str] = []
    ask = Dispatch.ask

    async def counting(self: Dispatch, name: str, hook: str, /, *given: Any, **arguments: Any) -> Any:
        hooks.append(hook)
        return await ask(self, name, hook, *given, **arguments)

    with patch.object(Dispatch, "ask", counting):
        yield hooks


if __name__ == "__main__":
    run(*map(int, sys.argv[1:]))
