"""Asking again: only what may go away, a bounded number of times, never during a pause."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from candle_core.budget import LONGEST_PAUSE
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.retry import ATTEMPTS, PAUSES, with_retries
from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    RateLimitedError,
    TransientError,
)


class Exchange:
    """Fails as told, then answers; remembers when it was asked."""

    def __init__(self, clock: Any, *failures: Exception) -> None:
        self.clock, self.failures, self.asked = clock, list(failures), list[int]()

    async def call(self) -> str:
        self.asked.append(self.clock.now())
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


Ask = Callable[[Exchange], Any]


@pytest.fixture
async def kernel(clock: Any) -> Kernel:
    return Kernel(load_config({"storage": {"backend": "memory"}}), clock)


@pytest.fixture
async def ask(kernel: Kernel) -> Ask:
    provider = kernel.provider("binance")
    return lambda exchange: with_retries(provider, exchange.call)


async def test_what_may_go_away_is_asked_again(clock: Any, ask: Ask) -> None:
    exchange = Exchange(clock, TransientError("reset"), MalformedAnswerError("html"), TransientError("502"))
    assert await ask(exchange) == "answer"
    assert len(exchange.asked) == 4
    waits = [after - before for before, after in zip(exchange.asked, exchange.asked[1:], strict=False)]
    assert waits[0] >= 100
    assert waits[2] > waits[0], "longer each time"


async def test_not_for_ever(clock: Any, ask: Ask) -> None:
    errors = [TransientError(str(number)) for number in range(50)]
    exchange = Exchange(clock, *errors)
    with pytest.raises(TransientError) as caught:
        await ask(exchange)
    assert caught.value is errors[ATTEMPTS - 1]
    assert len(exchange.asked) == ATTEMPTS


@pytest.mark.parametrize(
    "error", [MarketGoneError("gone"), BadRequestError("no"), AuthenticationError("who"), ValueError("bug")]
)
async def test_what_cannot_go_away_is_not_asked_again(clock: Any, ask: Ask, error: Exception) -> None:
    exchange = Exchange(clock, error)
    with pytest.raises(type(error)):
        await ask(exchange)
    assert len(exchange.asked) == 1
    assert clock.slept == []


async def test_a_pause_is_waited_for_and_is_no_failure(clock: Any, ask: Ask) -> None:
    pauses = [RateLimitedError("slow", retry_after=20.0) for _ in range(PAUSES - 1)]
    exchange = Exchange(clock, *pauses, TransientError("reset"))
    assert await ask(exchange) == "answer"
    waits = [after - before for before, after in zip(exchange.asked, exchange.asked[1:], strict=False)]
    assert min(waits[: PAUSES - 1]) >= 20_000


async def test_an_unsaid_pause_is_not_none(clock: Any, ask: Ask) -> None:
    exchange = Exchange(clock, RateLimitedError("slow"))
    await ask(exchange)
    assert exchange.asked[1] - exchange.asked[0] >= 1_000


async def test_pauses_without_end_are_reported(clock: Any, ask: Ask) -> None:
    exchange = Exchange(clock, *(RateLimitedError("slow", retry_after=1.0) for _ in range(99)))
    with pytest.raises(RateLimitedError):
        await ask(exchange)
    assert len(exchange.asked) == PAUSES


async def test_a_long_ban_is_reported_at_once(clock: Any, ask: Ask) -> None:
    exchange = Exchange(clock, RateLimitedError("banned", retry_after=LONGEST_PAUSE + 1, banned=True))
    with pytest.raises(RateLimitedError):
        await ask(exchange)
    assert (len(exchange.asked), clock.slept) == (1, [])


async def test_nobody_asks_during_a_pause(clock: Any, kernel: Kernel) -> None:
    provider = kernel.provider("binance")
    told = asyncio.Event()
    paused_until: list[int] = []
    asked: list[int] = []

    async def limited() -> str:
        await provider.budget.spend({"weight": 1})
        asked.append(clock.now())
        if not told.is_set():
            told.set()
            paused_until.append(clock.now() + 60_000)
            raise RateLimitedError("slow", retry_after=60.0)
        return "answer"

    async def late() -> str:
        await told.wait()
        await asyncio.sleep(0)
        return await with_retries(provider, limited)

    await asyncio.gather(with_retries(provider, limited), *(late() for _ in range(5)))
    assert len(asked) == 7
    assert min(asked[1:]) >= paused_until[0]
