"""The extension in a kernel, by its table."""

from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_core.budget import DistantStore
from candle_hookspecs import ConfigError
from candle_redis import RedisBudgetStore, RedisCache
from candle_redis.extension import RedisExtension, RedisSettings
from candle_testkit.context import make_context
from candle_testkit.redis import RedisServer


def tables(folder: Path, **redis: Any) -> dict[str, Any]:
    return {
        "storage": {"path": str(folder / "candles.sqlite3")},
        "cache": {"backend": "redis"},
        "budget": {"backend": "redis"},
        "extensions": {"redis": {"timeout": 60.0, "budget_timeout": 60.0, **redis}},
    }


async def test_a_table_names_cache_and_budget(
    tmp_path: Path, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candle_core.budget.distant.PATIENCE", 120)
    monkeypatch.setattr("candle_redis.budget._GREETING", 60)
    async with candle_core.open(tables(tmp_path, url=server.unix_url, prefix="mine:")) as candles:
        kernel = candles._kernel
        await kernel.cache.set("a", b"1", 60)
        assert await kernel.cache.get("a") == b"1"
        await kernel.provider("binance").budget.spend({"weight": 2})
        assert isinstance(kernel._limits, DistantStore)
    async with candle_core.open(tables(tmp_path, url=server.url, prefix="mine:")) as candles:
        assert await candles._kernel.cache.get("a") == b"1"
        with candles._kernel._limits.transaction("binance/weight/60f") as records:
            assert records["binance/weight/60f"]["spent"][1] == 2


async def test_who_is_not_asked_for_offers_nothing_and_each_name_is_one(tmp_path: Path) -> None:
    plugin = RedisExtension(RedisSettings(), make_context(tmp_path, "redis"))
    assert plugin.candle_cache("memory") is None
    assert plugin.candle_budget_store("file") is None
    assert isinstance(plugin.candle_cache("redis"), RedisCache)
    assert isinstance(plugin.candle_budget_store("redis"), RedisBudgetStore)
    assert plugin.candle_cache("redis") is plugin.candle_cache("redis")
    await plugin.candle_close()


async def test_a_url_may_come_from_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:pla/nted@localhost")
    with pytest.raises(ConfigError, match="no address of a Redis") as caught:
        async with candle_core.open(tables(tmp_path, url={"env": "REDIS_URL"})):
            pass
    assert "url" in str(caught.value)
    assert "nted" not in f"{caught.value!r} {caught.value.__cause__!r}"
    settings = RedisSettings(url="redis://:planted@localhost")
    assert "planted" not in f"{settings!r} {settings}"


@pytest.mark.parametrize("number", ["candles", "1/2", "-1"])
def test_a_database_that_is_no_number_is_not_taken_for_another(number: str) -> None:
    with pytest.raises(ValueError, match="write redis://"):
        RedisSettings(url=f"redis://localhost/{number}")
    assert RedisSettings(url="redis://localhost/12/").url.get_secret_value().endswith("/12/")
