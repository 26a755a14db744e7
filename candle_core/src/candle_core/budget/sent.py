"""What this process has under way, and how the others learn of it: with a beat, and soon after it is over."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from candle_core.budget.reading import Reader
from candle_core.budget.tally import BEAT, LEASE, POLL, Tally
from candle_hookspecs import BudgetStore, Clock, Costs, Priority, StoreBusyError

OVERDUE: Final = LEASE / 1000
"""Seconds without an answer after which a request may be one that waits for what a plugin asks besides."""


@dataclass(slots=True, eq=False)
class Sent:
    """A request that is under way.

    Attributes:
        parts: what it takes of which limits; empty once it has landed.
        since: when it left, on the event loop's clock.
        priority: its own.
    """

    parts: list[tuple[Tally, float]]
    since: float
    priority: Priority


class UnderWay:
    """All of one provider.

    Args:
        me: this process's name in the records.
        limits: by name.
        local: the clock to sleep on.
        store, reader: where others are told, and who reads it.
    """

    def __init__(self, me: str, limits: Mapping[str, Tally], local: Clock, store: BudgetStore, reader: Reader) -> None:
        self._me, self._limits, self._local, self._store, self._reader = me, limits, local, store, reader
        self._loop = asyncio.get_running_loop()
        self._lent: list[Sent] = []
        """Those that plugins send for the kernel."""
        self._besides = 0
        """How many wait that plugins send on their own account."""
        self._telling: asyncio.TimerHandle | None = None
        self._is_closed = False

    def close(self) -> None:
        """Tell the other processes at once what they would be told in a moment."""
        self._is_closed = True
        self._tell()

    def begin(self, costs: Costs) -> None:
        """Take in that a request has left, as the records already say."""
        for name, cost in costs.items():
            self._limits[name].send(cost)
        self._tell_soon(BEAT)

    def sent(self, costs: Costs, priority: Priority, *, by_plugin: bool = False) -> Sent:
        """What to let land when it is over. `by_plugin`: a plugin sends it, for the kernel."""
        parts = [(self._limits[name], cost) for name, cost in costs.items()]
        sent = Sent(parts, self._loop.time(), priority)
        if by_plugin:
            self._lent.append(sent)
        return sent

    def end(self, sent: Sent, *, given_up: bool = False) -> None:
        """Let it land, from any thread. `given_up`: before there was an answer.

        That is behind what the answer tells of the exchange's clock: so in no earlier window than it was counted in.
        """
        with suppress(RuntimeError):  # the loop is closed, and nobody there to tell
            self._loop.call_soon_threadsafe(self.land, sent, self._local.now(), given_up)

    def land(self, sent: Sent, local: int, given_up: bool = False) -> None:
        """It is over since a moment of the local clock. A second time there is nothing left to land."""
        if sent in self._lent:
            self._lent.remove(sent)
        while sent.parts:
            tally, cost = sent.parts.pop()
            tally.land(cost, local, given_up=given_up)
        self.wake()
        self._tell_soon(POLL)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Around the wait of what a plugin sends on its own account.

        It must not wait for requests that wait for it, such as all those that need one listing. Who is not answered
        for long is taken for one of them.
        """
        self._besides += 1
        try:
            yield
        finally:
            self._besides -= 1

    def wake(self) -> None:
        """Let those in every line look again who may be next."""
        for tally in self._limits.values():
            tally.line.wake()

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell_soon(self, seconds: float) -> None:
        """See to it that news are told in so many seconds at the latest, unless a request that passes tells them."""
        due = self._loop.time() + seconds
        if self._is_closed or (self._telling is not None and self._telling.when() <= due):
            return
        if self._telling is not None:
            self._telling.cancel()
        self._telling = self._loop.call_at(due, self._tell)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        at = self._loop.time()
        self._land_overdue(at)
        if tallies := [tally for tally in self._limits.values() if tally.has_news(at)]:
            pools = {tally.pool for tally in tallies}
            try:
                with self._store.transaction(*(tally.key for tally in tallies), *pools) as records:
                    now = self._reader.now(pools, records)
                    for tally in tallies:
                        self._reader.warn_if_foreign(tally.key, records)
                        records[tally.key] = tally.refreshed(records[tally.key], now, self._me)
            except StoreBusyError:
                self._tell_soon(POLL)
                return
            for tally in tallies:
                tally.tell(at)
        if any(tally.under_way for tally in self._limits.values()):
            self.wake()  # who waits for something of our own says again that it waits
            self._tell_soon(BEAT)

    def _land_overdue(self, at: float) -> None:
        if self._besides:
            for sent in [one for one in self._lent if at >= one.since + OVERDUE]:
                self.land(sent, self._local.now())
