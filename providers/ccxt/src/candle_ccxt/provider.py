"""Any exchange that ccxt knows: markets, candles, tickers, order books, trades, the exchange's clock."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import AnyHttpUrl, Field, PositiveFloat

from candle_ccxt import describe, state, trades
from candle_ccxt.calls import COST
from candle_ccxt.exchange import configuration, metered, redirected
from candle_ccxt.loading import load
from candle_ccxt.paging import KNOWN, WAYS, Ask, Heard, Paging, way_of
from candle_ccxt.rows import batch_of
from candle_ccxt.site import FRESH, Site
from candle_hookspecs import (
    BadRequestError,
    CandleBatch,
    ConfigError,
    FetchRequest,
    Kind,
    Market,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    WarmupScope,
    hookimpl,
)
from candle_hookspecs import Settings as PluginSettings

OWN_NAME: Final = "ccxt"
"""Under this name it stands for no exchange."""

Ways = Literal["forward", "backward", "bounded", "newest"]
TradeWays = Literal["forward", "backward", "newest"]
Tradetype = Literal["SPOT", "SWAP", "FUTURE"]


class CcxtProvider:
    """One exchange through ccxt's class for it; the keys of its account, if there is one, are ccxt's to use.

    It stands under the name of the exchange: ``[providers.kraken] plugin = "ccxt"``.
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.kraken]``.

        Attributes:
            exchange: ccxt's id, where the table has another name.
            tradetypes: kinds of market to list; all that the exchange has, if left out.
            paging: how its candles are paged, where ccxt's source was not looked at: see `candle_ccxt.paging`.
            page_limit: most candles in one answer, where ccxt does not know or is wrong.
            trades: how its trades are paged, where ccxt's source was not looked at: see `candle_ccxt.trades`.
            trades_limit: most trades in one answer, where that is not known or wrong.
            options: ccxt's own ``options`` for it.
            timeout: seconds until an unanswered request is given up.
            rest_url: a host to ask instead of the exchange's; paths stay as they are.
        """

        exchange: str | None = None
        tradetypes: tuple[Tradetype, ...] | None = Field(default=None, min_length=1)
        paging: Ways | None = None
        page_limit: int | None = Field(default=None, ge=1)
        trades: TradeWays | None = None
        trades_limit: int | None = Field(default=None, ge=1)
        options: Mapping[str, Any] = {}
        timeout: PositiveFloat = 20.0
        rest_url: AnyHttpUrl | None = None

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        self._id = settings.exchange or context.name
        self._paging: Paging = WAYS[settings.paging or KNOWN.get(self._id, "bounded")]
        self._there: Site | None = None
        if self._id == OWN_NAME:
            self.capabilities = describe.nothing()
            return
        exchange = metered(load(self._id), context)(configuration(settings.timeout, settings.options))
        if not exchange.has.get("fetchOHLCV") or not describe.timeframes(exchange):
            raise ConfigError(
                f"ccxt has no candles of {self._id!r}; name an exchange whose `has['fetchOHLCV']` is true"
            )
        self._tradetypes: tuple[str, ...] = settings.tradetypes or describe.tradetypes(exchange)
        self._most = settings.page_limit or describe.page_size(exchange, self._tradetypes)
        self._trade_way = trades.way_of(self._id, settings.trades, settings.trades_limit)
        self.capabilities = describe.capabilities(
            exchange, self._paging, self._most, self._trade_way.most, self._tradetypes
        )
        exchange.most_at_once = self.capabilities.limits[0].amount
        apart = self._tradetypes if describe.parts_of(exchange, self._tradetypes) else ()
        exchange.options.update(describe.listing_options(exchange, self._tradetypes))
        if self._id not in describe.MADE_OF_CURRENCIES:
            exchange.has["fetchCurrencies"] = False
        if settings.rest_url is not None:
            exchange.urls["api"] = redirected(exchange.urls["api"], str(settings.rest_url))
        self._there = Site(exchange, context, self._id, apart)

    # ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_split(self, request: FetchRequest) -> list[FetchRequest] | None:
        """The calls for tickers, order books or trades; candles are left to the kernel.

        Raises:
            BadRequestError: trades that cannot all be had the exchange's way.
        """
        able, kind = self.capabilities, request.kind
        if kind is Kind.CANDLES:
            return None
        request = replace(request, costs=able.cost(kind))
        if kind is Kind.TRADES:
            return [self._trade_way.call(replace(request, markets=(one,))) for one in request.markets]
        if kind is Kind.ORDERBOOKS:
            request = replace(request, limit=min(request.limit, able.most_rows(kind)))
        # Exchanges tell different kinds of market on different routes, and ccxt asks one of them in a call.
        alike: dict[tuple[str, str], list[Market]] = {}
        for market in request.markets:
            alike.setdefault((market.tradetype, market.settle), []).append(market)
        most = able.most_markets(kind)
        return [
            replace(request, markets=tuple(some[at : at + most]))
            for some in alike.values()
            for at in range(0, len(some), most)
        ]

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        """One answer of any kind that the exchange has.

        The first asks for the markets as well, without which ccxt knows none; that is paid for beside.

        Raises:
            BadRequestError: nothing that it can be asked for, or refused.
            ProviderError: any other of its children; `MarketGoneError` for a market that is not listed any more.
        """
        self._check(request)
        # What the kernel paid before a listing counts as of then: what is sent after it is paid for anew.
        prepaid = 0.0 if await self._site.know(request) else request.costs.get(COST, 0.0)
        ask = {
            Kind.CANDLES: self._candles,
            Kind.TICKERS: self._tickers,
            Kind.ORDERBOOKS: self._books,
            Kind.TRADES: self._trades,
        }
        return await ask[request.kind](request, prepaid)

    async def _candles(self, request: FetchRequest, prepaid: float) -> Page:
        """One answer of `fetch_ohlcv`, read by the exchange's way of paging."""
        exchange, market = self._site.open, request.market
        self._site.listed(request)
        step = self._step(request)
        ask = self.ask_for(request)
        parameters = {} if ask.until is None else {"until": ask.until}
        with self._site.asked(request, prepaid) as call:
            answer = await exchange.fetch_ohlcv(market.ccxt_symbol, request.timeframe, ask.since, ask.limit, parameters)
        batch = batch_of(answer if call.rows is None else call.rows)
        return self.way(market).read(request, ask, Heard(batch, call.moment, call.size), step)

    def ask_for(self, request: FetchRequest) -> Ask:
        """What `fetch_ohlcv` is asked for by a request for candles."""
        market, timeframe = request.market, request.timeframe or ""
        most = describe.asked_at_once(self._site.ccxt, market.tradetype, timeframe, self._most)
        return self.way(market).ask(request, self._step(request), most)

    def way(self, market: Market) -> Paging:
        """How its candles are paged; a table in the TOML decides for all of them."""
        return self._paging if self.settings.paging else way_of(self._id, market, self._paging)

    def _step(self, request: FetchRequest) -> int:
        """Milliseconds that ccxt takes a candle for."""
        return int(self._site.ccxt.parse_timeframe(request.timeframe)) * 1000

    async def _tickers(self, request: FetchRequest, prepaid: float) -> Page:
        exchange, listed = self._site.open, self._site.listed(request)
        names = [market.ccxt_symbol for market in listed]
        with self._site.asked(request, prepaid, exact=True) as call:
            if len(names) == 1 and exchange.has.get("fetchTicker"):
                found = {names[0]: await exchange.fetch_ticker(names[0])}
            else:
                found = await exchange.fetch_tickers(names)
        tickers = state.tickers_of(found, listed, call.moment)
        return Page(request=request, tickers=tickers, answered_at=call.moment, size=call.size)

    async def _books(self, request: FetchRequest, prepaid: float) -> Page:
        exchange, listed, wanted = self._site.open, self._site.listed(request), request.limit
        names = [market.ccxt_symbol for market in listed]
        levels = describe.levels_to_ask(exchange, request.markets[0].tradetype, wanted)
        with self._site.asked(request, prepaid, exact=True) as call:
            if len(names) == 1:
                found = {names[0]: await exchange.fetch_order_book(names[0], levels)}
            else:
                found = await exchange.fetch_order_books(names, levels)
        books = state.books_of(found, listed, call.moment, wanted)
        return Page(request=request, orderbooks=books, answered_at=call.moment, size=call.size)

    async def _trades(self, request: FetchRequest, prepaid: float) -> Page:
        market, ask = request.market, self._trade_way.ask(request)
        (listed,) = self._site.listed(request).values()
        with self._site.asked(request, prepaid, exact=True) as call:
            answer = await self._site.open.fetch_trades(market.ccxt_symbol, ask.since, ask.limit, dict(ask.parameters))
        found = state.trades_of(answer if call.rows is None else call.rows, market, listed)
        return self._trade_way.read(request, ask, trades.Told(found, call.moment, call.size))

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Candles from ccxt's own rows, as every `fetch_ohlcv` gives them, or from JSON of them.

        Raises:
            MalformedAnswerError: they are not such rows.
        """
        return batch_of(raw)

    # ── markets, the clock ──────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        """The markets asked for. All of them are asked for at once; for one by its name a recent listing will do.

        Raises:
            ProviderError: any of its children.
        """
        if query.name is not None and self._site.listed_within(FRESH) and (known := self._matching(query)):
            return known
        await self._site.list()
        return self._matching(query)

    @hookimpl
    async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Read the exchange's clock, from the head of a listing where nothing else tells it; the markets if asked.

        Raises:
            ProviderError: any of its children.
        """
        site = self._site
        if site.ccxt.has.get("fetchTime") and not scope.markets:
            with site.own("its clock") as call:
                await site.open.fetch_time()
        else:
            call = await site.list()
        # Read after the answer: server_time + (now - local_time) then never runs ahead of the exchange.
        local_time = self.context.clock.now()
        found = self._matching(MarketQuery()) if scope.markets else []
        wanted = scope.tradetypes or self._tradetypes
        return MarketInfo(
            server_time=call.moment,
            local_time=local_time,
            markets=tuple(one for one in found if one.tradetype in wanted),
        )

    @hookimpl
    async def candle_close(self) -> None:
        """Close the session; a later request opens another."""
        if self._there is not None:
            await self._there.close()

    @property
    def _site(self) -> Site:
        """The exchange.

        Raises:
            ConfigError: the plugin's own name stands for none.
        """
        if self._there is None:
            raise ConfigError(
                'name the exchange: its table is called by ccxt\'s id of it, as in [providers.kraken] plugin = "ccxt"'
            )
        return self._there

    def _matching(self, query: MarketQuery) -> list[Market]:
        return [
            market
            for market in self._site.markets()
            if market.tradetype in self._tradetypes
            and query.tradetype in (None, market.tradetype)
            and query.status in (None, market.status)
            and (query.name is None or market.answers_to(query.name))
        ]

    def _check(self, request: FetchRequest) -> None:
        able, kind = self.capabilities, request.kind
        if kind not in able.kinds or request.source not in able.sources:
            raise BadRequestError(f"{self._id} is asked for {', '.join(sorted(able.kinds))}, not for {request!r}")
        if kind is Kind.CANDLES and (
            request.anchor not in able.anchors or request.span is None or request.timeframe not in able.timeframes
        ):
            raise BadRequestError(
                f"{self._id} is asked for candles ({', '.join(able.timeframes)}) of a span counted from the "
                f"{' or the '.join(able.anchors)}, not for {request!r}"
            )
