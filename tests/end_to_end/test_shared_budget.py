"""Three processes and one exchange: together they keep its limit, use it, and honour a ban that one of them met."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig
from tests.end_to_end.sharing import MINUTE, REACTION, ROOT, SPEED, UNUSED, WEIGHT, until, until_all_are_at_work
from tests.end_to_end.world import bitcoin

NOW = "2024-06-01"

Collectors = list["subprocess.Popen[bytes]"]


def exchange() -> Sandbox:
    limits = Limits(weight=WEIGHT, ban_after=50)
    return Sandbox(SandboxConfig(markets=(bitcoin("2019-01-01"),), clock=NOW, speed=SPEED, limits=limits))


@contextmanager
def collectors(sandbox: Sandbox, folder: Path) -> Iterator[Collectors]:
    """Three processes with databases of their own and more to collect than they will get."""
    moment, began = sandbox.clock.now(), time.monotonic()
    told = [str(number) for number in (moment, SPEED, began, WEIGHT)]
    command = [sys.executable, "-m", "tests.end_to_end.collector", sandbox.url]
    running = [
        subprocess.Popen(
            [*command, folder / f"{year}.sqlite3", *told, f"{year}-01-01", f"{year}-12-31"],
            cwd=ROOT,
        )
        for year in (2020, 2021, 2022)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_three_processes_share_the_limit_and_one_killed_leaves_its_share_to_the_others(tmp_path: Path) -> None:
    with exchange() as sandbox, collectors(sandbox, tmp_path) as running:
        until_all_are_at_work(sandbox)
        first = sandbox.clock.now() // MINUTE + 1
        until(sandbox, (first + 1) * MINUTE + 3_000)
        assert [process.poll() for process in running] == [None] * 3
        running[0].send_signal(signal.SIGKILL)
        until(sandbox, (first + 3) * MINUTE)
        assert [process.poll() for process in running[1:]] == [None] * 2
        requests = sandbox.ledger.requests()
    spent = Counter[int]()
    for request in requests:
        spent[request.at // MINUTE] += request.weight
    assert max(spent.values()) <= WEIGHT
    assert {request.status for request in requests} == {200}
    full = [spent[minute] for minute in range(first, first + 3)]
    assert min(full) >= WEIGHT - UNUSED, "one with three, the one in which one was killed, one with two"


def test_a_ban_that_one_meets_is_honoured_by_all(tmp_path: Path) -> None:
    with exchange() as sandbox, collectors(sandbox, tmp_path) as running:
        until_all_are_at_work(sandbox)
        minute = sandbox.clock.now() // MINUTE + 1
        until(sandbox, minute * MINUTE)
        sandbox.faults.script("banned", retry_after=40, persist=False)
        until(sandbox, (minute + 1) * MINUTE)
        assert [process.poll() for process in running] == [None] * 3
        requests = sandbox.ledger.requests()
    (banned,) = [request.at for request in requests if request.fault == "banned"]  # nobody else is told
    during = [request for request in requests if banned < request.at < banned + 40_000]
    assert sum(request.weight for request in during) < WEIGHT / 2, "two who had not heard of it would use two thirds"
    assert [request for request in during if request.at > banned + REACTION] == []
    assert [request for request in requests if request.at >= banned + 40_000], "they go on afterwards"
