from candle_binance.provider import BinanceProvider
from candle_hookspecs import PluginContext
from candle_testkit.contracts.provider import ProviderContract


class TestBinance(ProviderContract):
    name = "binance"

    def build(self, url: str, context: PluginContext) -> BinanceProvider:
        return BinanceProvider(BinanceProvider.Settings.model_validate({"rest_url": url}), context)
