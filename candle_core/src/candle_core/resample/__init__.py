"""Candles of any coarser timeframe, from finer ones or from trades; flat ones where nothing was traded."""

from candle_core.resample.flat import fill_flat
from candle_core.resample.fold import can_make, resample
from candle_core.resample.periods import PeriodGrid

__all__ = ["PeriodGrid", "can_make", "fill_flat", "resample"]
