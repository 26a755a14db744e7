"""Each check bites: a cache wrong in one way fails the check that is meant for it, and an honest one none."""

from pathlib import Path
from typing import Any

import pytest

from candle_testkit.contracts.cache import CacheContract, contests

from .honest import HonestCache
from .sabotaged import SABOTAGED

CHECKS = sorted(name for name in dir(CacheContract) if name.startswith("test_"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "BACK", 0.2)


def failures(kind: type[HonestCache], checks: list[str], folder: Path) -> dict[str, BaseException]:
    """Run checks against caches of that kind, each in a folder of its own, without pytest around them."""

    class Adopter(CacheContract):
        shared = True
        goes_away = True
        built: HonestCache

        def build(self, folder: Path) -> HonestCache:
            self.built = kind(folder)
            return self.built

        async def close(self, cache: Any) -> None:
            await cache.close()

        async def pass_time(self, seconds: float) -> None:
            self.built.house.now += seconds

        async def take_away(self, folder: Path) -> None:
            HonestCache.houses[folder].away = True

        async def bring_back(self, folder: Path) -> None:
            HonestCache.houses[folder].away = False

    found: dict[str, BaseException] = {}
    for name in checks:
        try:
            getattr(Adopter(), name)(tmp_path=folder / name)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever comes of it is a finding
            found[name] = error
    return found


def test_an_honest_cache_passes_every_check(tmp_path: Path) -> None:
    assert failures(HonestCache, CHECKS, tmp_path) == {}


@pytest.mark.parametrize("kind", SABOTAGED, ids=lambda kind: kind.__name__)
def test_a_wrong_cache_is_noticed(kind: type[HonestCache], tmp_path: Path) -> None:
    assert SABOTAGED[kind] in failures(kind, [SABOTAGED[kind]], tmp_path)


def test_every_check_has_a_cache_that_it_was_made_for() -> None:
    assert sorted(set(SABOTAGED.values())) == CHECKS


class TestLonely(CacheContract):
    """A cache that nobody shares and that cannot go away: what needs that is skipped, and nothing else."""

    def build(self, folder: Path) -> HonestCache:
        self.cache = HonestCache(folder)
        return self.cache

    async def pass_time(self, seconds: float) -> None:
        self.cache.house.now += seconds
