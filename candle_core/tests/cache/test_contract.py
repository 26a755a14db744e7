"""The kernel's own caches keep the contract that every cache keeps."""

from pathlib import Path

from candle_core.cache import FileCache, LocalCache
from candle_testkit.contracts.cache import CacheContract


class Timer:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        return self.seconds


class TestMemory(CacheContract):
    def setup_method(self) -> None:
        self.timer = Timer()

    def build(self, folder: Path) -> LocalCache:
        return LocalCache(self.timer)

    async def pass_time(self, seconds: float) -> None:
        self.timer.seconds += seconds


class TestFile(CacheContract):
    shared = True
    goes_away = True

    def setup_method(self) -> None:
        self.timer = Timer()

    def build(self, folder: Path) -> FileCache:
        return FileCache(folder / "caches" / "cache.sqlite3", self.timer)

    async def close(self, cache: FileCache) -> None:
        await cache.close()

    async def pass_time(self, seconds: float) -> None:
        self.timer.seconds += seconds

    async def take_away(self, folder: Path) -> None:
        """A folder in its place: what no user, not even root, can open as a file."""
        path = folder / "caches" / "cache.sqlite3"
        path.unlink()
        path.mkdir()

    async def bring_back(self, folder: Path) -> None:
        (folder / "caches" / "cache.sqlite3").rmdir()
