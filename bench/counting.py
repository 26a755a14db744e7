"""What it costs to count one request: its time, weight, rows and bytes, by exchange and kind.

python -m bench.counting
"""

import time
from typing import Final

from candle_core.statistics import Collector
from candle_hookspecs import Kind

CALLS: Final = 50_000
ROUNDS: Final = 5
BAR: Final = 25.0
"""Microseconds for each request, which itself takes a thousand or more."""


def measure() -> float:
    """Microseconds for each request, in the quietest of some rounds."""
    return min(_round() for _ in range(ROUNDS)) / CALLS * 1e6


def _round() -> float:
    collector = Collector(lambda news, last: True)
    start = time.perf_counter()
    for _ in range(CALLS):
        with collector.call("binance", Kind.CANDLES, {"weight": 2}) as call:
            call.answered(1_000, 60_000)
    return time.perf_counter() - start


def run() -> None:
    """Print the figure; end with a message if it misses the bar."""
    each = measure()
    print(f"counting one request: {each:.1f} µs (bar {BAR:.0f})")
    if each > BAR:
        raise SystemExit(f"counting a request takes {each:.1f} µs, more than {BAR:.0f}")


if __name__ == "__main__":
    run()
