"""From a TOML and what is installed to plugins that work together."""

from collections.abc import Callable
from typing import Any

import pytest

from candle_core.checkup import check_plugins
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import (
    BrokenPluginError,
    ConfigError,
    FetchRequest,
    MarketQuery,
    MissingPluginError,
    Span,
    UnknownTimeframeError,
)

Install = Callable[..., None]
MEMORY = {"storage": {"backend": "memory"}}

WATCHER = """
    from candle_hookspecs import ExtensionCapabilities, Settings, hookimpl

    class Watcher:
        class Settings(Settings):
            label: str = "unnamed"

        capabilities = ExtensionCapabilities(contract=1)

        def __init__(self, settings, context):
            self.label, self.fetched, self.events, self.closed = settings.label, [], [], 0
            instances.append(self)

        @hookimpl(wrapper=True)
        def candle_fetch(self, request):
            inner = yield
            return self._watched(inner)

        async def _watched(self, inner):
            page = await inner
            self.fetched.append(len(page.batch))
            return page

        @hookimpl
        async def candle_event(self, event):
            self.events.append(event.name)

        @hookimpl
        async def candle_close(self):
            self.closed += 1

    instances = []
"""
WATCHER_POINT = "[candle.extensions]\nwatcher = watcher_plugin:Watcher\n"


def kernel_of(clock: Any, **tables: Any) -> Kernel:
    return Kernel(load_config(MEMORY | tables), clock)


async def fetch(kernel: Kernel, exchange: str = "FAKE") -> int:
    provider = kernel.provider(exchange)
    (market,) = await provider.hooks.markets(MarketQuery(name="BTC/USDT"))
    request = FetchRequest(markets=(market,), timeframe="1m", span=Span(0, 600_000), limit=10)
    return len((await provider.hooks.fetch(request)).batch)


async def test_a_provider_needs_no_table(clock: Any, exchange: Any) -> None:
    kernel = kernel_of(clock)
    assert await fetch(kernel) == 10
    (provider,) = exchange.instances
    assert provider.settings.holes == ()
    assert (provider.context.name, provider.context.clock) == ("fake", clock)
    assert provider.context.budget is kernel.provider("fake").budget
    assert provider.context.logger.name == "candle.fake"
    assert kernel.provider("Fake") is kernel.provider("FAKE"), "built once"


async def test_one_class_may_stand_under_several_names(clock: Any, exchange: Any) -> None:
    kernel = kernel_of(clock, providers={"kraken": {"plugin": "fake", "holes": [0, 60_000]}})
    assert await fetch(kernel, "KRAKEN") == 8
    assert await fetch(kernel, "FAKE") == 10
    assert [one.context.name for one in exchange.instances] == ["kraken", "fake"]
    assert [len(one.requests) for one in exchange.instances] == [1, 1], "each has its own"
    assert kernel.provider("kraken").budget is not kernel.provider("fake").budget


async def test_an_extension_is_loaded_from_the_toml(clock: Any, exchange: Any, install: Install) -> None:
    install("candle-watcher", WATCHER_POINT, watcher_plugin=WATCHER)
    await fetch(kernel_of(clock))
    import watcher_plugin  # type: ignore[import-not-found]

    assert watcher_plugin.instances == [], "installed is not configured"
    kernel = kernel_of(clock, extensions={"watcher": {"label": "mine"}})
    await fetch(kernel)
    await kernel.emit("collection.finished")
    (watcher,) = watcher_plugin.instances
    assert (watcher.label, watcher.fetched, watcher.events) == ("mine", [10], ["collection.finished"])


async def test_everybody_is_closed_once(clock: Any, exchange: Any, install: Install) -> None:
    install("candle-watcher", WATCHER_POINT, watcher_plugin=WATCHER)
    kernel = kernel_of(clock, extensions={"watcher": {}}, providers={"kraken": {"plugin": "fake"}})
    kernel.provider("fake")
    kernel.provider("kraken")
    kernel.storage()
    await kernel.close()
    import watcher_plugin

    assert [one.closed for one in exchange.instances] == [1, 1]
    assert [one.closed for one in watcher_plugin.instances] == [1]


async def test_an_extension_may_bear_the_name_of_a_provider(clock: Any, exchange: Any, install: Install) -> None:
    install("candle-watcher", "[candle.extensions]\nfake = watcher_plugin:Watcher\n", watcher_plugin=WATCHER)
    assert await fetch(kernel_of(clock, extensions={"fake": {}})) == 10


async def test_a_missing_timeframe_names_those_there_are(clock: Any, exchange: Any) -> None:
    provider = kernel_of(clock).provider("fake")
    assert provider.grid("1h").step == 3_600_000
    with pytest.raises(UnknownTimeframeError, match=r"'fake' has no timeframe '5m'; it has 1m, 1h"):
        provider.grid("5m")


async def test_what_is_not_installed_says_what_to_type(clock: Any) -> None:
    with pytest.raises(MissingPluginError, match="pip install candle-nosuch"):
        kernel_of(clock).provider("nosuch")
    with pytest.raises(MissingPluginError, match="pip install candle-nosuch"):
        Kernel(load_config({"storage": {"backend": "nosuch"}}), clock).storage()
    with pytest.raises(MissingPluginError, match="pip install candle-nosuch"):
        kernel_of(clock, extensions={"nosuch": {}})


async def test_a_plugin_that_cannot_be_built(clock: Any, install: Install) -> None:
    source = """
        class Plugin:
            def __init__(self, settings, context):
                raise OSError("no socket")
    """
    install("candle-broken", "[candle.providers]\nbroken = broken_plugin:Plugin\n", "3.1", broken_plugin=source)
    with pytest.raises(BrokenPluginError) as caught:
        kernel_of(clock).provider("broken")
    words = ("candle-broken 3.1", "broken_plugin:Plugin", "[providers.broken]", "OSError: no socket")
    assert [word for word in words if word not in str(caught.value)] == []
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_wrong_table_is_a_wrong_table(clock: Any, exchange: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean 'holes'"):
        kernel_of(clock, providers={"fake": {"hole": [1]}}).provider("fake")


async def test_checking_says_of_each_how_it_fares(clock: Any, exchange: Any, install: Install) -> None:
    install("candle-broken", "[candle.providers]\nbroken = nowhere:Plugin\n")
    install("candle-watcher", WATCHER_POINT, watcher_plugin=WATCHER)
    states = {(state.kind, state.name): state for state in check_plugins(load_config(MEMORY))}
    good, broken, watcher = (
        states["provider", "fake"], states["provider", "broken"], states["extension", "watcher"]  # type: ignore[index]
    )  # fmt: skip
    assert (good.state, good.error) == ("ok", "")
    assert good.hooks == ("candle_close", "candle_fetch", "candle_markets")
    assert (broken.state, broken.hooks) == ("error", ())
    assert "nowhere" in broken.error
    assert (watcher.state, watcher.hooks) == ("ok", ("candle_close", "candle_event", "candle_fetch"))
