"""What an address may spend in a period of the sandbox clock, and what happens to those who exceed it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from candle_testkit.sandbox.errors import SandboxError

_MINUTE_MS: Final = 60_000
_LONGEST_BAN_S: Final = 3 * 86_400
_REFUSALS: Final = ("json", "text")


@dataclass(frozen=True)
class Limits:
    """How much each address may ask for before it is refused.

    Attributes:
        weight: at Binance, a calendar minute (None or 0: counted, never refused).
        group: at Upbit, requests a calendar second in each group (None or 0 likewise).
        ban_after: refusals in a minute that ban. The first ban lasts ``ban_seconds``, each further one twice as long,
            three days at most.
        yahoo: at Yahoo, requests a calendar minute (None or 0 likewise). The real number is not known.
        refusal: the form of Upbit's 429: ``json`` or ``text``; both have been seen.
    """

    weight: int | None = 6000
    ban_after: int = 10
    ban_seconds: int = 120
    group: int | None = 10
    refusal: str = "json"
    yahoo: int | None = 100

    def __post_init__(self) -> None:
        for name in ("weight", "group", "yahoo"):
            amount = getattr(self, name)
            if amount is not None and amount < 0:
                raise SandboxError(f"limits {name} {amount!r} is negative; 0 counts {name} and never refuses")
        if self.ban_after < 1 or self.ban_seconds < 1:
            raise SandboxError(f"limits ban_after {self.ban_after!r} and ban_seconds {self.ban_seconds!r}: at least 1")
        if self.refusal not in _REFUSALS:
            raise SandboxError(f"limits refusal {self.refusal!r} is not one of {', '.join(_REFUSALS)}")


@dataclass(frozen=True)
class Quota:
    """A counter of its own for each address: ``amount`` (None or 0: any) in each whole ``period_ms`` of the clock."""

    name: str
    amount: int | None
    period_ms: int


@dataclass(frozen=True)
class Verdict:
    """Status 200, 429 or 418; the weight used this period; for a refusal the wait in seconds and until when (ms)."""

    status: int
    used: int
    retry_after: int = 0
    until: int = 0


@dataclass
class _Account:
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    minute: int = -1
    refused: int = 0
    bans: int = 0
    banned_until: int = 0
    paused_until: int = 0


class Meter:
    """Counts what the addresses spend at one exchange. Instants are those of the sandbox clock (UTC ms)."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def charge(self, address: str, quota: Quota, weight: int, now: int) -> Verdict:
        """Spend ``weight`` for a request of ``address``; refused requests are counted as well."""
        with self._lock:
            account = self._accounts.setdefault(address, _Account())
            if account.minute != now // _MINUTE_MS:
                account.minute, account.refused = now // _MINUTE_MS, 0
            period = now // quota.period_ms
            counted, used = account.used.get(quota.name, (period, 0))
            used = weight + (used if counted == period else 0)
            account.used[quota.name] = period, used
            if now < account.banned_until:
                return _refusal(418, used, account.banned_until, now)
            over = bool(quota.amount) and used > (quota.amount or 0)
            if not over and now >= account.paused_until:
                return Verdict(200, used)
            account.refused += 1
            if account.refused > self.limits.ban_after:
                seconds = min(self.limits.ban_seconds << account.bans, _LONGEST_BAN_S)
                account.bans, account.banned_until = account.bans + 1, now + seconds * 1000
                return _refusal(418, used, account.banned_until, now)
            period_end = (period + 1) * quota.period_ms
            return _refusal(429, used, max(period_end if over else 0, account.paused_until), now)

    def refuse(self, address: str, status: int, seconds: int, now: int) -> None:
        """Refuse everything from ``address`` for some seconds, with 429 or 418 (faults use this)."""
        with self._lock:
            account = self._accounts.setdefault(address, _Account())
            if status == 418:
                account.banned_until = now + seconds * 1000
            else:
                account.paused_until = now + seconds * 1000

    def forgive(self) -> None:
        """Forget every count and ban."""
        with self._lock:
            self._accounts.clear()


def _refusal(status: int, used: int, until: int, now: int) -> Verdict:
    return Verdict(status, used, max(-(-(until - now) // 1000), 1), until)
