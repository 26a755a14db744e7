"""The extension: offers the cache and the budget's store that ``[cache]`` and ``[budget]`` may name."""

from pydantic import PositiveFloat, SecretStr, field_validator

from candle_hookspecs import ConfigError, ExtensionCapabilities, PluginContext, Settings, hookimpl
from candle_redis.address import place
from candle_redis.budget import RedisBudgetStore
from candle_redis.cache import RedisCache


class RedisSettings(Settings):
    """``[extensions.redis]``.

    Attributes:
        url: ``redis://[user:password@]host:port/number``, ``rediss://…`` with TLS, ``unix:///path``; best from the
            environment.
        prefix: stands before every key; several that share a Redis and nothing else have one each.
        timeout: most seconds that the cache is waited for.
        budget_timeout: most seconds for which the budget's store may stop the event loop.
    """

    url: SecretStr = SecretStr("redis://localhost:6379/0")
    prefix: str = ""
    timeout: PositiveFloat = 1.0
    budget_timeout: PositiveFloat = 0.1

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        try:
            place(url)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return url


class RedisExtension:
    """One Redis, for what is remembered and for what is counted."""

    Settings = RedisSettings
    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, settings: RedisSettings, context: PluginContext) -> None:
        self._settings, self._name = settings, context.name
        self._cache: RedisCache | None = None
        self._store: RedisBudgetStore | None = None

    @hookimpl
    def candle_cache(self, name: str) -> RedisCache | None:
        """The cache, if it is this one that is asked for."""
        if name != self._name:
            return None
        settings = self._settings
        self._cache = self._cache or RedisCache(settings.url, prefix=settings.prefix, timeout=settings.timeout)
        return self._cache

    @hookimpl
    def candle_budget_store(self, name: str) -> RedisBudgetStore | None:
        """The budget's store, likewise."""
        if name != self._name:
            return None
        settings = self._settings
        self._store = self._store or RedisBudgetStore(
            settings.url, prefix=settings.prefix, timeout=settings.budget_timeout
        )
        return self._store

    @hookimpl
    async def candle_close(self) -> None:
        """Let go of connections."""
        if self._cache is not None:
            await self._cache.close()
        if self._store is not None:
            self._store.close()
