"""Rate limits: one gate that every request passes.

The counts stand in a `BudgetStore`, which all processes of the machine may share (`candle_core.budget.shared`); what
is counted of one limit is said in `candle_core.budget.tally`, what becomes of requests that have passed in
`candle_core.budget.sent`, of pauses in `candle_core.budget.pauses`; the line of those who wait is each process's own
(`candle_core.budget.line`).
"""

import asyncio
import math
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final

from candle_core.budget.counters import AHEAD, Now
from candle_core.budget.line import Line, Ticket, is_by_age
from candle_core.budget.pauses import Pauses
from candle_core.budget.reading import Reader
from candle_core.budget.sent import Sent, UnderWay
from candle_core.budget.shared import LocalStore, Records, Remote
from candle_core.budget.tally import LEASE, POLL, Tally
from candle_core.clock import ExchangeClock
from candle_hookspecs import (
    BadInputError,
    BudgetStore,
    Clock,
    Costs,
    Limit,
    LimitFeedback,
    Priority,
    StoreBusyError,
)

GRACE: Final = 300
"""Milliseconds for which another process keeps its turn after the moment at which it said it would look again."""

_around: ContextVar[Sent | None] = ContextVar("around", default=None)
"""The request that a plugin is about to send for the kernel."""


class Budget:
    """The gate of one provider: implements `BudgetGate`.

    Whoever is most urgent, and among those whoever came first, is next, except that every sixteenth request goes to
    whoever has waited longest. Nobody else overtakes, so a costly request is not starved. A request stands in the
    line of the first of its limits, in the order in which they were declared.

    Args:
        local: the clock to sleep on. clock: the exchange's, by which its windows turn.
        store: where counts are kept; None: in this process.
        remote: whom they are counted for.
        spent: hears what passed.
    """

    def __init__(
        self,
        local: Clock,
        clock: ExchangeClock,
        store: BudgetStore | None = None,
        remote: Remote | None = None,
        spent: Callable[[Costs], object] | None = None,
    ) -> None:
        self.clock = clock
        self._local = local
        self._store = store or LocalStore()
        self._remote = remote or Remote("")
        self._spent = spent
        self._limits: dict[str, Tally] = {}
        self._loop = asyncio.get_running_loop()
        self._me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._reader = Reader(local, clock, self._store)
        self._pauses = Pauses(local, self._store, self._reader)
        self._under_way = UnderWay(self._me, self._limits, local, self._store, self._reader)

    def declare(self, limits: Iterable[Limit]) -> None:
        """Take the provider's limits on."""
        for limit in limits:
            pool = self._remote.pool(limit)
            key = f"{pool}/{limit.name}/{limit.period:g}{limit.window.value[0]}"
            self._limits[limit.name] = Tally(limit, limit.amount, pool, key)

    def close(self) -> None:
        """Tell the other processes at once what they would be told in a moment."""
        self._under_way.close()

    async def spend(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """Wait until every limit named has room and no pause is on, then take the costs: they count as of now."""
        await self._enter_besides(costs, priority, lands=False)

    @asynccontextmanager
    async def under_way(
        self, costs: Costs, priority: Priority = Priority.NORMAL, *, by_plugin: bool = False
    ) -> AsyncIterator[None]:
        """The same for a request that is sent and answered inside the block.

        However long it takes, it is counted in every period in which the exchange may have counted it.

        Args:
            costs: of the request.
            priority: its own.
            by_plugin: a plugin sends it for the kernel, and may have to ask for something else first, on its own
                account. That must not wait for this; so then this counts as of now.
        """
        if by_plugin:
            await self._enter(costs, priority, lands=True)
        else:
            await self._enter_besides(costs, priority, lands=True)
        sent = self._under_way.sent(costs, priority, by_plugin=by_plugin)
        if by_plugin:
            _around.set(sent)
        given_up = False
        try:
            yield
        except asyncio.CancelledError:
            given_up = True
            raise
        finally:
            if by_plugin:  # else this may be one of several for the request around it
                _around.set(None)
            self._under_way.end(sent, given_up=given_up)

    @contextmanager
    def under_way_blocking(self, costs: Costs, priority: Priority = Priority.NORMAL) -> Iterator[None]:
        """`under_way` from a worker thread."""
        entering = self._enter_besides(costs, priority, lands=True)
        asyncio.run_coroutine_threadsafe(entering, self._loop).result()
        sent = self._under_way.sent(costs, priority)
        try:
            yield
        finally:
            self._under_way.end(sent)

    def observe(self, feedback: LimitFeedback) -> None:
        """Correct the count from what an answer's headers say."""
        self._loop.call_soon_threadsafe(self._hear, feedback)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._loop.call_soon_threadsafe(self._pause, seconds)

    # ── passing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _enter(self, costs: Costs, priority: Priority, *, lands: bool, in_front: bool = False) -> None:
        self._check(costs)
        if not costs:
            await self._pauses.outlast(self._remote.pool())
            return
        first = next(tally for name, tally in self._limits.items() if name in costs)
        ticket = first.line.join(priority, self._local.now(), in_front=in_front)
        try:
            while (wait := self._try(first, ticket, costs, lands=lands)) != 0:
                await self._rest(ticket, wait)
        except BaseException:
            first.line.leave(ticket)
            self._withdraw(first)
            raise
        if self._spent is not None:
            self._spent(costs)

    async def _enter_besides(self, costs: Costs, priority: Priority, *, lands: bool) -> None:
        """The same for what a plugin sends on its own account.

        What is needed first for another request is as urgent, and comes before those who may need it too.
        """
        if (around := _around.get()) is not None:
            self._under_way.land(around, self._local.now())
            priority = min(priority, around.priority)
        with self._under_way.beside():
            await self._enter(costs, priority, lands=lands, in_front=around is not None)

    def _check(self, costs: Costs) -> None:
        for name, cost in costs.items():
            if name not in self._limits:
                raise BadInputError(f"no limit {name!r} is declared; declared are {sorted(self._limits)!r}")
            amount = self._limits[name].amount
            if cost > amount:
                raise BadInputError(f"a cost of {cost!r} never fits into limit {name!r} of {amount!r}")

    def _try(self, first: Tally, ticket: Ticket, costs: Costs, *, lands: bool) -> float | None:
        """Pass, and leave the line: 0. Else seconds until it is worth trying again; None: when somebody says so."""
        self._check(costs)  # again: the exchange may have lowered a limit meanwhile
        ticket.moved.clear()
        if ticket not in (first.line.head(by_age=False), first.line.head(by_age=True)):
            return None
        tallies = [self._limits[name] for name in costs]
        pools = {tally.pool for tally in tallies} | {self._remote.pool()}
        try:
            with self._store.transaction(*(tally.key for tally in tallies), *pools) as records:
                now = self._reader.now(pools, records)
                wait = self._pass(first, ticket, costs, records, now, lands=lands)
        except StoreBusyError:  # at the beginning or at the end: whatever was decided did not happen
            first.line.rejoin(ticket)
            return random.uniform(0.2, 1) * POLL
        if wait is not None:
            for tally in tallies:
                tally.tell(self._loop.time())
        if wait == 0 and lands:
            self._under_way.begin(costs)
        return None if wait == math.inf else wait

    def _pass(
        self, first: Tally, ticket: Ticket, costs: Costs, records: Records, now: Now, *, lands: bool
    ) -> float | None:
        """As `_try`; `math.inf`: when something of our own lands."""
        record = records[first.key] or {}
        turn = record.get("turn", 0)
        by_age = is_by_age(turn)
        if (head := first.line.head(by_age=by_age)) is not ticket:
            assert head is not None
            head.moved.set()
            return None
        wait = max(self._pauses.left(records, now.local), self._wait(costs, records, now))
        others = _others(record.get("waiting", {}), self._me, now.local)
        if wait == 0 and any(_goes_first(entry, ticket, by_age=by_age) for entry in others.values()):
            wait = POLL
        if wait == 0:
            for name, cost in costs.items():
                tally = self._limits[name]
                records[tally.key] = tally.taken(records[tally.key], cost, now, self._me, lands=lands)
            first.line.leave(ticket)
            turn += 1
        if first.line:
            others[self._me] = self._entry(first.line, now.local + (LEASE if wait == math.inf else int(wait * 1000)))
        records[first.key] = {**records[first.key], "turn": turn, "waiting": others}
        return wait

    def _wait(self, costs: Costs, records: Records, now: Now) -> float:
        """Write down what this process has to tell, and say how long the costs must wait."""
        wait = 0.0
        for name, cost in costs.items():
            tally = self._limits[name]
            self._reader.warn_if_foreign(tally.key, records)
            records[tally.key] = tally.refreshed(records[tally.key], now, self._me)
            wait = max(wait, tally.wait(records[tally.key], cost, now, self._me))
        return wait

    async def _rest(self, ticket: Ticket, seconds: float | None) -> None:
        if seconds is None:
            await ticket.moved.wait()
            return
        sleep = asyncio.ensure_future(self._local.sleep(seconds))
        moved = asyncio.ensure_future(ticket.moved.wait())
        try:
            await asyncio.wait((sleep, moved), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            moved.cancel()

    # ── waiting beside other processes ──────────────────────────────────────────────────────────────────────────────

    def _entry(self, line: Line, due: int) -> list[int]:
        """What others are told of this process: its most urgent class, its longest wait, when it looks again."""
        urgent, oldest = line.head(by_age=False), line.head(by_age=True)
        assert urgent is not None
        assert oldest is not None
        return [urgent.priority, oldest.arrived, due]

    def _withdraw(self, first: Tally) -> None:
        """Let nobody elsewhere wait for one who gave up."""
        try:
            with self._store.transaction(first.key) as records:
                record = records[first.key] or {}
                waiting = {name: entry for name, entry in record.get("waiting", {}).items() if name != self._me}
                if waiting != record.get("waiting", {}):
                    records[first.key] = {**record, "waiting": waiting}
        except StoreBusyError:
            return  # the entry loses its force by itself

    # ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, feedback: LimitFeedback) -> None:
        if feedback.server_time is not None:
            self.clock.observe(feedback.server_time)
        for name, amount in feedback.amounts.items():
            if name in self._limits:
                self._limits[name].amount = amount
        left = {
            name: self._limits[name].amount - remaining
            for name, remaining in feedback.remaining.items()
            if name in self._limits
        }
        for name, used in (*feedback.used.items(), *left.items()):
            if name in self._limits:
                self._limits[name].heard.append((used, feedback.server_time))
        if feedback.amounts:
            self._under_way.wake()

    def _pause(self, seconds: float) -> None:
        self._pauses.begin(seconds, {tally.pool for tally in self._limits.values()} | {self._remote.pool()})
        self._under_way.wake()


def _others(waiting: Mapping[str, list[int]], me: str, now: int) -> dict[str, list[int]]:
    """Those in other processes who may still be waiting. One that is dead stops counting soon after it was due.

    So does one that came by another clock.
    """
    return {
        name: entry
        for name, entry in waiting.items()
        if name != me and now <= entry[2] + GRACE and entry[1] <= now + AHEAD
    }


def _goes_first(entry: list[int], ticket: Ticket, *, by_age: bool) -> bool:
    """Whether somebody in another process is before this one; among equals, whoever comes."""
    priority, oldest, _ = entry
    return oldest < ticket.arrived if by_age else priority < ticket.priority
