"""Calls, costs, rows, errors and latency, for each exchange and kind."""

from candle_core.statistics.collector import MARKETS, WARMUP, Collector, rows_of
from candle_core.statistics.kept import DAY, KeptStatistics

__all__ = ["DAY", "MARKETS", "WARMUP", "Collector", "KeptStatistics", "rows_of"]
