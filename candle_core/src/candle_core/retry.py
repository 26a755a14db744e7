"""Asking again: only what may go away by itself, a bounded number of times, and never during a pause."""

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from candle_core.budget import LONGEST_PAUSE
from candle_core.provider import Provider
from candle_hookspecs import RateLimitedError, TransientError

_Answer = TypeVar("_Answer")

ATTEMPTS: Final = 5
FIRST_DELAY: Final = 0.25
"""Seconds; doubled each time, with jitter."""
PAUSES: Final = 8
UNSAID_PAUSE: Final = 10.0
"""Seconds, where the exchange does not say how long."""


async def with_retries(provider: Provider, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Call until it answers.

    Raises:
        TransientError: still failing after `ATTEMPTS`. RateLimitedError: the pause would be too long, or never ends.
        ProviderError: anything else, at once.
    """
    failures = pauses = 0
    while True:
        try:
            return await call()
        except RateLimitedError as error:
            pauses += 1
            seconds = error.retry_after if error.retry_after is not None else UNSAID_PAUSE
            provider.budget.pause(seconds)
            kind = provider.statistics.failed(error)
            await provider.emit("limit.paused", provider=provider.name, kind=kind, seconds=seconds)
            if pauses >= PAUSES or seconds > LONGEST_PAUSE:
                raise
            await provider.local.sleep(seconds)
        except TransientError as error:
            failures += 1
            kind = provider.statistics.failed(error)
            if failures >= ATTEMPTS:
                raise
            await provider.emit("request.retried", provider=provider.name, kind=kind, cause=type(error).__name__)
            await provider.local.sleep(FIRST_DELAY * 2 ** (failures - 1) * random.uniform(0.75, 1.25))
        provider.statistics.repeat()
