"""Candles of any coarser timeframe, from finer ones or from trades; flat ones where nothing was traded."""

from candle_core.resample.flat import fill_flat
from candle_core.resample.fold import can_make, resample
from candle_core.resample.periods import PeriodGrid
from candle_core.resample.series import View
from candle_core.resample.sources import FILLS, read_candles
from candle_core.resample.trades import candles_from_trades

__all__ = ["FILLS", "PeriodGrid", "View", "can_make", "candles_from_trades", "fill_flat", "read_candles", "resample"]
