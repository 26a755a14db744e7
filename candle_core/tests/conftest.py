"""Plugins as installed distributions, and a clock that jumps."""

import asyncio
import importlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from candle_core.discovery import installed_plugins

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its metadata as pip writes it, its modules, on the path of this process."""
    modules: list[str] = []

    def installed(name: str, entry_points: str, version: str = "1.0", **sources: str) -> None:
        site = tmp_path / f"site-{name}-{version}"
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(dedent(entry_points))
        for module, source in sources.items():
            (site / f"{module}.py").write_text(dedent(source))
            modules.append(module)
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        installed_plugins.cache_clear()

    installed_plugins.cache_clear()
    yield installed
    installed_plugins.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


class JumpingClock:
    """A clock that stands still until somebody sleeps, and then jumps to where he wants to wake up."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.ms = now
        self.slept: list[float] = []

    def now(self) -> int:
        """UTC milliseconds."""
        return self.ms

    async def sleep(self, seconds: float) -> None:
        """Be there."""
        self.slept.append(seconds)
        self.ms += math.ceil(seconds * 1000)
        await asyncio.sleep(0)


@pytest.fixture
def jumping() -> type[JumpingClock]:
    """The class, for tests that need several."""
    return JumpingClock


@pytest.fixture
def clock() -> JumpingClock:
    """One that starts in November 2023."""
    return JumpingClock()
