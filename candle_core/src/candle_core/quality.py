"""Where every grid slot of a range stands."""

from collections.abc import AsyncIterator

import numpy as np

from candle_core.coverage import Known, count_slots
from candle_core.dispatch import StorageHooks
from candle_core.kernel import Kernel, Provider
from candle_core.pipeline import Pipeline, read_facts
from candle_core.spans import Spans
from candle_core.timeframes import Grid
from candle_hookspecs import Ints, LoadRead, SlotReport, Span, SymbolRecord, to_datetime

READ_ROWS = 50_000
"""Rows read in one transaction."""


async def slot_report(kernel: Kernel, provider: Provider, record: SymbolRecord, span: Span) -> SlotReport:
    """Count the slots of a span by what is known of them, and the rows by whether they stand on the grid."""
    grid = provider.grid(record.symbol.timeframe)
    known = Known.of(await read_facts(kernel, record, span), Pipeline.sources(provider))
    whole = Spans((span,))
    states = {
        "not_listed": known.not_listed & whole,
        "proven_empty": known.answered & whole,
        "out_of_reach": known.out_of_reach & whole,
        "missing": whole - known.covered,
    }
    left = {name: count_slots(spans, grid) for name, spans in states.items()}
    rows = filled = 0
    last = -1
    async for times in _open_times(kernel.storage(), record, span):
        rows += len(times)
        slots = _slots(times, grid)
        filled += len(slots)
        for name, spans in states.items():
            left[name] -= _inside(slots, spans)
        assert not len(slots) or slots[0] > last, "storage returned candles out of order"
        last = int(slots[-1]) if len(slots) else last
    return SlotReport(
        symbol=record.symbol,
        time_range=(to_datetime(span.start), to_datetime(span.end)),
        slots=grid.count(span),
        filled=filled,
        off_grid=rows - filled,
        rows=rows,
        **left,
    )


async def _open_times(storage: StorageHooks, record: SymbolRecord, span: Span) -> AsyncIterator[Ints]:
    start = span.start
    while start < span.end:
        read = LoadRead(symbol=record.symbol, span=Span(start, span.end), columns=(), limit=READ_ROWS)
        batch = await storage.load(read)
        if not len(batch):
            return
        yield batch.open_time
        start = batch.last + 1


def _slots(times: Ints, grid: Grid) -> Ints:
    return times[grid.on_grid(times)]


def _inside(moments: Ints, spans: Spans) -> int:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    found = np.searchsorted(moments, edges)
    return int((found[1::2] - found[::2]).sum())
