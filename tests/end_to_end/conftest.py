"""A sandbox and a database file for each test; a sandbox costs a few milliseconds."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from candle_hookspecs import Clock
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from tests.end_to_end.world import World, bitcoin

MakeWorld: TypeAlias = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Starts a sandbox with these markets, whose clock stands still unless told otherwise, and names a database."""
    with ExitStack() as running:

        def make(
            *markets: MarketConfig, at: str = "2024-06-01T00:00:30", clock: Clock | None = None, **options: Any
        ) -> World:
            config = SandboxConfig(markets=markets or (bitcoin(),), clock=at, **{"speed": 0.0, **options})
            return World(running.enter_context(Sandbox(config)), tmp_path / "candles.sqlite3", clock)

        yield make
