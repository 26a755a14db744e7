"""Three machines, whose clocks differ, one exchange, and one Redis in which they count together, while it is there."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from candle_testkit.redis import RedisServer, running
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig
from tests.end_to_end.sharing import MINUTE, REACTION, ROOT, SPEED, UNUSED, WEIGHT, until, until_all_are_at_work
from tests.end_to_end.world import bitcoin

pytestmark = pytest.mark.slow

SKEWS = (0, 3_000, -3_600_000)
"""Milliseconds by which the machines' clocks are wrong."""

Machines = list["subprocess.Popen[bytes]"]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """It refuses little, so that it sees all that is asked of it."""
    limits = Limits(weight=WEIGHT, ban_after=1_000)
    config = SandboxConfig(markets=(bitcoin("2019-01-01"),), clock="2024-06-01", speed=SPEED, limits=limits)
    with Sandbox(config) as sandbox:
        yield sandbox


@contextmanager
def machines(sandbox: Sandbox, redis: RedisServer, folder: Path) -> Iterator[Machines]:
    """Each with a cache folder, a database and a year of its own, and more to collect than it will get."""
    moment, began = sandbox.clock.now(), time.monotonic()
    running = []
    for year, skew in zip((2020, 2021, 2022), SKEWS, strict=True):
        told = [str(number) for number in (skew, moment, SPEED, began, WEIGHT)]
        command = [sys.executable, "-m", "tests.end_to_end.machine", sandbox.url, redis.unix_url]
        command += [str(folder / f"{year}.sqlite3"), *told, f"{year}-01-01", f"{year}-12-31"]
        environment = {**os.environ, "CANDLE_CACHE_DIR": str(folder / f"cache-{year}")}
        with (folder / f"{year}.log").open("wb") as log:
            running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log))
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def spent(sandbox: Sandbox) -> Counter[int]:
    """Weight asked for by minute, refused or not, by the exchange's own account."""
    weights = Counter[int]()
    for request in sandbox.ledger.requests():
        weights[request.at // MINUTE] += request.weight
    return weights


def test_machines_share_the_limit_and_one_killed_leaves_its_share_to_the_others(
    sandbox: Sandbox, redis: RedisServer, tmp_path: Path
) -> None:
    with machines(sandbox, redis, tmp_path) as running:
        until_all_are_at_work(sandbox)
        first = sandbox.clock.now() // MINUTE + 1
        until(sandbox, (first + 1) * MINUTE + 3_000)
        assert [process.poll() for process in running] == [None] * 3
        running[0].send_signal(signal.SIGKILL)
        until(sandbox, (first + 3) * MINUTE)
        assert [process.poll() for process in running[1:]] == [None] * 2
        requests = sandbox.ledger.requests()
    weights = spent(sandbox)
    assert max(weights.values()) <= WEIGHT
    assert {request.status for request in requests} == {200}
    full = [weights[minute] for minute in range(first, first + 3)]
    assert min(full) >= WEIGHT - UNUSED, "one with three, the one in which one was killed, one with two"
    assert "not shared" not in "".join(log.read_text() for log in tmp_path.glob("*.log"))


def test_a_refusal_that_one_machine_meets_stops_all(sandbox: Sandbox, redis: RedisServer, tmp_path: Path) -> None:
    with machines(sandbox, redis, tmp_path) as running:
        until_all_are_at_work(sandbox)
        minute = sandbox.clock.now() // MINUTE + 1
        until(sandbox, minute * MINUTE)
        sandbox.faults.script("rate_limited", retry_after=40, persist=False)
        until(sandbox, (minute + 1) * MINUTE)
        assert [process.poll() for process in running] == [None] * 3
        requests = sandbox.ledger.requests()
    (refused,) = [request.at for request in requests if request.fault == "rate_limited"]  # nobody else is told
    during = [request for request in requests if refused < request.at < refused + 40_000]
    assert sum(request.weight for request in during) < WEIGHT / 2, "two who had not heard of it would use two thirds"
    assert [request for request in during if request.at > refused + REACTION] == []
    assert [request for request in requests if request.at >= refused + 40_000], "they go on afterwards"


def test_redis_is_killed_in_the_midst_and_comes_back_empty(
    sandbox: Sandbox, redis: RedisServer, tmp_path: Path
) -> None:
    with machines(sandbox, redis, tmp_path) as running:
        until_all_are_at_work(sandbox)
        first = sandbox.clock.now() // MINUTE + 1
        until(sandbox, first * MINUTE + 20_000)
        redis.kill()
        until(sandbox, (first + 2) * MINUTE)
        apart = sandbox.clock.now() // MINUTE
        before = len(sandbox.ledger.requests())
        redis.start()
        # Each asks for it every five seconds, which here are fifty; and what was counted apart is brought along.
        together = apart + 2
        until(sandbox, (together + 2) * MINUTE)
        assert [process.poll() for process in running] == [None] * 3
        assert len(sandbox.ledger.requests()) > before
    weights = spent(sandbox)
    assert weights[first - 1] <= WEIGHT
    assert weights[first + 1] > 0, "collecting goes on without Redis"
    assert max(weights.values()) <= 3 * WEIGHT, "no machine exceeds the limit by its own count"
    again = [weights[minute] for minute in (together, together + 1)]
    assert WEIGHT - UNUSED <= min(again) <= max(again) <= WEIGHT, weights
    for log in tmp_path.glob("*.log"):
        assert log.read_text().count("BudgetNotSharedWarning: limits are not shared with other machines") == 1, "once"
