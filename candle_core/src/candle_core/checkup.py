"""How every installed plugin fares."""

from dataclasses import dataclass

from candle_core.config import Config, PluginTable
from candle_core.discovery import InstalledPlugin, PluginKind, find_plugin, installed_plugins
from candle_core.kernel import Kernel
from candle_hookspecs import CandleError, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """How an installed plugin fares: ``ok``, ``error`` with its text, or ``unset``: without a table that it needs."""

    kind: PluginKind
    name: str
    distribution: str
    version: str
    state: str
    hooks: tuple[str, ...] = ()
    error: str = ""


def check_plugins(config: Config) -> list[PluginState]:
    """Import every installed plugin, build it from its table, and say how it fares.

    Connects to nothing. Needs a running event loop.
    """
    return [_check(plugin, config) for plugin in installed_plugins()]


def _check(plugin: InstalledPlugin, config: Config) -> PluginState:
    state, error = "ok", ""
    hooks: tuple[str, ...] = ()
    try:
        find_plugin(plugin.kind, plugin.name)
        hooks = _try(plugin, config)
    except CandleError as caught:
        unset = isinstance(caught, ConfigError) and not _has_table(plugin, config)
        state, error = "unset" if unset else "error", str(caught)
    return PluginState(
        kind=plugin.kind,
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        state=state,
        hooks=hooks,
        error=error,
    )


def _try(plugin: InstalledPlugin, config: Config) -> tuple[str, ...]:
    if plugin.kind is PluginKind.COMMAND:
        plugin.load()
        return ()
    kernel = Kernel(config)
    if plugin.kind is PluginKind.PROVIDER:
        return kernel.dispatch.hooks(kernel.provider(plugin.name).name)
    built, _ = kernel.build(plugin.kind, _table(plugin, config))
    kernel.dispatch.add_target(plugin.name, built)
    return kernel.dispatch.hooks(plugin.name)


def _has_table(plugin: InstalledPlugin, config: Config) -> bool:
    if plugin.kind is PluginKind.STORAGE:
        return config.storage.plugin == plugin.name
    return plugin.name in (config.providers if plugin.kind is PluginKind.PROVIDER else config.extensions)


def _table(plugin: InstalledPlugin, config: Config) -> PluginTable:
    if plugin.kind is PluginKind.STORAGE and config.storage.plugin == plugin.name:
        return config.storage
    configured = config.extensions.get(plugin.name) if plugin.kind is PluginKind.EXTENSION else None
    return configured or PluginTable(plugin.name, plugin.name, (plugin.kind, plugin.name))
