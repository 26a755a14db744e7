"""A storage that keeps everything in dictionaries: for tests, and as the contract's plainest reading.

It forgets when the process ends, and it is slow: one small object per candle.
"""

from candle_testkit.memory.series import Row, Said, Series, Values
from candle_testkit.memory.storage import MemoryStorage

__all__ = ["MemoryStorage", "Row", "Said", "Series", "Values"]
