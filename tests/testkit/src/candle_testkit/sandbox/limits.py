"""Request weight per address and calendar minute of the sandbox clock, and what happens to those who exceed it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from candle_testkit.sandbox.errors import SandboxError

_MINUTE_MS: Final = 60_000
_LONGEST_BAN_S: Final = 3 * 86_400


@dataclass(frozen=True)
class Limits:
    """``weight`` a minute and address (None or 0: counted, never refused); ``ban_after`` refusals in a minute ban.

    The first ban lasts ``ban_seconds``, each further one twice as long, three days at most.
    """

    weight: int | None = 6000
    ban_after: int = 10
    ban_seconds: int = 120

    def __post_init__(self) -> None:
        if self.weight is not None and self.weight < 0:
            raise SandboxError(f"limits weight {self.weight!r} is negative; 0 counts weight and never refuses")
        if self.ban_after < 1 or self.ban_seconds < 1:
            raise SandboxError(f"limits ban_after {self.ban_after!r} and ban_seconds {self.ban_seconds!r}: at least 1")


@dataclass(frozen=True)
class Verdict:
    """Status 200, 429 or 418; the weight used this minute; for a refusal the wait in seconds and until when (ms)."""

    status: int
    used: int
    retry_after: int = 0
    until: int = 0


@dataclass
class _Account:
    minute: int = -1
    used: int = 0
    refused: int = 0
    bans: int = 0
    banned_until: int = 0
    paused_until: int = 0


class Meter:
    """Counts weight. Instants are those of the sandbox clock (UTC ms)."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def charge(self, address: str, weight: int, now: int) -> Verdict:
        """Spend ``weight`` for a request of ``address``; refused requests are counted as well."""
        with self._lock:
            account = self._accounts.setdefault(address, _Account())
            if account.minute != now // _MINUTE_MS:
                account.minute, account.used, account.refused = now // _MINUTE_MS, 0, 0
            account.used += weight
            if now < account.banned_until:
                return _refusal(418, account.used, account.banned_until, now)
            over = bool(self.limits.weight) and account.used > (self.limits.weight or 0)
            if not over and now >= account.paused_until:
                return Verdict(200, account.used)
            account.refused += 1
            if account.refused > self.limits.ban_after:
                seconds = min(self.limits.ban_seconds << account.bans, _LONGEST_BAN_S)
                account.bans, account.banned_until = account.bans + 1, now + seconds * 1000
                return _refusal(418, account.used, account.banned_until, now)
            minute_end = (account.minute + 1) * _MINUTE_MS
            return _refusal(429, account.used, max(minute_end if over else 0, account.paused_until), now)

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
