"""What it costs to say what is stored of ten thousand symbols, and how much of each is proven.

    python -m bench.symbols [symbols] [candles of each]

CPU seconds of this process, the better of three rounds, beside the seconds that passed (a server works meanwhile). Four
timeframes of each market, three facts of each symbol.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import candle_core
from bench.storage import MARKET, MINUTE, SOURCE, columns
from candle_hookspecs import Answer, CandleBatch, Coverage, CoverageState, Evidence, Registration, SaveWrite, Span
from storage_backends.postgres.tests.server import any_server, create_database, drop_database

FRAMES = ("1m", "5m", "1h", "1d")
ASKED: tuple[dict[str, Any], ...] = ({}, {"statistics": True}, {"coverage": True})
ROUNDS = 3
BAR = 1.0


def facts(end: int) -> tuple[Coverage, ...]:
    """Not listed, answered, asserted empty; the candles in between."""
    said = (CoverageState.NOT_LISTED, Evidence.LISTING), (CoverageState.ANSWERED, Evidence.ANCHORED)
    edges = (-10 * MINUTE, 0), (0, end)
    known = (Coverage(Span(*edge), *kind, SOURCE, 1) for edge, kind in zip(edges, said, strict=True))
    empty = Coverage(Span(end, end + MINUTE), CoverageState.ANSWERED, Evidence.REPEATED, SOURCE, 1)
    return (*known, empty)


async def fill(candles: candle_core.Candles, symbols: int, batch: CandleBatch) -> None:
    """Register and save."""
    named = (f"B{number:05}" for number in range(symbols // len(FRAMES)))
    markets = [replace(MARKET, base=base, native_id=f"{base}USDT", ccxt_symbol=f"{base}/USDT") for base in named]
    storage = candles.kernel.storage()
    records = await storage.register([Registration(market=market, timeframes=FRAMES) for market in markets])
    said = Answer(symbol=records[0].symbol, source=SOURCE, answered_at=1, batch=batch, coverage=facts(batch.last + 1))
    for start in range(0, len(records), 500):
        answers = tuple(replace(said, symbol=record.symbol) for record in records[start : start + 500])
        await storage.save(SaveWrite(answers=answers))


async def measure(storage: dict[str, Any], symbols: int, rows: int) -> float:
    """Print a line for each question; CPU seconds of the last, which tells everything."""
    cpu = 0.0
    async with candle_core.open({"storage": storage}) as candles:
        await fill(candles, symbols, columns(rows))
        for asked in ASKED:
            took = []
            for _ in range(ROUNDS):
                began, passed = time.process_time(), time.perf_counter()
                found = await candles.symbols(**asked)
                took.append((time.process_time() - began, time.perf_counter() - passed))
                assert len(found) == symbols
                assert {one.share is not None for one in found} == {"coverage" in asked}
            cpu, wall = min(took)
            what = "with " + " and ".join(asked) if asked else "names alone"
            print(f"{storage['backend']:9} {symbols:,} symbols {what:16}  {cpu:.3f} s CPU  {wall:.3f} s")
    return cpu


def run(symbols: int = 10_000, rows: int = 50) -> None:
    """Measure both databases.

    Raises:
        SystemExit: above the bar.
    """
    with tempfile.TemporaryDirectory() as folder, any_server() as server:
        path, url = Path(folder) / "candles.sqlite3", create_database(server)
        try:
            storages: tuple[dict[str, Any], ...] = (
                {"backend": "sqlite", "path": str(path)},
                {"backend": "postgres", "url": url},
            )
            slowest = max(asyncio.run(measure(storage, symbols, rows)) for storage in storages)
        finally:
            drop_database(server, url)
    if slowest > BAR:
        raise SystemExit(f"telling {symbols:,} symbols takes {slowest:.2f} s; the bar is {BAR} s")


if __name__ == "__main__":
    run(*map(int, sys.argv[1:]))
