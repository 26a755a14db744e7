"""The kernel's clock, and its idea of each exchange's."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from candle_hookspecs import Clock

BELIEVED: Final = 600_000
"""Milliseconds in which one best answer is kept, and the one of those before. Clocks drift apart, and are set."""
KNOWN: Final = 3_600_000
"""Milliseconds after which an exchange that was not heard is to be asked for its time."""
LONGEST_NAP: Final = 60.0
"""Seconds. A machine that was suspended, or whose clock was set, is late by no more than this."""


def elapsed() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine is suspended, if the system has one."""
    if sys.platform == "win32":  # where the only one does
        return time.monotonic()
    # On Linux the monotonic one stands still meanwhile, and on macOS Python's own does, but not the system's:
    # https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def doze_until(moment: int, clock: Clock, now: Callable[[], int] | None = None) -> bool:
    """Wait for a moment, in naps; not as long as it seemed if the machine's clock is set meanwhile.

    Args:
        moment: UTC ms.
        clock: the machine's, to sleep on.
        now: tells what time it is, where that is another clock's.

    Returns:
        Whether it has come. False: the machine's clock was set back, or the machine was suspended for long, so that
        nobody knows how far away it is.
    """
    while (left := moment - (now or clock.now)()) > 0:
        nap, before = min(left / 1000, LONGEST_NAP), clock.now()
        await clock.sleep(nap)
        if not 0 <= clock.now() - before <= nap * 1000 + BELIEVED:
            return False
    return True


@dataclass(slots=True)
class ExchangeClock:
    """An exchange's clock, as its answers tell it: never ahead of the exchange, and closer with every answer.

    An answer's time is a lower bound (it was stamped before it arrived, and HTTP dates are whole seconds), so the
    largest offset seen lately is the best one.
    """

    local: Clock
    offset: int | None = None
    _best: dict[int, int] = field(default_factory=dict)
    """The largest offset of each `BELIEVED`, by its number on the local clock."""
    _heard: int = 0

    def now(self) -> int:
        """UTC milliseconds on the exchange's clock; the local clock's until the exchange was heard."""
        return self.local.now() + (self.offset or 0)

    @property
    def is_known(self) -> bool:
        """Whether the exchange was heard, and not so long ago that either clock may have been set since."""
        return self.offset is not None and abs(self.local.now() - self._heard) < KNOWN

    def observe(self, server_time: int, local_time: int | None = None) -> None:
        """Hear what time it was there at a moment of the local clock (just now, if not said)."""
        self._heard = self.local.now() if local_time is None else local_time
        offset, part = server_time - self._heard, self._heard // BELIEVED
        self._best = {one: best for one, best in self._best.items() if abs(one - part) <= 1}
        self._best[part] = max(offset, self._best.get(part, offset))
        self.offset = max(self._best.values())

    def forget(self) -> None:
        """Know nothing, as in the beginning: the local clock is not what it was."""
        self.offset, self._best = None, {}
