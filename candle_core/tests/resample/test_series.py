"""Reading made and flat candles from a database, against a walk over every slot: any proof, any rows, any range."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

import candle_core
from candle_hookspecs import (
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Market,
    Registration,
    SaveWrite,
    Span,
    to_ms,
)

from .rows import MINUTE

START = to_ms("2024-02-28T22:00")
MINUTES = 6 * 60
ANSWERED, NOT_LISTED, OUT_OF_REACH = CoverageState
LENGTHS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
BTC = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip


@dataclass
class Stored:
    """One timeframe: rows by open time, each (open, high, low, close, volume), and stretches of minutes by state."""

    timeframe: str
    rows: dict[int, tuple[float, ...]]
    facts: list[tuple[CoverageState, int, int]]
    spans: dict[CoverageState, list[range]] = field(init=False)

    def __post_init__(self) -> None:
        self.spans = {state: [] for state in CoverageState}
        for state, first, last in self.facts:
            self.spans[state].append(range(START + first * MINUTE, START + last * MINUTE))

    @property
    def step(self) -> int:
        return LENGTHS[self.timeframe] * MINUTE

    def slots(self, start: int, end: int) -> Iterator[int]:
        yield from range(start, end, self.step)

    def inside(self, start: int, end: int) -> list[tuple[int, tuple[float, ...]]]:
        return sorted((at, row) for at, row in self.rows.items() if start <= at < end)

    def was(self, state: CoverageState, at: int) -> bool:
        return any(at in span for span in self.spans[state])

    def knows(self, start: int, end: int) -> bool:
        return all(
            self.was(ANSWERED, at) or self.was(NOT_LISTED, at) or at in self.rows for at in self.slots(start, end)
        )

    def answered(self, start: int, end: int) -> bool:
        return all(self.was(ANSWERED, at) and not self.was(NOT_LISTED, at) for at in self.slots(start, end))

    def answer(self) -> Answer:
        names = ("open", "high", "low", "close", "volume")
        times = sorted(self.rows)
        columns: dict[str, Any] = {name: [self.rows[at][place] for at in times] for place, name in enumerate(names)}
        facts = [
            Coverage(Span(span.start, span.stop), state, Evidence.DECLARED, "binance:rest", 1)
            for state, spans in self.spans.items()
            for span in spans
        ]
        return Answer(
            symbol=BTC.symbol(self.timeframe), source="binance:rest", answered_at=1,
            batch=CandleBatch.from_columns({"open_time": times} | columns), coverage=tuple(facts),
        )  # fmt: skip


@st.composite
def stored(draw: st.DrawFn, timeframe: str) -> Stored:
    length = LENGTHS[timeframe]
    chance = Random(draw(st.integers(0, 10_000)))
    density = draw(st.sampled_from([0.05, 0.5, 0.95, 1.0]))
    rows = {}
    for minute in range(0, MINUTES, length):
        if chance.random() < density:
            stray = chance.randrange(1, length * MINUTE) if chance.random() < 0.03 else 0
            low = chance.randrange(100, 900)
            row = (low + 1, low + 9, low, low + chance.randrange(9), chance.randrange(1_000))
            rows[START + minute * MINUTE + stray] = tuple(map(float, row))
    marks = st.integers(0, MINUTES // 15).map(lambda quarter: quarter * 15 + (quarter % 4 == 3))
    states = st.sampled_from([ANSWERED, ANSWERED, ANSWERED, NOT_LISTED, OUT_OF_REACH])
    facts = draw(st.lists(st.tuples(states, marks, marks), min_size=1, max_size=5))
    return Stored(timeframe, rows, [(state, min(one, two), max(one, two)) for state, one, two in facts if one != two])


def walk(sources: list[Stored], timeframe: str, *, flat: bool) -> dict[int, tuple[float, ...]]:
    """Every slot by itself, from the coarsest source that knows all of it."""
    step = LENGTHS[timeframe] * MINUTE
    made: dict[int, tuple[float, ...]] = {}
    close: float | None = None
    last = max((at for source in sources for at in source.rows), default=START)
    last = max([last, *(span.stop for source in sources for span in source.spans[ANSWERED])])
    for start in range(START, last + 1, step):
        rows: list[tuple[float, ...]] = []
        for source in sorted(sources, key=lambda source: -source.step):
            if source.knows(start, start + step):
                rows = [row for _, row in source.inside(start, start + step)]
                break
        if rows:
            opens, highs, lows, closes, volumes = zip(*rows, strict=True)
            made[start] = (opens[0], max(highs), min(lows), closes[-1], sum(volumes))
            close = closes[-1]
        elif not any(source.answered(start, start + step) for source in sources):
            close = None
        elif flat and close is not None:
            made[start] = (close, close, close, close, 0.0)
    return made


def as_dict(batch: CandleBatch) -> dict[int, tuple[float, ...]]:
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume)
    values = zip(*(column.tolist() for column in columns), strict=True)
    return dict(zip(batch.open_time.tolist(), values, strict=True))


async def read(sources: list[Stored], requests: list[dict[str, Any]]) -> list[CandleBatch]:
    tables = {"storage": {"backend": "memory"}, "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"}}
    async with candle_core.open(tables) as candles:
        storage = candles.kernel.storage()
        await storage.register([Registration(market=BTC, timeframes=tuple(one.timeframe for one in sources))])
        for source in sources:
            await storage.save(SaveWrite(answers=(source.answer(),)))
        return [await candles.load("BTC/USDT", **request) for request in requests]


finer = st.sets(st.sampled_from(["1m", "5m", "15m"]), min_size=1).flatmap(
    lambda names: st.tuples(*(stored(name) for name in sorted(names)))
)


@settings(max_examples=150, deadline=None)
@given(finer, st.sampled_from(["30m", "1h"]), st.booleans(), st.sampled_from([1, 40, 100_000]), st.data())
def test_what_a_walk_makes(
    found: tuple[Stored, ...], timeframe: str, flat: bool, chunk: int, data: st.DataObject
) -> None:
    sources = list(found)
    wanted = walk(sources, timeframe, flat=flat)
    moments = st.integers(START - 60 * MINUTE, START + (MINUTES + 60) * MINUTE)
    start, end = sorted(data.draw(st.tuples(moments, moments)))
    count = data.draw(st.integers(1, 9))
    whole: dict[str, Any] = {"timeframe": timeframe, "fill": "flat" if flat else "none"}
    bounded = whole | {"start": start, "end": end + 1}
    requests = [whole, bounded, bounded | {"count": count}, whole | {"end": end + 1, "count": count}]
    with patch("candle_core.resample.series.CHUNK_ROWS", chunk):
        everything, part, oldest, newest = map(as_dict, asyncio.run(read(sources, requests)))
    assert everything == wanted
    assert part == {at: row for at, row in wanted.items() if start <= at <= end}
    assert list(oldest.items()) == list(part.items())[:count]
    assert list(newest.items()) == [(at, row) for at, row in wanted.items() if at <= end][-count:]


@settings(max_examples=100, deadline=None)
@given(stored("5m"), st.sampled_from([1, 7, 100_000]), st.integers(0, MINUTES), st.integers(1, 9))
def test_what_a_walk_fills_of_what_is_stored(source: Stored, chunk: int, minute: int, count: int) -> None:
    """Rows stay as they are, those off the grid too; where none opens in an answered slot stands a flat one."""
    wanted = dict(source.rows)
    close: float | None = None
    last = max([0, *source.rows, *(span.stop for span in source.spans[ANSWERED])])
    for slot in range(START, last + 1, source.step):
        rows = source.inside(slot, slot + source.step)
        if rows:
            close = rows[-1][1][3]
        elif not source.answered(slot, slot + source.step):
            close = None
        elif close is not None:
            wanted[slot] = (close, close, close, close, 0.0)
    wanted = dict(sorted(wanted.items()))
    start = START + minute * MINUTE
    request = {"timeframe": "5m", "fill": "flat"}
    ranges: list[dict[str, Any]] = [{}, {"start": start}, {"start": start, "count": count}, {"count": count}]
    requests = [request | bounds for bounds in ranges]
    with patch("candle_core.resample.series.CHUNK_ROWS", chunk):
        everything, part, oldest, newest = map(as_dict, asyncio.run(read([source], requests)))
    assert everything == wanted
    assert part == {at: row for at, row in wanted.items() if at >= start}
    assert list(oldest.items()) == list(part.items())[:count]
    assert list(newest.items()) == list(wanted.items())[-count:]


def test_a_close_right_before_what_is_proven_is_the_close_before() -> None:
    row = (1.0, 9.0, 1.0, 5.0, 7.0)
    source = Stored("1m", {START + 14 * MINUTE: row}, [(ANSWERED, 15, 31)])
    (batch,) = asyncio.run(read([source], [{"timeframe": "1m", "start": START + 20 * MINUTE, "fill": "flat"}]))
    assert as_dict(batch) == {START + minute * MINUTE: (5.0, 5.0, 5.0, 5.0, 0.0) for minute in range(20, 31)}
