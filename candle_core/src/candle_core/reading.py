"""Reading what is stored, in transactions of bounded length."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from candle_core.dispatch import StorageHooks
from candle_core.ranges import ALL_TIME
from candle_hookspecs import CandleBatch, LoadRead, Span

CHUNK_ROWS: Final = 100_000
"""Rows read in one transaction."""


async def read_chunks(storage: StorageHooks, read: LoadRead, *, rows: int = CHUNK_ROWS) -> AsyncIterator[CandleBatch]:
    """The candles of a read, at most `rows` at a time, each its own short transaction.

    The newest chunk comes first if `newest_first`.

    Raises:
        UnknownSymbolError: the symbol was never registered.
    """
    span, left = read.span or ALL_TIME, read.limit or None
    while left is None or left > 0:
        size = rows if left is None else min(rows, left)
        batch = await storage.load(replace(read, span=span, limit=size))
        if not len(batch):
            return
        yield batch
        if left is not None:
            left -= len(batch)
        start, end = (span.start, batch.first) if read.newest_first else (batch.last + 1, span.end)
        if start >= end or len(batch) < size:
            return
        span = Span(start, end)


async def read_all(storage: StorageHooks, read: LoadRead) -> CandleBatch:
    """All candles of a read as one batch, in time order."""
    return CandleBatch.concat([batch async for batch in read_chunks(storage, read)])
