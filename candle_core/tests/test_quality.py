"""The slot report against every slot counted by hand."""

import asyncio
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.quality import slot_report
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Market,
    Registration,
    SaveWrite,
    SlotReport,
    Span,
    to_datetime,
)

MINUTE = 60_000
MARKET = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
SOURCES = ["binance:rest"]
moments = st.integers(-15 * MINUTE, 15 * MINUTE)
spans = st.builds(lambda start, length: Span(start, start + length), moments, st.integers(1, 12 * MINUTE))
rows = st.sets(st.integers(-15, 15).map(lambda slot: slot * MINUTE) | moments, max_size=20).map(sorted)
facts = st.builds(
    Coverage, span=spans, state=st.sampled_from(CoverageState), evidence=st.just(Evidence.ANCHORED),
    source=st.sampled_from([*SOURCES, "elsewhere:rest"]), answered_at=st.integers(0, 9),
)  # fmt: skip


async def report(times: list[int], known: list[Coverage], span: Span) -> SlotReport:
    kernel = Kernel(load_config({"storage": {"backend": "memory"}}))
    (record,) = await kernel.storage().register([Registration(market=MARKET, timeframes=("1m",))])
    columns: dict[str, Any] = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS}
    batch = CandleBatch.from_columns(columns | {"open_time": np.array(times, np.int64)})
    answer = Answer(symbol=record.symbol, source=SOURCES[0], answered_at=0, batch=batch, coverage=tuple(known))
    await kernel.storage().save(SaveWrite(answers=(answer,)))
    found = await slot_report(kernel, kernel.provider("BINANCE"), record, span)
    await kernel.close()
    return found


def state_of(moment: int, known: list[Coverage]) -> str:
    here = {(fact.state, fact.source) for fact in known if moment in fact.span}
    states = {state for state, _ in here}
    if CoverageState.NOT_LISTED in states:
        return "not_listed"
    if CoverageState.ANSWERED in states:
        return "proven_empty"
    return "out_of_reach" if {(CoverageState.OUT_OF_REACH, source) for source in SOURCES} <= here else "missing"


@given(rows, st.lists(facts, max_size=5), spans)
@settings(max_examples=60, deadline=None)
def test_every_slot_stands_once(times: list[int], known: list[Coverage], span: Span) -> None:
    slots = [moment for moment in range(-30 * MINUTE, 30 * MINUTE, MINUTE) if moment in span]
    empty = [state_of(slot, known) for slot in slots if slot not in times]
    inside = [time for time in times if time in span]
    found = asyncio.run(report(times, known, span))
    assert found == SlotReport(
        symbol=MARKET.symbol("1m"), time_range=(to_datetime(span.start), to_datetime(span.end)), slots=len(slots),
        filled=len(set(slots) & set(times)), rows=len(inside), off_grid=len(set(inside) - set(slots)),
        proven_empty=empty.count("proven_empty"), not_listed=empty.count("not_listed"),
        out_of_reach=empty.count("out_of_reach"), missing=empty.count("missing"),
    )  # fmt: skip
    total = found.filled + found.proven_empty + found.not_listed + found.out_of_reach + found.missing
    assert total == found.slots
    assert found.rows == found.filled + found.off_grid
