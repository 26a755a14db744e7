"""Binance spot: markets, candles, tickers, order books, trades, the exchange's clock."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

import msgspec
from pydantic import AnyHttpUrl, PositiveFloat

from candle_binance import calls, markets, state, trades, wire
from candle_binance.calls import WEIGHT
from candle_binance.errors import error_for
from candle_hookspecs import (
    CONTRACT_VERSION,
    Anchor,
    BadRequestError,
    CandleBatch,
    FetchRequest,
    Kind,
    Limit,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    ProviderCapabilities,
    ProviderError,
    WarmupScope,
    hookimpl,
)
from candle_hookspecs import Settings as PluginSettings
from candle_http import Answer, Client, Refusal, used_in

PAGE_LIMIT: Final = 1000
"""More is not refused but cut to this without a word."""

TIMEFRAMES: Final = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip

CANDLES_WEIGHT: Final = 2
LISTING_WEIGHT: Final = 20
TIME_WEIGHT: Final = 1


class BinanceProvider:
    """Binance's spot markets over its REST API, without a key.

    Weights, limits and parameters: https://github.com/binance/binance-spot-api-docs, rest-api.md.
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.binance]``.

        Attributes:
            rest_url: the host to ask; ``https://data-api.binance.vision`` serves market data alone.
            timeout: seconds until an unanswered request is given up.
        """

        rest_url: AnyHttpUrl = AnyHttpUrl("https://api.binance.com")
        timeout: PositiveFloat = 20.0

    capabilities = ProviderCapabilities(
        contract=CONTRACT_VERSION,
        tradetypes=(markets.TRADETYPE,),
        timeframes=TIMEFRAMES,
        kinds=frozenset(Kind),
        page_limit=PAGE_LIMIT,
        batch={Kind.TICKERS: calls.TICKERS},
        rows={Kind.ORDERBOOKS: calls.MOST_LEVELS, Kind.TRADES: calls.TRADES},
        anchors=(Anchor.START, Anchor.END),
        limits=(Limit(WEIGHT, 6000, 60),),
        costs={
            Kind.CANDLES: {WEIGHT: CANDLES_WEIGHT},
            Kind.TICKERS: {WEIGHT: calls.TICKERS_WEIGHT},
            Kind.ORDERBOOKS: calls.book_costs(calls.BOOK_LEVELS),
            Kind.TRADES: {WEIGHT: calls.TRADES_WEIGHT},
        },
        settle=2_000,
        doubt=600_000,
        # 3,000 pages a minute are allowed; at 200 ms a page, ten at once use them up.
        concurrency=10,
        sources={"rest": 0},
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        feedback = used_in({WEIGHT: "x-mbx-used-weight-1m"})
        self._client = Client(
            str(settings.rest_url), settings.timeout, context, refuse=self._refusal, feedback=feedback
        )

    @hookimpl
    def candle_split(self, request: FetchRequest) -> list[FetchRequest] | None:
        """The calls for tickers, order books and trades, by what they weigh; candles are left to the kernel."""
        return None if request.kind is Kind.CANDLES else calls.split(request)

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        """One answer of any kind.

        Candles: up to a thousand nearest to the anchor; the far end is left open, so that rows prove it. Trades are
        aggregates: the fills of one order at one price, with the aggregate's number for an id.

        Raises:
            BadRequestError: it cannot be asked for over REST, or is refused by the exchange.
            ProviderError: any other of its children.
        """
        if request.source != "rest":
            raise BadRequestError(f"Binance is asked over REST only, not for {request!r}")
        ask = {
            Kind.CANDLES: self._candles,
            Kind.TICKERS: self._tickers,
            Kind.ORDERBOOKS: self._book,
            Kind.TRADES: self._trades,
        }
        return await ask[request.kind](request)

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Candles from the body of ``GET /api/v3/klines``, or from its rows already parsed.

        Raises:
            MalformedAnswerError: they are not such rows.
        """
        return wire.decode(raw)

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        """The spot markets asked for; spot has no listing dates.

        Raises:
            ProviderError: any of its children.
        """
        if query.tradetype not in (None, markets.TRADETYPE):
            return []
        found = await (self._all() if query.name is None else self._named(query.name))
        return [market for market in found if query.status in (None, market.status)]

    @hookimpl
    async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Read the exchange's clock and, if asked, the markets.

        Raises:
            ProviderError: any of its children.
        """
        answer = await self._client.get_own("/api/v3/time", costs={WEIGHT: TIME_WEIGHT})
        # Read after the answer: server_time + (now - local_time) then never runs ahead of the exchange.
        local_time = self.context.clock.now()
        try:
            server_time = msgspec.json.decode(answer.body, type=_Time).serverTime
        except msgspec.MsgspecError as error:
            raise MalformedAnswerError(f"not a time: {wire.beginning(answer.body)}") from error
        wanted = scope.markets and markets.TRADETYPE in (scope.tradetypes or self.capabilities.tradetypes)
        found = await self._all() if wanted else []
        return MarketInfo(server_time=server_time, local_time=local_time, markets=tuple(found))

    @hookimpl
    async def candle_close(self) -> None:
        """Close the session; a later request opens another."""
        await self._client.close()

    async def _candles(self, request: FetchRequest) -> Page:
        span, timeframe = request.span, request.timeframe
        if span is None or timeframe is None:
            raise BadRequestError(f"Binance is asked for candles of a timeframe and a span, not for {request!r}")
        if not 0 < request.limit <= PAGE_LIMIT:
            request = replace(request, limit=PAGE_LIMIT)
        parameters: dict[str, str | int] = {
            "symbol": request.market.native_id,
            "interval": timeframe,
            "limit": request.limit,
        }
        # Both ends of a candle request are inclusive on the wire.
        if request.anchor is Anchor.START:
            parameters["startTime"] = max(0, span.start)  # a negative one is refused; nothing was traded before 1970
        else:
            parameters["endTime"] = span.end - 1
        answer = await self._client.get("/api/v3/klines", parameters)
        batch = self.candle_decode(answer.body)
        close = wire.newest_close(answer.body)
        return Page.of(
            request,
            batch,
            answered_at=answer.moment,
            reach=None if close is None else close + 1,
            feedback=answer.feedback,
            size=answer.size,
        )

    async def _tickers(self, request: FetchRequest) -> Page:
        everything = request.token == calls.EVERYTHING
        names = json.dumps([market.native_id for market in request.markets], separators=(",", ":"), ensure_ascii=False)
        answer = await self._client.get("/api/v3/ticker/24hr", {} if everything else {"symbols": names})
        found = state.tickers_of(answer.body, request.markets, others=everything)
        return answer.page_of(request, tickers=found)

    async def _book(self, request: FetchRequest) -> Page:
        levels = min(request.limit or calls.BOOK_LEVELS, calls.MOST_LEVELS)
        parameters: dict[str, str | int] = {"symbol": request.market.native_id, "limit": levels}
        answer = await self._client.get("/api/v3/depth", parameters)
        return answer.page_of(request, orderbooks=[state.book_of(answer.body, request.market, answer.moment)])

    async def _trades(self, request: FetchRequest) -> Page:
        answer = await self._client.get("/api/v3/aggTrades", trades.parameters(request))
        found = state.trades_of(answer.body, request.market)
        return answer.page_of(request, trades=trades.kept(request, found), rest=trades.rest(request, found))

    async def _all(self) -> list[Market]:
        answer = await self._exchange_info({})
        return await asyncio.to_thread(markets.parse_all, answer.body, self._exchange)

    async def _named(self, name: str) -> list[Market]:
        for native_id in markets.candidates(name):
            try:
                answer = await self._exchange_info({"symbol": native_id})
            except MarketGoneError:
                continue
            found = [markets.parse(raw, self._exchange) for raw in markets.listing(answer.body)]
            if meant := [market for market in found if market.answers_to(name)]:
                return meant
        return []

    async def _exchange_info(self, parameters: dict[str, str | int]) -> Answer:
        """A listing; the limit it states is kept to from now on."""
        answer = await self._client.get_own("/api/v3/exchangeInfo", parameters, costs={WEIGHT: LISTING_WEIGHT})
        if limit := markets.weight_limit(answer.body):
            self.context.budget.observe(replace(answer.feedback, amounts={WEIGHT: limit}))
        return answer

    @property
    def _exchange(self) -> str:
        return self.context.name.upper()

    def _refusal(self, refused: Refusal) -> ProviderError:
        now = refused.moment or self.context.clock.now()
        return error_for(refused.status, refused.body, retry_after=refused.headers.get("Retry-After"), now=now)


class _Time(msgspec.Struct):
    serverTime: int  # noqa: N815  (the wire's own name)
