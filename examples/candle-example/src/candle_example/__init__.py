"""Candles of Example Exchange, whose wire is that of Binance: a provider to copy."""

import json
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import numpy as np

import candle_hookspecs as candle


class ExampleProvider:
    """Spot markets, listed and asked for by REST."""

    class Settings(candle.Settings):
        """What may stand in the table `[providers.example]`."""

        rest_url: str = "https://api.example.com"

    capabilities = candle.ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m", "5m", "1h", "1d"), page_limit=1000,
        anchors=(candle.Anchor.START, candle.Anchor.END),
        limits=(candle.Limit("weight", 6000, 60.0),), costs={candle.Kind.CANDLES: {"weight": 2}},
    )  # fmt: skip

    def __init__(self, settings: Settings, context: candle.PluginContext) -> None:
        self._url, self.context = f"{settings.rest_url}/api/v3", context
        self._session: aiohttp.ClientSession | None = None

    @candle.hookimpl
    async def candle_markets(self, query: candle.MarketQuery) -> list[candle.Market]:
        """The markets that the query means, out of the whole listing: this wire has no cheaper way."""
        await self.context.budget.spend({"weight": 20})
        body, _, _ = await self._get("exchangeInfo", {})
        try:
            markets = [self._market(row) for row in json.loads(body)["symbols"]]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise candle.MalformedAnswerError(f"this is no listing: {body[:80]!r}") from error
        markets = [one for one in markets if query.name is None or one.answers_to(query.name)]
        return [one for one in markets if query.status in (None, one.status) and query.tradetype in (None, "SPOT")]

    def _market(self, row: dict[str, Any]) -> candle.Market:
        base, quote, filters = row["baseAsset"], row["quoteAsset"], {one["filterType"]: one for one in row["filters"]}
        return candle.Market(
            archetype="CRYPTO", exchange=self.context.name.upper(), tradetype="SPOT", base=base, quote=quote,
            native_id=row["symbol"], ccxt_symbol=f"{base}/{quote}",
            status=candle.MarketStatus.TRADING if row["status"] == "TRADING" else candle.MarketStatus.CLOSED,
            price_tick=Decimal(filters["PRICE_FILTER"]["tickSize"]),
            amount_step=Decimal(filters["LOT_SIZE"]["stepSize"]),
        )  # fmt: skip

    @candle.hookimpl
    async def candle_fetch(self, request: candle.FetchRequest) -> candle.Page:
        """One page, counted from one end of the span; the other end stays open."""
        assert request.span is not None, "candles are asked for with a span"
        asked = {"symbol": request.market.native_id, "interval": request.timeframe, "limit": request.limit}
        from_start = request.anchor is candle.Anchor.START
        asked |= {"startTime": request.span.start} if from_start else {"endTime": request.span.end - 1}
        body, at, told = await self._get("klines", asked)
        return candle.Page.of(request, self.candle_decode(body), answered_at=at, feedback=told, size=len(body))

    @candle.hookimpl
    def candle_decode(self, raw: Any) -> candle.CandleBatch:
        """The columns of a body or of its parsed rows. Element 6 is the close time; 10 and 11 have no column here."""
        try:
            rows = json.loads(raw) if isinstance(raw, bytes) else raw
            table = np.array(rows, dtype=np.float64).reshape(len(rows), 12).T[[0, 1, 2, 3, 4, 5, 7, 8, 9]]
            if not np.isfinite(table).all():
                raise ValueError("not all of them are numbers")
            return candle.CandleBatch.from_columns(dict(zip(candle.COLUMNS, table, strict=True)))
        except (TypeError, ValueError) as error:
            raise candle.MalformedAnswerError(f"these are no candles: {str(raw)[:80]!r}") from error

    @candle.hookimpl
    async def candle_warmup(self, scope: candle.WarmupScope) -> candle.MarketInfo:
        """The exchange's clock, beside ours."""
        await self.context.budget.spend({"weight": 1})
        _, server_time, _ = await self._get("ping", {})
        local_time = self.context.clock.now()
        markets = await self.candle_markets(candle.MarketQuery()) if scope.markets else []
        return candle.MarketInfo(server_time=server_time, local_time=local_time, markets=tuple(markets))

    @candle.hookimpl
    async def candle_close(self) -> None:
        """Lets go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, path: str, asked: dict[str, Any]) -> tuple[bytes, int, candle.LimitFeedback]:
        """The body, when the exchange answered, and what it says of its limits."""
        self._session = self._session or aiohttp.ClientSession(middlewares=(_once,), timeout=aiohttp.ClientTimeout(30))
        try:
            async with self._session.get(f"{self._url}/{path}", params=asked) as answer:
                body, status, headers = await answer.read(), answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            raise candle.TransientError(f"{path}: {error!r}") from error
        if status in (418, 429):
            wait = float(headers.get("Retry-After", 60))
            raise candle.RateLimitedError(f"{path}: slow down", retry_after=wait, banned=status == 418)
        if status != 200:
            refused = candle.MarketGoneError if b"-1121" in body else candle.BadRequestError  # -1121: no such symbol
            raise (candle.TransientError if status >= 500 else refused)(f"{path}: HTTP {status}: {body[:80]!r}")
        at = candle.to_ms(parsedate_to_datetime(headers["Date"]))
        told = candle.LimitFeedback(used={"weight": float(headers["X-MBX-USED-WEIGHT-1M"])}, server_time=at)
        self.context.budget.observe(told)
        return body, at, told


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again when its connection breaks: the budget would not know of it."""
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise candle.TransientError(f"{request.url.path}: {error!r}") from error
