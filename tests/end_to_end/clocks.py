"""Clocks for the kernel: one that lies about the hour, one that runs fast, one that no machine is too slow for."""

import asyncio
import math
import time
from typing import Any

import pytest

from candle_core.budget import Budget
from candle_core.budget.sent import Sent, UnderWay
from candle_hookspecs import Costs, Priority, to_ms
from candle_testkit.sandbox import Sandbox


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


class PatientClock:
    """The clock of a sandbox whose own speed is 0, as this machine's: time goes on only where somebody sleeps.

    And then not before all that has passed a gate has been answered by the sandbox, and the answers are here. So when a
    request leaves, when it arrives, when it is over and whether it is refused depend on the kernel's waits alone, and
    not on how fast or busy this machine is. Meanwhile the sandbox's ledger must not be cleared.
    """

    def __init__(self, sandbox: Sandbox, patch: pytest.MonkeyPatch) -> None:
        self._sandbox = sandbox
        self._passed, self._under_way = 0, 0
        enter, land = Budget._enter, UnderWay.land

        async def counted(budget: Budget, costs: Costs, priority: Priority, *, lands: bool, **more: Any) -> None:
            await enter(budget, costs, priority, lands=lands, **more)
            self._passed += 1
            self._under_way += lands and bool(costs)

        def over(all_: UnderWay, sent: Sent, *when: Any) -> None:
            self._under_way -= bool(sent.parts)
            land(all_, sent, *when)

        patch.setattr(Budget, "_enter", counted)
        patch.setattr(UnderWay, "land", over)

    def now(self) -> int:
        return self._sandbox.clock.now()

    async def sleep(self, seconds: float) -> None:
        wake = self.now() + math.ceil(seconds * 1000)
        while self._sandbox.ledger.count() < self._passed or self._under_way:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.001)
        self._sandbox.clock.set(max(wake, self.now()))
