"""The gate, with a clock that jumps: an exchange that counted along would never refuse."""

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_core.budget import Budget
from candle_core.clock import ExchangeClock
from candle_hookspecs import BadInputError, Limit, LimitFeedback, Priority, Window

PERIOD = 60.0
FIXED = Limit("weight", 10, PERIOD)
SLIDING = Limit("weight", 10, PERIOD, Window.SLIDING)
each_window = pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])


def gate(clock: Any, *limits: Limit) -> Budget:
    budget = Budget(clock, ExchangeClock(clock))
    budget.declare(limits)
    return budget


def most_in_a_period(passed: list[tuple[int, float]], limit: Limit) -> float:
    """The most that any period of the limit saw, by adding up every one that could matter."""
    period = int(limit.period * 1000)
    if limit.window is Window.FIXED:
        starts = {moment // period * period for moment, _ in passed}
    else:
        starts = {moment for moment, _ in passed}
    return max(sum(cost for moment, cost in passed if start <= moment < start + period) for start in starts)


async def spend_all(
    clock: Any, limit: Limit, wishes: list[tuple[float, int]], together: bool
) -> list[tuple[int, float]]:
    budget = gate(clock, limit)
    passed: list[tuple[int, float]] = []

    async def spend(cost: float, wait: int) -> None:
        clock.ms += wait
        await budget.spend({"weight": cost})
        passed.append((clock.now(), cost))

    if together:
        await asyncio.gather(*(spend(cost, wait) for cost, wait in wishes))
    else:
        for cost, wait in wishes:
            await spend(cost, wait)
    return passed


@given(
    st.sampled_from([FIXED, SLIDING]),
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 90_000)), min_size=1, max_size=30),
    st.booleans(),
    st.integers(0, 59_999),
)
@settings(deadline=None)
def test_no_period_ever_sees_more_than_the_limit(
    limit: Limit, wishes: list[tuple[float, int]], together: bool, phase: int
) -> None:
    passed = asyncio.run(spend_all(Jumping(1_700_000_000_000 + phase), limit, wishes, together))
    assert sorted(cost for _, cost in passed) == sorted(cost for cost, _ in wishes), "everybody passed"
    assert most_in_a_period(passed, limit) <= limit.amount + 1e-9


class Jumping:
    """As the fixture `clock`; hypothesis needs a new one for each example."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        self.ms += int(seconds * 1000) + 1
        await asyncio.sleep(0)


@each_window
async def test_what_fits_passes_at_once(clock: Any, limit: Limit) -> None:
    budget = gate(clock, limit)
    for _ in range(10):
        await budget.spend({"weight": 1})
    assert clock.slept == []
    await budget.spend({"weight": 1})
    assert 0 < sum(clock.slept) <= PERIOD + 0.1


async def test_several_limits_hold_at_once(clock: Any) -> None:
    budget = gate(clock, FIXED, Limit("orders", 1, 600.0))
    await budget.spend({"weight": 1, "orders": 1})
    await budget.spend({"weight": 1})
    assert clock.slept == []
    await budget.spend({"weight": 1, "orders": 1})
    assert sum(clock.slept) > 0


async def test_nothing_costs_nothing(clock: Any) -> None:
    await gate(clock).spend({})


async def pass_order(clock: Any, budget: Budget, priorities: list[Priority], cost: float = 10) -> list[int]:
    await budget.spend({"weight": 10})
    order: list[int] = []

    async def spend(number: int, priority: Priority) -> None:
        await budget.spend({"weight": cost}, priority)
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number, priority in enumerate(priorities):
            group.create_task(spend(number, priority))
    return order


@each_window
async def test_the_most_urgent_goes_first_and_then_who_came_first(clock: Any, limit: Limit) -> None:
    wishes = [Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.LOW, Priority.HIGH, Priority.CRITICAL]
    order = await pass_order(clock, gate(clock, limit), wishes)
    assert order == sorted(range(len(wishes)), key=lambda number: (wishes[number], number))


async def test_a_costly_request_is_not_starved_by_small_ones(clock: Any) -> None:
    budget = gate(clock, SLIDING)
    await budget.spend({"weight": 5})
    order: list[float] = []

    async def spend(cost: float) -> None:
        await budget.spend({"weight": cost})
        order.append(cost)

    async with asyncio.TaskGroup() as group:
        for cost in (10, 1, 1, 1):
            group.create_task(spend(cost))
    assert order == [10, 1, 1, 1]


async def test_who_gives_up_does_not_block_the_line(clock: Any) -> None:
    class Still:
        def now(self) -> int:
            return int(clock.ms)

        async def sleep(self, seconds: float) -> None:
            await asyncio.get_running_loop().create_future()

    budget = gate(Still(), FIXED)
    await budget.spend({"weight": 10})
    first = asyncio.create_task(budget.spend({"weight": 10}))
    second = asyncio.create_task(budget.spend({"weight": 1}))
    await asyncio.sleep(0)
    first.cancel()
    clock.ms += 60_000
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_pause_holds_for_all(clock: Any) -> None:
    budget = gate(clock, FIXED)
    budget.pause(30)
    await asyncio.sleep(0)
    began = clock.now()
    moments: list[int] = []

    async def spend(priority: Priority) -> None:
        await budget.spend({"weight": 1}, priority)
        moments.append(clock.now())

    async with asyncio.TaskGroup() as group:
        for priority in Priority:
            group.create_task(spend(priority))
    assert len(moments) == 4
    assert min(moments) >= began + 30_000


async def test_a_longer_pause_is_not_cut_short_by_a_shorter_one(clock: Any) -> None:
    budget = gate(clock, FIXED)
    budget.pause(30)
    budget.pause(1)
    await asyncio.sleep(0)
    began = clock.now()
    await budget.spend({"weight": 1})
    assert clock.now() >= began + 30_000


@each_window
async def test_headers_correct_the_count(clock: Any, limit: Limit) -> None:
    for feedback in (LimitFeedback(used={"weight": 9}), LimitFeedback(remaining={"weight": 1})):
        budget = gate(clock, limit)
        await budget.spend({"weight": 2})
        budget.observe(feedback)  # somebody else on this address spends too
        await asyncio.sleep(0)
        clock.slept.clear()
        await budget.spend({"weight": 1})
        assert clock.slept == []
        await budget.spend({"weight": 1})
        assert clock.slept != []


async def test_an_answer_older_than_what_is_under_way_frees_nothing(clock: Any) -> None:
    budget = gate(clock, FIXED)
    await budget.spend({"weight": 10})
    budget.observe(LimitFeedback(used={"weight": 3}))
    await asyncio.sleep(0)
    await budget.spend({"weight": 1})
    assert clock.slept != []


async def test_the_exchange_may_change_its_limits(clock: Any) -> None:
    budget = gate(clock, FIXED)
    budget.observe(LimitFeedback(amounts={"weight": 20, "unheard-of": 5}, used={"unheard-of": 5}))
    await asyncio.sleep(0)
    await budget.spend({"weight": 20})
    assert clock.slept == []


async def test_windows_turn_by_the_clock_of_the_exchange(clock: Any) -> None:
    clock.ms = 1_700_000_040_000 - 1_700_000_040_000 % 60_000 + 30_000  # half past a minute here
    budget = gate(clock, FIXED)
    budget.observe(LimitFeedback(server_time=clock.ms + 25_000))  # five seconds to the full minute there
    await asyncio.sleep(0)
    await budget.spend({"weight": 10})
    await budget.spend({"weight": 10})
    assert sum(clock.slept) < 6


@pytest.mark.parametrize(
    ("costs", "words"), [({"wieght": 1}, ["'wieght'", "'weight'"]), ({"weight": 11}, ["11", "'weight'", "10"])]
)
async def test_what_can_never_pass_is_refused(clock: Any, costs: dict[str, float], words: list[str]) -> None:
    with pytest.raises(BadInputError) as caught:
        await gate(clock, FIXED).spend(costs)
    assert [word for word in words if word not in str(caught.value)] == []


async def test_a_limit_that_shrank_below_a_cost_refuses_those_who_wait(clock: Any) -> None:
    budget = gate(clock, FIXED)
    await budget.spend({"weight": 10})
    waiting = asyncio.create_task(budget.spend({"weight": 8}))
    budget.observe(LimitFeedback(amounts={"weight": 5}))
    with pytest.raises(BadInputError, match="never fits"):
        async with asyncio.timeout(120):
            await waiting


async def test_a_worker_thread_passes_the_same_gate(clock: Any) -> None:
    budget = gate(clock, FIXED)
    threads: list[threading.Thread] = []

    def work(cost: float = 6, name: str = "weight") -> None:
        threads.append(threading.current_thread())
        with budget.under_way_blocking({name: cost}):
            pass

    await asyncio.gather(asyncio.to_thread(work), asyncio.to_thread(work))
    assert clock.slept != [], "twice 6 is more than 10"
    assert threading.current_thread() not in threads
    with pytest.raises(BadInputError):
        await asyncio.to_thread(work, name="nope")


# ── under way ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def ask(clock: Any, budget: Budget, seconds: float, cost: float) -> None:
    async with budget.under_way({"weight": cost}):
        clock.ms += int(seconds * 1000)


async def test_a_sliding_period_begins_when_the_answer_is_there(clock: Any) -> None:
    budget, began = gate(clock, SLIDING), clock.now()
    await ask(clock, budget, 40, 10)
    await budget.spend({"weight": 1})
    assert clock.now() >= began + 100_000, "it may have been counted in the fortieth second"


async def test_what_was_under_way_when_a_fixed_window_turned_counts_in_both(clock: Any) -> None:
    clock.ms += 60_000 - clock.ms % 60_000 + 30_000
    budget, turn = gate(clock, FIXED), clock.now() + 30_000
    await ask(clock, budget, 32, 6)
    await budget.spend({"weight": 4})
    assert turn <= clock.now() < turn + 60_000
    await budget.spend({"weight": 1})
    assert clock.now() >= turn + 60_000


@each_window
async def test_what_is_not_answered_counts_however_long_it_takes(clock: Any, limit: Limit) -> None:
    budget = gate(clock, limit)
    async with budget.under_way({"weight": 10}):
        clock.ms += 150_000
        waiting = asyncio.create_task(budget.spend({"weight": 1}))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert clock.slept == [], "nothing but the answer can make room"
    async with asyncio.timeout(120):
        await waiting


@each_window
async def test_a_request_that_fails_is_over_too(clock: Any, limit: Limit) -> None:
    budget = gate(clock, limit)
    with pytest.raises(ValueError, match="cut"):
        async with budget.under_way({"weight": 10}):
            raise ValueError("cut")
    async with asyncio.timeout(120):
        await budget.spend({"weight": 10})
    assert clock.slept != [], "it may have been counted, and does not stay under way"


@each_window
async def test_a_header_that_counts_what_is_under_way_is_no_news(clock: Any, limit: Limit) -> None:
    budget = gate(clock, limit)
    async with budget.under_way({"weight": 4}), budget.under_way({"weight": 3}):
        budget.observe(LimitFeedback(used={"weight": 7}))
        await asyncio.sleep(0)
        await budget.spend({"weight": 3})
    assert clock.slept == [], "ten in all, and nobody else's"


async def test_an_answer_s_own_time_tells_in_which_window_it_counted(clock: Any) -> None:
    """Of an exchange whose clock is ten seconds ahead nobody had heard."""
    clock.ms += 60_000 - clock.ms % 60_000 + 45_000
    budget, began = gate(clock, FIXED), clock.now()
    async with budget.under_way({"weight": 10}):
        clock.ms += 6_000
        budget.observe(LimitFeedback(server_time=began + 15_000))
    await budget.spend({"weight": 1})
    assert clock.now() >= began + 66_000, "it was counted at the turn there, nine seconds before the one here"
