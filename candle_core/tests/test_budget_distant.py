"""Gates on machines of their own, whose clocks differ, and one place where they count together, while it is there."""

import asyncio
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_core.budget import Budget, DistantStore
from candle_core.budget.records import shifted, united
from candle_core.budget.shared import BudgetNotSharedWarning, LocalStore, Remote, SharedStore
from candle_core.clock import ExchangeClock
from candle_core.tests.test_budget_shared import FIXED, NOON, SLIDING, SimulatedTime, demand, simulated
from candle_hookspecs import (
    CacheUnavailableError,
    Limit,
    LimitFeedback,
    Priority,
    RateLimitedError,
    StoreBusyError,
)

HOUR = 3_600_000
SKEWS = (0, 3_000, -3_000, HOUR, -HOUR, 41_234_567)
each_window = pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])
each_skew = pytest.mark.parametrize("skew", [3_000, -3_000, HOUR, -HOUR], ids="{:+}".format)


class Wrong:
    """A machine's clock, so many milliseconds off."""

    def __init__(self, time: SimulatedTime, skew: int) -> None:
        self.time, self.skew = time, skew

    def now(self) -> int:
        return self.time.now() + self.skew

    async def sleep(self, seconds: float) -> None:
        await self.time.sleep(seconds)


class Place:
    """What all machines write to, and how it fares; what it holds may be lost."""

    def __init__(self) -> None:
        self.kept = LocalStore()
        self.is_away = False
        self.milliseconds = 0
        self.breaks_at_the_end: list[Exception] = []
        self.asked = 0


class Way:
    """One machine's way there: a `BudgetStore`, which knows how far off the machine's clock is."""

    def __init__(self, place: Place, time: SimulatedTime, ahead: int) -> None:
        self.place, self.time, self.ahead = place, time, ahead

    def close(self) -> None:
        pass

    @contextmanager
    def transaction(self, *keys: str) -> Iterator[dict[str, Any]]:
        self.place.asked += 1
        self.time.ms += self.place.milliseconds
        if self.place.is_away:
            raise CacheUnavailableError("away")
        with self.place.kept.transaction(*keys) as records:
            yield records
            if self.place.breaks_at_the_end:
                raise self.place.breaks_at_the_end.pop()


class Machine:
    """A file of its own, a clock of its own, and any number of processes."""

    def __init__(self, time: SimulatedTime, place: Place, near: Path, skew: int = 0) -> None:
        self.clock, self.time, self.place, self.near = Wrong(time, skew), time, place, near

    def gate(self, stack: ExitStack, limit: Limit = FIXED, lag: int | None = None) -> Budget:
        """The gate of another process; its idea of the exchange's clock is so many milliseconds behind."""
        way = Way(self.place, self.time, -self.clock.skew)
        near = stack.enter_context(closing(SharedStore(self.near)))
        store = DistantStore(way, near, timer=lambda: self.time.ms / 1000)
        offset = None if lag is None else -self.clock.skew - lag
        budget = Budget(self.clock, ExchangeClock(self.clock, offset), store, Remote("exchange"))
        budget.declare([limit])
        return budget


Start = Callable[..., Machine]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def machine(tmp_path: Path, place: Place) -> Start:
    def start(time: SimulatedTime, name: str, skew: int = 0) -> Machine:
        return Machine(time, place, tmp_path / f"{name}.sqlite3", skew)

    return start


# ── clocks that differ ───────────────────────────────────────────────────────────────────────────────────────────────


wishes = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 10).map(float), st.integers(0, 90_000)), min_size=1, max_size=25
)


@given(
    st.sampled_from([FIXED, SLIDING]), wishes, st.integers(0, 59_999),
    st.tuples(*[st.sampled_from(SKEWS)] * 3), st.sampled_from([None, 0, 700]), st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_machines_keep_one_limit_whatever_their_clocks(
    limit: Limit,
    wanted: list[tuple[int, float, int]],
    phase: int,
    skews: tuple[int, ...],
    lag: int | None,
    bursts: bool,
) -> None:
    """Also where nobody knows the exchange's clock: then they go by the one that they share."""

    async def run() -> list[tuple[int, float]]:
        arrived: list[tuple[int, float]] = []
        place = Place()
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            async with simulated(NOON + phase) as time, asyncio.TaskGroup() as group:
                files = [Path(folder, f"{number}.sqlite3") for number in range(len(skews))]
                machines = [Machine(time, place, file, skew) for file, skew in zip(files, skews, strict=True)]
                gates = [machine.gate(stack, limit, lag) for machine in machines]

                async def spend(which: int, cost: float, wait: int) -> None:
                    await time.sleep((0 if bursts else wait) / 1000)
                    await gates[which].spend({"weight": cost})
                    arrived.append((time.now(), cost))

                for wish in wanted:
                    group.create_task(spend(*wish))
        return arrived

    arrived = asyncio.run(run())
    assert sorted(cost for _, cost in arrived) == sorted(cost for _, cost, _ in wanted), "everybody passed"
    for moment, _ in arrived:
        start = moment // 60_000 * 60_000 if limit is FIXED else moment
        assert sum(cost for other, cost in arrived if start <= other < start + 60_000) <= limit.amount
    periods = sum(cost for _, cost in arrived) / 5.5 + 3  # two of the largest may not fit into one
    assert arrived[-1][0] - NOON < (90_000 + periods * 61_000), "and nobody waits for another clock's time"


@each_skew
async def test_a_pause_lasts_as_long_for_who_has_another_time(machine: Start, stack: ExitStack, skew: int) -> None:
    async with simulated() as time:
        one, other = machine(time, "one").gate(stack), machine(time, "other", skew).gate(stack)
        await other.spend({"weight": 1})
        one.pause(30)
        await asyncio.sleep(0)
        await other.spend({"weight": 1}, Priority.CRITICAL)
        assert NOON + 30_000 <= time.now() < NOON + 30_100
        other.pause(7_200)
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError) as caught:
            await one.spend({"weight": 1})
        assert caught.value.retry_after == 7_200


@each_skew
async def test_what_one_learns_of_the_exchange_s_clock_serves_who_has_another_time(
    machine: Start, stack: ExitStack, skew: int
) -> None:
    async with simulated(NOON + 30_000) as time:
        one, other = machine(time, "one", skew).gate(stack), machine(time, "other").gate(stack)
        one.observe(LimitFeedback(server_time=NOON + 55_000))
        await asyncio.sleep(0)
        await one.spend({"weight": 10})
        await other.spend({"weight": 10})
        assert NOON + 35_000 <= time.now() < NOON + 36_000, "its minute is over 5 s from now"


@each_skew
async def test_the_urgent_go_first_whatever_the_time_is_there(machine: Start, stack: ExitStack, skew: int) -> None:
    limit = Limit("weight", 160, 60.0)
    async with simulated() as time:
        low = machine(time, "low").gate(stack, limit)
        critical = machine(time, "critical", skew).gate(stack, limit)
        passed: list[Priority] = []
        tasks = [
            asyncio.create_task(demand(budget, priority, passed))
            for budget, priority in [(low, Priority.LOW)] * 3 + [(critical, Priority.CRITICAL)] * 3
        ]
        await time.sleep(59.0)
        del passed[:]
        await time.sleep(4 * 60)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(passed) == 4 * 160
    assert passed.count(Priority.LOW) == pytest.approx(4 * 160 / 16, abs=4)


RECORDS: list[dict[str, Any]] = [
    {
        "spent": [NOON, 2.0, NOON + 500, 1.5],
        "turn": 3,
        "waiting": {"a": [1, NOON, NOON + 20]},
        "away": {"a": [NOON, 2.0]},
    },
    {"spent": [28_333_334, 8.0, 1.0], "turn": 3, "waiting": {}},
    {"pause": [NOON, NOON + 30_000], "offset": [-250, NOON]},
    {},
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_told_there_and_back_is_the_same(record: dict[str, Any]) -> None:
    assert shifted(shifted(record, HOUR), -HOUR) == record
    assert united(record, record) == record
    assert shifted(None, HOUR) is None
    assert united(None, record) == united(record, None) == record


def test_moments_move_and_the_exchange_s_do_not() -> None:
    sliding, fixed, pool, _ = (shifted(record, 7) for record in RECORDS)
    assert sliding == {
        "spent": [NOON + 7, 2.0, NOON + 507, 1.5], "turn": 3, "waiting": {"a": [1, NOON + 7, NOON + 27]},
        "away": {"a": [NOON + 7, 2.0]},
    }  # fmt: skip
    assert fixed == RECORDS[1]
    assert pool == {"pause": [NOON + 7, NOON + 30_007], "offset": [-257, NOON + 7]}, "offset + moment is what it was"


def test_what_was_counted_apart_is_put_together() -> None:
    one = {"spent": [5, 3.0, 1.0], "pause": [1, 20], "offset": [4, 10], "turn": 1}
    other = {"spent": [5, 2.0, 2.0], "pause": [2, 10], "offset": [3, 11], "turn": 9}
    assert united(one, other) == {"spent": [5, 3.0, 2.0], "pause": [1, 20], "offset": [3, 11], "turn": 1}
    assert united({"spent": [6, 0.5, 0.0]}, other) == {**other, "spent": [6, 0.5, 0.0]}
    assert united({"spent": [10, 1.0, 30, 2.0]}, {"spent": [10, 1.5, 20, 4.0]}) == {
        "spent": [10, 1.5, 20, 4.0, 30, 2.0]
    }
    away = {"away": {"a": [4, 1.0], "b": [6, 2.0]}}, {"away": {"a": [5, 3.0], "b": [2, 9.0], "c": [1, 1.0]}}
    assert united(*away) == united(*reversed(away)) == {"away": {"a": [5, 3.0], "b": [6, 2.0], "c": [1, 1.0]}}


@each_skew
async def test_what_one_machine_has_under_way_another_lacks(machine: Start, stack: ExitStack, skew: int) -> None:
    async with simulated() as time:
        one, other = machine(time, "one", skew).gate(stack), machine(time, "other").gate(stack)
        async with one.under_way({"weight": 10}):
            waiting = asyncio.create_task(other.spend({"weight": 1}))
            await time.sleep(3.0)
            assert not waiting.done()
        await asyncio.sleep(0)
        one.close()
        await waiting
        assert NOON + 60_000 <= time.now() < NOON + 60_200


async def test_a_shared_count_in_another_shape_is_taken_to_be_full(
    machine: Start, stack: ExitStack, place: Place
) -> None:
    async with simulated() as time:
        await machine(time, "one").gate(stack).spend({"weight": 1})
        kept = place.kept._records
        kept.update({key: {"spent": "much", "pause": "long"} for key in kept})
        with pytest.warns(BudgetNotSharedWarning, match="another version"):
            await machine(time, "other").gate(stack).spend({"weight": 1})
        assert NOON + 60_000 <= time.now() < NOON + 60_200


# ── when the place is away ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_short_absence_is_waited_out_and_lets_nothing_pass(
    machine: Start, stack: ExitStack, place: Place
) -> None:
    async with simulated() as time:
        one, other = machine(time, "one").gate(stack), machine(time, "other").gate(stack)
        await one.spend({"weight": 4})
        place.is_away = True
        waiting = asyncio.create_task(other.spend({"weight": 6}))
        await time.sleep(0.8)
        assert not waiting.done()
        place.is_away = False
        await waiting
        assert NOON + 800 < time.now() < NOON + 1_000
        await one.spend({"weight": 1})
        assert time.now() >= NOON + 60_000


@each_window
async def test_while_it_is_away_each_machine_counts_on_and_brings_its_count_back(
    machine: Start, stack: ExitStack, place: Place, limit: Limit
) -> None:
    async with simulated() as time:
        machines = [machine(time, name, skew) for name, skew in (("one", 0), ("other", HOUR))]
        one, other = (each.gate(stack, limit) for each in machines)
        await one.spend({"weight": 2})
        await other.spend({"weight": 2})
        await one.spend({"weight": 1})
        place.is_away, place.kept = True, LocalStore()
        beside = machines[0].gate(stack, limit)
        for gate, cost in ((one, 1), (beside, 0.5), (other, 2)):
            with pytest.warns(BudgetNotSharedWarning, match="this one counts for itself"):
                await gate.spend({"weight": cost})
        assert time.now() < NOON + 4_000
        asked = place.asked
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            waiting = asyncio.create_task(other.spend({"weight": 4.5}))
            await time.sleep(24)
            assert not waiting.done(), "of the ten it knew of four spent before, and has spent two itself"
            assert place.asked - asked <= 5, "it is asked every five seconds, if anybody wants anything"
            waiting.cancel()
            place.is_away = False
            await time.sleep(5)
            for gate in (one, beside, other):
                await gate.spend({"weight": 0.1})
            assert time.now() < NOON + 40_000
            late = machine(time, "late").gate(stack, limit)
            await late.spend({"weight": 4})
        assert time.now() >= NOON + 60_000, "6.5 were spent on the one machine: it is in the common count"


async def test_a_machine_alone_never_exceeds_the_limit_whenever_the_place_comes_and_goes(
    machine: Start, stack: ExitStack, place: Place
) -> None:
    async with simulated() as time:
        alone = machine(time, "alone")
        gates = [alone.gate(stack), alone.gate(stack)]
        passed: list[int] = []

        async def ask(gate: Budget) -> None:
            while True:
                await gate.spend({"weight": 1})
                passed.append(time.now())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BudgetNotSharedWarning)
            tasks = [asyncio.create_task(ask(gate)) for gate in gates]
            for away, seconds in ((True, 10), (False, 47), (True, 4), (False, 55), (True, 70), (False, 8), (True, 61)):
                if away:
                    place.kept = LocalStore()
                place.is_away = away
                await time.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for minute in range(NOON, time.now() - 60_000, 60_000):
        assert sum(minute <= moment < minute + 60_000 for moment in passed) == 10


@each_window
async def test_what_one_who_is_gone_has_counted_apart_is_known_to_who_slept_meanwhile(
    machine: Start, stack: ExitStack, place: Place, limit: Limit
) -> None:
    async with simulated() as time:
        alone = machine(time, "alone")
        sleeper, gone = alone.gate(stack, limit), alone.gate(stack, limit)
        await sleeper.spend({"weight": 2})
        place.is_away, place.kept = True, LocalStore()
        with pytest.warns(BudgetNotSharedWarning):
            await gone.spend({"weight": 5})
        place.is_away = False
        await sleeper.spend({"weight": 3})
        assert time.now() < NOON + 3_000
        await sleeper.spend({"weight": 3})
        assert time.now() >= NOON + 60_000


async def test_a_pause_met_while_it_is_away_is_told_to_all_when_it_is_back(
    machine: Start, stack: ExitStack, place: Place
) -> None:
    async with simulated() as time:
        met = machine(time, "met").gate(stack)
        other = machine(time, "other", -HOUR).gate(stack)
        await met.spend({"weight": 1})
        place.is_away = True
        with pytest.warns(BudgetNotSharedWarning):
            await met.spend({"weight": 1})
        met.pause(40)
        paused = time.now()
        await time.sleep(7)
        place.is_away = False
        waiting = asyncio.create_task(met.spend({"weight": 1}))  # whoever has something to ask brings it back
        await time.sleep(1)
        await other.spend({"weight": 1}, Priority.CRITICAL)
        assert paused + 40_000 <= time.now() < paused + 40_200
        await waiting


async def spend_often(gate: Budget, times: int) -> None:
    for _ in range(times):
        await gate.spend({"weight": 1})


async def test_one_that_answers_slowly_is_left_alone(machine: Start, stack: ExitStack, place: Place) -> None:
    limit = Limit("weight", 1e6, 60.0)
    async with simulated() as time:
        gate = machine(time, "one").gate(stack, limit)
        place.milliseconds = 20
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await spend_often(gate, 100)
            place.milliseconds = 500
            await gate.spend({"weight": 1})  # once is no habit
            place.milliseconds = 20
            await gate.spend({"weight": 1})
        place.milliseconds = 40
        with pytest.warns(BudgetNotSharedWarning, match="it takes 40 ms for a spend"):
            await spend_often(gate, 40)
        asked, began = place.asked, time.now()
        for _ in range(100):
            await gate.spend({"weight": 1})
            await time.sleep(0.1)
        assert time.now() - began < 10_200
        assert place.asked - asked <= 3, "every five seconds"
        place.milliseconds = 1
        await time.sleep(5)
        await gate.spend({"weight": 1})
        asked = place.asked
        await spend_often(gate, 10)
        assert place.asked == asked + 10, "together again"


# ── when it breaks in the midst ──────────────────────────────────────────────────────────────────────────────────────


@each_window
@pytest.mark.parametrize("error", [StoreBusyError("late"), CacheUnavailableError("cut")], ids=["late", "cut"])
async def test_what_could_not_be_written_did_not_happen(
    machine: Start, stack: ExitStack, place: Place, limit: Limit, error: Exception
) -> None:
    async with simulated() as time:
        gate = machine(time, "one").gate(stack, limit)
        order: list[str] = []

        async def ask(name: str, cost: float) -> None:
            await gate.spend({"weight": cost})
            order.append(name)

        gate.observe(LimitFeedback(used={"weight": 2}))
        await asyncio.sleep(0)
        place.breaks_at_the_end = [error, error]
        async with asyncio.TaskGroup() as group:
            for name in ("first", "second", "third"):
                group.create_task(ask(name, 2))
        assert order == ["first", "second", "third"]
        assert NOON < time.now() < NOON + 1_000
        await gate.spend({"weight": 2})
        assert time.now() < NOON + 1_000, "nothing is counted twice"
        await gate.spend({"weight": 0.1})
        assert time.now() >= NOON + 60_000, "and what the exchange said was heard"
        await gate.spend({"weight": 9.9})
        assert time.now() < NOON + 62_000, "once"
