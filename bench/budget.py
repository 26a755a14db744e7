"""How much of what exchanges allow is used, by one process and by three together; and what one spend costs.

    python -m bench.budget

The exchange is a sandbox in a process of its own, with the limits and the refusals of the real ones. For Binance its
clock runs three times as fast, so that three of its minutes are one of ours. The processes ask for a candle at a time,
ten requests under way, as fast as the gate lets them. Takes under four minutes.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from candle_core.budget import Budget
from candle_core.budget.shared import LocalStore, Remote, SharedStore
from candle_core.clock import ExchangeClock, SystemClock
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.retry import with_retries
from candle_hookspecs import Anchor, FetchRequest, Limit, MarketQuery, Page, Span, Window

ROOT: Final = Path(__file__).resolve().parent.parent
UNDER_WAY: Final = 10
SPENDS: Final = 5_000
BARS: Final = {1: 0.95, 3: 0.90}
"""Processes → the least share of the limit that they must use."""
REFUSED_BAR: Final = 0.001


@dataclass(frozen=True)
class Case:
    """What is asked for: periods of `period` seconds of the exchange's clock, each of which allows `amount`."""

    provider: str
    market: str
    path: str
    amount: int
    period: int
    periods: int
    speed: float


CASES: Final = (
    Case("binance", "BTC/USDT", "/api/v3/", 6_000, 60, 3, 3.0),
    Case("upbit", "BTC/KRW", "/v1/candles/", 10, 1, 30, 1.0),
)


def run() -> None:
    """Measure and print.

    Raises:
        SystemExit: too little of a limit is used, or too much is refused.
    """
    costs()
    print(f"\n{'':12}{'processes':>12}{'limit':>16}{'measured':>12}{'used':>10}{'bar':>8}{'refused':>10}")
    missed = []
    for case in CASES:
        for processes, bar in BARS.items():
            used, refused = utilisation(case, processes)
            limit, measured = f"{case.amount:,} in {case.period} s", f"{case.periods * case.period} s"
            print(
                f"{case.provider:12}{processes:12}{limit:>16}{measured:>12}{used:10.1%}{bar:8.0%}{refused:10.2%}",
                flush=True,
            )
            if used < bar or refused > REFUSED_BAR:
                missed.append(f"{processes} at {case.provider} use {used:.1%}, refused {refused:.2%}")
    if missed:
        raise SystemExit("; ".join(missed))


# ── the cost of one spend ────────────────────────────────────────────────────────────────────────────────────────────


def costs() -> None:
    """A spend that passes at once, counted in the process and in the shared file, in turns."""
    print(f"one spend, microseconds, {SPENDS:,} of each\n")
    print(f"{'':12}{'':>12}{'median':>10}{'99 %':>10}{'worst':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for window in Window:
            stores = {"in process": LocalStore(), "shared": SharedStore(Path(folder, f"{window.value}.sqlite3"))}
            taken = asyncio.run(spend(stores, Limit("weight", 1e9, 60, window)))
            for name, spends in taken.items():
                ordered = sorted(spends)
                figures = (ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])
                print(f"{window.value:12}{name:>12}" + "".join(f"{seconds * 1e6:10.0f}" for seconds in figures))
            stores["shared"].close()  # type: ignore[attr-defined]


async def spend(stores: dict[str, Any], limit: Limit) -> dict[str, list[float]]:
    """Seconds that each spend took, by store."""
    clock = SystemClock()
    gates = {name: Budget(clock, ExchangeClock(clock), store, Remote("bench")) for name, store in stores.items()}
    taken: dict[str, list[float]] = {name: [] for name in gates}
    for gate in gates.values():
        gate.declare([limit])
        await gate.spend({limit.name: 1})
    for _ in range(SPENDS):
        for name, gate in gates.items():
            began = time.perf_counter()
            await gate.spend({limit.name: 1})
            taken[name].append(time.perf_counter() - began)
    return taken


# ── how much of a limit is used ──────────────────────────────────────────────────────────────────────────────────────


def utilisation(case: Case, processes: int) -> tuple[float, float]:
    """Share used of what whole periods allowed, and share of requests refused, by the exchange's own account."""
    with tempfile.TemporaryDirectory() as folder, sandbox(case.speed) as url:
        moment, began = order(f"{url}/sandbox/clock")["now"], time.monotonic()
        command = [sys.executable, "-m", "bench.budget", url, case.provider, case.market]
        environment = {**os.environ, "CANDLE_CACHE_DIR": folder}
        workers = [
            subprocess.Popen([*command, *map(str, (moment, began, case.speed))], cwd=ROOT, env=environment)
            for _ in range(processes)
        ]
        # The first minute is for starting, and where periods are short, so are the first seconds.
        first = (moment // 1000 + 10) // case.period + 1
        last = first + case.periods
        try:
            time.sleep((last * case.period - moment / 1000) / case.speed + 0.5 - (time.monotonic() - began))
            assert all(worker.poll() is None for worker in workers), "a worker failed"
            requests = order(f"{url}/sandbox/requests")["requests"]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    counted = [one for one in requests if first <= one["at"] // 1000 // case.period < last]
    used = sum(one["weight"] for one in counted if one["path"].startswith(case.path))
    return used / (case.amount * case.periods), sum(one["status"] != 200 for one in counted) / len(counted)


@contextmanager
def sandbox(speed: float) -> Iterator[str]:
    """A sandbox exchange in a process of its own, shortly before a minute begins; its URL."""
    command = [sys.executable, "-c", "from candle_core.cli import main; main()", "sandbox", "--json"]
    command += ["--speed", str(speed), "--clock", "2024-06-01T00:00:45"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def order(url: str) -> Any:
    """What the sandbox's own routes tell."""
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


class CommonClock:
    """The sandbox's clock, from a reading of it and one of the monotonic clock that all processes share."""

    def __init__(self, moment: int, began: float, speed: float) -> None:
        self._moment, self._began, self._speed = moment, began, speed

    def now(self) -> int:
        """UTC milliseconds."""
        return self._moment + int((time.monotonic() - self._began) * 1000 * self._speed)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds / self._speed)


async def ask_for_ever(url: str, name: str, market_name: str, clock: CommonClock) -> None:
    """A worker: candles of yesterday, one at a time, as often as the gate allows."""
    kernel = Kernel(load_config({"providers": {name: {"rest_url": url}}}), clock)
    provider = kernel.provider(name)
    await provider.warm_up()
    (market,) = await provider.hooks.markets(MarketQuery(name=market_name))
    capabilities = provider.capabilities
    day = clock.now() - 86_400_000
    request = FetchRequest(
        markets=(market,), timeframe="1m", span=Span(day, day + 120_000), limit=1,
        anchor=Anchor.END if Anchor.START not in capabilities.anchors else Anchor.START,
        costs=capabilities.costs[FetchRequest(markets=(market,)).kind],
    )  # fmt: skip

    async def once() -> Page:
        async with provider.budget.under_way(request.costs):
            page = await provider.hooks.fetch(request)
            provider.budget.observe(page.feedback)
        return page

    async def ask() -> None:
        while True:
            await with_retries(provider, once)

    await asyncio.gather(*(ask() for _ in range(UNDER_WAY)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        url, name, market_name, moment, began, speed = sys.argv[1:]
        common = CommonClock(int(moment), float(began), float(speed))
        asyncio.run(ask_for_ever(url, name, market_name, common))
    else:
        run()
