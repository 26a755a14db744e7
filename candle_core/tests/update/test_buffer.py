"""The buffer: whole answers, few writes, bounded rows, and nothing that is thought safe and is not."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from candle_core.config import load_config
from candle_core.dispatch import StorageHooks
from candle_core.kernel import Kernel
from candle_core.update import RowBuffer
from candle_core.update.buffer import LONGEST
from candle_core.writer import Writer
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    CandleBatch,
    SaveReceipt,
    SaveWrite,
    StorageCapabilities,
    StorageFullError,
    Symbol,
    hookimpl,
)


def answer(base: str, rows: int) -> Answer:
    columns: dict[str, Any] = {name: np.ones(rows) for name in REQUIRED_COLUMNS}
    batch = CandleBatch.from_columns(columns | {"open_time": np.arange(rows)})
    return Answer(
        symbol=Symbol("CRYPTO", "ONE", "SPOT", base, "USDT", "1m"), source="one:rest", answered_at=1, batch=batch
    )


class Database:
    """Commits when it is let."""

    capabilities = StorageCapabilities(contract=1)

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.writes: list[list[int]] = []
        self.full = False

    @hookimpl
    async def candle_save(self, write: SaveWrite) -> SaveReceipt:
        await self.open.wait()
        if self.full:
            raise StorageFullError("no room is left")
        self.writes.append([len(one.batch) for one in write.answers])
        return SaveReceipt(inserted=write.rows)


@pytest.fixture
async def database() -> Database:
    return Database()


def buffer(database: Database, size: int, **bounds: Any) -> RowBuffer:
    kernel = Kernel(load_config({}))
    kernel.dispatch.add_target("storage:test", database)
    return RowBuffer(
        kernel, Writer(StorageHooks(kernel.dispatch, "storage:test", database.capabilities), **bounds), size
    )


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_six_and_five_are_saved_and_four_at_the_end(database: Database) -> None:
    target = buffer(database, 10)
    await target.save(answer("BTC", 6))
    await settle()
    assert (database.writes, target.rows) == ([], 6)
    await target.save(answer("ETH", 5))
    await settle()
    assert (database.writes, target.rows) == ([[6, 5]], 0)
    await target.save(answer("XRP", 4))
    await settle()
    assert (database.writes, target.rows) == ([[6, 5]], 4)
    await target.drain()
    assert (database.writes, target.rows, target.receipt) == ([[6, 5], [4]], 0, SaveReceipt(inserted=15))


async def test_while_one_lot_is_written_one_more_gathers_and_the_rest_wait(database: Database) -> None:
    database.open.clear()
    target = buffer(database, 10)
    tasks = [asyncio.create_task(target.save(answer("BTC", 4))) for _ in range(8)]
    await settle()
    assert [task.done() for task in tasks] == [True] * 5 + [False] * 3, "12 are being written, and 8 wait for more"
    assert target.rows == 32
    late = asyncio.create_task(target.save(answer("BTC", 4)))
    await settle()
    assert not late.done()
    database.open.set()
    await asyncio.gather(*tasks, late)
    await target.drain()
    assert sum(map(sum, database.writes)) == 36
    assert target.rows == 0


async def test_a_lot_larger_than_a_transaction_goes_in_several(database: Database) -> None:
    target = buffer(database, 1_000, transaction_rows=100)
    for _ in range(20):
        await target.save(answer("BTC", 60))
    await target.drain()
    assert database.writes[:8] == [[60, 60]] * 8
    assert sum(map(sum, database.writes)) == target.receipt.inserted == 1_200


async def test_answers_of_few_rows_do_not_pile_up(database: Database) -> None:
    target = buffer(database, 100_000)
    for _ in range(1_000):
        await target.save(answer("BTC", 0))
    await settle()
    assert len(database.writes) == 1
    assert len(database.writes[0]) == 1_000


async def test_whoever_is_cancelled_takes_nobody_elses_answers_along(database: Database) -> None:
    database.open.clear()
    target = buffer(database, 10)
    await target.save(answer("BTC", 11))
    waiting = asyncio.create_task(target.save(answer("ETH", 11)))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    database.open.set()
    await target.drain()
    assert database.writes == [[11], [11]]


async def test_a_failure_is_told_to_whoever_comes_next_and_in_the_end(database: Database) -> None:
    database.full = True
    target = buffer(database, 10)
    await target.save(answer("BTC", 11))
    await settle()
    for _ in range(2):
        with pytest.raises(StorageFullError):
            await target.save(answer("ETH", 1))
    with pytest.raises(StorageFullError):
        await target.drain()
    assert database.writes == []


async def test_what_waits_long_is_written_though_little_came(database: Database, leap: Callable[[float], None]) -> None:
    async def wait(seconds: float) -> None:
        leap(seconds)
        await settle()

    held = buffer(database, 100)
    await held.save(answer("BTC", 6))
    await wait(LONGEST / 2)
    assert database.writes == []
    await wait(LONGEST / 2)
    assert database.writes == [[6]]
    database.open.clear()
    await held.save(answer("ETH", 1))
    await wait(LONGEST)
    await held.save(answer("XRP", 2))
    await wait(LONGEST)
    database.open.set()
    await settle()
    assert database.writes == [[6], [1]]
    await wait(LONGEST)
    assert database.writes == [[6], [1], [2]], "what came while another lot was being written waits for it alone"
    await held.drain()
    assert database.writes == [[6], [1], [2]]
