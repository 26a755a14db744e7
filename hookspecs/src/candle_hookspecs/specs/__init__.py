"""The hooks: what a plugin may implement, what it is given, what it must return.

A plugin is a class named by an entry point. The kernel validates the plugin's TOML table with its `Settings`, builds
``Plugin(settings, context)`` and registers the instance. Hooks are its methods, marked with `hookimpl`. The kernel
calls a hook of *one* provider or *one* storage, and of every wrapper; a plugin never has to ask whether a call is
meant for it.

    from candle_hookspecs import PluginContext, ProviderCapabilities, Settings, hookimpl

    class ExampleProvider:
        class Settings(Settings):
            rest_url: str = "https://api.example.com"

        capabilities = ProviderCapabilities(contract=1, tradetypes=("SPOT",), timeframes=("1m", "1h"), page_limit=500)

        def __init__(self, settings: Settings, context: PluginContext) -> None:
            self.settings, self.context = settings, context

I/O hooks may be ``async def`` or ``def`` (then they run in a worker thread); `PURE_HOOKS` are plain ``def``. No hook
may be a generator, except a wrapper. A wrapper around an I/O hook receives an awaitable and returns one; it awaits the
inner one at most once, or closes it:

    import time
    from candle_hookspecs import ExtensionCapabilities, hookimpl

    class Timing:
        capabilities = ExtensionCapabilities(contract=1)

        def __init__(self, settings=None, context=None):
            self.seconds = []

        @hookimpl(wrapper=True)
        def candle_fetch(self, request):
            inner = yield
            return self._timed(inner)

        async def _timed(self, inner):
            start = time.perf_counter()
            page = await inner
            self.seconds.append(time.perf_counter() - start)
            return page

Retries belong to the kernel: a hook tries once and raises an error of `candle_hookspecs.errors`. All times are UTC
milliseconds, all spans half-open.
"""

from typing import Final, Protocol

from candle_hookspecs.specs.extensions import ExtensionSpecs
from candle_hookspecs.specs.providers import ProviderSpecs
from candle_hookspecs.specs.storages import StorageSpecs

PURE_HOOKS: Final = frozenset({"candle_split", "candle_decode", "candle_cache", "candle_budget_store"})
"""No I/O, no waiting: plain functions of their arguments."""


class CandleSpecs(ProviderSpecs, StorageSpecs, ExtensionSpecs, Protocol):
    """Every hook there is.

    Providers implement the first group, storages the second, extensions the third and any wrapper.
    """
