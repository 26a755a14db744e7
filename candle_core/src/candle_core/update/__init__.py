"""Keeping many symbols fresh: listed and new ones from their beginning, known ones from where they stand."""

from candle_core.update.account import ProgressCallback
from candle_core.update.active import UpdateWish, active_update
from candle_core.update.buffer import BUFFER_SIZE, RowBuffer
from candle_core.update.passive import passive_update

__all__ = ["BUFFER_SIZE", "ProgressCallback", "RowBuffer", "UpdateWish", "active_update", "passive_update"]
