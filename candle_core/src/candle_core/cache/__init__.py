"""What may be lost: memory that forgets, caches that others see too, and the keeper of what exchanges answered."""

from candle_core.cache.file import FileCache
from candle_core.cache.keeper import Keeper, Kept
from candle_core.cache.memory import MAX_BYTES, MAX_ENTRIES, LocalCache, MemoryCache

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "FileCache", "Keeper", "Kept", "LocalCache", "MemoryCache"]
