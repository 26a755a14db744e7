"""Candles of Example Exchange, whose wire is that of Binance: a provider to copy."""

from decimal import Decimal
from functools import partial
from typing import Any

import candle_hookspecs as candle
from candle_http import Client, error_for, used_in


class ExampleProvider:
    """Spot markets, listed and asked for by REST."""

    class Settings(candle.Settings):
        """What may stand in the table `[providers.example]`."""

        rest_url: str = "https://api.example.com"

    capabilities = candle.ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m", "5m", "1h", "1d"), page_limit=1000,
        limits=(candle.Limit("weight", 6000, 60.0),), costs={candle.Kind.CANDLES: {"weight": 2}},
    )  # fmt: skip

    def __init__(self, settings: Settings, context: candle.PluginContext) -> None:
        refuse, feedback = partial(error_for, gone="-1121"), used_in({"weight": "X-MBX-USED-WEIGHT-1M"})
        self.client = Client(f"{settings.rest_url}/api/v3", 30.0, context, refuse=refuse, feedback=feedback)

    @candle.hookimpl
    async def candle_markets(self, query: candle.MarketQuery) -> list[candle.Market]:
        """The markets that the query means, out of the whole listing: this wire has no cheaper way."""
        answer = await self.client.get_own("/exchangeInfo", costs={"weight": 20})
        return [one for one in answer.parsed(lambda told: list(map(_market, told["symbols"]))) if query.selects(one)]

    @candle.hookimpl
    async def candle_fetch(self, request: candle.FetchRequest) -> candle.Page:
        """One page, counted from the start of the span; the far end stays open."""
        assert request.span is not None, "candles are asked for with a span"
        asked = {"symbol": request.market.native_id, "interval": request.timeframe or "", "limit": str(request.limit)}
        answer = await self.client.get("/klines", asked | {"startTime": str(request.span.start)})
        return answer.page(request, self.candle_decode(answer.body))

    @candle.hookimpl
    def candle_decode(self, raw: Any) -> candle.CandleBatch:
        """Rows, or the body they came in, as columns: the close time and what is no column are left out."""
        return candle.CandleBatch.from_rows(raw, dict(zip(candle.COLUMNS, (0, 1, 2, 3, 4, 5, 7, 8, 9), strict=True)))

    @candle.hookimpl
    async def candle_close(self) -> None:
        """Let go of the connections."""
        await self.client.close()


def _market(row: dict[str, Any]) -> candle.Market:
    steps = {one["filterType"]: one for one in row["filters"]}
    status = candle.MarketStatus.TRADING if row["status"] == "TRADING" else candle.MarketStatus.CLOSED
    return candle.Market(
        archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base=row["baseAsset"], quote=row["quoteAsset"],
        native_id=row["symbol"], ccxt_symbol=f"{row['baseAsset']}/{row['quoteAsset']}", status=status,
        price_tick=Decimal(steps["PRICE_FILTER"]["tickSize"]), amount_step=Decimal(steps["LOT_SIZE"]["stepSize"]),
    )  # fmt: skip
