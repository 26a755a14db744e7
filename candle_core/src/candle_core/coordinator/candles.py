"""Candles of many markets: collected by the one pipeline into the database, and read from there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from candle_core.collect import Collection, ProgressCallback, task_of
from candle_core.coordinator.flights import Flights
from candle_core.coordinator.lanes import Lanes
from candle_core.coordinator.meter import Meter, Outcome, metered
from candle_core.coordinator.models import LargeCandleRequest
from candle_core.coordinator.records import find_records
from candle_core.kernel import Kernel
from candle_core.quality import slots_of
from candle_core.ranges import Bounds
from candle_core.reading import AT_ONCE, read_all
from candle_hookspecs import (
    CandleBatch,
    CandleError,
    CollectionSummary,
    LoadRead,
    SlotReport,
    StorageError,
    Symbol,
    SymbolRecord,
)

MANY: Final = 100
"""Symbols from which on what is known of all that the exchange has in the timeframe is read by one question."""

_Key = tuple[Symbol, Bounds, bool]
"""The last: with slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a request is collected.

    Attributes:
        lanes: where as many collections as the request has symbols are expected.
        meter: counts the calls.
        callback: told of every commit.
        slots: also say where every slot stands, which takes about as long as reading the candles.
    """

    lanes: Lanes
    meter: Meter = field(default_factory=Meter)
    callback: ProgressCallback | None = None
    slots: bool = True


@dataclass(frozen=True, slots=True)
class Collected:
    """One market's candles, as they are stored now.

    `slots` and `summary` None: nothing of the range is closed yet; `slots` also where they were not wanted.
    """

    batch: CandleBatch
    slots: SlotReport | None = None
    summary: CollectionSummary | None = None

    @property
    def cost_nothing(self) -> bool:
        """Whether the exchange was not asked for any history."""
        return self.summary is None or not self.summary.api_calls_made


class CandleCollector:
    """Collects what is missing, then reads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._flights: Flights[_Key, Collected | CandleError] = Flights()
        self._reading = asyncio.Semaphore(AT_ONCE)

    async def get(self, request: LargeCandleRequest, tradetype: str, way: Way) -> Outcome[Collected]:
        """What came of each symbol.

        Args:
            request: whose candles.
            tradetype: the one that it means.
            way: how.

        Raises:
            StorageError: the database cannot be read or written. UnknownTimeframeError, PluginError: the exchange's.
        """
        self._kernel.provider(request.exchange).grid(request.timeframe)
        many = len(request.symbols) >= MANY
        records = await find_records(self._kernel, request, tradetype, (request.timeframe,), coverage=many)
        errors = {name: found for name, found in records.items() if isinstance(found, CandleError)}
        meant = {name: found[0] for name, found in records.items() if not isinstance(found, CandleError)}
        keys = {name: (record.symbol, request.bounds, way.slots) for name, record in meant.items()}
        works = {keys[name]: partial(self._collect, request, way, record) for name, record in meant.items()}
        shared = {key: flight for key in keys.values() if (flight := self._flights.find(key, request.priority))}
        own = [
            self._flights.start([key], request.priority, self._answer(key, work))
            for key, work in works.items()
            if key not in shared
        ]
        way.lanes.dismiss(len(request.symbols) - len(own))
        came = await self._flights.wait([*shared.values(), *own])
        free = {key for key, one in came.items() if isinstance(one, Collected) and one.cost_nothing} - shared.keys()
        hits, joined = (sum(key in kept for key in keys.values()) for kept in (free, shared))
        answers = {**errors, **{name: came[key] for name, key in keys.items()}}
        return replace(Outcome.of(answers, hits, joined), meter=way.meter)

    # ── one of them ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(
        self, key: _Key, collect: Callable[[], Awaitable[Collected]]
    ) -> dict[_Key, Collected | CandleError]:
        try:
            return {key: await collect()}
        except StorageError:
            raise
        except CandleError as error:
            return {key: error}

    async def _collect(self, request: LargeCandleRequest, way: Way, record: SymbolRecord) -> Collected:
        kernel = self._kernel
        async with way.lanes.working() as lane:
            if lane.waited:  # what was known when the request came may be old by now
                record = replace(record, coverage=None)
            task = await task_of(kernel, record, request.bounds)
            span = task.span
            if span is None:
                return Collected(CandleBatch.empty())
            task = replace(task, provider=metered(kernel, task.provider, way.meter))
            collection = await Collection.begin(
                kernel, kernel.writer(), task, widest=lane.share, priority=request.priority
            )
            lane.pipeline = collection.pipeline
            collection.report_to(way.callback)
            await collection.pipeline.run()
        async with self._reading:
            known = await collection.known() if way.slots else None
            batch = await read_all(kernel.storage(), LoadRead(symbol=record.symbol, span=span))
        slots = None if known is None else slots_of(record, task.grid, known, span, batch)
        return Collected(batch, slots, await collection.summary(batch))
