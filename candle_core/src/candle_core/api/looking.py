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
            PluginError: no such provider. ProviderError: the exchange did not answer.
        """
        provider = self._kernel.provider(exchange)
        query = replace(query or MarketQuery(), tradetype=tradetype and tradetype.upper())
        markets = await self._kernel.directory.ask(provider, query)
        wanted = [market for market in markets if query.status in (None, market.status)]
        return sorted(wanted, key=lambda market: market.ccxt_symbol)

    async def precision(
        self, symbol: SymbolLike, *, exchange: str | None = None, tradetype: str | None = None
    ) -> Precision:
        """How a market wants prices and amounts, and what it takes at all: tick, step, smallest and largest order.

        By the exchange's listing where one is kept and believed, as a warm-up leaves it; else by what the database has
        of the market. One that neither knows is looked up at the exchange, and not registered.

        Args:
            symbol: see the class; the timeframe of a `Symbol` does not matter.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.

        Raises:
            BadInputError: unknown market, or several. PluginError: no such provider or storage. ProviderError: the
                exchange did not answer.
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
        """What the database knows, in the order of symbols, by one query of it; nobody else is asked.

        Names compare in any case, and None matches all. What is said beside `query` comes in the place of what it says.

        Args:
            query: the conditions in one value.
            archetype: ``CRYPTO``, ``STOCK``.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            base: e.g. ``BTC``.
            quote: e.g. ``USDT``.
            timeframe: ccxt's notation.
            status: of the market, as last listed.
            name: ccxt's symbol or the exchange's own; with ``*`` (any characters) or ``?`` (one) in it, a pattern for
                these or the title.
            statistics: also first and last open time, rows and revisions.
            coverage: also the facts, and the share of slots that they prove, by the exchange's clock as far as it is
                known; statistics with them.

        Raises:
            BadInputError: not a status. UnknownTimeframeError: not a timeframe. StorageError: it cannot be read.
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
        """Where every grid slot of a range stands, by what is stored; nobody is asked.

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
        """Look at every stored candle of a symbol, and at what of its history is missing; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first moment that is stored or proven.
            end: first open time no longer looked at; None: up to the last moment that is stored or proven.

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
        """How later answers changed stored candles, in the order of open time, then of the answers; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: first open time no longer looked at; None: to the last candle.

        Raises:
            UnknownSymbolError: the database holds no such symbol. MissingHookError: it forgets what it replaces.
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
        """What is stored of a range, fitted into so many bars, with what is known of each; nobody is asked.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: by `count`, or one slot for each bar.
            end: first open time no longer drawn; None: behind the newest stored candle.
            count: instead of one of the bounds: so many grid slots, forward from `start`, or back from `end`.
            bars: most bars, two or more. Each holds as many slots as it takes, rounded up to a length that people like.

        Raises:
            UnknownSymbolError: the database holds no such symbol. BadSpanError: an impossible range, or nothing is
                stored to tell where it ends.
        """
        if bars < 2:
            raise BadInputError(f"{bars!r} bars are no chart; give at least 2")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        bounds = Bounds.of(start, end, bars if start is None and count is None else count)
        return await make_chart(self._kernel, self._kernel.provider(record.symbol.exchange), record, bounds, bars)

    async def check_plugins(self) -> list[PluginState]:
        """Import every installed plugin, build it from its table, and say how it fares."""
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
        """What `collect_candles_only` would ask for with the same arguments, and what that costs; it asks for nothing.

        The exchange is asked for its clock, and for a market that the database does not know; nothing is written.

        Raises:
            BadInputError: unknown market or timeframe, an impossible range. PluginError: no such provider or storage.
            ProviderError: the exchange did not answer.
        """
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        return await estimate(self._kernel, query, Bounds.of(start, end, count, to), refetch=refetch)
