"""The one way to the database: in order, in bounded memory, and every error to those it concerns."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from candle_core.dispatch import Dispatch, StorageHooks
from candle_core.writer import Schedule, Writer
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    CandleBatch,
    MaintenanceTask,
    SaveReceipt,
    SaveWrite,
    StorageCapabilities,
    StorageFullError,
    Symbol,
    hookimpl,
)

BTC = Symbol("CRYPTO", "ONE", "SPOT", "BTC", "USDT", "1m")
ETH = Symbol("CRYPTO", "ONE", "SPOT", "ETH", "USDT", "1m")


def answer(number: int, rows: int = 1, symbol: Symbol = BTC) -> Answer:
    columns: dict[str, Any] = {name: np.ones(rows) for name in REQUIRED_COLUMNS}
    batch = CandleBatch.from_columns(columns | {"open_time": np.arange(rows)})
    return Answer(symbol=symbol, source="one:rest", answered_at=number, batch=batch)


class Database:
    """Commits when it is let, and remembers in which transactions."""

    capabilities = StorageCapabilities(contract=1)

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.transactions: list[list[int]] = []
        self.refuse: set[int] = set()

    @property
    def stored(self) -> list[int]:
        return [number for transaction in self.transactions for number in transaction]

    @hookimpl
    async def candle_save(self, write: SaveWrite) -> SaveReceipt:
        await self.open.wait()
        numbers = [one.answered_at for one in write.answers]
        if self.refuse & set(numbers):
            raise StorageFullError("no room is left")
        self.transactions.append(numbers)
        return SaveReceipt(inserted=write.rows)


@pytest.fixture
async def database() -> Database:
    return Database()


def writer(database: Database, **bounds: Any) -> Writer:
    dispatch = Dispatch()
    dispatch.add_target("storage:test", database)
    return Writer(StorageHooks(dispatch, "storage:test", database.capabilities), **bounds)


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(50):
        await asyncio.sleep(0)


def hand_in(target: Writer, answers: Sequence[Answer]) -> list["asyncio.Task[SaveReceipt]"]:
    return [asyncio.create_task(target.save(one)) for one in answers]


async def test_answers_are_committed_in_the_order_they_came(database: Database) -> None:
    saves = hand_in(writer(database, transaction_rows=3), [answer(number) for number in range(10)])
    await asyncio.gather(*saves)
    assert database.stored == list(range(10))
    assert max(map(len, database.transactions)) <= 3


async def test_what_comes_meanwhile_shares_the_next_transaction(database: Database) -> None:
    database.open.clear()
    target = writer(database)
    saves = hand_in(target, [answer(number, rows=2) for number in range(5)])
    await settle()
    database.open.set()
    receipts = await asyncio.gather(*saves)
    assert len(database.transactions) <= 2
    assert sum(receipts, SaveReceipt()) == SaveReceipt(inserted=10), "the receipts of one symbol add up"


async def test_a_transaction_is_of_one_symbol(database: Database) -> None:
    database.open.clear()
    symbols = [BTC, BTC, ETH, ETH, BTC]
    saves = hand_in(writer(database), [answer(number, symbol=symbol) for number, symbol in enumerate(symbols)])
    await settle()
    database.open.set()
    receipts = await asyncio.gather(*saves)
    assert sorted(database.stored) == [0, 1, 2, 3, 4]
    assert [number for number in database.stored if symbols[number] == BTC] == [0, 1, 4]
    assert all(len({symbols[number] for number in transaction}) == 1 for transaction in database.transactions)
    assert sum(receipts[2:4], SaveReceipt()) == SaveReceipt(inserted=2)


async def test_whoever_brings_more_than_there_is_room_for_waits(database: Database) -> None:
    database.open.clear()
    target = writer(database, transaction_rows=10, buffer_rows=30)
    saves = hand_in(target, [answer(number, rows=10) for number in range(20)])
    await settle()
    assert 30 <= target._queue.rows < 30 + 10, "rows held: the bound, and the answer that crossed it"
    database.open.set()
    await asyncio.gather(*saves)
    assert sorted(database.stored) == list(range(20))
    assert target._queue.rows == 0


async def test_an_error_reaches_exactly_those_whose_transaction_failed(database: Database) -> None:
    database.open.clear()
    database.refuse = {3}
    saves = hand_in(writer(database, transaction_rows=2), [answer(number) for number in range(8)])
    await settle()
    database.open.set()
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    failed = {number for number, outcome in enumerate(outcomes) if isinstance(outcome, StorageFullError)}
    assert 3 in failed
    assert failed == set(range(8)) - set(database.stored)
    assert len(failed) <= 2, "only the transaction that held it"


async def test_the_writer_goes_on_after_an_error(database: Database) -> None:
    database.refuse = {0}
    target = writer(database)
    with pytest.raises(StorageFullError):
        await target.save(answer(0))
    await target.save(answer(1))
    assert database.stored == [1]


async def test_cancelling_the_wait_does_not_take_the_answer_back(database: Database) -> None:
    database.open.clear()
    target = writer(database)
    first, second = hand_in(target, [answer(0), answer(1)])
    await settle()
    first.cancel()
    second.cancel()
    await settle()
    database.open.set()
    await target.close()
    assert database.stored == [0, 1]
    assert first.cancelled()
    assert second.cancelled()


async def test_close_waits_until_all_is_committed(database: Database) -> None:
    database.open.clear()
    target = writer(database, transaction_rows=1)
    saves = hand_in(target, [answer(number) for number in range(5)])
    await settle()
    closing = asyncio.create_task(target.close())
    await settle()
    assert not closing.done()
    database.open.set()
    await closing
    assert database.stored == [0, 1, 2, 3, 4]
    await asyncio.gather(*saves)


async def test_close_waits_for_those_who_wait_for_room(database: Database) -> None:
    database.open.clear()
    target = writer(database, transaction_rows=1, buffer_rows=1)
    saves = hand_in(target, [answer(number) for number in range(5)])
    await settle()
    closing = asyncio.create_task(target.close())
    await settle()
    database.open.set()
    await closing
    assert sorted(database.stored) == [0, 1, 2, 3, 4]
    await asyncio.gather(*saves)


async def test_closing_what_was_never_used(database: Database) -> None:
    await writer(database).close()


async def test_what_falls_due_behind_a_long_transaction_costs_nothing_until_it_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.open.clear()
    target = writer(database)
    woken = 0
    wake = target._wake

    def counted() -> None:
        nonlocal woken
        woken += 1
        wake()

    monkeypatch.setattr(target, "_wake", counted)
    long = target.put(answer(0), 2, fill=10, size=1)
    held = target.put(answer(1, symbol=ETH), 2, fill=10, size=1, wait=0.01)
    await asyncio.sleep(0.1)
    assert woken < 10, "the event loop turned in circles"
    database.open.set()
    await asyncio.wait_for(asyncio.gather(long.done, held.done), 120)
    assert database.stored == [0, 1]
    later = target.put(answer(2), 2, fill=10, size=1, wait=0.01)
    await asyncio.wait_for(later.done, 120)


async def test_upkeep_that_a_database_does_not_know_is_a_line_in_the_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    target = writer(database)
    schedule = Schedule(target)
    schedule.start()
    await target.save(answer(0))
    schedule.hasten(MaintenanceTask.COMPACT)
    await schedule.stop()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "candle.writer"]
    assert said.startswith("compact was not done: ")
    assert "candle_maintain" in said
