"""What a cache's checks stand on: one place for caches, and one cache there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from candle_hookspecs import Cache

LONG: Final = 600.0
"""Seconds that no check takes."""
SHORT: Final = 0.2
"""Seconds after which a check looks whether a value has expired."""


class Stage:
    """One place for caches, and one cache there.

    Args:
        contract: the suite as it was adopted: what builds and closes caches.
        folder: the place.
    """

    def __init__(self, contract: Any, folder: Path) -> None:
        self.contract = contract
        self.folder = folder
        self._built: list[Cache] = []
        self.cache = self.build()

    def build(self) -> Cache:
        """Another cache of the same place."""
        self._built.append(self.contract.build(self.folder))
        return self._built[-1]

    def other(self) -> Cache:
        """The same, where both are to be one."""
        if not self.contract.shared:
            pytest.skip("nobody else sees this cache")
        return self.build()

    async def close(self) -> None:
        """Close every cache."""
        for cache in self._built:
            await self.contract.close(cache)


Story: TypeAlias = Callable[[Any, Stage], Awaitable[None]]
"""What a check does, with the suite as it was adopted, and a stage of its own."""


def check(story: Story) -> Any:
    """A check from a coroutine, in an event loop of its own: the adopter's pytest needs no plugin for that."""

    def played(self: Any, tmp_path: Path) -> None:
        async def play() -> None:
            stage = Stage(self, tmp_path)
            try:
                await story(self, stage)
            finally:
                await stage.close()

        asyncio.run(play())

    played.__doc__ = story.__doc__
    return played
