"""What is asked of providers, counted where it leaves: `candle_fetch`, `candle_markets`, `candle_warmup`.

What belongs to a call but is met elsewhere (what a plugin spends on its own account meanwhile, an answer that turns out
to be wrong, the decision to repeat it) finds it as the latest call of the same task.
"""

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from candle_core.statistics.counts import Counts, Key
from candle_hookspecs import CallStatistics, Costs, Page, RateLimitedError

MARKETS: Final = "markets"
"""The kind of a listing."""
WARMUP: Final = "warmup"
"""The kind of a session's first questions."""
PRECISION: Final = "precision"
"""The kind of what is kept of ticks and minima."""
_FAMILIES: Final = {"market:info": MARKETS, "precision:cache": PRECISION}
"""Kinds by what the keys of the cache begin with; the exchange follows."""
EVERY: Final = 60.0
"""Seconds after which counts are handed on."""

HandOn = Callable[[Mapping[Key, Counts], bool], bool]
"""Takes counts to where they are kept, and hears whether these are the last. False: not now, they come again."""


class Call:
    """One call of a provider, as a context around its await."""

    __slots__ = ("_began", "_collector", "_costs", "_error", "_key", "_open", "repeated")

    def __init__(self, collector: "Collector", key: Key, costs: Costs) -> None:
        self._collector = collector
        self._key = key
        self._costs = costs
        self._began = 0.0
        self._open = False
        self._error: BaseException | None = None
        self.repeated = False
        """Whether the next call of this task is this one again."""

    @property
    def kind(self) -> str:
        """See `CallStatistics`."""
        return self._key[1]

    @property
    def counts(self) -> Counts:
        """Where it is counted. These change hands meanwhile, so nobody holds them."""
        return self._collector.counts(self._key)

    def __enter__(self) -> "Call":
        counts, before = self.counts, self._collector.latest()
        counts.calls += 1
        counts.retries += before is not None and before.repeated
        counts.spend(self._costs)
        _latest.set(self)
        self._open = True
        self._began = time.perf_counter()
        return self

    def answered(self, rows: int, size: int = 0) -> None:
        """Count an answer."""
        seconds, counts = time.perf_counter() - self._began, self.counts
        counts.rows += rows
        counts.size += size
        counts.seconds += seconds
        counts.latency.add(seconds)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open = False
        if isinstance(error, Exception):
            self._error = error
            self.counts.fail(error)
        self._collector.hand_on_if_due()

    def spend(self, costs: Costs) -> None:
        """Count what the provider spends on its own account, until it has answered."""
        if self._open:
            self.counts.spend(costs)

    def failed(self, error: Exception) -> None:
        """Count what became of the call in the end. What happened before a next one could be sent is not its fault."""
        if isinstance(error, RateLimitedError):
            self.counts.pauses += error is self._error
        elif self._error is None:
            self._error = error
            self.counts.fail(error)


_latest: ContextVar[Call | None] = ContextVar("candle_latest_call", default=None)


class Collector:
    """Counts for one kernel, on its event loop."""

    def __init__(self, hand_on: HandOn | None = None) -> None:
        self._hand_on = hand_on
        self._due = time.monotonic() + EVERY
        self._before: dict[Key, Counts] = {}
        self._new: dict[Key, Counts] = {}

    def call(self, provider: str, kind: str, costs: Costs | None = None) -> Call:
        """A call that is about to be sent.

        Args:
            provider: its name.
            kind: see `CallStatistics`.
            costs: what the kernel has spent for it.
        """
        return Call(self, _key(provider, kind), costs or {})

    def hit(self, provider: str, kind: str, count: int = 1, misses: int = 0) -> None:
        """Count wishes that a cache fulfilled, and those that it did not."""
        counts = self.counts(_key(provider, kind))
        counts.hits += count
        counts.misses += misses

    def looked_up(self, key: str, hit: bool) -> Key | None:
        """Count what the keeper was asked for, and say where; a key that names no exchange is not counted."""
        family, _, provider = key.rpartition(":")
        if family not in _FAMILIES:
            return None
        self.hit(provider, _FAMILIES[family], int(hit), int(not hit))
        return _key(provider, _FAMILIES[family])

    def latest(self) -> Call | None:
        """The latest call of this task, under way or over."""
        call = _latest.get()
        return call if call is not None and call._collector is self else None

    def spend(self, costs: Costs) -> None:
        """Hear what passed the gate. The kernel's own spending is known with the call; this is for the plugins'."""
        if call := self.latest():
            call.spend(costs)

    def failed(self, error: Exception) -> str:
        """Hear of an error that ended an attempt. The kind of call that it was; empty if none was sent."""
        if (call := self.latest()) is None:
            return ""
        call.failed(error)
        return call.kind

    def repeat(self) -> None:
        """Hear that the attempt is made again."""
        if call := self.latest():
            call.repeated = True

    def told(self) -> tuple[CallStatistics, ...]:
        """Everything so far."""
        both = {key: Counts() for key in sorted({*self._before, *self._new})}
        for key, counts in both.items():
            for part in (self._before, self._new):
                if key in part:
                    counts.add(part[key])
        return tuple(counts.told(key) for key, counts in both.items())

    def hand_on(self, *, last: bool = False) -> None:
        """Hand on what is new."""
        self._due = time.monotonic() + EVERY
        if self._hand_on is None or not self._new or not self._hand_on(self._new, last):
            return
        for key, counts in self._new.items():
            self._before.setdefault(key, Counts()).add(counts)
        self._new = {}

    def hand_on_if_due(self) -> None:
        """The same, if that was long ago."""
        if time.monotonic() >= self._due:
            self.hand_on()

    def counts(self, key: Key) -> Counts:
        """The new counts of an exchange and kind, until they are handed on."""
        found = self._new.get(key)
        if found is None:
            found = self._new[key] = Counts()
        return found


def _key(provider: str, kind: str) -> Key:
    return provider.upper(), str(kind)


def rows_of(page: Page) -> int:
    """How many things an answer holds."""
    return len(page.batch) + len(page.tickers) + len(page.orderbooks) + len(page.trades)
