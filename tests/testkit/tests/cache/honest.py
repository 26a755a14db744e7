"""An honest cache: the contract, in a dictionary."""

import asyncio
from pathlib import Path
from typing import ClassVar

from candle_hookspecs import CacheUnavailableError


class House:
    """What the caches of one folder share: values with the second at which they expire, and the time."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, float]] = {}
        self.now = 0.0
        self.away = False


class HonestCache:
    """The contract, in a dictionary."""

    houses: ClassVar[dict[Path, House]] = {}

    def __init__(self, folder: Path) -> None:
        self.house = self.houses.setdefault(folder, House())

    async def close(self) -> None:
        """Nothing is held."""

    async def reach(self) -> None:
        """The way to where the values are."""
        if self.house.away:
            raise CacheUnavailableError("the house is away")
        await asyncio.sleep(0)

    def now(self) -> float:
        return self.house.now

    def peek(self, key: str) -> bytes | None:
        value, until = self.house.values.get(key, (None, 0.0))
        return value if until > self.now() else None

    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        self.house.values.pop(key, None)
        if value is not None:
            self.house.values[key] = (value, self.now() + ttl)

    async def get(self, key: str) -> bytes | None:
        await self.reach()
        return self.peek(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self.reach()
        self.put(key, value, ttl)

    async def delete(self, key: str) -> None:
        await self.reach()
        self.put(key, None, 0)

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        await self.reach()
        if self.peek(key) != old:
            return False
        self.put(key, new, ttl)
        return True
