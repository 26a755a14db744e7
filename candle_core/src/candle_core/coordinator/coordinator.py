"""One door for every kind of market data: candles through the database, the rest through memory."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypedDict, TypeVar

from candle_core.cache import MAX_BYTES, MAX_ENTRIES, MemoryCache
from candle_core.collect import ProgressCallback
from candle_core.coordinator.calls import Calls
from candle_core.coordinator.candles import CandleCollector, Way
from candle_core.coordinator.lanes import Lanes
from candle_core.coordinator.meter import Meter, Outcome, metered
from candle_core.coordinator.models import (
    LargeCandleRequest,
    LargeCandleResponse,
    LargeOrderbookRequest,
    LargeOrderbookResponse,
    LargeRequest,
    LargeTickerRequest,
    LargeTickerResponse,
    LargeTradeRequest,
    LargeTradeResponse,
    RequestReport,
    at_least_one,
    is_age,
)
from candle_core.coordinator.present import (
    Asking,
    MarketTrades,
    OrderBooks,
    Tickers,
    book_bytes,
    ticker_bytes,
    trades_bytes,
)
from candle_core.coordinator.records import Records, find_records
from candle_core.manager import Candles
from candle_core.symbols import Catalogue
from candle_hookspecs import BadInputError, CandleError, Kind, to_datetime

MAX_CONCURRENCY: Final = 3
"""Requests under way at once for one request, where it does not say."""
TTL: Final[Mapping[Kind, float]] = MappingProxyType({Kind.TICKERS: 2.0, Kind.ORDERBOOKS: 1.0, Kind.TRADES: 2.0})
"""Seconds for which an answer is remembered."""


class Options(TypedDict, total=False):
    """What else a coordinator is made with."""

    ttl: Mapping[Kind, float] | None
    max_entries: int
    max_bytes: int


_Value = TypeVar("_Value")
_Present = TypeVar("_Present", LargeTickerRequest, LargeOrderbookRequest, LargeTradeRequest)


class MarketDataCoordinator:
    """Answers requests of any size, of the four kinds of market data.

    A request is split at what one call of the exchange may hold, its calls run side by side inside the exchange's
    limits, failures are repeated where that may help, and what came is united and checked. What one market lacks is
    that market's failure, with its cause; the rest is there.

    Candles are collected into the database, so that nothing is asked twice. Tickers, order books and trades are
    remembered for a moment, in memory only. Of requests at the same time, those for the same thing cost one call.

    Args:
        candles: what `candle_core.open` gives. The coordinator holds nothing of its own that needs closing.
        max_concurrency: most requests under way at once for one request.
        ttl: kind → seconds for which its answers are remembered, instead of `TTL`; 0: not at all.
        max_entries, max_bytes: how much is remembered of each kind, at most.

    Raises:
        BadInputError: a bound below 1, a TTL of another kind or below 0.
    """

    def __init__(
        self,
        candles: Candles,
        max_concurrency: int = MAX_CONCURRENCY,
        *,
        ttl: Mapping[Kind, float] | None = None,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        at_least_one("max_concurrency", max_concurrency)
        for kind, age in (ttl or {}).items():
            if kind not in TTL or not is_age(age):
                raise BadInputError(f"a ttl of {age!r} for {str(kind)!r} is none; give seconds for {', '.join(TTL)}")
        self.candles = candles
        self.max_concurrency = max_concurrency
        self._kernel = candles.kernel
        self._collector = CandleCollector(self._kernel)
        seconds = {**TTL, **(ttl or {})}
        memory = partial(MemoryCache, max_entries=max_entries, max_bytes=max_bytes)
        self._tickers = Tickers(memory(ticker_bytes), seconds[Kind.TICKERS])
        self._orderbooks = OrderBooks(memory(book_bytes), seconds[Kind.ORDERBOOKS])
        self._trades = MarketTrades(memory(trades_bytes), seconds[Kind.TRADES])

    # ── the four kinds ──────────────────────────────────────────────────────────────────────────────────────────────

    async def get_candle_data(
        self, request: LargeCandleRequest, *, progress_callback: ProgressCallback | None = None
    ) -> LargeCandleResponse:
        """Collect what is not stored of these candles, and hand all of them back, about 72 bytes each.

        Args:
            request: which candles.
            progress_callback: called after each commit, of any of the symbols.

        Raises:
            BadInputError: a timeframe that the exchange does not have. ConfigError, PluginError: no such exchange or
                database. StorageError: the database cannot be read or written. What was committed before stays.
        """
        lanes = Lanes(self.concurrency(request), coming=len(request.symbols))
        return await self.collect(request, Way(lanes=lanes, callback=progress_callback))

    async def collect(self, request: LargeCandleRequest, way: Way) -> LargeCandleResponse:
        """`get_candle_data` in a profile's own way, e.g. as one of several requests that share their lanes."""
        began, tradetype = time.perf_counter(), self._meant(request, Kind.CANDLES)
        outcome = await self._collector.get(request, tradetype, way)
        candles = {name: one.batch for name, one in outcome.values.items()}
        moments = [moment for batch in candles.values() if len(batch) for moment in (batch.first, batch.last)]
        rows = sum(map(len, candles.values()))
        return LargeCandleResponse(
            candles=candles,
            slots={name: one.slots for name, one in outcome.values.items() if one.slots},
            summaries={name: one.summary for name, one in outcome.values.items() if one.summary},
            failures=outcome.failures,
            report=await self._report(request, Kind.CANDLES, tradetype, outcome, began, rows, moments),
        )

    async def get_ticker_data(self, request: LargeTickerRequest) -> LargeTickerResponse:
        """The last 24 hours of these markets.

        Raises:
            BadInputError: the exchange has no tickers. ConfigError, PluginError: no such exchange.
        """
        outcome, report = await self._present(request, Kind.TICKERS, self._tickers.get, lambda ticker: [ticker.at])
        return LargeTickerResponse(tickers=outcome.values, failures=outcome.failures, report=report)

    async def get_orderbook_data(self, request: LargeOrderbookRequest) -> LargeOrderbookResponse:
        """Both sides of these markets.

        Raises:
            BadInputError: the exchange has no order books. ConfigError, PluginError: no such exchange.
        """
        outcome, report = await self._present(request, Kind.ORDERBOOKS, self._orderbooks.get, lambda book: [book.at])
        return LargeOrderbookResponse(orderbooks=outcome.values, failures=outcome.failures, report=report)

    async def get_trade_data(self, request: LargeTradeRequest) -> LargeTradeResponse:
        """The trades of these markets, in as many calls as they need.

        Raises:
            BadInputError: the exchange has no trades. ConfigError, PluginError: no such exchange.
        """
        outcome, report = await self._present(
            request, Kind.TRADES, self._trades.get, lambda trades: [trade.at for trade in trades]
        )
        return LargeTradeResponse(trades=outcome.values, failures=outcome.failures, report=report)

    # ── what it cost ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _report(
        self,
        request: LargeRequest,
        kind: Kind,
        tradetype: str,
        outcome: Outcome[Any],
        began: float,
        rows: int,
        moments: Sequence[int],
    ) -> RequestReport:
        meter = outcome.meter
        report = RequestReport(
            kind=kind,
            exchange=request.exchange,
            tradetype=tradetype,
            symbols=len(request.symbols),
            failed=len(outcome.failures),
            rows=rows,
            requests=meter.requests,
            retries=meter.retries,
            cache_hits=outcome.hits,
            joined=outcome.joined,
            size=meter.size,
            duration_seconds=time.perf_counter() - began,
            request_seconds=tuple(meter.seconds),
            time_range=(to_datetime(min(moments)), to_datetime(max(moments) + 1)) if moments else None,
        )
        misses = report.symbols - report.cache_hits - report.joined
        self._kernel.statistics.hit(request.exchange, kind, report.cache_hits, misses)
        told = ("symbols", "failed", "rows", "requests", "retries", "cache_hits", "joined", "size")
        data = {name: getattr(report, name) for name in told}
        await self._kernel.emit("coordinator.finished", kind=kind, exchange=request.exchange, **data)
        return report

    # ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def tradetype(self, request: LargeRequest) -> str:
        """The trade type that a request means.

        Raises:
            ConfigError: it does not say, and the exchange trades several kinds of things.
        """
        return Catalogue(self._kernel).tradetype(request.symbols[0], request.exchange, request.tradetype or None)

    async def records(self, request: LargeRequest, timeframes: Sequence[str], *, coverage: bool = False) -> Records:
        """The registered symbols that a request means, in each of the timeframes; see `find_records`."""
        return await find_records(self._kernel, request, self.tradetype(request), timeframes, coverage=coverage)

    def _meant(self, request: LargeRequest, kind: Kind) -> str:
        kinds = self._kernel.provider(request.exchange).capabilities.kinds
        if kind not in kinds:
            raise BadInputError(f"{request.exchange!r} has no {kind}; it has {', '.join(sorted(kinds))}")
        return self.tradetype(request)

    def concurrency(self, request: LargeRequest) -> int:
        """Most requests under way at once for a request."""
        return request.max_concurrency or self.max_concurrency

    async def _present(
        self,
        request: _Present,
        kind: Kind,
        get: Callable[[_Present, Asking], Awaitable[Outcome[_Value]]],
        moments_of: Callable[[_Value], Sequence[int]],
    ) -> tuple[Outcome[_Value], RequestReport]:
        """What is never stored: find the markets, ask, and note which were not found."""
        began, tradetype = time.perf_counter(), self._meant(request, kind)
        found = await self._kernel.directory.find_each(request.exchange, tradetype, request.symbols)
        markets = {name: market for name, market in found.items() if not isinstance(market, CandleError)}
        meter = Meter()
        provider = metered(self._kernel, self._kernel.provider(request.exchange), meter)
        calls = Calls(self._kernel, provider, self.concurrency(request))
        outcome = await get(request, Asking(provider, calls, markets))
        unknown = {name: error for name, error in found.items() if isinstance(error, CandleError)}
        outcome = replace(outcome, failures={**unknown, **outcome.failures}, meter=meter)
        moments = [moment for value in outcome.values.values() for moment in moments_of(value)]
        return outcome, await self._report(request, kind, tradetype, outcome, began, len(moments), moments)
