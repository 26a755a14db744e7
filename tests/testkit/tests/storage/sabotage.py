"""The storages that are each wrong in one way, and the check that must notice each of them."""

from collections.abc import Callable

from candle_testkit.memory import MemoryStorage

SABOTAGED: dict[type[MemoryStorage], str] = {}
"""Each storage and the check meant to notice it."""


def noticed_by(check: str) -> Callable[[type[MemoryStorage]], type[MemoryStorage]]:
    def enter(sabotaged: type[MemoryStorage]) -> type[MemoryStorage]:
        SABOTAGED[sabotaged] = f"test_{check}"
        return sabotaged

    return enter
