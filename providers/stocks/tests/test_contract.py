from typing import Any

from candle_hookspecs import PluginContext
from candle_stocks.provider import StocksProvider
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
