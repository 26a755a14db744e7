"""What one spend costs where machines count together, beside the file in which one machine does.

    python -m bench.machines

A Redis on this machine stands for one on the network, whose way comes on top, twice for each spend. Alone: spends of
one process, of each store in turns. Three: processes that spend as fast as they can for some seconds, together. Takes
half a minute.
"""

import asyncio
import multiprocessing
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import SecretStr

from candle_core.budget import Budget, DistantStore, Remote, SharedStore
from candle_core.clock import ExchangeClock, SystemClock
from candle_hookspecs import BudgetStore, Limit, Window
from candle_redis import RedisBudgetStore
from candle_testkit.redis import running

SPENDS: Final = 5_000
PROCESSES: Final = 3
SECONDS: Final = 4.0
LIMIT: Final = Limit("weight", 1e9, 60, Window.FIXED)

Places: TypeAlias = dict[str, tuple[str, Path]]
"""By name: the URL of a Redis, or nothing, and the folder of a file."""


def run() -> None:
    """Measure and print."""
    print(f"{'':16}{'one process, µs':^32}{'three processes':^36}")
    print(f"{'':16}{'median':>10}{'99 %':>10}{'a second':>12}{'median':>10}{'99 %':>10}{'a second':>12}")
    with tempfile.TemporaryDirectory() as folder, running() as redis:
        places: Places = {
            "file": ("", Path(folder)),
            "Redis, socket": (redis.unix_url, Path(folder)),
            "Redis, loopback": (redis.url, Path(folder)),
        }
        alone = asyncio.run(in_turns(places))
        for name, taken in alone.items():
            together = at_once(*places[name])
            print(f"{name:16}{figures(taken, sum(taken))}{figures(together, SECONDS)}", flush=True)


def figures(taken: list[float], seconds: float) -> str:
    """Median and 99 % in microseconds, and how many there were in a second."""
    ordered = sorted(taken)
    median, rare = ordered[len(ordered) // 2] * 1e6, ordered[len(ordered) * 99 // 100] * 1e6
    return f"{median:10.0f}{rare:10.0f}{len(taken) / seconds:12,.0f}"


def store_at(url: str, folder: Path) -> BudgetStore:
    """As a kernel has it."""
    near = SharedStore(folder / "limits.sqlite3")
    return DistantStore(RedisBudgetStore(SecretStr(url)), near) if url else near


def gate_on(store: BudgetStore) -> Budget:
    """A gate that lets everything pass."""
    clock = SystemClock()
    gate = Budget(clock, ExchangeClock(clock), store, Remote("bench"))
    gate.declare([LIMIT])
    return gate


async def timed(gate: Budget) -> float:
    """Seconds that one spend takes."""
    began = time.perf_counter()
    await gate.spend({LIMIT.name: 1})
    return time.perf_counter() - began


async def in_turns(places: Places) -> dict[str, list[float]]:
    """Seconds that each spend took, by place."""
    stores = {name: store_at(*place) for name, place in places.items()}
    gates = {name: gate_on(store) for name, store in stores.items()}
    taken: dict[str, list[float]] = {name: [] for name in gates}
    for gate in gates.values():
        await timed(gate)
    for _ in range(SPENDS):
        for name, gate in gates.items():
            taken[name].append(await timed(gate))
    for store in stores.values():
        store.close()
    return taken


def at_once(url: str, folder: Path) -> list[float]:
    """Seconds that each spend took, of all processes; with Redis each is a machine, with a file of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        folders = [folder / str(number if url else 0) for number in range(PROCESSES)]
        pool.starmap(work, [(url, one, 0.2) for one in folders], chunksize=1)  # to be warm
        return [
            seconds for taken in pool.starmap(work, [(url, one, SECONDS) for one in folders], 1) for seconds in taken
        ]


def work(url: str, folder: Path, seconds: float) -> list[float]:
    """Spend for so long."""

    async def spend() -> list[float]:
        with closing(store_at(url, folder)) as store:
            gate, end, taken = gate_on(store), time.monotonic() + seconds, []
            while time.monotonic() < end:
                taken.append(await timed(gate))
        return taken

    return asyncio.run(spend())


if __name__ == "__main__":
    run()
