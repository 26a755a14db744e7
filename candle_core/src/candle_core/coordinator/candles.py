"""Candles of many markets: collected by the one pipeline into the database, and read from there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from candle_core.collect import Collection, ProgressCallback, find_task
from candle_core.coordinator.flights import Flights
from candle_core.coordinator.markets import Directory
from candle_core.coordinator.meter import Meter, Outcome, metered
from candle_core.coordinator.models import LargeCandleRequest
from candle_core.kernel import Kernel
from candle_core.quality import slot_report
from candle_core.ranges import Bounds
from candle_core.reading import read_all
from candle_core.symbols import Catalogue
from candle_hookspecs import (
    CandleBatch,
    CandleError,
    CollectionSummary,
    LoadRead,
    Registration,
    SlotReport,
    StorageError,
    Symbol,
    SymbolQuery,
    SymbolRecord,
)

_Key = tuple[Symbol, Bounds]


@dataclass(frozen=True, slots=True)
class Collected:
    """One market's candles, as they are stored now.

    `slots` and `summary` None: nothing of the range is closed yet.
    """

    batch: CandleBatch
    slots: SlotReport | None = None
    summary: CollectionSummary | None = None

    @property
    def cost_nothing(self) -> bool:
        """Whether the exchange was not asked for any history."""
        return self.summary is None or not self.summary.api_calls_made


class Lanes:
    """How many requests may be under way at once, shared out to those who are at work."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = asyncio.Semaphore(most)
        self._busy = 0

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Wait until there is a lane, and be one of those who are at work."""
        async with self._free:
            self._busy += 1
            try:
                yield
            finally:
                self._busy -= 1

    def share(self) -> int:
        """Requests that one may have under way, so that all together keep to the bound."""
        return max(1, self._most // max(1, self._busy))


class CandleCollector:
    """Collects what is missing, then reads."""

    def __init__(self, kernel: Kernel, directory: Directory) -> None:
        self._kernel = kernel
        self._directory = directory
        self._flights: Flights[_Key, Collected | CandleError] = Flights()

    async def get(
        self, request: LargeCandleRequest, tradetype: str, most: int, callback: ProgressCallback | None
    ) -> Outcome[Collected]:
        """What came of each symbol.

        Args:
            request: whose candles.
            tradetype: the one that it means.
            most: requests under way at once.
            callback: told of every commit.

        Raises:
            StorageError: the database cannot be read or written. UnknownTimeframeError, PluginError: the exchange's.
        """
        self._kernel.provider(request.exchange).grid(request.timeframe)
        records = await self._records(request, tradetype)
        keys = {
            name: (found.symbol, request.bounds)
            for name, found in records.items()
            if not isinstance(found, CandleError)
        }
        meter = Meter()
        work = partial(self._collect, request, Lanes(most), meter, callback)
        shared = {key: flight for key in keys.values() if (flight := self._flights.find(key, request.priority))}
        own = [
            self._flights.start([key], request.priority, self._answer(key, work))
            for key in dict.fromkeys(keys.values())
            if key not in shared
        ]
        came = await self._flights.wait([*shared.values(), *own])
        hits = sum(isinstance(one, Collected) and one.cost_nothing for key, one in came.items() if key not in shared)
        errors = {name: found for name, found in records.items() if isinstance(found, CandleError)}
        answers = {**errors, **{name: came[key] for name, key in keys.items()}}
        return replace(Outcome.of(answers, hits, len(shared)), meter=meter)

    # ── which ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _records(self, request: LargeCandleRequest, tradetype: str) -> dict[str, SymbolRecord | CandleError]:
        """The registered symbol of each name. Several unknown ones cost one listing, and are registered together."""
        query = SymbolQuery(exchange=request.exchange, tradetype=tradetype, timeframe=request.timeframe)
        found = await self._known(query, request.symbols)
        unknown = [name for name in request.symbols if name not in found]
        if len(unknown) == 1:
            found |= {unknown[0]: await self._resolve(replace(query, name=unknown[0]))}
        elif unknown:
            listed = await self._directory.find(request.exchange, tradetype, unknown)
            found |= {name: error for name, error in listed.items() if isinstance(error, CandleError)}
            markets = [market for market in listed.values() if not isinstance(market, CandleError)]
            registrations = [Registration(market=market, timeframes=(request.timeframe,)) for market in markets]
            await self._kernel.storage().register(registrations)
            found |= await self._known(query, [name for name in unknown if name not in found])
        return {name: found[name] for name in request.symbols}

    async def _known(self, query: SymbolQuery, names: Sequence[str]) -> dict[str, SymbolRecord | CandleError]:
        records: dict[str, SymbolRecord] = {}
        for record in await self._kernel.storage().symbols(query):
            if record.market.native_id:  # else it was imported, and is known by its name alone
                records[record.market.ccxt_symbol.casefold()] = records[record.market.native_id.casefold()] = record
        return {name: records[name.casefold()] for name in names if name.casefold() in records}

    async def _resolve(self, query: SymbolQuery) -> SymbolRecord | CandleError:
        try:
            return await Catalogue(self._kernel).resolve(query)
        except StorageError:
            raise
        except CandleError as error:
            return error

    # ── one of them ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(
        self, key: _Key, collect: Callable[[Symbol], Awaitable[Collected]]
    ) -> dict[_Key, Collected | CandleError]:
        symbol, _ = key
        try:
            return {key: await collect(symbol)}
        except StorageError:
            raise
        except CandleError as error:
            return {key: error}

    async def _collect(
        self,
        request: LargeCandleRequest,
        lanes: Lanes,
        meter: Meter,
        callback: ProgressCallback | None,
        symbol: Symbol,
    ) -> Collected:
        kernel = self._kernel
        async with lanes.working():
            task = await find_task(kernel, Catalogue(kernel).query(symbol, None, None, None), request.bounds)
            span = task.span
            if span is None:
                return Collected(CandleBatch.empty())
            task = replace(task, provider=metered(kernel, task.provider, meter))
            collection = await Collection.begin(
                kernel, kernel.writer(), task, widest=lanes.share, priority=request.priority
            )
            collection.report_to(callback)
            await collection.pipeline.run()
        batch = await read_all(kernel.storage(), LoadRead(symbol=symbol, span=span))
        slots = await slot_report(kernel, task.provider, task.record, span)
        return Collected(batch, slots, await collection.summary())
