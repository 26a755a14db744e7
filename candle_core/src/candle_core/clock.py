"""The kernel's clock, and its idea of each exchange's."""

import asyncio
import time
from dataclasses import dataclass

from candle_hookspecs import Clock


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class ExchangeClock:
    """An exchange's clock, as its answers tell it: never ahead of the exchange, and closer with every answer.

    An answer's time is a lower bound (it was stamped before it arrived, and HTTP dates are whole seconds), so the
    largest offset seen is the best one.
    """

    local: Clock
    offset: int | None = None

    def now(self) -> int:
        """UTC milliseconds on the exchange's clock; the local clock's until the exchange was heard."""
        return self.local.now() + (self.offset or 0)

    def observe(self, server_time: int, local_time: int | None = None) -> None:
        """Hear what time it was there at a moment of the local clock (just now, if not said)."""
        offset = server_time - (self.local.now() if local_time is None else local_time)
        self.offset = offset if self.offset is None else max(self.offset, offset)
