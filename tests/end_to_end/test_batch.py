"""The batch writer as its callers see it: a user's tables, an exchange's rows, priorities, bounds, failures."""

import asyncio
import itertools
import json
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import candle_core
from candle_core import BatchConfig, BatchDBManager, BatchOperation, OperationType, Priority
from candle_hookspecs import BadInputError, ConfigError, StorageConstraintError, SymbolQuery, UnknownMarketError
from tests.end_to_end import test_upbit
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import VALUES, World, ms, tables

INSERT, UPDATE, UPSERT, DELETE = OperationType
ORDERS = "CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT NOT NULL, price REAL)"


class Store:
    """A user's own database, looked at by plain SQL."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "strategies.sqlite3"
        self.config = {
            "storage": {"path": str(folder / "candles.sqlite3")},
            "stores": {"strategies": {"backend": "sqlite", "path": str(self.path)}},
        }
        self.run(ORDERS)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()

    def manager(self, **bounds: Any) -> BatchDBManager:
        return BatchDBManager(self.config, store="strategies", config=BatchConfig(**bounds))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another program is writing."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def orders(*numbers: int, state: str | None = "new") -> list[dict[str, Any]]:
    return [{"id": number, "state": state, "price": number / 7} for number in numbers]


# ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_four_operations(store: Store) -> None:
    async with store.manager() as manager:
        await manager.queue_operation("orders", INSERT, orders(1, 2, 3, 4))
        await manager.queue_operation("orders", UPDATE, [{"id": 1, "state": "filled"}, {"id": 99, "state": "no row"}])
        await manager.queue_operation("orders", UPSERT, [{"id": 2, "state": "late", "price": 0.5}, *orders(5)])
        await manager.queue_operation("orders", DELETE, [{"id": 3}])
        await manager.queue_operation("orders", DELETE, [{"price": 4 / 7, "id": 4711}], key=["price"])
    assert store.run("SELECT id, state, price FROM orders ORDER BY id") == [
        (1, "filled", 1 / 7), (2, "late", 0.5), (5, "new", 5 / 7),
    ]  # fmt: skip
    assert store.run("SELECT name FROM sqlite_master WHERE type = 'table'") == [("orders",)], "and no table of ours"


async def test_callbacks_plain_and_async_are_told_when_it_is_durable(store: Store) -> None:
    told: list[tuple[BatchOperation, int]] = []
    identity = ""

    def count() -> int:
        ((number,),) = store.run("SELECT count(*) FROM orders")
        return int(number)

    def plain(operation: BatchOperation) -> None:
        told.append((operation, count()))

    async def slow(operation: BatchOperation) -> None:
        await asyncio.sleep(0)
        told.append((operation, count()))

    def broken(operation: BatchOperation) -> None:
        told.append((operation, count()))
        raise RuntimeError("mine")

    async with store.manager() as manager:
        for number, callback in enumerate((plain, slow, broken)):
            identity = await manager.queue_operation("orders", INSERT, orders(number), Priority.HIGH, callback)
            await manager.flush()
    assert [one.is_processed for one, _ in told] == [True] * 3
    assert [rows for _, rows in told] == [1, 2, 3], "stop() waits for async callbacks, and survives a broken one"
    operation = told[-1][0]
    assert operation.operation_id == identity
    assert operation.processed_at is not None
    assert operation.created_at <= operation.processed_at
    assert operation.processing_time > 0
    assert operation.estimated_size_mb == pytest.approx(300e-6, rel=0.5), "a dict of three columns"


async def test_a_bad_operation_fails_alone_and_its_rows_come_back(store: Store) -> None:
    told: list[BatchOperation] = []
    async with store.manager() as manager:
        await manager.queue_operation("orders", INSERT, orders(1, 2))
        await manager.queue_operation("orders", INSERT, bad := orders(3, 1), callback=told.append)
        await manager.queue_operation("orders", INSERT, orders(4))
        await manager.queue_operation("orders", INSERT, null := orders(5, state=None))
        await manager.queue_operation("ordrs", INSERT, orders(6), callback=told.append)
        await manager.queue_operation("orders", UPDATE, [{"id": 1, "colour": "red"}], callback=told.append)
    assert store.run("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (4,)], "no half of an operation"
    assert [type(one.cause) for one in told] == [StorageConstraintError, BadInputError, BadInputError]
    assert told[0].data_rows == bad
    assert "UNIQUE" in told[0].error
    assert "'ordrs'" in told[1].error
    assert "'orders'" in told[1].error, "the nearest name"
    assert "'colour'" in told[2].error
    (untold,) = manager.take_failed()
    assert (untold.data_rows, untold.is_processed) == (null, False)
    assert manager.take_failed() == []
    status = await manager.get_queue_status()
    assert status["stats"] == {
        "total_operations": 6, "successful_operations": 2, "failed_operations": 4,
        "total_processing_time": pytest.approx(manager.stats.total_processing_time),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data_rows": []}, "at least one"),
        ({"data_rows": [1]}, "mapping"),
        ({"operation_type": "TRUNCATE"}, "TRUNCATE"),
        ({"priority": 9}, "CRITICAL"),
    ],
)
async def test_what_cannot_be_meant_is_refused_at_once(store: Store, change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"table_name": "orders", "operation_type": INSERT, "data_rows": orders(1)}
    async with store.manager() as manager:
        with pytest.raises(BadInputError, match=words):
            await manager.queue_operation(**arguments | change)
    with pytest.raises(BadInputError, match="start"):
        await manager.queue_operation(**arguments)
    assert store.run("SELECT * FROM orders") == []


async def test_an_unknown_store_is_named(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"'strategy'.*did you mean 'strategies'"):
        await BatchDBManager(store.config, store="strategy").start()


async def test_the_manager_shares_what_is_open(store: Store) -> None:
    async with candle_core.open(store.config) as candles:
        async with BatchDBManager(candles, store="strategies") as manager:
            await manager.queue_operation("orders", INSERT, orders(1))
        assert store.run("SELECT id FROM orders") == [(1,)]
        assert await candles.symbols() == [], "still open"


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_over_a_bound_the_producer_waits_and_critical_does_not(store: Store) -> None:
    async with store.manager(max_queue_size=3) as manager:
        with store.locked():
            for number in range(3):
                await manager.queue_operation("orders", INSERT, orders(number), Priority.LOW)
            fourth = asyncio.create_task(manager.queue_operation("orders", INSERT, orders(3), Priority.LOW))
            await asyncio.sleep(0.1)
            assert not fourth.done()
            await manager.queue_operation("orders", INSERT, orders(4), Priority.CRITICAL)
            status = await manager.get_queue_status()
            assert status["queue_sizes"] == {"CRITICAL": 1, "HIGH": 0, "NORMAL": 0, "LOW": 4}
            assert status["total_queued_operations"] == 5
            assert status["estimated_memory_mb"] > 0
        await asyncio.wait_for(fourth, 120)
    assert store.run("SELECT count(*) FROM orders") == [(5,)]


async def test_memory_is_a_bound_too(store: Store) -> None:
    rows = [{"id": number, "state": "x" * 1_000} for number in range(30)]
    async with store.manager(max_memory_mb=0.02) as manager:
        with store.locked():
            puts = [asyncio.create_task(manager.queue_operation("orders", INSERT, [row], Priority.LOW)) for row in rows]
            await asyncio.wait_for(asyncio.gather(*puts[:10]), 120)
            await asyncio.sleep(0.1)
            assert sum(put.done() for put in puts) <= 20, "20,000 bytes hold about 15 rows of 1,250"
            assert (await manager.get_queue_status())["estimated_memory_mb"] <= 0.02
        await asyncio.wait_for(asyncio.gather(*puts), 120)
    assert store.run("SELECT count(*) FROM orders") == [(30,)]


async def test_what_is_larger_than_the_memory_is_written_at_once_in_slices(store: Store) -> None:
    told: list[BatchOperation] = []
    mixed = [*range(4_000, 5_000), 7, *range(6_000, 7_000)]
    async with store.manager(max_memory_mb=0.1, insert_batch_size=500) as manager:
        await manager.queue_operation("orders", INSERT, orders(*range(2_000)), Priority.LOW, told.append)
        assert store.run("SELECT count(*) FROM orders") == [(2_000,)], "written when the call returns"
        await manager.queue_operation(
            "orders", INSERT, orders(*range(4_000, 5_000), 7, *range(6_000, 7_000)), callback=told.append
        )
    assert told[0].is_processed
    assert isinstance(told[1].cause, StorageConstraintError)
    kept = {number for (number,) in store.run("SELECT id FROM orders WHERE id >= 4000")}
    back = {row["id"] for row in told[1].data_rows}
    assert kept | back == set(mixed), "a row is written or comes back"
    assert not kept & back
    assert {7, 6_999} <= back
    assert 4_000 in kept


async def test_cancelled_while_it_waits_for_room_it_is_not_written(store: Store) -> None:
    async with store.manager(max_queue_size=1) as manager:
        with store.locked():
            await manager.queue_operation("orders", INSERT, orders(1), Priority.LOW)
            second = asyncio.create_task(manager.queue_operation("orders", INSERT, orders(2), Priority.LOW))
            await asyncio.sleep(0.05)
            second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    assert store.run("SELECT id FROM orders") == [(1,)]
    assert [one.data_rows for one in manager.take_failed()] == [orders(2)]


@pytest.mark.parametrize(("bounds", "transactions"), [({}, 1), ({"tables": {"orders": 5}}, 2)])
async def test_a_table_may_have_a_batch_size_of_its_own(
    store: Store, bounds: dict[str, Any], transactions: int
) -> None:
    async with store.manager(**bounds) as manager:
        for number in range(10):
            await manager.queue_operation("orders", INSERT, orders(number))
        await manager.flush()
        assert manager._writer.totals.transactions == transactions


async def test_upkeep_is_done_on_time(store: Store) -> None:
    async with store.manager() as idle:
        assert set((await idle.get_queue_status())["last_maintenance"].values()) == {None}
    config = store.config | {"batch": {"analyze_interval_seconds": 0.05, "checkpoint_interval_seconds": 0.05}}
    async with BatchDBManager(config, store="strategies") as manager:
        numbers, done = itertools.count(), (await manager.get_queue_status())["last_maintenance"]
        async with asyncio.timeout(120):
            while done["analyze"] is None or done["checkpoint"] is None:
                await manager.queue_operation("orders", INSERT, orders(next(numbers)), Priority.HIGH)
                await asyncio.sleep(0.01)
                done = (await manager.get_queue_status())["last_maintenance"]
    assert done["vacuum"] is None


# ── candles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def wire(world: World, path: str) -> Any:
    """What the exchange sends, asked for without the code under test."""
    with urllib.request.urlopen(world.sandbox.url + path) as answer:
        return json.load(answer)


def klines(world: World, start: str, rows: int) -> Any:
    return wire(world, f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={ms(start)}&limit={rows}")


async def test_an_exchanges_own_rows_go_the_way_of_all_candles(make_world: MakeWorld) -> None:
    world = make_world(at="2024-06-01T00:00:30")
    raw = klines(world, "2024-05-31T23:31", 30)
    assert raw[-1][0] == ms("2024-06-01T00:00"), "the last is still open"
    told: list[BatchOperation] = []
    async with candle_core.open(tables(world.sandbox.url, world.path)) as candles:
        async with BatchDBManager(candles) as manager:
            await manager.insert_candles_batch("BTC/USDT", "1m", raw, Priority.HIGH, told.append)
        world.forget()
        summary = await candles.collect_candles_only("BTC/USDT", "1m", start="2024-05-31T23:31", end="2024-06-01")
    assert told[0].is_processed
    assert told[0].still_open == 1
    assert summary.api_calls_made == 0, "what is there is not asked for"
    stored, truth = world.stored(), world.truth("2024-05-31T23:31", "2024-06-01")
    for name in VALUES:
        assert stored[name].tolist() == truth[name].tolist(), name


async def test_upbits_field_names(make_world: MakeWorld) -> None:
    world = make_world(test_upbit.bitcoin(), at="2024-06-01T00:00:30")
    raw = wire(world, "/v1/candles/minutes/1?market=KRW-BTC&count=50&to=2024-05-31T12:00:00Z")
    config = tables(world.sandbox.url, world.path) | {"providers": {"upbit": {"rest_url": world.sandbox.url}}}
    async with BatchDBManager(config) as manager:
        await manager.insert_candles_batch("KRW-BTC", "1m", raw, exchange="UPBIT")
    rows = world.query("SELECT open, close FROM v_candles WHERE exchange = 'UPBIT' ORDER BY open_time DESC")
    assert rows == [(float(row["opening_price"]), float(row["trade_price"])) for row in raw]


async def test_what_is_no_candle_of_the_exchange_is_refused(make_world: MakeWorld) -> None:
    world = make_world()
    async with BatchDBManager(tables(world.sandbox.url, world.path)) as manager:
        with pytest.raises(BadInputError, match="'binance'"):
            await manager.insert_candles_batch("BTC/USDT", "1m", [{"opening_price": 1}])
        with pytest.raises(UnknownMarketError, match="DOGE"):
            await manager.insert_candles_batch("DOGE/USDT", "1m", klines(world, "2024-05-01", 3))
    assert world.counts() == (0, 0)


def candle(symbol: str, minute: int, price: float, **options: Any) -> dict[str, Any]:
    moment = ms("2024-05-01") + minute * 60_000
    prices = {"open": price, "high": price, "low": price, "close": price}
    return {"symbol": symbol, "timeframe": "1m", "open_time": moment, **prices, "volume": 1.0, **options}


async def test_the_candle_table_takes_upserts(make_world: MakeWorld) -> None:
    world = make_world()
    async with candle_core.open(tables(world.sandbox.url, world.path)) as candles:
        async with BatchDBManager(candles) as manager:
            rows = [candle("BTC/USDT", 0, 1.0), candle("BTC/USDT", 1, 2.0, trades=7), candle("BTCUSDT", 2, 3.0)]
            await manager.queue_operation("candles", UPSERT, rows, Priority.HIGH)
            await manager.flush()
            await asyncio.sleep(0.002)
            await manager.queue_operation("candles", UPSERT, [candle("BTC/USDT", 1, 2.5, open="2.25")])
        stored = world.query("SELECT open, close, trades FROM v_candles ORDER BY open_time")
        assert stored == [(1.0, 1.0, None), (2.25, 2.5, None), (3.0, 3.0, None)]
        (record,) = await candles.symbols(SymbolQuery(statistics=True))
        assert record.revisions == 1, "weighed like every answer, and the old value counted"


@pytest.mark.parametrize(
    ("kind", "row", "words"),
    [
        (INSERT, candle("BTC/USDT", 0, 1.0), "UPSERT alone"),
        (DELETE, candle("BTC/USDT", 0, 1.0), "UPSERT alone"),
        (UPSERT, candle("", 0, 1.0), "symbol"),
        (UPSERT, candle("BTC/USDT", 0, 1.0, colour=3), "colour"),
        (UPSERT, candle("BTC/USDT", 0, 1.0, close=None), "close"),
        (UPSERT, candle("BTC/USDT", 0, 1.0, close="dear"), "dear"),
        (UPSERT, candle("BTC/USDT", 0, 1.0, close=float("inf")), "close"),
        (UPSERT, candle("BTC/USDT", 0, 1.0, open_time="yesterday"), "yesterday"),
    ],
)
async def test_rows_that_are_no_candles_are_refused(
    make_world: MakeWorld, kind: OperationType, row: dict[str, Any], words: str
) -> None:
    world = make_world()
    async with BatchDBManager(tables(world.sandbox.url, world.path)) as manager:
        with pytest.raises(BadInputError, match=words):
            await manager.queue_operation("candles", kind, [row])
    assert world.counts() == (0, 0)


@pytest.mark.parametrize("table", ["symbols", "coverage", "markets", "sqlite_master", "v_candles", "Candles"])
async def test_the_kernels_own_tables_are_refused(make_world: MakeWorld, table: str) -> None:
    world = make_world()
    await world.collect("2024-05-01", "2024-05-01T01:00")
    before = world.query("SELECT * FROM symbols"), world.counts()
    async with BatchDBManager(tables(world.sandbox.url, world.path)) as manager:
        await manager.queue_operation(table, DELETE, [{"id": 1}], Priority.HIGH)
    (failed,) = manager.take_failed()
    assert isinstance(failed.cause, BadInputError)
    assert (world.query("SELECT * FROM symbols"), world.counts()) == before


# ── under load ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_eight_producers_lose_nothing_and_keep_the_order_of_a_symbol(store: Store) -> None:
    """Each upserts its own keys again and again, in any priority; what stands in the end is what each said last."""
    store.run("CREATE TABLE ticks (producer INTEGER, key INTEGER, version INTEGER, PRIMARY KEY (producer, key))")
    random = np.random.default_rng(5)
    last: dict[tuple[int, int], int] = {}

    async def produce(manager: BatchDBManager, producer: int, told: Callable[[BatchOperation], None]) -> None:
        priority = Priority(producer % 4)
        for version in range(60):
            keys = random.choice(500, 40, replace=False).tolist()
            last.update({(producer, key): version for key in keys})
            rows = [{"producer": producer, "key": key, "version": version} for key in keys]
            await manager.queue_operation("ticks", UPSERT, rows, priority, told)

    told: list[BatchOperation] = []
    async with store.manager(max_queue_size=50) as manager:
        await asyncio.gather(*(produce(manager, number, told.append) for number in range(8)))
    assert len(told) == 480
    assert all(one.is_processed for one in told)
    found = {(producer, key): version for producer, key, version in store.run("SELECT * FROM ticks")}
    assert found == last


async def test_a_critical_write_waits_for_one_transaction_at_most(store: Store) -> None:
    waited: list[int] = []
    low = itertools.count()
    async with store.manager(max_queue_size=2_000, insert_batch_size=20) as manager:
        totals = manager._writer.totals
        for number in range(60):
            while (await manager.get_queue_status())["queue_sizes"]["LOW"] < 100:
                rows = orders(*itertools.islice(low, 20))
                await manager.queue_operation("orders", INSERT, rows, Priority.LOW)
            began = totals.transactions

            def told(operation: BatchOperation, began: int = began) -> None:
                waited.append(totals.transactions - began - 1)

            await manager.queue_operation("orders", INSERT, orders(10**6 + number), Priority.CRITICAL, told)
            await asyncio.sleep(0.002)
    assert len(waited) == 60
    assert sorted(waited)[58] <= 1, "transactions begun between the call and its own, of 59 in 60"
    assert store.run("SELECT count(*) FROM orders") == [(next(low) + 60,)]


async def test_a_symbols_order_holds_across_priorities(make_world: MakeWorld) -> None:
    world = make_world()
    async with BatchDBManager(tables(world.sandbox.url, world.path)) as manager:
        for version in range(40):
            priority = Priority(3 - version % 4)
            await manager.queue_operation("candles", UPSERT, [candle("BTC/USDT", 0, 1.0 + version)], priority)
    assert world.query("SELECT close FROM v_candles") == [(40.0,)]
    assert manager.stats.failed_operations == 0
