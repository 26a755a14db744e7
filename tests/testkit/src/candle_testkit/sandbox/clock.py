"""The sandbox's clock, and how instants are written in its configuration."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from candle_testkit.sandbox.errors import SandboxError


def to_ms(value: object) -> int:
    """An instant in UTC milliseconds from milliseconds, a ``datetime`` or ISO 8601 text (naive means UTC).

    Raises:
        SandboxError: The value is none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise SandboxError(f"{value!r} is not an instant; write ISO 8601, such as '2024-01-31T12:00'") from error
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    raise SandboxError(f"{value!r} is not an instant; give milliseconds, a datetime or ISO 8601 text")


class SandboxClock:
    """What the exchange believes the time is, in UTC milliseconds. Safe to use from any thread.

    Without a start it follows this machine's clock. With one it begins there and runs ``speed`` times as fast
    as real time; speed 0 stands still until it is told otherwise.
    """

    def __init__(self, start: int | str | datetime | None = None, speed: float = 1.0) -> None:
        if not speed >= 0:
            raise SandboxError(f"clock speed {speed!r} is negative; give 0 (stands still) or more")
        self._lock = threading.Lock()
        self._speed = float(speed)
        self._base = float(time.time() * 1000 if start is None else to_ms(start))
        self._anchor = time.monotonic()

    def now(self) -> int:
        """The present instant."""
        with self._lock:
            return int(self._present())

    @property
    def speed(self) -> float:
        """Sandbox seconds per real second."""
        return self._speed

    def set(self, instant: int | str | datetime) -> None:
        """Jump to an instant; the speed stays."""
        moment = to_ms(instant)
        with self._lock:
            self._base, self._anchor = float(moment), time.monotonic()

    def advance(self, milliseconds: int) -> None:
        """Jump ahead."""
        with self._lock:
            self._base, self._anchor = self._present() + milliseconds, time.monotonic()

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from now on; 0 stands still."""
        if not speed >= 0:
            raise SandboxError(f"clock speed {speed!r} is negative; give 0 (stands still) or more")
        with self._lock:
            self._base, self._anchor = self._present(), time.monotonic()
            self._speed = float(speed)

    def _present(self) -> float:
        return self._base + (time.monotonic() - self._anchor) * 1000 * self._speed
