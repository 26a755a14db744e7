"""Wiring: a configuration becomes plugin instances, each built when something first asks for it."""

import asyncio
import logging
from typing import Any, Final

from candle_core.budget import Budget, DistantStore, Remote, SharedStore, cache_root, host_of
from candle_core.cache import FileCache, Keeper, LocalCache
from candle_core.clock import ExchangeClock, SystemClock
from candle_core.config import LOCAL_BUDGET, Config, PluginTable
from candle_core.directory import Directory
from candle_core.discovery import PluginKind, find_plugin
from candle_core.dispatch import Dispatch, ProviderHooks, StorageHooks
from candle_core.groups import group
from candle_core.plan import cut
from candle_core.provider import Provider
from candle_core.secrets import guarded, scrubbed
from candle_core.statistics import Collector, KeptStatistics
from candle_core.writer import Schedule, Writer
from candle_hookspecs import (
    BadInputError,
    BrokenPluginError,
    BudgetStore,
    Cache,
    CandleError,
    Clock,
    ConfigError,
    Event,
    ExtensionCapabilities,
    FetchRequest,
    Kind,
    PluginContext,
    Settings,
    Symbol,
    hookimpl,
)

DEFAULTS: Final = "kernel:defaults"
"""What the kernel's own plugin is called."""
_log = logging.getLogger("candle")


class Kernel:
    """Everything one `open` holds."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.opened = self.clock.now()
        self.kept_statistics = KeptStatistics(cache_root() / "statistics.sqlite3", self._hosts)
        self.statistics = Collector(lambda news, last: self.kept_statistics.add(self.clock.now(), news, last))
        self.dispatch = Dispatch(self.statistics)
        self.providers: dict[str, Provider] = {}
        self._limits: BudgetStore = SharedStore(cache_root() / "limits.sqlite3")
        self._storages: dict[str, StorageHooks] = {}
        self._writers: dict[str, Writer] = {}
        self.schedules: dict[str, Schedule] = {}
        """The upkeep of each database that is written to, by store."""
        self._extensions: list[str] = []
        self._closed = False
        self._loop = _running_loop()
        self.dispatch.add_everywhere(DEFAULTS, KernelDefaults(self))
        for table in config.used_extensions():
            plugin, _ = self.build(PluginKind.EXTENSION, table)
            name = f"extension:{table.name}"
            self.dispatch.add_everywhere(name, plugin)
            self._extensions.append(name)
        self.cache: Cache = self._backend("candle_cache", "cache", config.cache.backend)
        ttl, keep = config.cache.ttl, config.cache.keep
        self._keeper = Keeper(self.cache, self.clock, ttl=ttl, keep=keep, count=self.looked_up)
        self._directory = Directory(self.provider, self._keeper, self.clock, ttl, self.looked_up)
        if config.budget.backend != LOCAL_BUDGET:
            shared: BudgetStore = self._backend("candle_budget_store", "budget", config.budget.backend)
            self._limits = DistantStore(shared, self._limits)

    def provider(self, exchange: str) -> Provider:
        """The provider of an exchange, built at the first call.

        Raises:
            PluginError: not installed, broken, or wrongly configured. BadInputError: see `_usable`.
        """
        self._usable()
        name = exchange.lower()
        if name not in self.providers:
            plugin, budget = self.build(PluginKind.PROVIDER, self.config.provider(name))
            budget.declare(plugin.capabilities.limits)
            self.dispatch.add_target(name, plugin)
            self.providers[name] = Provider(
                name,
                ProviderHooks(self.dispatch, name),
                plugin.capabilities,
                budget,
                budget.clock,
                self.clock,
                self.statistics,
                self.emit,
            )
        return self.providers[name]

    def storage(self, store: str = "") -> StorageHooks:
        """The candle database, or one of ``[stores]``; opened at the first call.

        Raises:
            ConfigError: no such store. PluginError: its plugin is not installed, broken, or wrongly configured.
            BadInputError: see `_usable`.
        """
        self._usable()
        if store not in self._storages:
            table = self.config.store(store) if store else self.config.storage
            plugin, _ = self.build(PluginKind.STORAGE, table)
            name = f"store:{store}" if store else f"storage:{table.name}"
            self.dispatch.add_target(name, plugin)
            self._storages[store] = StorageHooks(self.dispatch, name, plugin.capabilities)
        return self._storages[store]

    def writer(self, store: str = "") -> Writer:
        """The one way to write there: whoever writes shares it, made at the first call. Needs a running event loop.

        Raises:
            ConfigError, PluginError, BadInputError: as in `storage`.
        """
        self._usable()
        if store not in self._writers:
            self._writers[store] = Writer(self.storage(store), config=self.config.batch)
            self.schedules[store] = Schedule(self._writers[store])
            self.schedules[store].start()
        return self._writers[store]

    @property
    def keeper(self) -> Keeper:
        """What exchanges answered.

        Raises:
            BadInputError: see `_usable`.
        """
        self._usable()
        return self._keeper

    @property
    def directory(self) -> Directory:
        """Which markets they list.

        Raises:
            BadInputError: see `_usable`.
        """
        self._usable()
        return self._directory

    def _usable(self) -> None:
        """What is closed would be opened again by the next call, and never closed.

        Raises:
            BadInputError: it is closed, or asked on another event loop than that of its connections and locks.
        """
        if self._closed:
            raise BadInputError("this candle manager is closed; open another one by candle_core.open")
        loop = _running_loop()
        if loop and self._loop and loop is not self._loop:
            raise BadInputError(
                "this candle manager was opened on another event loop; open one on each loop, or use"
                " candle_core.blocking, which any thread may call"
            )

    def _backend(self, hook: str, table: str, name: str) -> Any:
        """What an extension, or the kernel itself, offers under the name that a table gives as its ``backend``."""
        offered = self.dispatch.call(DEFAULTS, hook, name=name) if self.dispatch.implements(DEFAULTS, hook) else None
        if offered is None:
            raise ConfigError(f"[{table}] backend = {name!r}: the extension {name!r} offers no {hook!r}")
        return offered

    async def emit(self, name: str, symbol: Symbol | None = None, **data: int | float | str) -> None:
        """Tell every extension; one that fails is logged and harms nobody."""
        for error in await self.dispatch.tell(Event(name=name, at=self.clock.now(), symbol=symbol, data=data)):
            _log.warning("an extension failed on %s: %s: %s", name, type(error).__name__, error)

    async def looked_up(self, key: str, hit: bool) -> None:
        """Count what a cache was asked for, and tell who counts by himself."""
        if (counted := self.statistics.looked_up(key, hit)) is not None:
            exchange, kind = counted
            await self.emit("cache.looked_up", exchange=exchange, kind=kind, hits=int(hit), misses=int(not hit))

    async def close(self) -> None:
        """Commit what was handed in, then close every plugin; one that fails does not keep the others open."""
        self._closed = True
        for store, writer in self._writers.items():
            await self.schedules[store].stop()
            await writer.close()
        names = [*self.providers, *(storage.name for storage in self._storages.values()), *self._extensions, DEFAULTS]
        results = await asyncio.gather(*(self.dispatch.close(name) for name in names), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, BaseException):
                _log.warning("closing %r failed: %s", name, result)
        for provider in self.providers.values():
            provider.budget.close()
        self._limits.close()
        await asyncio.to_thread(self.statistics.hand_on, last=True)

    def _hosts(self, exchange: str) -> str:
        """Those that the configuration names for an exchange; empty: its provider's own."""
        values = self.config.provider(exchange.lower()).values.values()
        return " ".join(sorted({host_of(value) for value in values if isinstance(value, str)} - {""}))

    def build(self, kind: PluginKind, table: PluginTable) -> tuple[Any, Budget]:
        """A plugin instance, not yet registered, and the budget it was given.

        Raises:
            PluginError: not installed or broken. ConfigError: its table is wrong.
        """
        installed = find_plugin(kind, table.plugin)
        plugin_class = installed.load()
        settings = self.config.settings(table, getattr(plugin_class, "Settings", Settings))
        account = self.config.account(table.name) if kind is PluginKind.PROVIDER else None
        remote, clock = Remote.of(table.name, settings, account), ExchangeClock(self.clock)
        budget = Budget(self.clock, clock, self._limits, remote, self.statistics.spend)
        context = PluginContext(
            name=table.name,
            clock=self.clock,
            base_dir=self.config.base_dir,
            cache_dir=cache_root() / table.name,
            logger=guarded(f"candle.{table.name}"),
            budget=budget,
            account=account,
        )
        try:
            return plugin_class(settings, context), budget
        except Exception as error:  # noqa: BLE001 - raised again, as one of ours
            cause = scrubbed(error)
        if isinstance(cause, CandleError):
            raise cause
        raise BrokenPluginError(
            f"{installed}, configured in {table.header}, cannot be built: {type(cause).__name__}: {cause}"
        ) from cause


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class KernelDefaults:
    """The hooks that the kernel implements itself, for plugins that do not."""

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._files: list[FileCache] = []

    @hookimpl(trylast=True)
    def candle_cache(self, name: str) -> Cache | None:
        """The caches that need no plugin."""
        if name == "file":
            self._files.append(FileCache(cache_root() / "cache.sqlite3"))
            return self._files[-1]
        return LocalCache() if name == "memory" else None

    @hookimpl
    async def candle_close(self) -> None:
        """Let go of what it offered."""
        for file in self._files:
            await file.close()

    @hookimpl(trylast=True)
    def candle_split(self, request: FetchRequest) -> list[FetchRequest]:
        """Windows of one page each; for what is no candles, groups of as many markets as one call may name."""
        provider = self._kernel.provider(request.markets[0].exchange)
        if request.kind is not Kind.CANDLES:
            return group(request, provider.capabilities)
        return cut(request, provider.grid(request.timeframe or ""), provider.capabilities)
