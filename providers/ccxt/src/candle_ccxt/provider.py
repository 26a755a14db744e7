"""Any exchange that ccxt knows: markets, candles, the exchange's clock."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import aiohttp
from pydantic import AnyHttpUrl, Field, PositiveFloat

from candle_ccxt import describe, markets
from candle_ccxt.calls import COST, Call, calling
from candle_ccxt.errors import PAUSE, translated
from candle_ccxt.exchange import configuration, metered, redirected, session
from candle_ccxt.loading import load
from candle_ccxt.paging import KNOWN, WAYS, Heard, Paging
from candle_ccxt.rows import batch_of
from candle_hookspecs import (
    BadRequestError,
    CandleBatch,
    ConfigError,
    FetchRequest,
    Kind,
    Market,
    MarketGoneError,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    RateLimitedError,
    WarmupScope,
    hookimpl,
)
from candle_hookspecs import Settings as PluginSettings

OWN_NAME: Final = "ccxt"
"""Under this name it stands for no exchange."""

FRESH: Final = 600_000
"""Milliseconds for which a listing answers for a market that is asked for by name."""

Ways = Literal["forward", "backward", "bounded", "newest"]
Tradetype = Literal["SPOT", "SWAP", "FUTURE"]


class CcxtProvider:
    """One exchange through ccxt's class for it, without a key.

    It stands under the name of the exchange: ``[providers.kraken] plugin = "ccxt"``.
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.kraken]``.

        Attributes:
            exchange: ccxt's id, where the table has another name.
            tradetypes: kinds of market to list; all that the exchange has, if left out.
            paging: how its candles are paged, where ccxt's source was not looked at: see `candle_ccxt.paging`.
            page_limit: most candles in one answer, where ccxt does not know or is wrong.
            options: ccxt's own ``options`` for it.
            timeout: seconds until an unanswered request is given up.
            rest_url: a host to ask instead of the exchange's; paths stay as they are.
        """

        exchange: str | None = None
        tradetypes: tuple[Tradetype, ...] | None = Field(default=None, min_length=1)
        paging: Ways | None = None
        page_limit: int | None = Field(default=None, ge=1)
        options: Mapping[str, Any] = {}
        timeout: PositiveFloat = 20.0
        rest_url: AnyHttpUrl | None = None

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        self._listed_at: int | None = None
        self._listing = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._id = settings.exchange or context.name
        self._paging: Paging = WAYS[settings.paging or KNOWN.get(self._id, "bounded")]
        if self._id == OWN_NAME:
            self.capabilities = describe.nothing()
            return
        exchange = metered(load(self._id), context)(configuration(settings.timeout, settings.options))
        if not exchange.has.get("fetchOHLCV") or not describe.timeframes(exchange):
            raise ConfigError(f"ccxt has no candles of {self._id!r}")
        self._tradetypes: tuple[str, ...] = settings.tradetypes or describe.tradetypes(exchange)
        self._most = settings.page_limit or describe.page_size(exchange, self._tradetypes)
        self.capabilities = describe.capabilities(exchange, self._paging, self._most, self._tradetypes)
        exchange.most_at_once = self.capabilities.limits[0].amount
        exchange.options.update(describe.parts_to_list(exchange, self._tradetypes))
        if settings.rest_url is not None:
            exchange.urls["api"] = redirected(exchange.urls["api"], str(settings.rest_url))
        self._ccxt = exchange

    # ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        """One answer of `fetch_ohlcv`, read by the exchange's way of paging.

        The first asks for the markets as well, without which ccxt knows no candles; that is paid for beside.

        Raises:
            BadRequestError: not candles of a span counted from an end that it can count from, or refused.
            ProviderError: any other of its children; `MarketGoneError` for a market that is not listed any more.
        """
        self._check(request)
        await self._list(unless_known=True)
        exchange, market = self._exchange, request.market
        listed = exchange.markets.get(market.ccxt_symbol)
        # A name may have passed to another market meanwhile.
        if listed is None or listed["id"] != market.native_id:
            raise MarketGoneError(
                f"{self._id} lists no {market.ccxt_symbol!r} that is {market.native_id!r} (any more); what is stored "
                "stays"
            )
        step = int(exchange.parse_timeframe(request.timeframe)) * 1000
        ask = self._paging.ask(request, step, self._most)
        parameters = {} if ask.until is None else {"until": ask.until}
        with calling(request.costs.get(COST, 0)) as call, translated(call, request):
            answer = await exchange.fetch_ohlcv(market.ccxt_symbol, request.timeframe, ask.since, ask.limit, parameters)
        batch = batch_of(answer if call.rows is None else call.rows)
        return self._paging.read(request, ask, Heard(batch, call.moment, call.size), step)

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
        now = self.context.clock.now()
        known = self._matching(query) if self._listed_at is not None and now - self._listed_at < FRESH else []
        if query.name is not None and known:
            return known
        await self._list()
        return self._matching(query)

    @hookimpl
    async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Read the exchange's clock, from the head of a listing where nothing else tells it; the markets if asked.

        Raises:
            ProviderError: any of its children.
        """
        if self._exchange.has.get("fetchTime") and not scope.markets:
            with self._own("its clock") as call:
                await self._exchange.fetch_time()
        else:
            call = await self._list()
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
        opened, self._session = self._session, None
        if opened is not None:
            self._ccxt.session = None
            await opened.close()

    # ── ccxt ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _exchange(self) -> Any:
        """The instance of ccxt, with a session of ours.

        Raises:
            ConfigError: the plugin's own name stands for no exchange.
        """
        if self._id == OWN_NAME:
            raise ConfigError(
                'name the exchange: its table is called by ccxt\'s id of it, as in [providers.kraken] plugin = "ccxt"'
            )
        if self._session is None:
            self._session = self._ccxt.session = session()
            self._ccxt.own_session = False
        return self._ccxt

    async def _list(self, *, unless_known: bool = False) -> Call:
        """Ask for all markets, one at a time."""
        async with self._listing:
            with self._own("its markets") as call:
                if not unless_known or self._listed_at is None:
                    await self._exchange.load_markets(reload=True)
                    self._listed_at = self.context.clock.now()
        return call

    @contextmanager
    def _own(self, what: str) -> Iterator[Call]:
        """A call on our own account: a pause that the exchange wants holds for all."""
        with calling() as call:
            try:
                with translated(call, f"{what} at {self._id}"):
                    yield call
            except RateLimitedError as error:
                self.context.budget.pause(error.retry_after or PAUSE)
                raise

    def _matching(self, query: MarketQuery) -> list[Market]:
        found = markets.parse_all(
            self._exchange.markets.values(), self.context.name.upper(), int(self._exchange.precisionMode)
        )
        return [
            market
            for market in found
            if market.tradetype in self._tradetypes
            and query.tradetype in (None, market.tradetype)
            and query.status in (None, market.status)
            and (query.name is None or market.answers_to(query.name))
        ]

    def _check(self, request: FetchRequest) -> None:
        able = self.capabilities
        asked_well = request.kind is Kind.CANDLES and request.anchor in able.anchors and request.source in able.sources
        if not asked_well or request.span is None or request.timeframe not in able.timeframes:
            raise BadRequestError(
                f"{self._id} is asked for candles ({', '.join(able.timeframes)}) of a span counted from the "
                f"{' or the '.join(able.anchors)}, not for {request!r}"
            )
