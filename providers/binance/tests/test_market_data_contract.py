from candle_binance.provider import BinanceProvider
from candle_hookspecs import PluginContext
from candle_testkit.contracts.market_data import MarketDataContract


class TestBinanceMarketData(MarketDataContract):
    name = "binance"

    def build(self, url: str, context: PluginContext) -> BinanceProvider:
        return BinanceProvider(BinanceProvider.Settings.model_validate({"rest_url": url}), context)
