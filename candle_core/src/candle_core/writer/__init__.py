"""Writing: everything that goes to a database goes through one queue with four priorities."""

from candle_core.writer.config import BatchConfig
from candle_core.writer.upkeep import Schedule
from candle_core.writer.writer import Writer

__all__ = ["BatchConfig", "Schedule", "Writer"]
