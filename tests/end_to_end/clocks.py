"""Clocks for the kernel: one that lies about the hour, one that runs fast."""

import asyncio
import time

from candle_hookspecs import to_ms


class StandingClock:
    """Always the same moment; sleeping takes as long as it says, and does not move it."""

    def __init__(self, moment: int | str) -> None:
        self.moment = to_ms(moment)

    def now(self) -> int:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FastClock:
    """Starts at a moment and runs `factor` times as fast as the machine's, sleeping included."""

    def __init__(self, moment: int | str, factor: float) -> None:
        self.factor = factor
        self._start = to_ms(moment)
        self._began = time.monotonic()

    def now(self) -> int:
        return self._start + int((time.monotonic() - self._began) * 1000 * self.factor)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.factor)
