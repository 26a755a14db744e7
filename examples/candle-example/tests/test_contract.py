"""The example keeps the contract, on the sandbox's wire of Binance."""

from candle_example import ExampleProvider
from candle_hookspecs import PluginContext
from candle_testkit.contracts.provider import ProviderContract


class TestExample(ProviderContract):
    name = "example"

    def build(self, url: str, context: PluginContext) -> ExampleProvider:
        return ExampleProvider(ExampleProvider.Settings(rest_url=url), context)
