"""What candles are often wanted for, each asked for in the way that costs it least.

The same requests in other orders, and with other ends; not other engines.
"""

from candle_core.coordinator.profiles.backtest import BacktestProgress, backtest
from candle_core.coordinator.profiles.chart import ChartLook, ChartView
from candle_core.coordinator.profiles.many import ManyRequest, ManyResult, collect_many
from candle_core.coordinator.profiles.pieces import Chunk
from candle_core.coordinator.profiles.screening import Screened, screen

__all__ = [
    "BacktestProgress",
    "ChartLook",
    "ChartView",
    "Chunk",
    "ManyRequest",
    "ManyResult",
    "Screened",
    "backtest",
    "collect_many",
    "screen",
]
