from candle_hookspecs import PluginContext
from candle_testkit.contracts.market_data import MarketDataContract
from candle_testkit.contracts.scenes import UPBIT
from candle_upbit.provider import UpbitProvider


class TestUpbitMarketData(MarketDataContract):
    name = "upbit"
    scene = UPBIT

    def build(self, url: str, context: PluginContext) -> UpbitProvider:
        return UpbitProvider(UpbitProvider.Settings.model_validate({"rest_url": url}), context)
