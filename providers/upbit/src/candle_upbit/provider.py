"""Upbit: markets, candles, the exchange's clock."""

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
    RateLimitedError,
    Span,
    WarmupScope,
    Window,
    hookimpl,
    iso,
)
from candle_hookspecs import Settings as PluginSettings
from candle_upbit import markets, wire
from candle_upbit.http import Answer, Client

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

CANDLES: Final = "candles"
MARKETS: Final = "market"
"""The groups of limits, by the names that ``Remaining-Req`` gives them."""

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
        page_limit=PAGE_LIMIT,
        # A request has an end (`to`) and no beginning.
        anchors=(Anchor.END,),
        # Ten a second in each group. Its clock is told in whole seconds, so nobody here can know where its second
        # begins; never more than ten in any stretch of a second is right wherever that is.
        limits=(Limit(CANDLES, 10, 1, Window.SLIDING), Limit(MARKETS, 10, 1, Window.SLIDING)),
        costs={Kind.CANDLES: {CANDLES: 1}},
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
        self._client = Client(str(settings.rest_url), settings.timeout, context)

    @hookimpl
    async def candle_fetch(self, request: FetchRequest) -> Page:
        """Up to two hundred candles, the newest before the span's end; how far they reach back is left open.

        An interval in which nothing was traded has no candle, so the rows prove the emptiness between them. Candles of
        seconds are kept for three months; what lies before is answered with nothing and told as out of reach.

        Raises:
            BadRequestError: not candles of a span counted from its end, or refused by the exchange.
            ProviderError: any other of its children; `MarketGoneError` for a delisted market.
        """
        span, path = request.span, PATHS.get(request.timeframe or "")
        asked_well = request.kind is Kind.CANDLES and request.anchor is Anchor.END and request.source == "rest"
        if not asked_well or span is None or path is None:
            raise BadRequestError(
                f"Upbit's REST API is asked for candles ({', '.join(PATHS)}) of a span counted from its end,"
                f" not for {request!r}"
            )
        if not 0 < request.limit <= PAGE_LIMIT:
            request = replace(request, limit=PAGE_LIMIT)
        # `to` is exclusive and has whole seconds, as all openings have: rounding it up lets nothing else in.
        to = -(-span.end // 1000) * 1000
        answer = await self._client.get(
            path, {"market": request.market.native_id, "to": iso(to), "count": request.limit}
        )
        rows = wire.rows_of(answer.body)
        if others := {row.market for row in rows} - {request.market.native_id}:
            raise MalformedAnswerError(f"candles of {sorted(others)!r} came in the answer to {request!s}")
        page = Page.of(
            request, wire.batch_of(rows), answered_at=answer.moment, feedback=answer.feedback, size=answer.size
        )
        return _within_reach(page)

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
        return [
            market
            for market in found
            if query.status in (None, market.status) and (query.name is None or market.answers_to(query.name))
        ]

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

    @property
    def _exchange(self) -> str:
        return self.context.name.upper()

    async def _listing(self) -> Answer:
        """A request on our own account: it passes the gate itself."""
        await self.context.budget.spend({MARKETS: 1})
        try:
            answer = await self._client.get("/v1/market/all", {"is_details": "true"})
        except RateLimitedError as error:
            if error.retry_after is not None:
                self.context.budget.pause(error.retry_after)
            raise
        self.context.budget.observe(answer.feedback)
        return answer


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
