"""`[cache]` in the configuration decides who shares what is kept."""

from pathlib import Path

import pytest

from candle_core.budget.shared import CACHE_DIR
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_hookspecs import MissingPluginError

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


def test_a_cache_that_nobody_offers_is_an_error_by_its_name() -> None:
    config = load_config({"cache": {"backend": "flie"}})
    with pytest.raises(MissingPluginError, match="flie"):
        Kernel(config)
