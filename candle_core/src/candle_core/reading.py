"""Reading what is stored, in transactions of bounded length."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from candle_core.adjust import Adjust, adjusted
from candle_core.dispatch import StorageHooks
from candle_core.ranges import ALL_TIME
from candle_hookspecs import ActionQuery, CandleBatch, LoadRead, MissingHookError, Span

CHUNK_ROWS: Final = 100_000
"""Rows read in one transaction."""
AT_ONCE: Final = 4
"""Symbols read at once; a database reads little faster for more."""


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


async def read_adjusted(storage: StorageHooks, read: LoadRead, how: Adjust) -> CandleBatch:
    """All candles of a read as one batch, splits and dividends taken out as `how` says.

    Raises:
        MissingHookError: the database keeps no actions. BadInputError: the close before a dividend is not known.
    """
    batch = await read_all(storage, read)
    if how is Adjust.RAW or not len(batch):
        return batch
    if not storage.capabilities.actions:
        raise MissingHookError(
            f"{storage.name!r} keeps no splits and dividends (it has no 'candle_actions'); read with adjust='raw', or "
            "use a backend that does, like sqlite"
        )
    query = ActionQuery.of(read.symbol, Span(batch.first + 1, ALL_TIME.end))
    return adjusted(batch, await storage.actions(query), how)


async def read_all(storage: StorageHooks, read: LoadRead) -> CandleBatch:
    """All candles of a read as one batch, in time order."""
    return CandleBatch.concat([batch async for batch in read_chunks(storage, read)])
