"""The sandbox's Yahoo, and a provider before it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from candle_stocks.provider import StocksProvider
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Sandbox, SandboxConfig
from providers.stocks.tests.stand import NOW, STOCKS, Stand

MakeStand: TypeAlias = Callable[..., Stand]


@pytest.fixture
def make_stand(tmp_path: Path) -> Iterator[MakeStand]:
    """Starts a sandbox whose clock stands still, and builds a provider of this name before it; warm, if not said."""
    with ExitStack() as running:

        def make(
            name: str = "nasdaq", *, warm: bool = True, naver: bool = False, settings: Any = None, **options: Any
        ) -> Stand:
            config = SandboxConfig(**{"markets": 1, "stocks": STOCKS, "clock": NOW, "speed": 0, **options})
            sandbox = running.enter_context(Sandbox(config))
            gate = OpenGate()
            second = {"source": "naver", "naver_url": sandbox.url} if naver else {}
            table = StocksProvider.Settings.model_validate({"chart_url": sandbox.url, **second, **(settings or {})})
            provider = StocksProvider(table, make_context(tmp_path, name, budget=gate))
            running.callback(provider.candle_close)
            if warm:
                provider._yahoo.greet()
                sandbox.ledger.clear()
                gate.spent.clear()
            return Stand(sandbox, provider, gate)

        yield make


@pytest.fixture
def stand(make_stand: MakeStand) -> Stand:
    """NASDAQ."""
    return make_stand()
