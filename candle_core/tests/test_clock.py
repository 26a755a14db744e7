"""An exchange's clock as its answers tell it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.clock import ExchangeClock, SystemClock

MINUTE = 60_000
HOUR = 60 * MINUTE


class Standing:
    """A clock that is set by hand."""

    ms = 1_000_000

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


ANSWERS = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 3_000)), min_size=1, max_size=100)


@given(st.integers(-5_000, 5_000), ANSWERS)
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


@pytest.mark.parametrize("step", [-8 * HOUR, -HOUR, -MINUTE, MINUTE, HOUR, 8 * HOUR])
def test_the_machines_clock_is_set(step: int) -> None:
    """What was heard by the old one is forgotten: after a large step at once, after a small one in some minutes."""
    local = Standing()
    local.ms = there = 100 * HOUR
    clock = ExchangeClock(local)
    clock.observe(there)
    local.ms += step
    assert clock.is_known == (abs(step) < HOUR)
    for _ in range(1 if abs(step) >= HOUR else 21):
        local.ms, there = local.ms + MINUTE, there + MINUTE
        clock.observe(there - 300)
        assert clock.is_known
    assert clock.now() == there - 300


def test_a_machine_whose_clock_runs_fast() -> None:
    """It gains ten seconds a day; what it was ahead of in the first hour says nothing of the last one."""
    local = Standing()
    local.ms = began = 100 * HOUR
    clock = ExchangeClock(local)
    for minute in range(3 * 24 * 60):
        there = began + minute * MINUTE
        local.ms = there + minute * 10_000 // (24 * 60)
        clock.observe(there - 300)
        assert there - 300 <= clock.now() <= there


def test_the_system_clock_tells_milliseconds(monkeypatch: Any) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_456_789)
    assert SystemClock().now() == 1_700_000_000_123
    asyncio.run(SystemClock().sleep(0))
