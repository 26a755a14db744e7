"""Warm-up: what is asked of exchanges once, so that it need not be asked before every piece of work."""

from candle_core.warmup.run import TIMEOUT, ProgressCallback, warm_up
from candle_core.warmup.service import ExchangeService

__all__ = ["TIMEOUT", "ExchangeService", "ProgressCallback", "warm_up"]
