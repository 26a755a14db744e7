from candle_hookspecs import PluginContext
from candle_testkit.contracts.provider import ProviderContract
from candle_testkit.contracts.scenes import UPBIT
from candle_upbit.provider import UpbitProvider


class TestUpbit(ProviderContract):
    name = "upbit"
    columns = ("open_time", "open", "high", "low", "close", "volume", "quote_volume")
    scene = UPBIT

    def build(self, url: str, context: PluginContext) -> UpbitProvider:
        return UpbitProvider(UpbitProvider.Settings.model_validate({"rest_url": url}), context)
