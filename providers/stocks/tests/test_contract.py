from typing import Any

from candle_hookspecs import FetchRequest, Kind, MarketQuery, PluginContext
from candle_stocks.provider import StocksProvider
from candle_testkit.contracts.market_data import MarketDataContract
from candle_testkit.contracts.provider import ProviderContract
from candle_testkit.contracts.scenes import KRX, YAHOO


class OfYahoo(ProviderContract):
    columns = ("open_time", "open", "high", "low", "close", "volume")

    def build(self, url: str, context: PluginContext) -> Any:
        return StocksProvider(StocksProvider.Settings.model_validate({"chart_url": url}), context)


class TestNewYork(OfYahoo):
    name = "nyse"
    scene = YAHOO


class TestSeoul(OfYahoo):
    name = "krx"
    scene = KRX


class TickersOfYahoo(MarketDataContract):
    def build(self, url: str, context: PluginContext) -> Any:
        """With cookie and crumb, which are fetched once, and not counted by the checks."""
        provider = StocksProvider(StocksProvider.Settings.model_validate({"chart_url": url}), context)
        (market,) = provider.candle_markets(MarketQuery(name=self.scene.main))
        provider.candle_fetch(FetchRequest(kind=Kind.TICKERS, markets=(market,)))
        return provider


class TestTickersOfNewYork(TickersOfYahoo):
    name = "nyse"
    scene = YAHOO


class TestTickersOfSeoul(TickersOfYahoo):
    name = "krx"
    scene = KRX
