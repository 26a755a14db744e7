"""At real speed, on a busy machine, over ways whose length changes: no limit is ever exceeded, not by one request.

Three processes share a limit, in a file or, each with a clock of its own, in a Redis. What the exchange counted is told
by the sandbox's ledger: it saw each request after it had been on the way, and as long as the way liked.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from candle_testkit.redis import running
from candle_testkit.sandbox import Limits, MarketConfig, Request, Sandbox, SandboxConfig
from tests.end_to_end.latency import delayed
from tests.end_to_end.sharing import MINUTE, ROOT
from tests.end_to_end.test_shared_budget import SKEWS
from tests.end_to_end.world import KLINES, bitcoin

pytestmark = pytest.mark.slow

WEIGHT = 100
"""A minute at Binance: a listing of 20 for each of three, and twenty pages."""
SECOND, CANDLES = 10, "/v1/candles/"
"""What Upbit allows of candles in a second."""
BUSY = 2
"""Processes that do nothing but compute, one for each core."""
PATIENCE = 120

Begin: TypeAlias = Callable[[float], None]
"""Lets the senders ask from so many seconds from now on."""


@pytest.fixture(params=["file", "redis"])
def redis(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Redis in which machines count, or nothing: then processes count in a file."""
    with ExitStack() as stack:
        yield stack.enter_context(running()).unix_url if request.param == "redis" else ""


@contextmanager
def exchange(market: MarketConfig, weight: int) -> Iterator[Sandbox]:
    """It refuses little, so that it sees all that is asked of it."""
    with Sandbox(SandboxConfig(markets=(market,), clock="2024-06-01", limits=Limits(weight, 1_000))) as sandbox:
        yield sandbox


@contextmanager
def senders(url: str, redis: str, folder: Path, **told: Any) -> Iterator[Begin]:
    """Three processes, and some that keep the machine busy, once those are ready to ask."""
    ready = []
    with ExitStack() as stack:
        for number, skew in enumerate(SKEWS):
            cache = folder / (f"cache-{number}" if redis else "cache")
            part = {
                "url": url, "redis": redis, "skew": skew if redis else 0, "weight": 0, **told,
                "database": str(folder / f"{number}.sqlite3"), "months": [3 * number + month for month in (1, 2, 3)],
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.end_to_end.sender", json.dumps(part)],
                cwd=ROOT, env={**os.environ, "CANDLE_CACHE_DIR": str(cache)}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)
            ready.append(process)
        for process in ready:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for _ in range(BUSY):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(busy.kill)

        def begin(seconds: float) -> None:
            moment = time.monotonic() + seconds
            for process in ready:
                assert process.stdin is not None
                print(moment, file=process.stdin, flush=True)

        yield begin
        assert [process.poll() for process in ready] == [None] * 3, "they would have had more to ask"


def asked_until(sandbox: Sandbox, is_enough: Callable[[list[Request]], bool]) -> list[Request]:
    deadline = time.monotonic() + PATIENCE
    while not is_enough(requests := sandbox.ledger.requests()):
        assert time.monotonic() < deadline, f"only {len(requests)} requests came"
        time.sleep(0.05)
    return requests


def test_no_second_wherever_it_begins_sees_more_than_it_allows(redis: str, tmp_path: Path) -> None:
    market = MarketConfig(
        "KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", listed="2022-01-01", exchange="UPBIT"
    )
    with (
        exchange(market, 0) as sandbox,
        delayed(sandbox.url, 0, 0.4) as url,
        senders(url, redis, tmp_path, exchange="upbit", symbol="BTC/KRW") as begin,
    ):
        begin(2)
        requests = asked_until(sandbox, lambda all_: sum(one.path.startswith(CANDLES) for one in all_) >= 8 * SECOND)
    moments = [request.at for request in requests if request.path.startswith(CANDLES)]
    most = max(sum(start <= moment < start + 1_000 for moment in moments) for start in moments)
    assert most == SECOND, "used to the last one, and not exceeded"
    assert {request.status for request in requests} == {200}


def test_what_is_under_way_when_the_minute_turns_counts_on_both_sides(redis: str, tmp_path: Path) -> None:
    with (
        exchange(bitcoin("2022-01-01"), WEIGHT) as sandbox,
        delayed(sandbox.url, 0, 2.5) as url,
        senders(url, redis, tmp_path, exchange="binance", symbol="BTC/USDT", weight=WEIGHT) as begin,
    ):
        turn = (sandbox.clock.now() // MINUTE + 2) * MINUTE
        sandbox.clock.set(turn - 14_000)  # nobody has asked it what time it is
        begin(12)
        asked_until(sandbox, lambda _: sandbox.clock.now() > turn)
        requests = asked_until(sandbox, lambda all_: sum(one.weight for one in all_ if one.at >= turn) >= 0.9 * WEIGHT)
        time.sleep(4)  # what is late may come, and be one too many
        requests = sandbox.ledger.requests()
    spent = Counter[int]()
    for request in requests:
        spent[request.at // MINUTE] += request.weight
    before = [request for request in requests if request.path == KLINES and request.at < turn]
    assert before, "they asked before the turn"
    assert max(spent.values()) <= WEIGHT
    assert {request.status for request in requests} == {200}
