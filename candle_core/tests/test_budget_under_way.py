"""What is under way holds up nobody for ever: not other limits' lines, not a plugin that asks besides, not the end."""

import asyncio
import gc
import warnings
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from candle_core.budget import Budget, sent, tally
from candle_core.budget import gate as gates
from candle_core.budget.shared import SharedStore
from candle_core.clock import ExchangeClock
from candle_core.tests.test_budget_shared import Moved
from candle_hookspecs import Limit, Priority, Window
from candle_testkit.context import SystemClock

ONE = Limit("weight", 1, 0.05, Window.SLIDING)
TEN = Limit("weight", 10, 0.05, Window.SLIDING)
ORDERS = Limit("orders", 10, 0.05, Window.SLIDING)
PATIENCE = 120
"""Seconds after which a test hangs."""
HOUR = 3_600_000


def gate(*limits: Limit, clock: Any = None, path: Path | None = None, stack: ExitStack | None = None) -> Budget:
    clock = clock or SystemClock()
    store = stack.enter_context(closing(SharedStore(path))) if path and stack else None
    budget = Budget(clock, ExchangeClock(clock), store)
    budget.declare(limits)
    return budget


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens every second, and after five, happens a hundred times as often."""
    for module in (sent, tally):
        monkeypatch.setattr(module, "BEAT", 0.01)
    for module in (gates, tally):
        monkeypatch.setattr(module, "LEASE", 50)
    monkeypatch.setattr(sent, "OVERDUE", 0.05)


# ── several limits ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_lands_lets_those_look_who_stand_before_another_limit() -> None:
    budget = gate(TEN, ORDERS)
    async with budget.under_way({"orders": 10}):
        waiting = asyncio.create_task(budget.spend({"weight": 1, "orders": 1}))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    async with asyncio.timeout(PATIENCE):
        await waiting


# ── a plugin that asks besides ───────────────────────────────────────────────────────────────────────────────────────


class Plugin:
    """One that must list markets before it can ask for anything, once for all who wait."""

    def __init__(self, budget: Budget, parts: int = 1) -> None:
        self.budget, self.order, self._parts = budget, list[str](), parts
        self._lock, self._knows = asyncio.Lock(), False

    async def list(self) -> None:
        async with self._lock:
            await asyncio.sleep(0.01)  # others come meanwhile
            if not self._knows:
                for _ in range(self._parts):
                    async with self.budget.under_way({"weight": 1}):
                        self.order.append("listing")
            self._knows = True

    async def fetch(self, name: str, priority: Priority = Priority.NORMAL) -> None:
        async with self.budget.under_way({"weight": 1}, priority, by_plugin=True):
            await self.list()
            self.order.append(name)


@pytest.mark.parametrize("limit", [ONE, TEN], ids=["one", "ten"])
async def test_those_who_wait_for_a_listing_do_not_keep_it_from_being_asked_for(
    limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent, "OVERDUE", 3_600)  # nobody is given up
    plugin = Plugin(gate(limit))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for number in range(25):
            group.create_task(plugin.fetch(f"page {number}"))
    assert plugin.order[0] == "listing"
    assert len(plugin.order) == 26


@pytest.mark.usefixtures("quick")
async def test_nor_does_one_that_came_before_the_listing_was_asked_for_by_somebody_else() -> None:
    budget = gate(ONE)
    plugin = Plugin(budget)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group, plugin._lock:
        group.create_task(plugin.fetch("page"))
        await asyncio.sleep(0.1)  # it is under way, and waits
        await budget.spend({"weight": 1})
        plugin._knows = True
    assert plugin.order == ["page"]


@pytest.mark.usefixtures("quick")
async def test_nor_do_those_of_two_processes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        limit = Limit("weight", 3, 0.05, Window.SLIDING)
        plugins = [Plugin(gate(limit, path=tmp_path / "limits.sqlite3", stack=stack)) for _ in range(2)]
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for number in range(8):
                for plugin in plugins:
                    group.create_task(plugin.fetch(f"page {number}"))
        assert [len(plugin.order) for plugin in plugins] == [9, 9]


@pytest.mark.parametrize("parts", [1, 3])
async def test_what_an_urgent_request_needs_first_is_as_urgent(parts: int) -> None:
    budget = gate(ONE)
    plugin, order = Plugin(budget, parts), list[str]()

    async def other() -> None:
        await budget.spend({"weight": 1}, Priority.HIGH)
        order.append("high")

    async def urgent() -> None:
        await plugin.fetch("page", Priority.CRITICAL)
        order.append("urgent")

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(urgent())
        await asyncio.sleep(0)
        for _ in range(3):
            group.create_task(other())
    assert order[0] == "urgent"


# ── one line for all processes ───────────────────────────────────────────────────────────────────────────────────────


async def test_who_waits_long_for_an_answer_of_its_own_process_is_not_overtaken_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sent, tally):
        monkeypatch.setattr(module, "BEAT", 0.01)
    clock = Moved()

    async def pass_time() -> None:
        clock.ms += 4_000
        await asyncio.sleep(0.05)  # behind several beats, however late all of them are

    with ExitStack() as stack:
        path = tmp_path / "limits.sqlite3"
        one, other = (gate(TEN, clock=clock, path=path, stack=stack) for _ in range(2))
        order: list[str] = []

        async def critical() -> None:
            await one.spend({"weight": 6}, Priority.CRITICAL)
            order.append("critical")

        async def low() -> None:
            await other.spend({"weight": 5}, Priority.LOW)
            order.append("low")

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            async with one.under_way({"weight": 5}):
                group.create_task(critical())
                for _ in range(4):  # longer than the lease and the grace together
                    await pass_time()
                group.create_task(low())
                await pass_time()
                assert order == []
            while len(order) < 2:
                await pass_time()
    assert order == ["critical", "low"]


async def test_one_that_died_in_the_line_and_a_clock_set_back_hold_nobody_up(tmp_path: Path, clock: Any) -> None:
    class Dead:
        def now(self) -> int:
            return int(clock.ms)

        async def sleep(self, seconds: float) -> None:
            await asyncio.get_running_loop().create_future()

    limit = Limit("weight", 10, 60.0)
    with ExitStack() as stack:
        path = tmp_path / "limits.sqlite3"
        low = gate(limit, clock=clock, path=path, stack=stack)
        await low.spend({"weight": 10})
        dead = asyncio.create_task(
            gate(limit, clock=Dead(), path=path, stack=stack).spend({"weight": 1}, Priority.CRITICAL)
        )
        await asyncio.sleep(0)
        clock.ms -= 3_600_000
        began = clock.now()
        await low.spend({"weight": 1}, Priority.LOW)
        assert clock.now() < began + 60_000
        dead.cancel()


async def test_a_clock_set_back_makes_no_pause_longer(clock: Any) -> None:
    budget = gate(Limit("weight", 10, 60.0), clock=clock)
    budget.pause(30)
    await asyncio.sleep(0)
    clock.ms -= 3_600_000
    began = clock.now()
    await budget.spend({"weight": 1})
    assert clock.now() <= began + 31_000


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loop_that_is_closed_with_a_request_under_way_leaves_no_error_behind() -> None:
    async def ask(budget: Budget) -> None:
        async with budget.under_way({"weight": 1}):
            await asyncio.get_running_loop().create_future()

    async def begin() -> Any:
        block = ask(gate(TEN))
        block.send(None)
        return block

    loop = asyncio.new_event_loop()
    block = loop.run_until_complete(begin())
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        block.close()
        del block
        gc.collect()


async def test_what_was_given_up_may_still_arrive(clock: Any) -> None:
    """It is cancelled as soon as it has left; the exchange counts it half a second later."""
    budget, left = gate(Limit("weight", 1, 60, Window.SLIDING), clock=clock), clock.now()

    async def ask() -> None:
        async with budget.under_way({"weight": 1}):
            await asyncio.get_running_loop().create_future()

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert clock.now() == left
    await budget.spend({"weight": 1})
    assert clock.now() >= left + 500 + 60_000


@pytest.mark.parametrize("moment", range(6))
async def test_who_is_cancelled_anywhere_leaves_nothing_under_way(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gates, tally):
        monkeypatch.setattr(module, "LEASE", HOUR)  # nobody is taken for dead
    monkeypatch.setattr(tally, "LATE", 10)
    with ExitStack() as stack:
        budget, other = (gate(TEN, path=tmp_path / "limits.sqlite3", stack=stack) for _ in range(2))

        async def ask() -> None:
            async with budget.under_way({"weight": 10}):
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(ask()) for _ in range(3)]
        for _ in range(moment):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(PATIENCE):
            await other.spend({"weight": 10})
            await budget.spend({"weight": 10})
