"""An exchange's clock as its answers tell it."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from candle_core.clock import ExchangeClock, SystemClock


class Standing:
    """A clock that is set by hand."""

    ms = 1_000_000

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@given(st.integers(-5_000, 5_000), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 3_000)), min_size=1))
def test_never_ahead_and_closer_with_every_answer(ahead: int, answers: list[tuple[int, int]]) -> None:
    """The exchange is `ahead`; every answer was stamped a while before it is heard, in whole seconds."""
    local = Standing()
    clock = ExchangeClock(local)
    behind = []
    for travelled, pause in answers:
        local.ms += pause
        clock.observe((local.ms + ahead - travelled) // 1000 * 1000)
        behind.append(local.ms + ahead - clock.now())
    assert min(behind) >= 0
    assert behind == sorted(behind, reverse=True)


def test_the_local_clock_stands_in_until_the_exchange_is_heard() -> None:
    clock = ExchangeClock(Standing())
    assert clock.now() == 1_000_000
    clock.observe(999_000)
    assert clock.now() == 999_000


def test_the_system_clock_tells_milliseconds(monkeypatch: Any) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_456_789)
    assert SystemClock().now() == 1_700_000_000_123
    asyncio.run(SystemClock().sleep(0))
