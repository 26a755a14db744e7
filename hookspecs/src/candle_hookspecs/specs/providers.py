"""What an exchange answers."""

from collections.abc import Sequence
from typing import Any, Protocol

from candle_hookspecs.candles import CandleBatch
from candle_hookspecs.markers import hookspec
from candle_hookspecs.requests import FetchRequest, MarketQuery, Page
from candle_hookspecs.symbols import Market
from candle_hookspecs.times import Session, Span
from candle_hookspecs.warmup import MarketInfo, WarmupScope


class ProviderSpecs(Protocol):
    """What an exchange answers."""

    @hookspec(firstresult=True)
    def candle_markets(self, query: MarketQuery) -> Sequence[Market]:
        """List markets, one if `query.name` is given, with precision, limits, status and dates as far as known.

        Requests are sent on the plugin's own account, so they pass ``context.budget`` first; what the answer's headers
        say of the limits is told to ``context.budget.observe``.

        Example:
            @hookimpl
            async def candle_markets(self, query):
                async with self.context.budget.under_way({"requests": 1}):
                    rows = await self._get("/markets")
                markets = [
                    Market(
                        archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base=row["base"], quote=row["quote"],
                        native_id=row["id"], ccxt_symbol=f"{row['base']}/{row['quote']}",
                        status=MarketStatus.TRADING, price_tick=Decimal(row["tick"]),
                    )
                    for row in rows
                ]
                return [
                    market for market in markets
                    if query.tradetype in (None, market.tradetype) and query.status in (None, market.status)
                    and (query.name is None or market.answers_to(query.name))
                ]

        Returns:
            Markets; an empty list when there is none of that name.

        Raises:
            UnknownMarketError: the provider knows where else that name is traded, and says so.
            ProviderError: any of its children.
        """
        ...

    @hookspec(firstresult=True)
    def candle_split(self, request: FetchRequest) -> Sequence[FetchRequest] | None:
        """Cut a wish into calls, each with its `limit` and `costs`. Pure.

        Optional: without it, and where it answers None, the kernel cuts: candles by `capabilities.page_limit`, tickers
        and order books into groups of `capabilities.batch` markets; trades stay one call for each market, whose answer
        tells its `rest`.

        `request.span` is wanted as a whole. The calls together span it without overlap, in time order. Calls anchored
        at the start are best cut just behind an open time (1 ms after it), calls anchored at the end just at one, so
        that a full page proves its window to the end. The kernel offers long spans in stretches and keeps what is not
        yet sent on a work-list: windows that other answers prove are never sent.

        Example:
            @hookimpl
            def candle_split(self, request):
                day = 86_400_000
                starts = range(request.span.start, request.span.end, day)
                return [
                    replace(request, span=Span(start, min(start + day, request.span.end)), limit=1440)
                    for start in starts
                ]

        Raises:
            BadInputError: the request cannot be expressed at this exchange.
        """
        ...

    @hookspec(firstresult=True)
    def candle_fetch(self, request: FetchRequest) -> Page:
        """Send one call and return its answer.

        The kernel has spent `request.costs` before; the plugin sends one request. Where one answer cannot tell all that
        a page needs, what it sends besides passes ``context.budget`` first.

        The answer to a candle request holds the up to `request.limit` rows nearest to `request.anchor` (START: the
        oldest from ``span.start`` on; END: the newest before ``span.end``), the candle still open included. Where the
        wire can leave the far end open, do: a row beyond it proves the gap before it. `Page.of` works out the rest.

        An answer with trades holds those of the span nearest to the anchor, and `Page.rest` the calls for the others;
        `Page.of_trades` works it out where the wire counts by time alone. Of tickers and order books there is one for
        each of the markets. Where the exchange refuses a call as a whole because it does not know one of several
        markets, raise `MarketGoneError`: the kernel asks again for either half of them.

        Example:
            @hookimpl
            async def candle_fetch(self, request):
                parameters = {"market": request.market.native_id, "interval": request.timeframe, "limit": request.limit}
                if request.anchor is Anchor.START:
                    parameters["from"] = request.span.start
                else:
                    parameters["to"] = request.span.end - 1
                answer = await self._get("/candles", parameters)
                return Page.of(request, self.candle_decode(answer.rows), answered_at=answer.server_time)

        Raises:
            TransientError: connection lost, 5xx, a cut body. MalformedAnswerError: not the exchange's format.
            RateLimitedError: 429 or 418, with the wait. MarketGoneError: delisted. BadRequestError,
            AuthenticationError.
        """
        ...

    @hookspec(firstresult=True)
    def candle_decode(self, raw: Any) -> CandleBatch:
        """Turn the wire's own candle rows into columns, be they parsed JSON or the body's bytes. Pure.

        Example:
            @hookimpl
            def candle_decode(self, raw):
                rows = json.loads(raw) if isinstance(raw, bytes) else raw
                table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
                return CandleBatch.from_columns(dict(zip(REQUIRED_COLUMNS, table.T, strict=True)))

        Raises:
            MalformedAnswerError: not such rows, or a null or NaN where a number belongs (numpy makes NaN of null);
                nothing is guessed.
        """
        ...

    @hookspec(firstresult=True)
    def candle_warmup(self, scope: WarmupScope) -> MarketInfo:
        """Do what makes the first collection quick: open the session, read the exchange's clock, list markets if asked.

        Optional: without it the local clock is taken for the exchange's until the first answer corrects it.

        Example:
            @hookimpl
            async def candle_warmup(self, scope):
                async with self.context.budget.under_way({"requests": 1}):
                    answer = await self._get("/time")
                return MarketInfo(server_time=answer["serverTime"], local_time=self.context.clock.now())

        Raises:
            ProviderError: any of its children.
        """
        ...

    @hookspec(firstresult=True)
    def candle_calendar(self, span: Span) -> Sequence[Session]:
        """When the exchange trades: its sessions that touch the span, in time order. Optional: without it, always.

        Candles are then expected from each opening on, one after the other until the close, and none in between. All
        markets of a provider keep the same hours.

        Example:
            @hookimpl
            def candle_calendar(self, span):
                return [Session(Span(open_ms, close_ms)) for open_ms, close_ms in self._sessions(span)]
        """
        ...
