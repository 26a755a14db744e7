"""Memory caches whose values expire, bounded by their number and by their bytes."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cachetools import TLRUCache

from candle_core.clock import elapsed
from candle_hookspecs import BadInputError

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 64_000_000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Value]):
    value: _Value
    born: float
    ttl: float
    size: int


class MemoryCache(Generic[_Key, _Value]):
    """What `candle_hookspecs.Cache` is for bytes, for values as they are, in this process, without waiting.

    Where room is lacking, what was not used for longest goes first. Made for one event loop or thread.

    Args:
        size_of: bytes that a value takes.
        max_entries: most values.
        max_bytes: most bytes of them together.
        timer: seconds, on a clock that never goes back, nor stands still while the machine is suspended.

    Raises:
        BadInputError: bounds below 1.
    """

    def __init__(
        self,
        size_of: Callable[[_Value], int],
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        timer: Callable[[], float] = elapsed,
    ) -> None:
        for name, bound in (("max_entries", max_entries), ("max_bytes", max_bytes)):
            if bound < 1:
                raise BadInputError(f"{name}={bound!r} is no bound of a cache; give at least 1")
        self._size_of = size_of
        self._timer = timer
        self._max_bytes = max_bytes
        # The library knows one bound. If nothing counts for less than its share of the bytes, that one holds both.
        self._share = -(-max_bytes // max_entries)
        self._kept: TLRUCache[_Key, _Entry[_Value]] = TLRUCache(
            max_bytes, ttu=lambda _, entry, now: now + entry.ttl, timer=timer, getsizeof=self._weight
        )

    def get(self, key: _Key, max_age: float | None = None) -> _Value | None:
        """The value; None when it is absent, expired, or has been here for `max_age` seconds."""
        entry = self._kept.get(key)
        if entry is None or (max_age is not None and self._timer() - entry.born >= max_age):
            return None
        return entry.value

    def set(self, key: _Key, value: _Value, ttl: float) -> None:
        """Keep a value for `ttl` seconds; one that is larger than the cache is not kept."""
        entry = _Entry(value, self._timer(), ttl, self._size_of(value))
        if self._weight(entry) > self._max_bytes:
            self.delete(key)
        else:
            self._kept[key] = entry

    def delete(self, key: _Key) -> None:
        """Forget a key; an absent one is no error."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def __len__(self) -> int:
        """Values that are kept and not expired."""
        self._kept.expire()
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of the values that are kept and not expired."""
        self._kept.expire()
        return sum(entry.size for entry in self._kept.values())

    def _weight(self, entry: _Entry[_Value]) -> int:
        return max(entry.size, self._share)


class LocalCache:
    """The cache called ``memory``: a `candle_hookspecs.Cache` of this process alone.

    Args:
        timer: seconds, on a clock that never goes back, nor stands still while the machine is suspended.
    """

    def __init__(self, timer: Callable[[], float] = elapsed) -> None:
        self._memory: MemoryCache[str, bytes] = MemoryCache(len, timer=timer)

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        return self._memory.get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """See `Cache`."""
        self._memory.set(key, value, ttl)

    async def delete(self, key: str) -> None:
        """See `Cache`."""
        self._memory.delete(key)

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """See `Cache`."""
        if self._memory.get(key) != old:
            return False
        if new is None:
            self._memory.delete(key)
        else:
            self._memory.set(key, new, ttl)
        return True
