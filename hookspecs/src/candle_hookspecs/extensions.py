"""What extensions deal in: events, caches, jobs."""

from collections.abc import Mapping
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
            ``collection.finished``, ``import.finished``, ``copy.finished``, ``update.finished``,
            ``coordinator.finished``.
        at: UTC ms on the kernel's clock.
        symbol: whom it concerns, if anyone.
        data: small plain values (numbers, texts); never a secret, never candles.
    """

    name: str
    at: int
    symbol: Symbol | None = None
    data: Mapping[str, int | float | str] = field(default_factory=dict)


class Cache(Protocol):
    """A place for values that may be lost. Keys like ``market:info:binance``; values are bytes."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when absent or expired."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for `ttl` seconds."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a key; an absent one is no error."""
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
