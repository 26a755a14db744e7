"""What asking side by side saves: one collection at concurrency 1 and one as the provider says, in turns.

    python -m bench.parallel [pages]

The exchange is a sandbox on loopback without limits, whose answers are kept and given again after 100 ms, as those of a
distant one are.
"""

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.kept import kept
from candle_core import blocking
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

PAGES: Final = 100
LATENCY_MS: Final = 100
ROUNDS: Final = 3
BAR: Final = 5.0
START: Final = datetime(2021, 1, 1, tzinfo=UTC)


def run(pages: int = PAGES) -> None:
    """Measure and print.

    Raises:
        SystemExit: the ratio is below the bar.
    """
    serial, parallel = [], []
    with Sandbox(SandboxConfig(limits=Limits(weight=None))) as exchange, kept(exchange.url, LATENCY_MS) as url:
        seconds(url, pages, {})
        for _ in range(ROUNDS):
            serial.append(seconds(url, pages, {"concurrency": 1}))
            parallel.append(seconds(url, pages, {}))
    ratio = statistics.median(one / other for one, other in zip(serial, parallel, strict=True))
    print(f"{pages} pages of 1,000 candles, {LATENCY_MS} ms an answer, median of {ROUNDS}\n")
    print(f"one at a time {statistics.median(serial):6.2f} s    side by side {statistics.median(parallel):6.2f} s")
    print(f"\n{ratio:.1f} times as fast, the bar is {BAR:.0f}: {'held' if ratio >= BAR else 'MISSED'}")
    if ratio < BAR:
        raise SystemExit(f"side by side is {ratio:.1f} times as fast as one at a time; the bar is {BAR}")


def seconds(url: str, pages: int, collect: dict[str, Any]) -> float:
    """How long so many pages take into a fresh database."""
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"},
            "collect": collect,
            "storage": {"path": str(Path(folder) / "candles.sqlite3")},
            "providers": {"binance": {"rest_url": url}},
        }
        with blocking.open(tables) as manager:
            manager.collect_candles_only("BTC/USDT", "1m", start=START - timedelta(minutes=1), end=START)
            end = START + timedelta(minutes=1_000 * pages)
            began = time.perf_counter()
            summary = manager.collect_candles_only("BTC/USDT", "1m", start=START, end=end)
            assert summary.complete
            return time.perf_counter() - began


if __name__ == "__main__":
    run(*map(int, sys.argv[1:2]))
