"""What a writer does until it is killed: it writes, and says over a pipe what it was told is durable.

Everything that a child needs is imported here, once, before the children are forked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import candle_binance  # noqa: F401
import candle_core
import candle_postgres  # noqa: F401
import candle_sqlite  # noqa: F401
from candle_core import BatchDBManager, Candles
from candle_core.batch import BatchOperation
from candle_hookspecs import OperationType, Priority
from candle_testkit.processes import Failure

OPEN = "open"
BEGIN = datetime(2017, 1, 1, tzinfo=UTC)
PAGES = 2  # of a collection
PAGE = 1_000
ORDERS = 40  # rows of an operation on the user's table
UPSERTS = 30  # candles of an operation
PRIORITIES = list(Priority)


def collect(pipe: Connection, tables: dict[str, Any], first: int) -> None:
    """Collect one stretch behind the other; tells the number of each."""

    async def run() -> None:
        async with _opened(pipe, tables) as candles:
            for number in count(first):
                start, end = stretch(number)
                await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)
                pipe.send(number)

    asyncio.run(run())


def stretch(number: int) -> tuple[datetime, datetime]:
    """The range of a collection."""
    length = timedelta(minutes=PAGES * PAGE)
    return BEGIN + number * length, BEGIN + (number + 1) * length


def queue(pipe: Connection, tables: dict[str, Any], first: int) -> None:
    """Hand operations to the batch writer, orders and candles by turns; tells the number of each that is durable."""

    async def run() -> None:
        async with (
            _opened(pipe, tables) as candles,
            BatchDBManager(candles, store="orders") as user,
            BatchDBManager(candles) as house,
        ):
            for number in count(first):
                manager, table, kind, rows = house, "candles", OperationType.UPSERT, upserts(number)
                if number % 2:
                    manager, table, kind, rows = user, "orders", OperationType.INSERT, orders(number)
                await manager.queue_operation(table, kind, rows, PRIORITIES[number % 4], _teller(pipe, number))
                await asyncio.sleep(0.001)

    asyncio.run(run())


def _teller(pipe: Connection, number: int) -> Callable[[BatchOperation], None]:
    def tell(operation: BatchOperation) -> None:
        pipe.send(number if operation.is_processed else Failure(operation.error))

    return tell


def orders(number: int) -> list[dict[str, Any]]:
    """The rows of an operation on the user's table."""
    return [{"id": number * ORDERS + row, "operation": number, "note": "n" * 200} for row in range(ORDERS)]


def upserts(number: int) -> list[dict[str, Any]]:
    """The candles of an operation: slots and prices that tell its number."""
    moments = (BEGIN + timedelta(minutes=number * UPSERTS + row) for row in range(UPSERTS))
    return [
        {"symbol": "BTC/USDT", "timeframe": "1m", "open_time": moment, "open": number, "high": number, "low": number,
         "close": number, "volume": 1.0}
        for moment in moments
    ]  # fmt: skip


@asynccontextmanager
async def _opened(pipe: Connection, tables: dict[str, Any]) -> AsyncIterator[Candles]:
    async with candle_core.open(tables) as candles:
        pipe.send(OPEN)
        yield candles
