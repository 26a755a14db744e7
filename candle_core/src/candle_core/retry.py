"""Asking again: only what may go away by itself, a bounded number of times, and never during a pause."""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from candle_core.budget import LONGEST_PAUSE
from candle_hookspecs import RateLimitedError, TransientError

if TYPE_CHECKING:
    from candle_core.kernel import Kernel
    from candle_core.provider import Provider

_Answer = TypeVar("_Answer")

ATTEMPTS: Final = 5
FIRST_DELAY: Final = 0.25
"""Seconds; doubled each time, with jitter."""
PAUSES: Final = 8
UNSAID_PAUSE: Final = 10.0
"""Seconds, where the exchange does not say how long."""


async def with_retries(kernel: "Kernel", provider: "Provider", call: Callable[[], Awaitable[_Answer]]) -> _Answer:
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
            kind = kernel.statistics.failed(error)
            await kernel.emit("limit.paused", provider=provider.name, kind=kind, seconds=seconds)
            if pauses >= PAUSES or seconds > LONGEST_PAUSE:
                raise
            await kernel.clock.sleep(seconds)
        except TransientError as error:
            failures += 1
            kind = kernel.statistics.failed(error)
            if failures >= ATTEMPTS:
                raise
            await kernel.emit("request.retried", provider=provider.name, kind=kind, cause=type(error).__name__)
            await kernel.clock.sleep(FIRST_DELAY * 2 ** (failures - 1) * random.uniform(0.75, 1.25))
        kernel.statistics.repeat()
