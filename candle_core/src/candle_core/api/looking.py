"""Looking: at the exchange, and at what is stored, without fetching any history."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from candle_core.api.base import Base
from candle_core.chart import Chart, make_chart
from candle_core.checkup import PluginState, check_plugins
from candle_core.estimate import estimate
from candle_core.precision import Precision
from candle_core.quality import slot_report, verify
from candle_core.ranges import Bounds, open_span
from candle_core.revisions import read_revisions
from candle_core.search import narrowed, search
from candle_hookspecs import (
    BadInputError,
    CollectionPlan,
    Market,
    MarketQuery,
    MarketStatus,
    Moment,
    Revision,
    SlotReport,
    Span,
    SymbolLike,
    SymbolQuery,
    SymbolSummary,
    VerifyReport,
)


class Looking(Base):
    """Calls that change nothing."""

    async def markets(
        self, exchange: str, tradetype: str | None = None, *, query: MarketQuery | None = None
    ) -> Sequence[Market]:
        """What the exchange lists now, sorted by name.

        Raises:
            PluginError: no such provider.
            ProviderError: the exchange did not answer.
        """
        provider = self._kernel.provider(exchange)
        query = replace(query or MarketQuery(), tradetype=tradetype and tradetype.upper())
        markets = await self._kernel.directory.ask(provider, query)
        wanted = [market for market in markets if query.status in (None, market.status)]
        return sorted(wanted, key=lambda market: market.ccxt_symbol)

    async def precision(
        self, symbol: SymbolLike, *, exchange: str | None = None, tradetype: str | None = None
    ) -> Precision:
        """How a market wants prices and amounts: tick, step, smallest and largest order.

        The exchange's listing says it, as long as a cached one is fresh (a warm-up leaves one). Otherwise the database
        says what it knows of the market. A market that neither knows is looked up at the exchange, and not registered.

        Args:
            symbol: see `Candles`; the timeframe of a `Symbol` does not matter.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.

        Raises:
            BadInputError: no such market, or more than one.
            PluginError: no such provider or storage.
            ProviderError: the exchange did not answer.
        """
        return Precision.of(await self._catalogue.market(symbol, exchange, tradetype))

    async def symbols(
        self,
        query: SymbolQuery | None = None,
        *,
        archetype: str | None = None,
        exchange: str | None = None,
        tradetype: str | None = None,
        base: str | None = None,
        quote: str | None = None,
        timeframe: str | None = None,
        status: MarketStatus | str | None = None,
        name: str | None = None,
        statistics: bool | None = None,
        coverage: bool | None = None,
    ) -> Sequence[SymbolSummary]:
        """The symbols that the database knows, in order, by a single query of it; no exchange is asked.

        Names match in upper and lower case. None matches everything. An argument replaces what `query` says of it.

        Args:
            query: all conditions in one value.
            archetype: ``CRYPTO``, ``STOCK``.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            base: e.g. ``BTC``.
            quote: e.g. ``USDT``.
            timeframe: ccxt's notation.
            status: of the market, as the exchange last listed it.
            name: ccxt's symbol or the exchange's own. With ``*`` (any characters) or ``?`` (one character) in it, a
                pattern for these names and for the title.
            statistics: read the first and last open time, rows and revisions as well.
            coverage: read the facts as well, and which share of the slots they prove by the exchange's clock, as far as
                that is known. The statistics come with them.

        Raises:
            BadInputError: not a status.
            UnknownTimeframeError: not a timeframe.
            StorageError: the database cannot be read.
        """
        conditions = {
            "archetype": archetype, "exchange": exchange, "tradetype": tradetype, "base": base, "quote": quote,
            "timeframe": timeframe, "status": status, "name": name, "statistics": statistics, "coverage": coverage,
        }  # fmt: skip
        return await search(self._kernel, narrowed(query or SymbolQuery(), **conditions))

    async def slots(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment,
        end: Moment,
    ) -> SlotReport:
        """How many grid slots of a range are filled, proven empty or missing, by what is stored; no exchange is asked.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time.
            end: end of the range, exclusive.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        provider = self._kernel.provider(record.symbol.exchange)
        return await slot_report(self._kernel, provider, record, Span.of(start, end))

    async def verify(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> VerifyReport:
        """Check every stored candle of a symbol, and find what of its history is missing; no exchange is asked.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first moment that is stored or proven.
            end: end of the range, exclusive; None: up to the last moment that is stored or proven.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        record = await self._catalogue.known(replace(query, statistics=True))
        return await verify(self._kernel, self._kernel.provider(record.symbol.exchange), record, start, end)

    async def revisions(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> AsyncGenerator[Revision, None]:
        """How later answers of the exchange changed stored candles; it is not asked again.

        Sorted by open time, and for one candle by the moments of the answers.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: end of the range, exclusive; None: to the last candle.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
            MissingHookError: the database does not keep what it replaces.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        found = read_revisions(self._kernel.storage(), record.symbol, open_span(start, end))
        async with aclosing(found):
            async for revision in found:
                yield revision

    async def chart(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        bars: int = 100,
    ) -> Chart:
        """The stored candles of a range in so many bars, and what is known of each bar; no exchange is asked.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: `count` says it, or else there is one slot for each bar.
            end: end of the range, exclusive; None: behind the newest stored candle.
            count: so many grid slots in place of one end of the range: forward from `start`, or back from `end`.
            bars: at most so many bars, two or more. Each holds as many slots as needed, rounded up to a usual length
                such as 15 minutes or 4 hours.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
            BadInputError: fewer than two bars.
            BadSpanError: an impossible range; or no `end`, and nothing is stored that could say where it ends.
        """
        if bars < 2:
            raise BadInputError(f"{bars!r} bars are no chart; give at least 2")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        bounds = Bounds.of(start, end, bars if start is None and count is None else count)
        return await make_chart(self._kernel, self._kernel.provider(record.symbol.exchange), record, bounds, bars)

    async def check_plugins(self) -> list[PluginState]:
        """Import every installed plugin, build it from its table in the configuration, and say what came of it."""
        return check_plugins(self._kernel.config)

    async def plan_collection(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        refetch: bool = False,
    ) -> CollectionPlan:
        """What `collect_candles_only` would ask for with the same arguments, and what that would cost.

        No history is asked for and nothing is written. The exchange is asked for its clock, and for a market that the
        database does not know.

        Raises:
            BadInputError: unknown market or timeframe, or an impossible range.
            PluginError: no such provider or storage.
            ProviderError: the exchange did not answer.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        return await estimate(self._kernel, query, Bounds.of(start, end, count, to), refetch=refetch)
