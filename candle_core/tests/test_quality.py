"""The slot report against every slot counted by hand."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.quality import slot_report, verify
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Anomaly,
    AnomalyKind,
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
    SymbolQuery,
    VerifyReport,
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


async def verified(columns: dict[str, Any], known: list[Coverage], market: Market = MARKET) -> VerifyReport:
    kernel = Kernel(load_config({"storage": {"backend": "memory"}}))
    (record,) = await kernel.storage().register([Registration(market=market, timeframes=("1m",))])
    batch = CandleBatch.from_columns(columns)
    answer = Answer(symbol=record.symbol, source=SOURCES[0], answered_at=0, batch=batch, coverage=tuple(known))
    await kernel.storage().save(SaveWrite(answers=(answer,)))
    (record,) = await kernel.storage().symbols(SymbolQuery(statistics=True))
    found = await verify(kernel, kernel.provider("BINANCE"), record, None, None)
    await kernel.close()
    return found


@given(rows, st.lists(facts, max_size=5))
@settings(max_examples=60, deadline=None)
def test_gaps_are_the_slots_between_what_is_known_that_nobody_vouches_for(
    times: list[int], known: list[Coverage]
) -> None:
    columns: dict[str, Any] = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS}
    found = asyncio.run(verified(columns | {"open_time": np.array(times, np.int64)}, known))
    slots = range(-30 * MINUTE, 30 * MINUTE, MINUTE)
    states = {slot: "filled" if slot in times else state_of(slot, known) for slot in slots}
    answered = [slot for slot in slots if state_of(slot, known) == "proven_empty"]
    alive = [*times, *answered]
    gaps = [slot for slot in slots if states[slot] == "missing" and alive and min(alive) < slot < max(alive)]
    inside = [slot for start, end in found.gaps for slot in slots if start <= to_datetime(slot) < end]
    assert inside == gaps
    assert all(end > start for start, end in found.gaps)
    start, end = found.slots.time_range
    covered = [slot for slot in slots if start <= to_datetime(slot) < end and state_of(slot, known) != "missing"]
    assert found.covered == len(covered)
    assert found.slots.rows == len(times)
    assert (found.first, found.last) == ((to_datetime(times[0]), to_datetime(times[-1])) if times else (None, None))


prices = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0])


@given(st.lists(st.tuples(prices, prices, prices, prices, prices), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_anomalies_are_those_found_by_hand(candles: list[tuple[float, ...]]) -> None:
    names = ("open", "high", "low", "close", "volume")
    columns: dict[str, Any] = dict(zip(names, zip(*candles, strict=True), strict=True))
    found = asyncio.run(verified(columns | {"open_time": [slot * MINUTE for slot in range(len(candles))]}, []))
    wrong = {
        AnomalyKind.HIGH: [high < max(first, last, low) for first, high, low, last, _ in candles],
        AnomalyKind.LOW: [low > min(first, last, high) for first, high, low, last, _ in candles],
        AnomalyKind.PRICE: [min(first, high, low, last) < 0 for first, high, low, last, _ in candles],
        AnomalyKind.VOLUME: [volume < 0 for *_, volume in candles],
    }
    expected = [
        Anomaly(kind, sum(which), to_datetime(which.index(True) * MINUTE))
        for kind, which in wrong.items()
        if any(which)
    ]
    assert list(found.anomalies) == expected
    assert found.clean is (not expected)


async def test_what_lies_outside_of_the_listed_life_is_no_gap() -> None:
    columns: dict[str, Any] = {name: np.ones(2) for name in REQUIRED_COLUMNS} | {"open_time": [0, 9 * MINUTE]}
    assert (await verified(columns, [])).gaps == ((to_datetime(MINUTE), to_datetime(9 * MINUTE)),)
    lived = replace(MARKET, listed=3 * MINUTE, delisted=6 * MINUTE)
    assert (await verified(columns, [], lived)).gaps == ((to_datetime(3 * MINUTE), to_datetime(6 * MINUTE)),)
