"""What a warm-up of several exchanges did."""

from dataclasses import dataclass
from typing import Any

from candle_hookspecs.errors import CandleError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeWarmup:
    """What became of one exchange in a warm-up.

    Attributes:
        exchange: lower case.
        markets: how many are known now.
        cached: they are not of this warm-up, but of an earlier question, of whichever process.
        age: seconds since the exchange listed them; None: nothing is known.
        clock_offset: the exchange's clock minus the kernel's, milliseconds, never more than it truly is; None: it was
            not heard yet.
        seconds: how long it took.
        accounts: names of the active accounts there.
        error: why the exchange was not reached; None: it was, or need not be.
    """

    exchange: str
    markets: int = 0
    cached: bool = False
    age: float | None = None
    clock_offset: int | None = None
    seconds: float = 0.0
    accounts: tuple[str, ...] = ()
    error: CandleError | None = None

    @property
    def success(self) -> bool:
        """Whether its markets are as fresh as was wanted."""
        return self.error is None

    @property
    def stale(self) -> bool:
        """Whether what was kept before stands in for an exchange that failed."""
        return self.error is not None and self.cached

    def as_dict(self) -> dict[str, Any]:
        """As JSON can say it; ``error`` and ``error_type`` only where it failed, ``stale`` only where that is so."""
        details: dict[str, Any] = {
            "success": self.success,
            "market_count": self.markets,
            "cached": self.cached,
            "age_seconds": None if self.age is None else round(self.age, 3),
            "clock_offset_ms": self.clock_offset,
            "execution_time": round(self.seconds, 3),
            "accounts": list(self.accounts),
        }
        if self.error is not None:
            details |= {"error": str(self.error), "error_type": type(self.error).__name__}
        return details | ({"stale": True} if self.stale else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupProgress:
    """How far a warm-up is: which exchange has just ended, and how many of how many have."""

    exchange: ExchangeWarmup
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupResult:
    """What a warm-up did, exchange by exchange, in the order in which they were meant."""

    exchanges: tuple[ExchangeWarmup, ...]
    seconds: float

    @property
    def success(self) -> bool:
        """Whether no exchange failed."""
        return all(one.success for one in self.exchanges)

    @property
    def refreshed(self) -> tuple[str, ...]:
        """The exchanges that did not fail."""
        return tuple(one.exchange for one in self.exchanges if one.success)

    @property
    def failed(self) -> tuple[ExchangeWarmup, ...]:
        """Those that did."""
        return tuple(one for one in self.exchanges if not one.success)

    @property
    def total_markets(self) -> int:
        """The markets of those that did not fail."""
        return sum(one.markets for one in self.exchanges if one.success)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            "success": self.success,
            "refreshed_exchanges": list(self.refreshed),
            "total_markets": self.total_markets,
            "execution_time": round(self.seconds, 3),
            "exchange_details": {one.exchange: one.as_dict() for one in self.exchanges},
        }
