"""What extensions deal in: events, caches, jobs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from candle_hookspecs.limits import Priority
from candle_hookspecs.requests import Kind
from candle_hookspecs.symbols import Symbol
from candle_hookspecs.times import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, for metrics, tracing and panels.

    Attributes:
        name: ``manager.opened``, ``page.fetched``, ``save.committed``, ``request.retried``, ``limit.paused``,
            ``cache.looked_up``, ``collection.finished``, ``import.finished``, ``copy.finished``, ``update.finished``,
            ``coordinator.finished``, ``warmup.finished``.
        at: UTC ms on the kernel's clock.
        symbol: whom it concerns, if anyone.
        data: small plain values (numbers, texts); never a secret, never candles.
    """

    name: str
    at: int
    symbol: Symbol | None = None
    data: Mapping[str, int | float | str] = field(default_factory=dict)


class Cache(Protocol):
    """A place for values that may be lost. Keys like ``market:info:binance``; values are bytes.

    Every method may raise a `CacheUnavailableError`; the kernel then goes on without the cache.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent or expired."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for `ttl` seconds."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a key; an absent one is no error."""
        ...

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        """Put `new` in the place of `old`, for `ttl` seconds, in one step for everybody who uses the cache.

        Args:
            key: whose value.
            old: what must be there now; None: nothing.
            new: what comes there; None: nothing.
            ttl: seconds.

        Returns:
            Whether it was done; False: something else was there, and still is.
        """
        ...


class BudgetStore(Protocol):
    """Where the counts of limits stand, for everybody who shares it: the processes of a machine, or machines."""

    @property
    def ahead(self) -> int:
        """Milliseconds by which its clock is ahead of this machine's (`time.time`), as the last transaction told.

        Machines whose clocks differ put moments on that of the store. 0 for a store of one machine.
        """
        ...

    def transaction(self, *keys: str) -> AbstractContextManager[dict[str, Any]]:
        """The records of these keys: values as JSON knows them, None where nothing is stored.

        What is replaced in the mapping is written at the end, all of it or nothing, unless an error ends the block.
        It is called on the event loop, so it waits for others some milliseconds at most.

        Raises:
            StoreBusyError: somebody else is writing; nothing was read or written, and a moment later it may go. Also
                at the end of a block that took so long that somebody else has begun.
            CacheUnavailableError: it cannot be reached; the kernel tries again, and counts for this machine meanwhile.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files; a later transaction opens them again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to collect, small enough to travel. Running it twice is harmless: coverage decides what is left."""

    symbol: Symbol
    span: Span
    kind: Kind = Kind.CANDLES
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What became of a job: rows saved, or the error's text."""

    job: Job
    rows: int = 0
    requests: int = 0
    error: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
