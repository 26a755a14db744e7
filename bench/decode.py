"""What a page of a thousand candles costs to read: our columns beside ccxt's own path, from the same body.

    python -m bench.decode

The ways take turns in one run, so that whatever else the machine does falls on all of them. The second body holds
volumes of nine digits, as a day of a coin of tiny price has; our reader of eight-digit words leaves them to the general
one.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.request import urlopen

import ccxt
import numpy as np

from candle_binance import wire
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig

ROUNDS: Final = 200
BAR: Final = 4.0
START: Final = 1_609_459_200_000  # 2021, UTC ms
MAJOR: Final = MarketConfig("BTCUSDT", "BTC", "USDT", price="42000", turnover="300000000", trades=1_000_000)
TINY: Final = replace(
    MAJOR, symbol="TINYUSDT", base="TINY", tick="0.00000001", step="1", price="0.00002", turnover="10000"
)
INTERVALS: Final = {MAJOR: "1m", TINY: "1d"}


def bodies() -> dict[str, bytes]:
    """A thousand candles of each market, as the sandbox sends them."""
    with Sandbox(SandboxConfig(markets=tuple(INTERVALS), clock="2024-06-01", gzip=False)) as sandbox:
        answers = {}
        for market, interval in INTERVALS.items():
            url = f"{sandbox.url}/api/v3/klines?symbol={market.symbol}&interval={interval}&startTime={START}&limit=1000"
            with urlopen(url) as answer:
                answers[market.symbol] = answer.read()
    return answers


def run() -> None:
    """Print medians in microseconds and how many times ours is faster.

    Raises:
        SystemExit: below the bar.
    """
    exchange = ccxt.binance()
    market = {"symbol": "BTC/USDT", "inverse": False}

    def through_ccxt(body: bytes) -> Any:
        return exchange.parse_ohlcvs(exchange.parse_json(body.decode()), market, "1m")

    ratios = {}
    for name, body in bodies().items():
        batch, lists = wire.decode(body), np.array(through_ccxt(body))
        assert len(batch) == len(lists) == 1000
        ours = np.stack([batch.open_time, batch.open, batch.high, batch.low, batch.close, batch.volume], axis=1)
        assert np.array_equal(ours, lists), "both must read the same numbers"
        mine, theirs = medians(body, wire.decode, through_ccxt)
        ratios[name] = theirs / mine
        print(f"decode 1,000 candles of {name:8}  ours {mine:6.0f} µs  ccxt {theirs:6.0f} µs  {ratios[name]:.1f} ×")
    if ratios["BTCUSDT"] < BAR:
        raise SystemExit(f"decode is {ratios['BTCUSDT']:.1f} × as fast as ccxt's; the bar is {BAR} ×")


def medians(body: bytes, *ways: Callable[[bytes], Any]) -> list[float]:
    """Microseconds of each way."""
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, times in zip(ways, spent, strict=True):
            start = time.perf_counter()
            way(body)
            times.append((time.perf_counter() - start) * 1e6)
    return [statistics.median(times) for times in spent]


if __name__ == "__main__":
    run()
