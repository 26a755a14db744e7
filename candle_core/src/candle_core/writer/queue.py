"""What waits to be written, and what goes next. Pure: no clock and no event loop of its own."""

import heapq
import math
from asyncio import Future
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

from candle_hookspecs import Answer, MaintenanceTask, Operation, Priority, SaveWrite

UPKEEP: Final = max(Priority) + 1
"""The lane of maintenance: after everything that a user waits for."""

PATIENCE: Final = 400
"""So many transactions may pass a lane over before it has a turn: no lane starves, and of the transactions of a lane
before it fewer than one in a hundred waits for that turn."""

Task: TypeAlias = Answer | SaveWrite | Operation | MaintenanceTask


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """Something to be written.

    Attributes:
        line: works of one line are written in the order they came, one transaction at a time.
        kind: neighbours in a line that agree in it may share a transaction.
        priority: a `Priority`, or `UPKEEP`.
        rows, size: how much it is, in rows and in bytes.
        fill: rows that make a transaction: with so many in its line nothing more is waited for.
        due: the moment at which it goes even so, on the clock of the event loop.
        done: what the database said. seconds: its share of the transaction that wrote it.
    """

    line: Hashable
    kind: Hashable
    priority: int
    task: Task
    rows: int
    size: int
    fill: int
    due: float
    done: "Future[Any]"
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class _Line:
    works: deque[Work] = field(default_factory=deque)
    rows: int = 0
    by_priority: list[int] = field(default_factory=lambda: [0] * (UPKEEP + 1))
    lane: int | None = None  # in which it stands, ready to go
    busy: bool = False
    hurried: bool = False  # nothing in it waits for company

    def add(self, work: Work, sign: int) -> None:
        self.rows += sign * work.rows
        self.by_priority[work.priority] += sign

    @property
    def priority(self) -> int:
        """That of its most urgent work, which cannot go before the others."""
        return next(priority for priority, number in enumerate(self.by_priority) if number)


class WorkQueue:
    """Lines of works in five lanes. CRITICAL goes before HIGH, HIGH before NORMAL, NORMAL before LOW, upkeep last."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line] = {}
        self._lanes: list[dict[Hashable, _Line]] = [{} for _ in range(UPKEEP + 1)]
        self._passed = [0] * (UPKEEP + 1)
        self._held: list[tuple[float, int, Hashable]] = []
        self._looks: dict[Hashable, float] = {}
        """When a line in which works wait for company is looked at next."""
        self._serial = count()
        self.rows = self.size = self.works = 0
        """Of everything that is not written yet, what is under way included."""

    def put(self, work: Work, now: float) -> None:
        """Add a work at the end of its line."""
        line = self._lines.setdefault(work.line, _Line())
        line.works.append(work)
        line.add(work, 1)
        self.rows += work.rows
        self.size += work.size
        self.works += 1
        if work.due <= now:
            line.hurried = True
        else:
            self._look(work.line, work.due)
        if line.hurried or line.rows >= work.fill or line.lane is not None:
            self._make_ready(work.line, line)

    def take(self, now: float) -> list[Work]:
        """The works of the next transaction; empty: nothing is ready. Their line rests until `release`."""
        while self._held and self._held[0][0] <= now:
            due, _, name = heapq.heappop(self._held)
            if self._looks.get(name) == due:
                del self._looks[name]
                self._look_into(name, now)
        lane = self._next_lane()
        if lane is None:
            return []
        name, line = next(iter(self._lanes[lane].items()))
        del self._lanes[lane][name]
        line.lane, line.busy = None, True
        together = [self._pop(line)]
        rows = together[0].rows
        while line.works and rows < together[0].fill and line.works[0].kind == together[0].kind:
            together.append(self._pop(line))
            rows += together[-1].rows
        return together

    def release(self, works: list[Work], now: float) -> None:
        """What `take` gave is written, or never will be."""
        self.rows -= sum(work.rows for work in works)
        self.size -= sum(work.size for work in works)
        self.works -= len(works)
        name = works[0].line
        line = self._lines[name]
        line.busy = False
        if not line.works:
            del self._lines[name]
        elif line.hurried or line.rows >= line.works[0].fill or line.works[0].due <= now:
            self._make_ready(name, line)

    def flush(self) -> None:
        """Let nothing wait for company any longer."""
        self._held.clear()
        self._looks.clear()
        for name, line in self._lines.items():
            line.hurried = True
            if line.works:
                self._make_ready(name, line)

    @property
    def ready(self) -> bool:
        """Whether `take` would give something at once; `due` says when it will."""
        return any(self._lanes)

    @property
    def due(self) -> float | None:
        """When the next work that waits for company goes without it."""
        return self._held[0][0] if self._held else None

    def _pop(self, line: _Line) -> Work:
        work = line.works.popleft()
        line.add(work, -1)
        return work

    def _look(self, name: Hashable, due: float) -> None:
        if due < self._looks.get(name, math.inf):
            self._looks[name] = due
            heapq.heappush(self._held, (due, next(self._serial), name))

    def _look_into(self, name: Hashable, now: float) -> None:
        """Let a line go if something in it is due, and look again when the next work is."""
        if (line := self._lines.get(name)) is None:
            return
        dues = [work.due for work in line.works]
        if any(due <= now for due in dues):
            self._make_ready(name, line)
        if later := [due for due in dues if due > now]:
            self._look(name, min(later))

    def _make_ready(self, name: Hashable, line: _Line) -> None:
        if line.busy or line.lane == line.priority:
            return
        if line.lane is not None:
            del self._lanes[line.lane][name]
        line.lane = line.priority
        self._lanes[line.lane][name] = line

    def _next_lane(self) -> int | None:
        waiting = [lane for lane, lines in enumerate(self._lanes) if lines]
        if not waiting:
            return None
        starving = max(waiting, key=lambda lane: self._passed[lane])
        chosen = starving if self._passed[starving] >= PATIENCE else waiting[0]
        for lane in waiting:
            self._passed[lane] += 1
        self._passed[chosen] = 0
        return chosen
