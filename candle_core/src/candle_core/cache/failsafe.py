"""A cache that is always there: where the real one is not, this process remembers for itself."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from candle_core.cache.memory import LocalCache
from candle_hookspecs import Cache, CacheUnavailableError

RETRY: Final = 5.0
"""Seconds for which a cache that went away is left alone, so that nobody waits for it at every call."""

_Answer = TypeVar("_Answer")
_log = logging.getLogger("candle.cache")


class FailsafeCache:
    """A `candle_hookspecs.Cache` that never raises a `CacheUnavailableError`.

    An outage is said once, when it begins. What is put there meanwhile is of use until it ends.

    Args:
        cache: the real one.
        timer: seconds, on a clock that never goes back.
    """

    def __init__(self, cache: Cache, timer: Callable[[], float] = time.monotonic) -> None:
        self._cache = cache
        self._timer = timer
        self._local: LocalCache | None = None
        self._again = 0.0

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        return await self._either(lambda cache: cache.get(key))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """See `Cache`."""
        await self._either(lambda cache: cache.set(key, value, ttl))

    async def delete(self, key: str) -> None:
        """See `Cache`."""
        await self._either(lambda cache: cache.delete(key))

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """See `Cache`."""
        return await self._either(lambda cache: cache.swap(key, old, new, ttl))

    async def _either(self, do: Callable[[Cache], Awaitable[_Answer]]) -> _Answer:
        if self._local is None or self._timer() >= self._again:
            try:
                answer = await do(self._cache)
            except CacheUnavailableError as error:
                self._without(error)
            else:
                if self._local is not None:
                    self._local = None
                    _log.info("the cache answers again")
                return answer
        # Somebody else's call may have found the real one again meanwhile; then this one ends with an empty one.
        return await do(self._local or LocalCache(self._timer))

    def _without(self, error: CacheUnavailableError) -> None:
        self._again = self._timer() + RETRY
        if self._local is None:
            self._local = LocalCache(self._timer)
            _log.warning("%s; exchanges are asked, and this process alone remembers what they answer", error)
