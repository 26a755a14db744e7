"""Upbit: markets, candles, tickers, order books, trades, the exchange's clock."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import AnyHttpUrl, PositiveFloat

from candle_hookspecs import (
    CONTRACT_VERSION,
    Anchor,
    BadRequestError,
    CandleBatch,
    CoverageState,
    Evidence,
    FetchRequest,
    Kind,
    Limit,
    MalformedAnswerError,
    Market,
    MarketInfo,
    MarketQuery,
    Page,
    PluginContext,
    Proof,
    ProviderCapabilities,
    Span,
    WarmupScope,
    Window,
    hookimpl,
    iso,
)
from candle_hookspecs import Settings as PluginSettings
from candle_http import Answer, Client
from candle_upbit import calls, markets, state, wire
from candle_upbit.calls import DAY, MARKETS
from candle_upbit.errors import refusal
from candle_upbit.headers import remaining

PAGE_LIMIT: Final = 200
"""More is not refused but cut to this without a word."""

PATHS: Final[Mapping[str, str]] = {
    "1s": "/v1/candles/seconds",
    **{f"{unit}m": f"/v1/candles/minutes/{unit}" for unit in (1, 3, 5, 10, 15, 30)},
    "1h": "/v1/candles/minutes/60",
    "4h": "/v1/candles/minutes/240",
    "1d": "/v1/candles/days",
    "1w": "/v1/candles/weeks",
    "1M": "/v1/candles/months",
    "1y": "/v1/candles/years",
}
"""Timeframe → route."""

REACH: Final[Mapping[str, int]] = {"1s": 89 * 86_400_000}
"""Timeframe → milliseconds for which its candles are surely kept: three months, of which the shortest have 89 days."""


class UpbitProvider:
    """Upbit's spot markets over its REST API, without a key.

    Routes, parameters and limits: https://docs.upbit.com, "Quotation API".
    """

    class Settings(PluginSettings):
        """What may stand under ``[providers.upbit]``.

        Attributes:
            rest_url: the host to ask; other regions have ``https://sg-api.upbit.com`` and the like.
            timeout: seconds until an unanswered request is given up.
        """

        rest_url: AnyHttpUrl = AnyHttpUrl("https://api.upbit.com")
        timeout: PositiveFloat = 20.0

    capabilities = ProviderCapabilities(
        contract=CONTRACT_VERSION,
        tradetypes=(markets.TRADETYPE,),
        timeframes=tuple(PATHS),
        kinds=frozenset(Kind),
        page_limit=PAGE_LIMIT,
        batch={Kind.TICKERS: calls.BATCH, Kind.ORDERBOOKS: calls.BATCH},
        rows={Kind.ORDERBOOKS: calls.LEVELS, Kind.TRADES: calls.PAGE},
        # A request has an end (`to`) and no beginning.
        anchors=(Anchor.END,),
        # Ten a second in each group. Its clock is told in whole seconds, so nobody here can know where its second
        # begins; never more than ten in any stretch of a second is right wherever that is.
        limits=tuple(Limit(group, 10, 1, Window.SLIDING) for group in (*calls.GROUPS.values(), MARKETS)),
        costs={kind: {group: 1} for kind, group in calls.GROUPS.items()},
        # Trades were seen booked 50 ms late, and candles read 70 s after their close did not change any more. So a
        # candle is taken as final after 5 s, and one that is not there as never traded after 70.
        settle=5_000,
        doubt=65_000,
        # Ten a second are used up by eight under way while an answer takes up to 800 ms.
        concurrency=8,
        sources={"rest": 0},
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.settings, self.context = settings, context
        # No header `Origin` is ever sent: with one, Upbit allows a single request in ten seconds.
        self._client = Client(str(settings.rest_url), settings.timeout, context, refuse=refusal, feedback=remaining)
        self._ahead = 0
        """Milliseconds by which the exchange's clock is ahead of ours, by its last answer."""

    @hookimpl
    def candle_split(self, request: FetchRequest) -> list[FetchRequest] | None:
        """The calls for tickers, order books and trades; candles are left to the kernel.

        Raises:
            BadRequestError: trades counted from the oldest on.
        """
        return None if request.kind is Kind.CANDLES else calls.split(request)

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        """One answer of any kind.

        Candles: up to two hundred, the newest before the span's end; how far they reach back is left open. An interval
        in which nothing was traded has no candle, so the rows prove the emptiness between them. Candles of seconds are
        kept for three months; what lies before is answered with nothing and told as out of reach. Trades: up to five
        hundred, the newest before the span's end, of today and the seven days before.

        Raises:
            BadRequestError: it cannot be asked for, or is refused by the exchange.
            ProviderError: any other of its children; `MarketGoneError` for a delisted market.
        """
        if request.source != "rest":
            raise BadRequestError(f"Upbit is asked over REST only, not for {request!r}")
        ask = {
            Kind.CANDLES: self._candles,
            Kind.TICKERS: self._tickers,
            Kind.ORDERBOOKS: self._books,
            Kind.TRADES: self._trades,
        }
        return await ask[request.kind](request)

    @hookimpl
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Candles from the body of one of the candle routes, or from its rows already parsed.

        Raises:
            MalformedAnswerError: they are not such rows.
        """
        return wire.batch_of(wire.rows_of(raw))

    @hookimpl
    async def candle_markets(self, query: MarketQuery) -> list[Market]:
        """The markets asked for; there is one request for all of them. Delisted ones are not known any more.

        Raises:
            ProviderError: any of its children.
        """
        if query.tradetype not in (None, markets.TRADETYPE):
            return []
        found = markets.parse_all((await self._listing()).body, self._exchange)
        return [market for market in found if query.selects(market)]

    @hookimpl
    async def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Read the exchange's clock from the head of a listing, since nothing else tells it, and the markets if asked.

        Raises:
            ProviderError: any of its children.
        """
        answer = await self._listing()
        # Read after the answer: server_time + (now - local_time) then never runs ahead of the exchange.
        local_time = self.context.clock.now()
        wanted = scope.markets and markets.TRADETYPE in (scope.tradetypes or self.capabilities.tradetypes)
        found = markets.parse_all(answer.body, self._exchange) if wanted else []
        return MarketInfo(server_time=answer.moment, local_time=local_time, markets=tuple(found))

    @hookimpl
    async def candle_close(self) -> None:
        """Close the session; a later request opens another."""
        await self._client.close()

    async def _candles(self, request: FetchRequest) -> Page:
        span, path = request.span, PATHS.get(request.timeframe or "")
        if request.anchor is not Anchor.END or span is None or path is None:
            raise BadRequestError(
                f"Upbit is asked for candles ({', '.join(PATHS)}) of a span counted from its end, not for {request!r}"
            )
        if not 0 < request.limit <= PAGE_LIMIT:
            request = replace(request, limit=PAGE_LIMIT)
        # `to` is exclusive and has whole seconds, as all openings have: rounding it up lets nothing else in.
        to = -(-span.end // 1000) * 1000
        answer = await self._get(path, {"market": request.market.native_id, "to": iso(to), "count": request.limit})
        rows = wire.rows_of(answer.body)
        if others := {row.market for row in rows} - {request.market.native_id}:
            raise MalformedAnswerError(f"candles of {sorted(others)!r} came in the answer to {request!s}")
        page = Page.of(
            request, wire.batch_of(rows), answered_at=answer.moment, feedback=answer.feedback, size=answer.size
        )
        return _within_reach(page)

    async def _tickers(self, request: FetchRequest) -> Page:
        if request.token == calls.EVERYTHING:
            answer = await self._get("/v1/ticker/all", calls.quotes(request))
            found = state.tickers_of(answer.body, request.markets, others=True)
        else:
            answer = await self._get("/v1/ticker", calls.named(request))
            found = state.tickers_of(answer.body, request.markets)
        return answer.page_of(request, tickers=found)

    async def _books(self, request: FetchRequest) -> Page:
        levels = min(request.limit or calls.LEVELS, calls.LEVELS)
        answer = await self._get("/v1/orderbook", {**calls.named(request), "count": levels})
        return answer.page_of(request, orderbooks=state.books_of(answer.body, request.markets))

    async def _trades(self, request: FetchRequest) -> Page:
        now = self._now()
        query = calls.ticks(request, now)
        answer = await self._get("/v1/trades/ticks", query)
        if request.span is not None and answer.moment // DAY != now // DAY:
            raise MalformedAnswerError(
                f"it is {iso(answer.moment)} at the exchange, not {iso(now)}, so another day was told than asked for in"
                f" {request!s}"
            )
        found = state.ticks_of(answer.body, request.market)
        if calls.strayed(query, found.trades, now):
            found = state.Ticks([], None)
        return answer.page_of(
            request,
            trades=calls.kept(request, found.trades),
            rest=calls.rest(request, found.trades, found.cursor, answer.moment + 999),
        )

    async def _get(self, path: str, parameters: Mapping[str, str | int]) -> Answer:
        """A request that was paid for; it tells the exchange's clock too."""
        return self._heard(await self._client.get(path, parameters))

    def _heard(self, answer: Answer) -> Answer:
        self._ahead = answer.moment - self.context.clock.now()
        return answer

    def _now(self) -> int:
        """The exchange's clock, by its last answer."""
        return self.context.clock.now() + self._ahead

    @property
    def _exchange(self) -> str:
        return self.context.name.upper()

    async def _listing(self) -> Answer:
        """A request on our own account."""
        answer = await self._client.get_own("/v1/market/all", {"is_details": "true"}, costs={MARKETS: 1})
        return self._heard(answer)


def _within_reach(page: Page) -> Page:
    """The page, with the emptiness that it asserts beyond the reach of its timeframe told as what it is.

    What has left the reach never comes back, so one answer settles everything before it.
    """
    reach = REACH.get(page.request.timeframe or "")
    if reach is None or page.asserted is None:
        return page
    edge, silent = page.answered_at - reach, page.asserted
    if silent.start >= edge:
        return page
    gone = Span(min(0, silent.start), min(edge, silent.end))
    asserted = Span(gone.end, silent.end) if gone.end < silent.end else None
    proof = Proof(gone, Evidence.DECLARED, CoverageState.OUT_OF_REACH)
    return replace(page, proofs=(*page.proofs, proof), asserted=asserted)
