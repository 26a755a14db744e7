"""`[cache]` in the configuration decides who shares what is kept."""

from pathlib import Path

import pytest

from candle_core.budget.shared import CACHE_DIR
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import ConfigError, MissingPluginError

KEY = "market:info:binance"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_DIR, str(tmp_path))


def is_there(path: Path) -> bool:
    return path.exists()


@pytest.mark.parametrize(("backend", "questions"), [("memory", 2), ("file", 1)])
async def test_who_asks_by_the_backend(backend: str, questions: int, tmp_path: Path) -> None:
    asked = []

    async def ask() -> bytes:
        asked.append(1)
        return b"[]"

    for _ in range(2):
        kernel = Kernel(load_config({"cache": {"backend": backend, "ttl": 60}}))
        for _ in range(3):
            assert (await kernel.keeper.obtain(KEY, ask)).value == b"[]"
        (told,) = kernel.statistics.told()
        assert (told.exchange, told.kind, told.hits + told.misses) == ("BINANCE", "markets", 3)
        await kernel.close()
    assert len(asked) == questions
    assert is_there(tmp_path / "cache.sqlite3") is (backend == "file")


async def test_times_are_those_of_the_configuration() -> None:
    kernel = Kernel(load_config({"cache": {"ttl": 0.001, "keep": 60}}))
    await kernel.keeper.put(KEY, b"[]")
    before = kernel.clock.now()
    while kernel.clock.now() < before + 2:
        await kernel.clock.sleep(0.001)
    kept = await kernel.keeper.peek(KEY)
    assert kept is not None
    assert not kept.fresh
    await kernel.close()


@pytest.mark.parametrize("key", ["ttl", "keep"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300, "6h"])
def test_a_time_that_is_none_is_refused_by_its_name(key: str, seconds: object) -> None:
    with pytest.raises(ConfigError, match=f"'{key}'"):
        load_config({"cache": {key: seconds}})


async def test_the_longest_time_is_of_use() -> None:
    kernel = Kernel(load_config({"cache": {"ttl": 316_224_000, "keep": 316_224_000}}))
    await kernel.keeper.put(KEY, b"[]")
    kept = await kernel.keeper.peek(KEY)
    assert kept is not None
    assert kept.fresh
    await kernel.close()


def test_a_cache_that_nobody_offers_is_an_error_by_its_name() -> None:
    config = load_config({"cache": {"backend": "flie"}})
    with pytest.raises(MissingPluginError, match="flie"):
        Kernel(config)
