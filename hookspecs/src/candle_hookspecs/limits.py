"""What an exchange lets us spend, and what it says of what was spent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import TypeAlias

Costs: TypeAlias = Mapping[str, float]
"""Limit name → what one request takes from it, e.g. ``{"weight": 2}``."""


class Priority(IntEnum):
    """Who goes first when there is not enough for all. Lower goes first."""

    CRITICAL = 0  # live trading
    HIGH = 1  # live monitoring
    NORMAL = 2  # charts, collections typed by a person
    LOW = 3  # backtests, background filling


class Window(Enum):
    """How a limit's period runs."""

    FIXED = "fixed"  # starts anew at every multiple of the period on the exchange's clock
    SLIDING = "sliding"  # any stretch of that length counts


class Scope(StrEnum):
    """What shares a limit."""

    ADDRESS = "address"  # everything that leaves from one IP address
    ACCOUNT = "account"  # everything sent with one key


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount that may be spent in a period.

    Attributes:
        name: what `Costs` and `LimitFeedback` call it, e.g. ``weight``, ``candles``.
        amount: how much in one period, in the exchange's own unit.
        period: seconds.
        pool: limits of one name and pool are one counter, though two providers declare them (Binance's USD-M and
            COIN-M); empty: the provider's own.
    """

    name: str
    amount: float
    period: float
    window: Window = Window.FIXED
    scope: Scope = Scope.ADDRESS
    pool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFeedback:
    """What an answer's headers say of the limits.

    Attributes:
        used: limit name → spent so far in the running period, by everyone on the address (``x-mbx-used-weight-1m``).
        remaining: limit name → left in the running period (``Remaining-Req``).
        amounts: limit name → the amount allowed, where the exchange says so (``rateLimits``).
        server_time: the exchange's clock, UTC ms, or None.
    """

    used: Costs = field(default_factory=dict)
    remaining: Costs = field(default_factory=dict)
    amounts: Costs = field(default_factory=dict)
    server_time: int | None = None
