"""One run over many symbols: exchanges side by side, and in each the shortest work first, within its budget."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from candle_core.collect import horizon
from candle_core.coverage import Known, repeated
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, first_error
from candle_core.provider import Provider
from candle_core.retry import with_retries
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.update.account import Account, ProgressCallback
from candle_core.update.buffer import RowBuffer
from candle_core.update.due import GONE, Due, Reach, due, gone, returned
from candle_hookspecs import (
    IN_FLIGHT,
    AuthenticationError,
    CandleError,
    MaintenanceTask,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    ProviderError,
    RateLimitedError,
    Registration,
    StorageError,
    SymbolRecord,
    TransientError,
    UpdateResult,
    WarmupScope,
)

Begin = Callable[[SymbolRecord, Grid], int]
"""From which moment on a symbol is wanted, UTC ms."""

SUSPICIOUS: Final = 3
"""Symbols in a row that could not be reached, after which the exchange is asked whether it is there at all."""
CROWDED: Final = 100
"""Facts of each symbol that could be one, after which they are united without waiting for the time of upkeep: of many
short runs, none is there when it comes."""
_BREATH: Final = 500
"""Symbols after which others get their turn while a run is planned."""
_WHOLE_EXCHANGE: Final = (RateLimitedError, AuthenticationError)
"""Errors that every other symbol of the exchange would meet as well."""


class _Exchange:
    """An exchange in this run.

    Attributes:
        queue: what is still to be asked. busy: how many symbols are being asked for.
        down: why it is asked no more; empty: it is not.
        silent: symbols in a row that could not be reached.
    """

    def __init__(self, provider: Provider, queue: Sequence[Due]) -> None:
        self.provider = provider
        self.queue = deque(queue)
        self.lanes = provider.capabilities.concurrency
        self.busy = 0
        self.down = ""
        self.silent = 0

    def share(self) -> int:
        """Requests that one symbol may have under way, so that all together keep to what pays."""
        return max(1, self.lanes // self.busy)


class Update:
    """Asks for what is due of many symbols, and writes it through one buffer.

    Cancelling the run is safe at any moment: what came by then is written, and the next run goes on from there.

    Args:
        buffer_size: rows.
        callback: told of every symbol when it starts, gets an answer, is done, or failed.
    """

    def __init__(self, kernel: Kernel, buffer_size: int, callback: ProgressCallback | None = None) -> None:
        self.account = Account(callback)
        self.buffer = RowBuffer(kernel, kernel.writer(), buffer_size, self.account.take)
        self._kernel = kernel

    async def run(self, records: Mapping[str, Sequence[SymbolRecord]], begin: Begin) -> UpdateResult:
        """Ask for everything that is due.

        Args:
            records: by exchange, each with its coverage.
            begin: from when on it is wanted.

        Raises:
            StorageError: something could not be written; what was written before stays.
        """
        began = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for name, found in records.items():
                    group.create_task(self._run(name, found, begin))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        finally:
            await self.buffer.drain()
        self._tidy([record for found in records.values() for record in found])
        result = self.account.result(self.buffer.receipt, time.perf_counter() - began)
        await self._kernel.emit(
            "update.finished", rows=result.total_rows, requests=result.requests, failed=len(result.failed_symbols)
        )
        return result

    def _tidy(self, records: Sequence[SymbolRecord]) -> None:
        before = self._kernel.clock.now() - IN_FLIGHT
        if sum(repeated(record.coverage or (), before) for record in records) > CROWDED * len(records):
            self._kernel.schedules[""].hasten(MaintenanceTask.COMPACT)

    # ── one exchange ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, name: str, records: Sequence[SymbolRecord], begin: Begin) -> None:
        self.account.total += len(records)
        try:
            provider = self._kernel.provider(name)
            exchange = _Exchange(provider, await self._plan(provider, records, begin))
        except CandleError as error:
            self.account.fail_all((record.symbol for record in records), str(error))
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(min(exchange.lanes, len(exchange.queue))):
                group.create_task(self._work(exchange))
        self.account.fail_all((left.symbol for left in exchange.queue), exchange.down)

    async def _plan(self, provider: Provider, records: Sequence[SymbolRecord], begin: Begin) -> list[Due]:
        """What is due, the shortest work first.

        Raises:
            ProviderError: the exchange does not tell the time. PluginError: its calendar.
        """
        reaches = {timeframe: await self._reach(provider, timeframe) for timeframe in _timeframes(records)}
        found = []
        for number, record in enumerate(records):
            reach = reaches[record.symbol.timeframe]
            if isinstance(reach, CandleError):
                self.account.fail(record.symbol, str(reach))
                continue
            known = Known.of(record.coverage or (), reach.sources)
            if one := due(record, reach, begin(record, reach.grid), known):
                found.append(one)
            else:
                self.account.skipped.append(record.symbol)
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        return sorted(found, key=lambda one: one.slots)

    async def _reach(self, provider: Provider, timeframe: str) -> "Reach | CandleError":
        """What can be asked of a timeframe; the error, where it is this timeframe's alone."""
        try:
            grid = await provider.open_grid(timeframe)
        except CandleError as error:
            return error
        settled = await horizon(self._kernel, provider, grid)
        now, capabilities = provider.clock.now(), provider.capabilities
        return Reach(grid, tuple(Pipeline.sources(provider)), settled, capabilities.settle + capabilities.doubt, now)

    async def _work(self, exchange: _Exchange) -> None:
        while exchange.queue and not exchange.down:
            one = exchange.queue.popleft()
            exchange.busy += 1
            try:
                await self._collect(exchange, one)
            except CandleError as error:
                if isinstance(error, StorageError) or self.buffer.failure is not None:
                    raise
                self.account.fail(one.symbol, str(error))
                await self._learn_from(exchange, one, error)
            finally:
                exchange.busy -= 1

    # ── one symbol ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _collect(self, exchange: _Exchange, one: Due) -> None:
        record = one.record
        if not record.market.native_id:  # imported, and known by its name alone
            catalogue = Catalogue(self._kernel)
            record = await catalogue.resolve(catalogue.query(record.symbol, None, None, None))
        pipeline = Pipeline(
            self._kernel, exchange.provider, self.buffer, record, one.wanted, one.covered,
            widest=exchange.share, register=self.buffer.register,
        )  # fmt: skip
        self.account.start(one.symbol, pipeline)
        await pipeline.run()
        exchange.silent = 0
        if GONE in record.market.extra:
            await self._keep(one, returned(record.market))
        missing = pipeline.work.missing() - pipeline.work.pending()
        if missing:
            self.account.fail(one.symbol, f"{missing.parts[0]!s} was neither proven nor refused; update it again")
        else:
            self.account.succeed(one.symbol)

    async def _learn_from(self, exchange: _Exchange, one: Due, error: CandleError) -> None:
        """What an error of one symbol says of later runs, or of the other symbols."""
        if isinstance(error, MarketGoneError):
            await self._keep(one, gone(one.record.market, exchange.provider.clock.now()))
        elif isinstance(error, _WHOLE_EXCHANGE):
            exchange.down = str(error)
        elif isinstance(error, TransientError) and not isinstance(error, MalformedAnswerError):
            exchange.silent += 1
            if exchange.silent >= SUSPICIOUS and not exchange.down:
                exchange.silent = 0
                exchange.down = await self._unreachable(exchange.provider)

    async def _unreachable(self, provider: Provider) -> str:
        """Why an exchange cannot be reached at all; empty: it can."""
        try:
            await with_retries(provider, lambda: provider.hooks.warmup(WarmupScope()))
        except ProviderError as error:
            return str(error)
        return ""

    async def _keep(self, one: Due, market: Market) -> None:
        await self.buffer.register(Registration(market=market, timeframes=(one.symbol.timeframe,)))


def _timeframes(records: Sequence[SymbolRecord]) -> list[str]:
    return list(dict.fromkeys(record.symbol.timeframe for record in records))


def by_exchange(records: Sequence[SymbolRecord]) -> dict[str, list[SymbolRecord]]:
    """The same, in their order, under the name of each exchange."""
    found: dict[str, list[SymbolRecord]] = {}
    for record in records:
        found.setdefault(record.symbol.exchange, []).append(record)
    return found
