"""Who is next, among those in this process who wait for one limit."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from candle_hookspecs import Priority

SHARE: Final = 16
"""One request of so many goes to whoever has waited longest; all others to the most urgent."""


def is_by_age(turn: int) -> bool:
    """Whether the request of this number goes by age."""
    return turn % SHARE == SHARE - 1


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in the line. `arrived`: UTC ms on the local clock; `moved` is set when it is worth looking again."""

    priority: Priority
    arrived: int
    number: int
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """Those who wait, by urgency and then by arrival."""

    def __init__(self) -> None:
        self._classes: dict[Priority, deque[Ticket]] = {priority: deque() for priority in Priority}
        self._arrivals = 0

    def __bool__(self) -> bool:
        return any(self._classes.values())

    def join(self, priority: Priority, now: int, *, in_front: bool = False) -> Ticket:
        """A place behind everybody as urgent, or in front of them."""
        self._arrivals += 1
        ticket = Ticket(priority, now, self._arrivals)
        waiting = self._classes[priority]
        (waiting.appendleft if in_front else waiting.append)(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up, if it is not given up yet, and let those look who may be next."""
        if ticket in self._classes[ticket.priority]:
            self._classes[ticket.priority].remove(ticket)
            self.wake()

    def rejoin(self, ticket: Ticket) -> None:
        """Take the place in front back, if it was given up too early."""
        waiting = self._classes[ticket.priority]
        if ticket not in waiting:
            waiting.appendleft(ticket)

    def head(self, *, by_age: bool) -> Ticket | None:
        """Who is next."""
        heads = [waiting[0] for waiting in self._classes.values() if waiting]
        if by_age:
            return min(heads, key=lambda ticket: ticket.number, default=None)
        return heads[0] if heads else None

    def wake(self) -> None:
        """Let those look again who may be next."""
        for by_age in (False, True):
            if (ticket := self.head(by_age=by_age)) is not None:
                ticket.moved.set()
