"""Three who share a limit: together they keep it, use it, and honour a ban that one of them met.

They are processes of one machine, or machines whose clocks differ and that count in one Redis, while it is there.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from candle_testkit.redis import running
from tests.end_to_end.sharing import MINUTE, WEIGHT, Three, three

pytestmark = pytest.mark.slow

SKEWS = (0, 3_000, -3_600_000)
"""Milliseconds by which the machines' clocks are wrong."""


@pytest.fixture(params=["file", "redis"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Three]:
    with ExitStack() as stack:
        if request.param == "file":
            yield stack.enter_context(three(tmp_path))
        else:
            yield stack.enter_context(three(tmp_path, stack.enter_context(running()).unix_url, SKEWS))


def test_they_share_the_limit_and_one_killed_leaves_its_share_to_the_others(sharing: Three) -> None:
    sharing.go_on_until_all_are_at_work()
    first = sharing.minute + 1
    sharing.use_up(first)
    sharing.go_on_to((first + 1) * MINUTE + 3_000)
    killed = sharing.processes.pop(0)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    sharing.use_up(first + 1)
    sharing.use_up(first + 2)
    sharing.go_on_to((first + 3) * MINUTE)
    assert max(sharing.spent().values()) <= WEIGHT
    assert {request.status for request in sharing.sandbox.ledger.requests()} == {200}
    assert sharing.said() == [""] * 3


@pytest.mark.parametrize(("sharing", "kind"), [("file", "banned"), ("redis", "rate_limited")], indirect=["sharing"])
def test_a_refusal_that_one_meets_stops_all(sharing: Three, kind: str) -> None:
    sharing.go_on_until_all_are_at_work()
    ledger = sharing.sandbox.ledger
    sharing.go_on_to((sharing.minute + 1) * MINUTE)
    sharing.sandbox.faults.script(kind, retry_after=100, persist=False)
    sharing.go_on_until(lambda: any(request.fault == kind for request in ledger.requests()), "nobody met it")
    (met,) = [request.at for request in ledger.requests() if request.fault == kind]  # nobody else is told
    sharing.be_quiet()
    asked = ledger.count()
    sharing.go_on_to(met + 99_000)  # in a minute of which nothing is used
    assert ledger.count() == asked
    sharing.go_on_until(lambda: ledger.count() > asked, "they do not go on afterwards")
    assert ledger.requests()[asked].at >= met + 100_000


def test_redis_is_killed_in_the_midst_and_comes_back_empty(tmp_path: Path) -> None:
    with running() as redis, three(tmp_path, redis.unix_url, SKEWS) as sharing:
        sharing.go_on_until_all_are_at_work()
        first = sharing.minute + 1
        sharing.use_up(first)
        sharing.go_on_to((first + 1) * MINUTE + 20_000)
        redis.kill()
        apart = first + 2
        sharing.go_on_to(apart * MINUTE + 45_000)
        sharing.stand_until(lambda: sharing.spent()[apart] > WEIGHT, "they do not count apart")
        redis.start()
        names = {f'"{process.pid}-'.encode() for process in sharing.processes}
        with Redis.from_url(redis.url) as counts:

            def is_shared() -> bool:
                records = b"".join(counts.mget(counts.keys("budget:*"))) if counts.keys("budget:*") else b""
                names.difference_update([name for name in names if name in records])
                return not names

            sharing.go_on_until(is_shared, "not all of them count in Redis again")
        together = sharing.minute + 3  # what was counted apart is brought along
        sharing.use_up(together)
        sharing.use_up(together + 1)
        sharing.go_on_to((together + 2) * MINUTE)
    weights = sharing.spent()
    assert max(weights[minute] for minute in (first, together, together + 1)) <= WEIGHT
    assert max(weights.values()) <= 3 * WEIGHT, "no machine exceeds the limit by its own count"
    for log in sharing.said():
        assert log.count("BudgetNotSharedWarning: limits are not shared with other machines") == 1, "once"
