"""Several gates on one file, as several processes have them, in a time that passes only while everybody sleeps."""

import asyncio
import heapq
import itertools
import json
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyHttpUrl, SecretStr

from candle_core.budget import Budget, sent, shared
from candle_core.budget import tally as tallies
from candle_core.budget.shared import BudgetNotSharedWarning, Remote, SharedStore, cache_root
from candle_core.clock import ExchangeClock
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import Limit, LimitFeedback, Priority, RateLimitedError, Scope, Settings, StoreBusyError, Window

NOON = 1_700_000_040_000 - 1_700_000_040_000 % 60_000
FIXED = Limit("weight", 10, 60.0)
SLIDING = Limit("weight", 10, 60.0, Window.SLIDING)


class SimulatedTime:
    """One time for all; it goes on to the next who wakes when nobody else has anything to do."""

    def __init__(self, ms: int = NOON) -> None:
        self.ms = ms
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.ms + max(1, round(seconds * 1000)), next(self._numbers), woken))
        await woken

    async def run(self) -> None:
        others: Any = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # nothing public tells it
        while True:
            await asyncio.sleep(0)
            while others:  # noqa: ASYNC110
                await asyncio.sleep(0)
            while self._sleepers:
                moment, _, woken = heapq.heappop(self._sleepers)
                if not woken.done():
                    self.ms = max(self.ms, moment)
                    woken.set_result(None)
                    break


class Moved:
    """A clock that stands still until it is moved; who sleeps on it looks again soon."""

    ms = NOON

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


@asynccontextmanager
async def simulated(ms: int = NOON) -> AsyncIterator[SimulatedTime]:
    time = SimulatedTime(ms)
    running = asyncio.create_task(time.run())
    yield time
    running.cancel()


Gate = Callable[..., Budget]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.sqlite3"


@pytest.fixture
def gate(path: Path) -> Iterator[Gate]:
    with ExitStack() as stores:

        def make(clock: Any, *limits: Limit, remote: Remote | None = None, file: Path = path) -> Budget:
            store = stores.enter_context(closing(SharedStore(file)))
            budget = Budget(clock, ExchangeClock(clock), store, remote or Remote("exchange"))
            budget.declare(limits or (FIXED,))
            return budget

        yield make


# ── one count ────────────────────────────────────────────────────────────────────────────────────────────────────────


Wish = tuple[int, float, int, int]
"""Which gate, what it costs, milliseconds until it is wanted, milliseconds on the way."""
wishes = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 10).map(float), st.integers(0, 90_000), st.integers(0, 150)),
    min_size=1, max_size=25,
)  # fmt: skip


@given(
    st.sampled_from([FIXED, SLIDING]), wishes, st.integers(0, 59_999), st.tuples(*[st.integers(0, 800)] * 3),
    st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_the_exchange_never_sees_more_than_the_limit(
    limit: Limit, wanted: list[Wish], phase: int, lags: tuple[int, int, int], bursts: bool
) -> None:
    """Every gate has an idea of its own of the exchange's clock; none is ahead."""

    async def run() -> list[tuple[int, float]]:
        arrived: list[tuple[int, float]] = []
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stores:
            async with simulated(NOON + phase) as time, asyncio.TaskGroup() as group:
                gates = []
                for lag in lags:
                    store = stores.enter_context(closing(SharedStore(Path(folder, "limits.sqlite3"))))
                    gates.append(Budget(time, ExchangeClock(time, -lag), store, Remote("exchange")))
                    gates[-1].declare([limit])

                async def spend(wish: Wish) -> None:
                    which, cost, wait, way = wish
                    await time.sleep((0 if bursts else wait) / 1000)
                    await gates[which].spend({"weight": cost})
                    # On a sliding limit two ways of different length may meet, whoever keeps it here.
                    arrived.append((time.now() + (way if limit is FIXED else 0), cost))

                for wish in wanted:
                    group.create_task(spend(wish))
        return arrived

    arrived = asyncio.run(run())
    assert sorted(cost for _, cost in arrived) == sorted(cost for _, cost, _, _ in wanted), "everybody passed"
    for moment, _ in arrived:
        start = moment // 60_000 * 60_000 if limit is FIXED else moment
        assert sum(cost for other, cost in arrived if start <= other < start + 60_000) <= limit.amount


asked = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(1, 10).map(float), st.integers(0, 90_000), st.integers(0, 2_000),
        st.integers(0, 2_000),
    ),
    min_size=1, max_size=10,
)  # fmt: skip


@given(st.sampled_from([FIXED, SLIDING]), asked, st.integers(0, 59_999))
@settings(deadline=None, max_examples=20)
def test_nor_wherever_on_its_way_it_counts_what_is_asked(
    limit: Limit, wanted: list[tuple[int, float, int, int, int]], phase: int
) -> None:
    """Which gate, what it costs, milliseconds until it is wanted, until it is counted, until the answer is there."""

    async def run() -> list[tuple[int, float]]:
        counted: list[tuple[int, float]] = []
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stores:
            async with simulated(NOON + phase) as time, asyncio.TaskGroup() as group:
                gates = []
                for _ in range(3):
                    store = stores.enter_context(closing(SharedStore(Path(folder, "limits.sqlite3"))))
                    gates.append(Budget(time, ExchangeClock(time, 0), store, Remote("exchange")))
                    gates[-1].declare([limit])

                async def ask(which: int, cost: float, wait: int, there: int, back: int) -> None:
                    await time.sleep(wait / 1000)
                    async with gates[which].under_way({"weight": cost}, Priority(int(cost) % 4)):
                        await time.sleep(there / 1000)
                        counted.append((time.now(), cost))
                        await time.sleep(back / 1000)

                for wish in wanted:
                    group.create_task(ask(*wish))
        return counted

    counted = asyncio.run(run())
    assert sorted(cost for _, cost in counted) == sorted(cost for _, cost, *_ in wanted), "everybody passed"
    for moment, _ in counted:
        start = moment // 60_000 * 60_000 if limit is FIXED else moment
        assert sum(cost for other, cost in counted if start <= other < start + 60_000) <= limit.amount


async def test_what_one_spends_another_lacks(gate: Gate) -> None:
    async with simulated() as time:
        one, other = gate(time), gate(time)
        await one.spend({"weight": 9})
        await other.spend({"weight": 1})
        assert time.now() == NOON
        await other.spend({"weight": 1})
        assert NOON + 60_000 <= time.now() < NOON + 60_100


async def test_what_one_reads_in_a_header_the_other_knows(gate: Gate) -> None:
    async with simulated(NOON + 30_000) as time:
        one, other = gate(time), gate(time)
        one.observe(LimitFeedback(used={"weight": 8}, server_time=time.now()))
        await asyncio.sleep(0)
        await one.spend({"weight": 1})
        await other.spend({"weight": 1})
        assert time.now() == NOON + 30_000
        await other.spend({"weight": 1})
        assert time.now() >= NOON + 60_000


async def test_the_best_idea_of_the_exchange_s_clock_serves_all(gate: Gate) -> None:
    async with simulated(NOON + 30_000) as time:
        one, other = gate(time), gate(time)
        one.observe(LimitFeedback(server_time=NOON + 55_000))
        await asyncio.sleep(0)
        await one.spend({"weight": 10})
        await other.spend({"weight": 10})
        assert NOON + 35_000 <= time.now() < NOON + 36_000, "its minute is over 5 s from now"


async def test_a_worse_clock_turns_no_window_back(gate: Gate) -> None:
    async with simulated() as time:
        ahead, behind = gate(time), gate(time)
        await ahead.spend({"weight": 10})
        behind.clock.observe(NOON - 900)
        began = time.now()
        await behind.spend({"weight": 1})
        assert time.now() >= began + 60_000


@pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])
async def test_what_a_clock_of_another_time_wrote_is_forgotten(gate: Gate, limit: Limit) -> None:
    async with simulated(NOON + 10**10) as later:
        budget = gate(later, limit)
        await budget.spend({"weight": 10})
        budget.pause(600)
        await asyncio.sleep(0)
    async with simulated() as time:
        await gate(time, limit).spend({"weight": 10})
        assert time.now() == NOON


# ── under way ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])
async def test_what_one_has_under_way_another_lacks_until_it_landed(gate: Gate, limit: Limit) -> None:
    async with simulated() as time:
        one, other = gate(time, limit), gate(time, limit)
        async with one.under_way({"weight": 10}):
            waiting = asyncio.create_task(other.spend({"weight": 1}))
            await time.sleep(3.0)
            assert not waiting.done()
            landed = time.now()
        await asyncio.sleep(0)
        one.close()  # or it would be told in a moment
        await waiting
        turn = NOON + 60_000 if limit is FIXED else landed + 60_000
        assert turn <= time.now() < turn + 100


async def test_what_one_that_died_had_under_way_counts_as_sent(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "BEAT", 3_600)  # it says nothing any more, however long this takes
    async with simulated() as time:
        dead = gate(time, SLIDING).under_way({"weight": 10})
        await dead.__aenter__()
        await gate(time, SLIDING).spend({"weight": 1})
        assert NOON + 65_000 <= time.now() < NOON + 65_100, "five seconds to be heard of, and the period"


@pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])
async def test_an_answer_that_is_told_late_makes_nobody_forget_what_was_spent_since(
    gate: Gate, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent, "POLL", 3_600)  # as of a process that was stopped meanwhile
    async with simulated() as time:
        stopped, other = gate(time, limit), gate(time, limit)
        async with stopped.under_way({"weight": 1}):
            pass
        await asyncio.sleep(0)
        await time.sleep(70)
        await other.spend({"weight": 10})
        spent = time.now()
        await stopped.spend({"weight": 1})
        assert time.now() >= (NOON + 120_000 if limit is FIXED else spent + 60_000)


async def test_one_that_lives_says_so_while_it_waits_for_an_answer(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "BEAT", 0.01)
    monkeypatch.setattr(tallies, "BEAT", 0.01)
    clock = Moved()
    one, other = gate(clock, SLIDING), gate(clock, SLIDING)
    async with one.under_way({"weight": 10}):
        waiting = asyncio.create_task(other.spend({"weight": 1}))
        for _ in range(20):
            clock.ms += 4_000
            await asyncio.sleep(0.05)  # behind several beats, however late all of them are
        assert not waiting.done()
        landed = clock.now()
    await asyncio.sleep(0)
    one.close()
    while not waiting.done():
        clock.ms += 4_000
        await asyncio.sleep(0.001)
    assert clock.now() >= landed + 60_000


# ── another version ──────────────────────────────────────────────────────────────────────────────────────────────────

OTHERS: list[Any] = [
    [1, 2], 7, "full", {"spent": 3}, {"spent": [1]}, {"spent": [0, None, 1]}, {"spent": [0, {"weight": 3}]},
    {"spent": [float("nan")] * 3}, {"away": []}, {"away": {"me": [1]}}, {"turn": "late"}, {"waiting": {"me": 1}},
    {"pause": 12}, {"pause": {"until": 5}}, {"offset": [None, 0]},
]  # fmt: skip


def write(path: Path, like: str, value: Any) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        written = connection.execute("UPDATE state SET value = ? WHERE key LIKE ?", (json.dumps(value), like))
        assert written.rowcount == 1


@pytest.mark.parametrize("value", OTHERS, ids=repr)
@pytest.mark.parametrize("limit", [FIXED, SLIDING], ids=["fixed", "sliding"])
async def test_a_count_in_another_shape_is_taken_to_be_full(gate: Gate, path: Path, limit: Limit, value: Any) -> None:
    async with simulated() as time:
        await gate(time, limit).spend({"weight": 1})
        write(path, "exchange/weight/%", value)
        late = gate(time, limit)
        with pytest.warns(BudgetNotSharedWarning, match="another version.*CANDLE_CACHE_DIR") as said:
            await late.spend({"weight": 1})
        assert NOON + 60_000 <= time.now() < NOON + 60_100
        await late.spend({"weight": 9})
        await gate(time, limit).spend({"weight": 1})
        assert NOON + 120_000 <= time.now() < NOON + 120_200, "from then on it counts as ever, for all"
        assert len(said) == 1


@pytest.mark.parametrize("costs", [{"weight": 1}, {}], ids=["a cost", "none"])
async def test_a_pause_in_another_shape_is_one_of_a_minute(gate: Gate, path: Path, costs: dict[str, float]) -> None:
    async with simulated() as time:
        one = gate(time)
        one.pause(5)
        await asyncio.sleep(0)
        write(path, "exchange", {"pause": {"until": "noon"}})
        with pytest.warns(BudgetNotSharedWarning, match="'exchange'"):
            await gate(time).spend(costs)
        assert NOON + 60_000 <= time.now() < NOON + 60_200
        await gate(time).spend(costs)
        assert time.now() < NOON + 60_200


async def test_a_pause_is_told_where_another_shape_stood(gate: Gate, path: Path) -> None:
    async with simulated() as time:
        one = gate(time)
        one.pause(5)
        await asyncio.sleep(0)
        write(path, "exchange", ["paused"])
        one.pause(90)
        with pytest.warns(BudgetNotSharedWarning, match="'exchange'"):
            await asyncio.sleep(0)
        await gate(time).spend({})
        assert time.now() >= NOON + 90_000


# ── one pause ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_pause_holds_for_all_and_outlives_who_met_it(gate: Gate) -> None:
    async with simulated() as time:
        one, other = gate(time), gate(time)
        waiting = asyncio.create_task(gate(time).spend({"weight": 1}, Priority.CRITICAL))
        await asyncio.sleep(0)
        await waiting
        one.pause(30)
        await asyncio.sleep(0)
        del one
        await other.spend({"weight": 1}, Priority.CRITICAL)
        assert NOON + 30_000 <= time.now() < NOON + 30_100
        other.pause(20)
        await asyncio.sleep(0)
        await gate(time).spend({})
        assert time.now() >= NOON + 50_000, "what costs nothing is asked of the same exchange"


async def test_a_long_ban_is_told_to_who_comes_later(gate: Gate) -> None:
    async with simulated() as time:
        gate(time).pause(7_200)
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError) as caught:
            await gate(time).spend({"weight": 1})
        assert caught.value.retry_after == 7_200
        with pytest.raises(RateLimitedError):
            await gate(time).spend({})


# ── one line ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def demand(budget: Budget, name: Priority, passed: list[Priority], cost: float = 1) -> None:
    while True:
        await budget.spend({"weight": cost}, name)
        passed.append(name)


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
async def test_the_urgent_go_first_and_the_others_are_not_starved(gate: Gate, apart: bool) -> None:
    """Both want far more than there is: the urgent get all but one request of sixteen."""
    limit = Limit("weight", 160, 60.0)
    async with simulated() as time:
        low = gate(time, limit)
        critical = gate(time, limit) if apart else low
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
    assert len(passed) == 4 * 160, "nothing is left over"
    assert passed.count(Priority.LOW) == pytest.approx(4 * 160 / 16, abs=4)


async def test_who_died_in_the_line_holds_nobody_up(gate: Gate) -> None:
    class Dead(SimulatedTime):
        async def sleep(self, seconds: float) -> None:
            await asyncio.get_running_loop().create_future()

    async with simulated() as time:
        low = gate(time)
        await low.spend({"weight": 10})
        dead = asyncio.create_task(gate(Dead()).spend({"weight": 1}, Priority.CRITICAL))
        await asyncio.sleep(0)
        await low.spend({"weight": 1}, Priority.LOW)
        assert NOON + 60_000 < time.now() < NOON + 60_500
        dead.cancel()


async def test_who_gives_up_is_not_waited_for(gate: Gate) -> None:
    async with simulated() as time:
        low, critical = gate(time), gate(time)
        await low.spend({"weight": 5})
        costly = asyncio.create_task(critical.spend({"weight": 10}, Priority.CRITICAL))
        await asyncio.sleep(0)
        costly.cancel()
        await asyncio.gather(costly, return_exceptions=True)
        await low.spend({"weight": 5}, Priority.LOW)
        assert time.now() == NOON


async def test_limits_apart_have_lines_apart(gate: Gate) -> None:
    async with simulated() as time:
        budget = gate(time, FIXED, Limit("orders", 1, 600.0))
        await budget.spend({"orders": 1})
        waiting = asyncio.create_task(budget.spend({"orders": 1}, Priority.CRITICAL))
        await asyncio.sleep(0)
        await budget.spend({"weight": 1}, Priority.LOW)
        assert time.now() == NOON
        waiting.cancel()


# ── who shares ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Exchange(Settings):
    rest_url: AnyHttpUrl = AnyHttpUrl("https://api.example.com")
    timeout: float = 20
    key: SecretStr = SecretStr("")
    folder: str = "http://["  # no URL at all


def test_a_pool_is_the_exchange_s_name_or_its_own_and_hosts_that_are_not_the_default() -> None:
    real, slow = Remote.of("b", Exchange()), Remote.of("b", Exchange(timeout=30))
    sandbox = Remote.of("b", Exchange(rest_url=AnyHttpUrl("http://me:secret@127.0.0.1:8123/x")))
    assert (real.pool(FIXED), real) == ("b", slow)
    assert sandbox.pool(FIXED) == "b@127.0.0.1:8123"
    pooled = Limit("weight", 10, 60.0, pool="both")
    other = Remote.of("c", Exchange(rest_url=AnyHttpUrl("https://api.example.com")))
    assert real.pool(pooled) == other.pool(pooled) == "both"
    assert sandbox.pool(pooled) == "both@127.0.0.1:8123"


def test_an_account_s_limits_are_those_of_its_key_and_the_key_is_not_written_down() -> None:
    mine = Limit("orders", 10, 60.0, scope=Scope.ACCOUNT)
    one, again, other = (Remote.of("b", Exchange(key=SecretStr(key))) for key in ("abc", "abc", "xyz"))
    assert one.pool(mine) == again.pool(mine) != other.pool(mine)
    assert one.pool(FIXED) == other.pool(FIXED)
    assert "abc" not in one.pool(mine) + repr(one)


async def test_pools_are_counted_together_and_others_apart(gate: Gate) -> None:
    pooled = Limit("weight", 10, 60.0, pool="both")
    async with simulated() as time:
        await gate(time, remote=Remote("a")).spend({"weight": 10})
        await gate(time, remote=Remote("a", ("127.0.0.1:1",))).spend({"weight": 10})
        await gate(time, remote=Remote("b")).spend({"weight": 10})
        await gate(time, pooled, remote=Remote("a")).spend({"weight": 10})
        assert time.now() == NOON
        await gate(time, pooled, remote=Remote("b")).spend({"weight": 10})
        assert time.now() >= NOON + 60_000


async def test_two_kernels_share_by_the_host_they_ask() -> None:
    async with simulated() as time:
        for port, moment in ((1, NOON), (2, NOON), (1, NOON + 60_000)):
            tables = {"providers": {"binance": {"rest_url": f"http://127.0.0.1:{port}"}}}
            kernel = Kernel(load_config(tables), time)
            await kernel.provider("binance").budget.spend({"weight": 6000})
            assert moment <= time.now() < moment + 100
            await kernel.close()
    assert (cache_root() / "limits.sqlite3").exists()


def test_the_folder_for_caches_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLE_CACHE_DIR", "/elsewhere")
    assert cache_root() == Path("/elsewhere")
    monkeypatch.delenv("CANDLE_CACHE_DIR")
    assert cache_root().name == "candle"


# ── when the file cannot be used ─────────────────────────────────────────────────────────────────────────────────────


async def counts_for_itself(time: SimulatedTime, budget: Budget) -> None:
    began = time.now()
    await budget.spend({"weight": 10})
    assert time.now() == began
    await budget.spend({"weight": 10})
    assert time.now() > began


@pytest.mark.parametrize("kind", ["a folder that is a file", "no database", "another table"])
async def test_a_file_that_cannot_be_used_is_said_once(gate: Gate, path: Path, kind: str) -> None:
    if kind == "a folder that is a file":
        await asyncio.to_thread(path.touch)
        path /= "limits.sqlite3"
    elif kind == "no database":
        await asyncio.to_thread(path.write_bytes, b"no database at all" * 500)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE state (key TEXT, touched INTEGER)")
    async with simulated() as time:
        budget = gate(time, file=path)
        with pytest.warns(BudgetNotSharedWarning) as said:
            await counts_for_itself(time, budget)
        assert len(said) == 1
        assert repr(str(path)) in str(said[0].message)


async def test_a_file_that_fails_while_it_is_used(gate: Gate, path: Path) -> None:
    async with simulated() as time:
        budget = gate(time)
        await budget.spend({"weight": 1})
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE state")
        with pytest.warns(BudgetNotSharedWarning, match="no such table"):
            await counts_for_itself(time, budget)


async def test_a_file_in_which_something_else_stands(gate: Gate, path: Path) -> None:
    async with simulated() as time:
        budget = gate(time)
        await budget.spend({"weight": 1})
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE state SET value = 'no JSON'")
            with pytest.warns(BudgetNotSharedWarning, match=r"limits\.sqlite3"):
                await counts_for_itself(time, budget)
            connection.execute("DELETE FROM state")  # the lock was given back
            await gate(time).spend({"weight": 1})


async def test_a_file_that_takes_no_more_loses_no_spend(gate: Gate, path: Path) -> None:
    async with simulated() as time:
        budget = gate(time)
        await budget.spend({"weight": 1})
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TRIGGER full BEFORE INSERT ON state BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        with pytest.warns(BudgetNotSharedWarning, match="disk full"):
            await budget.spend({"weight": 9})
        assert time.now() == NOON
        await budget.spend({"weight": 1})
        assert time.now() > NOON, "what was spent while the disk was full counts"


async def test_a_held_lock_is_waited_for_without_blocking_and_not_for_ever(
    gate: Gate, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated() as time:
        patient, impatient = gate(time), gate(time)
        await patient.spend({"weight": 1})
        await impatient.spend({"weight": 1})
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            monkeypatch.setattr(shared, "_PATIENCE", 3_600)
            waiting = asyncio.create_task(patient.spend({"weight": 1}))
            patient.pause(5)
            for _ in range(50):
                await asyncio.sleep(0)
            assert not waiting.done()
            holder.execute("COMMIT")
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await waiting
            assert time.now() >= NOON + 5_000
            monkeypatch.setattr(shared, "_PATIENCE", 0.05)
            holder.execute("BEGIN IMMEDIATE")
            with pytest.warns(BudgetNotSharedWarning, match="locked"):
                await impatient.spend({"weight": 1})
            holder.execute("COMMIT")
        await asyncio.sleep(0.05)


def test_two_who_met_hours_apart_are_not_locked_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who met somebody writing, and gave up asking, may meet somebody again the next time that it asks at all."""
    now = 1_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    store = SharedStore(path)
    with store.transaction("a") as records:
        records["a"] = {"turn": 1}
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(StoreBusyError), store.transaction("a"):
                raise AssertionError("somebody else is writing")
            now += 3_600.0
        other.execute("COMMIT")
    with store.transaction("a") as records:
        assert records["a"] == {"turn": 1}
    store.close()


async def test_who_is_killed_while_holding_the_lock_holds_nobody_up(gate: Gate, path: Path) -> None:
    program = """
        import sqlite3, sys, time
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE state SET value = '{\\"spent\\": [0, 1e9, 0]}'")
        print("holding", flush=True)
        time.sleep(60)
    """
    async with simulated() as time:
        budget = gate(time)
        await budget.spend({"weight": 5})
        holder = await asyncio.create_subprocess_exec(
            sys.executable, "-c", dedent(program), str(path), stdout=asyncio.subprocess.PIPE
        )
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"holding\n"
        holder.kill()
        await holder.wait()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await budget.spend({"weight": 5})
        assert time.now() == NOON, "the lock is free, and what was written under it never happened"


async def test_what_nobody_used_for_a_week_is_dropped(gate: Gate, path: Path) -> None:
    async with simulated() as time:
        await gate(time).spend({"weight": 1})
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE state SET touched = touched - 8 * 86400 WHERE key LIKE '%/weight/%'")
            connection.execute("INSERT INTO state VALUES ('young', ?, unixepoch() - 86400)", (json.dumps({}),))
            await gate(time, remote=Remote("other")).spend({"weight": 1})
            keys = {key for (key,) in connection.execute("SELECT key FROM state")}
    assert not any(key.startswith("exchange/weight") for key in keys)
    assert "young" in keys
