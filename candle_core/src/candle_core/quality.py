"""Where every grid slot of a range stands."""

import numpy as np

from candle_core.coverage import Known, count_slots
from candle_core.kernel import Kernel, Provider
from candle_core.pipeline import Pipeline, read_facts
from candle_core.reading import read_chunks
from candle_core.spans import Spans
from candle_hookspecs import Ints, LoadRead, SlotReport, Span, SymbolRecord, to_datetime


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
    async for batch in read_chunks(kernel.storage(), LoadRead(symbol=record.symbol, span=span, columns=())):
        rows += len(batch)
        slots = batch.open_time[grid.on_grid(batch.open_time)]
        filled += len(slots)
        for name, spans in states.items():
            left[name] -= _inside(slots, spans)
    return SlotReport(
        symbol=record.symbol,
        time_range=(to_datetime(span.start), to_datetime(span.end)),
        slots=grid.count(span),
        filled=filled,
        off_grid=rows - filled,
        rows=rows,
        **left,
    )


def _inside(moments: Ints, spans: Spans) -> int:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    found = np.searchsorted(moments, edges)
    return int((found[1::2] - found[::2]).sum())
