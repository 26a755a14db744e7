"""A million UPSERTs in four priorities from eight producers, and how long a CRITICAL one waits under a full LOW queue.

    python -m bench.writer [rows]

Into a user's own table of a SQLite store. What stands in the end is compared with what each producer said last.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from candle_core import BatchConfig, BatchDBManager, BatchOperation, OperationType, Priority

PRODUCERS = 8
ROWS = 100  # of one operation
KEYS = 20_000  # of one producer
TABLE = "CREATE TABLE ticks (producer INTEGER, key INTEGER, version INTEGER, PRIMARY KEY (producer, key))"


def manager(folder: Path) -> BatchDBManager:
    """A manager on a fresh store with the table."""
    path = folder / "strategies.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
    tables = {"storage": {"path": str(folder / "candles.sqlite3")}, "stores": {"strategies": {"path": str(path)}}}
    return BatchDBManager(tables, store="strategies", config=BatchConfig(max_queue_size=2_000))


async def upserts(folder: Path, rows: int) -> tuple[float, bool]:
    """Seconds for that many rows, and whether exactly what was said last stands in the table."""
    last: dict[tuple[int, int], int] = {}
    failed: list[BatchOperation] = []

    async def produce(target: BatchDBManager, producer: int) -> None:
        random = np.random.default_rng(producer)
        for version in range(rows // PRODUCERS // ROWS):
            keys = random.choice(KEYS, ROWS, replace=False).tolist()
            last.update(((producer, key), version) for key in keys)
            data = [{"producer": producer, "key": key, "version": version} for key in keys]
            await target.queue_operation("ticks", OperationType.UPSERT, data, Priority(producer % 4), note)

    def note(operation: BatchOperation) -> None:
        if operation.error:
            failed.append(operation)

    began = time.perf_counter()
    async with manager(folder) as target:
        await asyncio.gather(*(produce(target, number) for number in range(PRODUCERS)))
    seconds = time.perf_counter() - began
    with closing(sqlite3.connect(folder / "strategies.sqlite3")) as connection:
        found = {(producer, key): version for producer, key, version in connection.execute("SELECT * FROM ticks")}
    return seconds, found == last and not failed


async def waits(folder: Path, calls: int = 200) -> tuple[list[float], list[float]]:
    """Seconds that CRITICAL operations took from call to callback, and that the LOW transactions beside them took."""
    critical: list[float] = []
    low: list[float] = []
    serial = iter(range(10**9))

    def data(producer: int) -> list[dict[str, int]]:
        return [{"producer": producer, "key": next(serial), "version": 0} for _ in range(ROWS)]

    async def keep_full(target: BatchDBManager) -> None:
        while True:
            await target.queue_operation(
                "ticks", OperationType.UPSERT, data(1), Priority.LOW, lambda done: low.append(done.processing_time)
            )

    async with manager(folder) as target:
        flood = asyncio.create_task(keep_full(target))
        while (await target.get_queue_status())["queue_sizes"]["LOW"] < 1_900:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(calls):
            done = asyncio.Event()
            began = time.perf_counter()

            def told(_: BatchOperation, done: asyncio.Event = done, began: float = began) -> None:
                critical.append(time.perf_counter() - began)
                done.set()

            await target.queue_operation("ticks", OperationType.UPSERT, data(2), Priority.CRITICAL, told)
            await done.wait()
            await asyncio.sleep(0.01)
        flood.cancel()
    per_transaction = target._config.insert_batch_size / ROWS if target._config else 1
    return critical, [seconds * per_transaction for seconds in low]


def run(rows: int = 200_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, exact = asyncio.run(upserts(Path(folder), rows))
    print(f"{rows:,} UPSERTs by {PRODUCERS} producers in {seconds:.1f} s, {rows / seconds:,.0f} a second")
    print(f"nothing lost, the last word of each stands: {exact}")
    with tempfile.TemporaryDirectory() as folder:
        critical, low = asyncio.run(waits(Path(folder)))
    half, most = np.quantile(critical, [0.5, 0.99]) * 1e3
    usual, longest = np.quantile(low, [0.5, 0.99]) * 1e3
    print(f"a CRITICAL write under a full LOW queue, call to durable: median {half:.1f} ms, p99 {most:.1f} ms")
    print(f"a LOW transaction of 1,000 rows beside it: median {usual:.1f} ms, p99 {longest:.1f} ms")


if __name__ == "__main__":
    run(*map(int, sys.argv[1:2]))
