"""Rate limits: one gate that every request passes. Spends, corrects itself from headers, pauses for all at once."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from candle_core.clock import ExchangeClock
from candle_hookspecs import BadInputError, Clock, Costs, Limit, LimitFeedback, Priority, RateLimitedError, Window

_NAP: Final = 0.01
"""Seconds added to every wait, so that a window has surely turned over when it ends."""


LONGEST_PAUSE: Final = 900.0
"""Seconds. A longer ban is reported to everybody who waits or comes, instead of being waited for."""

_GRAIN: Final = 1e-9
"""What sums of fractions may be off by."""


class Counter(Protocol):
    """How much of one limit is spent. Moments are UTC ms on the exchange's clock."""

    amount: float

    def wait(self, cost: float, now: int) -> float:
        """Seconds until `cost` fits; 0: it fits now."""
        ...

    def take(self, cost: float, now: int) -> None:
        """Spend."""
        ...

    def correct(self, used: float, now: int) -> None:
        """Hear how much is really spent in the running period.

        Only ever raises the count: what is under way is not in it yet.
        """
        ...


class FixedWindow:
    """A counter that starts anew at every multiple of its period."""

    def __init__(self, limit: Limit) -> None:
        self.amount = limit.amount
        self._period = int(limit.period * 1000)
        self._window = 0
        self._used = 0.0

    def wait(self, cost: float, now: int) -> float:
        """Seconds until `cost` fits."""
        self._turn(now)
        if self._used + cost <= self.amount:
            return 0.0
        return ((self._window + 1) * self._period - now) / 1000 + _NAP

    def take(self, cost: float, now: int) -> None:
        """Spend."""
        self._turn(now)
        self._used += cost

    def correct(self, used: float, now: int) -> None:
        """Raise the count to what the exchange says."""
        self._turn(now)
        self._used = max(self._used, used)

    def _turn(self, now: int) -> None:
        if now // self._period > self._window:
            self._window, self._used = now // self._period, 0.0


class SlidingWindow:
    """A counter of the last period, wherever it starts."""

    def __init__(self, limit: Limit) -> None:
        self.amount = limit.amount
        self._period = int(limit.period * 1000)
        self._spent: deque[tuple[int, float]] = deque()
        self._used = 0.0

    def wait(self, cost: float, now: int) -> float:
        """Seconds until `cost` fits."""
        self._expire(now)
        excess = self._used + cost - self.amount - _GRAIN
        if excess <= 0:
            return 0.0
        last = now
        for moment, amount in self._spent:
            last = moment
            excess -= amount
            if excess <= 0:
                break
        return (last + self._period - now) / 1000 + _NAP

    def take(self, cost: float, now: int) -> None:
        """Spend."""
        self._spent.append((now, cost))
        self._used += cost

    def correct(self, used: float, now: int) -> None:
        """Raise the count to what the exchange says."""
        self._expire(now)
        if used > self._used:
            self.take(used - self._used, now)

    def _expire(self, now: int) -> None:
        while self._spent and self._spent[0][0] <= now - self._period:
            self._used -= self._spent.popleft()[1]


def counter(limit: Limit) -> Counter:
    """A fresh counter for a limit."""
    return FixedWindow(limit) if limit.window is Window.FIXED else SlidingWindow(limit)


class Budget:
    """The gate of one provider: implements `BudgetGate`.

    Whoever is most urgent, and among those whoever came first, is next; nobody overtakes, so a costly request is not
    starved.

    Args:
        local: the clock to sleep on. clock: the exchange's, by which its windows turn.
    """

    def __init__(self, local: Clock, clock: ExchangeClock) -> None:
        self.clock = clock
        self._local = local
        self._counters: dict[str, Counter] = {}
        self._loop = asyncio.get_running_loop()
        self._line: list[tuple[Priority, int]] = []
        self._arrivals = itertools.count()
        self._moved = asyncio.Event()
        self._paused_until = 0

    def declare(self, limits: Iterable[Limit]) -> None:
        """Take the provider's limits on."""
        self._counters.update((limit.name, counter(limit)) for limit in limits)

    async def spend(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """Wait until every limit named has room and no pause is on, then take the costs."""
        self._check(costs)
        ticket = (priority, next(self._arrivals))
        heapq.heappush(self._line, ticket)
        try:
            while (wait := self._wait(ticket, costs)) != 0:
                await self._wait_for(wait)
            now = self.clock.now()
            for name, cost in costs.items():
                self._counters[name].take(cost, now)
        finally:
            self._line.remove(ticket)
            heapq.heapify(self._line)
            self._wake()

    def spend_blocking(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """`spend` from a worker thread."""
        asyncio.run_coroutine_threadsafe(self.spend(costs, priority), self._loop).result()

    def observe(self, feedback: LimitFeedback) -> None:
        """Correct the count from what an answer's headers say."""
        self._loop.call_soon_threadsafe(self._correct, feedback)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._loop.call_soon_threadsafe(self._pause, seconds)

    def _check(self, costs: Costs) -> None:
        for name, cost in costs.items():
            if name not in self._counters:
                raise BadInputError(f"no limit {name!r} is declared; declared are {sorted(self._counters)!r}")
            amount = self._counters[name].amount
            if cost > amount:
                raise BadInputError(f"a cost of {cost!r} never fits into limit {name!r} of {amount!r}")

    def _wait(self, ticket: tuple[Priority, int], costs: Costs) -> float | None:
        """Seconds until this ticket may pass; None: until somebody before it has."""
        if self._line[0] != ticket:
            return None
        self._check(costs)  # again: the exchange may have lowered a limit meanwhile
        now = self.clock.now()
        pause = max(0, self._paused_until - self._local.now()) / 1000
        if pause > LONGEST_PAUSE:
            raise RateLimitedError(f"the exchange wants a pause of another {pause:.0f} s", retry_after=pause)
        return max([pause, *(self._counters[name].wait(cost, now) for name, cost in costs.items())])

    async def _wait_for(self, seconds: float | None) -> None:
        if seconds is None:
            await self._moved.wait()
            return
        sleep = asyncio.ensure_future(self._local.sleep(seconds))
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait((sleep, moved), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            moved.cancel()

    def _wake(self) -> None:
        """Let everybody in the line look again."""
        self._moved.set()
        self._moved = asyncio.Event()

    def _correct(self, feedback: LimitFeedback) -> None:
        if feedback.server_time is not None:
            self.clock.observe(feedback.server_time)
        now = self.clock.now()
        for name, amount in feedback.amounts.items():
            if name in self._counters:
                self._counters[name].amount = amount
        for name, used in feedback.used.items():
            if name in self._counters:
                self._counters[name].correct(used, now)
        for name, remaining in feedback.remaining.items():
            if name in self._counters:
                self._counters[name].correct(self._counters[name].amount - remaining, now)
        if feedback.amounts:
            self._wake()

    def _pause(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._local.now() + int(seconds * 1000))
        self._wake()
