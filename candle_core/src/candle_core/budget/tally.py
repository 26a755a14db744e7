"""One limit in use: what of it is spent by all, what is under way, and what this process has to tell of either.

Nobody knows when an exchange counts a request: at some moment between the one at which it left and the one at which
its answer came. So it counts all that time, and is entered in the limit's counter when the answer is there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from candle_core.budget import records
from candle_core.budget.counters import AHEAD, GRAIN, Counter, Now, counter
from candle_core.budget.line import Line
from candle_core.budget.records import Record
from candle_hookspecs import Limit, Window

POLL: Final = 0.02
"""Seconds after which to look again at what other processes do."""
BEAT: Final = 1.0
"""Seconds after which a process says again that requests of its own are under way."""
LEASE: Final = 5_000
"""Milliseconds for which it is believed. Then what a process that died has sent is where it was going."""

LATE: Final = 1_000
"""Milliseconds for which a request that nobody waits for any more may still be on its way."""


@dataclass(slots=True)
class Tally:
    """A limit, where it is kept, the line before it, and what is not in its record yet.

    Attributes:
        amount: what the exchange allows by its latest word.
        pool, key: the names of the records.
        heard: what headers said: how much is used, and when.
        under_way: costs of this process's requests that are not answered.
        landed: costs of those that have been since the record was written, with the moment on the local clock.
        told: when this process wrote it, on the event loop's clock.
    """

    limit: Limit
    amount: float
    pool: str
    key: str
    line: Line = field(default_factory=Line)
    heard: list[tuple[float, int | None]] = field(default_factory=list)
    under_way: list[float] = field(default_factory=list)
    landed: list[tuple[int, float]] = field(default_factory=list)
    told: float = 0.0

    def send(self, cost: float) -> None:
        """Remember that a request has left, as its record already says."""
        self.under_way.append(cost)

    def land(self, cost: float, local: int, *, given_up: bool = False) -> None:
        """Remember that it is over; one that was given up may arrive yet."""
        self.under_way.remove(cost)
        # Fixed windows have a margin of their own.
        late = LATE if given_up and self.limit.window is Window.SLIDING else 0
        self.landed.append((local + late, cost))

    def tell(self, at: float) -> None:
        """Forget what has been written down."""
        self.heard.clear()
        self.landed.clear()
        self.told = at

    def has_news(self, at: float) -> bool:
        """Whether others should be told something now, on the event loop's clock."""
        return bool(self.landed) or bool(self.under_way and at >= self.told + BEAT)

    # ── the record ──────────────────────────────────────────────────────────────────────────────────────────────────

    def refreshed(self, record: Record, now: Now, me: str) -> dict[str, Any]:
        """The record with all that this process has to tell. What died under way counts as if it had arrived."""
        spent = self._spent(record)
        if records.is_foreign(record):
            spent.take(self.amount, now)
            record = None
        away: dict[str, list[float]] = {}
        for name, (seen, cost) in (record or {}).get("away", {}).items():
            if name != me and seen <= now.local + AHEAD:
                if now.local <= seen + LEASE:
                    away[name] = [seen, cost]
                else:
                    spent.take(cost, now, int(seen) + LEASE)
        for moment, cost in self.landed:
            spent.take(cost, now, moment)
        if self.under_way:
            away[me] = [now.local, sum(self.under_way)]
        for used, told in self.heard:
            # It may be in what the exchange has counted; if it is not, nobody else has spent the difference.
            spent.hear(used - _sum(away), now, told)
        return {**(record or {}), "spent": spent.state, "away": away}

    def wait(self, record: Mapping[str, Any], cost: float, now: Now, me: str) -> float:
        """Seconds until it is worth trying again; 0: it fits. `math.inf`: not before something of our own lands."""
        away = _sum(record["away"])
        if cost + away > self.amount + GRAIN:
            return math.inf if record["away"].keys() <= {me} else POLL
        return self._spent(record).wait(cost + away, self.amount, now)

    def taken(self, record: Mapping[str, Any], cost: float, now: Now, me: str, *, lands: bool) -> dict[str, Any]:
        """The record when a request has passed, that says when it lands, or counts as of now."""
        if lands:
            return {**record, "away": {**record["away"], me: [now.local, sum(self.under_way) + cost]}}
        spent = self._spent(record)
        spent.take(cost, now)
        return {**record, "spent": spent.state}

    def _spent(self, record: Record) -> Counter:
        return counter(self.limit, (record or {}).get("spent", ()))


def _sum(away: Mapping[str, list[float]]) -> float:
    return sum(cost for _, cost in away.values())
