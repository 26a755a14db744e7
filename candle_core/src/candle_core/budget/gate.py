"""Rate limits: one gate that every request passes. Spends, corrects itself from headers, pauses for all at once.

The counts stand in a `BudgetStore`, which all processes of the machine may share (`candle_core.budget.shared`); the
line of those who wait is each process's own (`candle_core.budget.line`).
"""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from candle_core.budget.counters import AHEAD, NAP, Now, counter
from candle_core.budget.line import Line, Ticket, is_by_age
from candle_core.budget.shared import LocalStore, Records, Remote
from candle_core.clock import ExchangeClock
from candle_hookspecs import (
    BadInputError,
    BudgetStore,
    Clock,
    Costs,
    Limit,
    LimitFeedback,
    Priority,
    RateLimitedError,
    StoreBusyError,
)

LONGEST_PAUSE: Final = 900.0
"""Seconds. A longer ban is reported to everybody who waits or comes, instead of being waited for."""
POLL: Final = 0.02
"""Seconds after which to look again whether another process, which goes first, has gone."""
GRACE: Final = 300
"""Milliseconds for which another process keeps its turn after the moment at which it said it would look again."""
BELIEVED: Final = 600_000
"""Milliseconds for which another process's idea of the exchange's clock is believed."""


@dataclass(slots=True)
class _Declared:
    """A limit, where it is kept, the line before it, and what headers said that is not in the counts yet."""

    limit: Limit
    amount: float
    pool: str
    key: str
    line: Line = field(default_factory=Line)
    heard: list[tuple[float, int | None]] = field(default_factory=list)


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
        self._limits: dict[str, _Declared] = {}
        self._loop = asyncio.get_running_loop()
        self._me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._paused_until = 0

    def declare(self, limits: Iterable[Limit]) -> None:
        """Take the provider's limits on."""
        for limit in limits:
            pool = self._remote.pool(limit)
            key = f"{pool}/{limit.name}/{limit.period:g}{limit.window.value[0]}"
            self._limits[limit.name] = _Declared(limit, limit.amount, pool, key)

    async def spend(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """Wait until every limit named has room and no pause is on, then take the costs."""
        self._check(costs)
        if not costs:
            await self._outlast_pause()
            return
        first = next(declared for name, declared in self._limits.items() if name in costs)
        ticket = first.line.join(priority, self._local.now())
        try:
            while (wait := self._try(first, ticket, costs)) != 0:
                await self._rest(ticket, wait)
        except BaseException:
            first.line.leave(ticket)
            self._withdraw(first)
            raise
        if self._spent is not None:
            self._spent(costs)

    def spend_blocking(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """`spend` from a worker thread."""
        asyncio.run_coroutine_threadsafe(self.spend(costs, priority), self._loop).result()

    def observe(self, feedback: LimitFeedback) -> None:
        """Correct the count from what an answer's headers say."""
        self._loop.call_soon_threadsafe(self._hear, feedback)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._loop.call_soon_threadsafe(self._pause, seconds)

    # ── passing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check(self, costs: Costs) -> None:
        for name, cost in costs.items():
            if name not in self._limits:
                raise BadInputError(f"no limit {name!r} is declared; declared are {sorted(self._limits)!r}")
            amount = self._limits[name].amount
            if cost > amount:
                raise BadInputError(f"a cost of {cost!r} never fits into limit {name!r} of {amount!r}")

    def _try(self, first: _Declared, ticket: Ticket, costs: Costs) -> float | None:
        """Pass, and leave the line: 0. Else seconds until it is worth trying again; None: when somebody says so."""
        self._check(costs)  # again: the exchange may have lowered a limit meanwhile
        ticket.moved.clear()
        if ticket not in (first.line.head(by_age=False), first.line.head(by_age=True)):
            return None
        keys = [self._limits[name].key for name in costs]
        pools = {self._limits[name].pool for name in costs} | {self._remote.pool()}
        try:
            with self._store.transaction(*keys, *pools) as records:
                wait = self._pass(first, ticket, costs, records, self._now(pools, records))
        except StoreBusyError:  # at the beginning or at the end: whatever was decided did not happen
            first.line.rejoin(ticket)
            return random.uniform(0.2, 1) * POLL
        if wait is not None:
            for name in costs:
                self._limits[name].heard.clear()
        return wait

    def _pass(self, first: _Declared, ticket: Ticket, costs: Costs, records: Records, now: Now) -> float | None:
        record = records[first.key] or {}
        turn = record.get("turn", 0)
        by_age = is_by_age(turn)
        if (head := first.line.head(by_age=by_age)) is not ticket:
            assert head is not None
            head.moved.set()
            return None
        wait = max(self._pause_left(records, now.local), self._count(costs, records, now, dry=True))
        others = _others(record.get("waiting", {}), self._me, now.local)
        if wait == 0 and any(_goes_first(entry, ticket, by_age=by_age) for entry in others.values()):
            wait = POLL
        if wait == 0:
            self._count(costs, records, now, dry=False)
            first.line.leave(ticket)
            turn += 1
        if first.line:
            others[self._me] = self._entry(first.line, now.local + int(wait * 1000))
        records[first.key] = {**(records[first.key] or {}), "turn": turn, "waiting": others}
        return wait

    def _count(self, costs: Costs, records: Records, now: Now, *, dry: bool) -> float:
        """Take in what headers said, and say how long the costs must wait; unless `dry`, spend them."""
        wait = 0.0
        for name, cost in costs.items():
            declared = self._limits[name]
            record = records[declared.key] or {}
            spent = counter(declared.limit, record.get("spent", ()))
            for used, told in declared.heard:
                spent.hear(used, now, told)
            wait = max(wait, spent.wait(cost, declared.amount, now))
            if not dry:
                spent.take(cost, now)
            records[declared.key] = {**record, "spent": spent.state}
        return wait

    def _now(self, pools: Iterable[str], records: Records) -> Now:
        """The time here and, by the best estimate of anybody who shares the pools, at the exchange."""
        local, own = self._local.now(), self.clock.offset
        best = own
        for pool in pools:
            record = records[pool] or {}
            offset, heard = record.get("offset", (None, 0))
            fresh = offset is not None and abs(local - heard) < BELIEVED
            if own is not None and (not fresh or own > offset or (own == offset and local - heard > BELIEVED / 2)):
                records[pool] = {**record, "offset": [own, local]}
            elif fresh:
                best = offset if best is None else max(best, offset)
        # Who knows nothing of the exchange's clock goes by the one that is common to all, so that windows are too.
        return Now(local, local + (self._store.ahead if best is None else best))

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

    def _withdraw(self, first: _Declared) -> None:
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
            self._wake()

    # ── pausing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pause(self, seconds: float) -> None:
        now = self._local.now()
        self._paused_until = max(self._paused_until, now + int(seconds * 1000))
        self._tell_pause(now)
        self._wake()

    def _tell_pause(self, now: int) -> None:
        """Write the pause down for everybody; if somebody else is writing, in a moment."""
        pools = {declared.pool for declared in self._limits.values()} | {self._remote.pool()}
        try:
            with self._store.transaction(*pools) as records:
                for pool, record in records.items():
                    until = max(self._paused_until, _paused_until(record, now))
                    records[pool] = {**(record or {}), "pause": [now, until]}
        except StoreBusyError:
            self._loop.call_later(POLL, self._tell_pause, now)

    def _pause_left(self, records: Records, now: int) -> float:
        """Seconds.

        Raises:
            RateLimitedError: too many to wait for.
        """
        until = max(self._paused_until, *(_paused_until(record, now) for record in records.values()))
        pause = max(0, until - now) / 1000
        if pause > LONGEST_PAUSE:
            raise RateLimitedError(f"the exchange wants a pause of another {pause:.0f} s", retry_after=pause)
        return pause

    async def _outlast_pause(self) -> None:
        while True:
            try:
                with self._store.transaction(self._remote.pool()) as records:
                    wait = self._pause_left(records, self._local.now())
            except StoreBusyError:
                wait = POLL
            if wait == 0:
                return
            await self._local.sleep(wait + NAP)

    def _wake(self) -> None:
        """Let those in every line look again who may be next."""
        for declared in self._limits.values():
            declared.line.wake()


def _paused_until(record: Mapping[str, Any] | None, now: int) -> int:
    """Until when a pool's record says to pause; a pause that another clock has written does not count."""
    since, until = (record or {}).get("pause", (0, 0))
    return int(until) if since <= now + AHEAD else 0


def _others(waiting: Mapping[str, list[int]], me: str, now: int) -> dict[str, list[int]]:
    """Those in other processes who may still be waiting. One that is dead stops counting soon after it was due."""
    return {name: entry for name, entry in waiting.items() if name != me and now <= entry[2] + GRACE}


def _goes_first(entry: list[int], ticket: Ticket, *, by_age: bool) -> bool:
    """Whether somebody in another process is before this one; among equals, whoever comes."""
    priority, oldest, _ = entry
    return oldest < ticket.arrived if by_age else priority < ticket.priority
