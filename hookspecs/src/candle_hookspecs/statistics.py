"""What was asked of the exchanges, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from candle_hookspecs.requests import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatistics:
    """What calls of one kind to one exchange came to.

    Attributes:
        exchange: e.g. ``BINANCE``.
        kind: one of `Kind`; ``markets`` for listings and ``warmup`` for a session's first questions, each of which may
            take several requests.
        calls: sent, those that repeat one included.
        retries: calls that repeat one which failed, or which the exchange refused for now.
        pauses: how often the exchange demanded one (429, 418).
        hits: wishes that a cache fulfilled without a call.
        misses: wishes of which it had nothing, or nothing fresh, whatever became of them then.
        rows: candles, tickers, order books, trades or markets that came.
        size: bytes that came, as far as the provider tells.
        spent: limit → what was taken from it, in its own unit.
        errors: type → how many calls ended so, or gave an answer that cannot be true.
        seconds: how long all answers together took. Waiting for a limit is not in it, but where a provider sends more
            than one request for a call.
        p50, p90, p99: within so many seconds came half of the answers, 90 % and 99 % of them, to within 2 %; None:
            none came.
    """

    exchange: str
    kind: str
    calls: int = 0
    retries: int = 0
    pauses: int = 0
    hits: int = 0
    misses: int = 0
    rows: int = 0
    size: int = 0
    spent: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None

    @property
    def hit_rate(self) -> float | None:
        """The share of wishes that a cache fulfilled, 0 … 1; None where it was not asked."""
        wishes = self.hits + self.misses
        return self.hits / wishes if wishes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What was asked of every exchange.

    Attributes:
        since: from when on, aware UTC.
        entries: one for each exchange and kind of which anything was asked, in their order.
    """

    since: datetime
    entries: tuple[CallStatistics, ...] = ()

    def of(self, exchange: str, kind: Kind | str = Kind.CANDLES) -> CallStatistics:
        """The entry of an exchange and kind; all zeros where nothing was asked."""
        key = (exchange.upper(), str(kind))
        found = (entry for entry in self.entries if (entry.exchange, entry.kind) == key)
        return next(found, CallStatistics(exchange=key[0], kind=key[1]))
