"""Plugins as installed distributions, and a clock that jumps."""

import asyncio
import importlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

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


@pytest.fixture
async def leap(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass on the event loop's own clock, at once: what is due by then is done next."""
    loop, leapt = asyncio.get_running_loop(), [0.0]
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + sum(leapt))
    return leapt.append


FAKE = '''
"""An exchange in this process: one dense market, one without candles."""

import numpy as np

from candle_hookspecs import (
    REQUIRED_COLUMNS, Anchor, CandleBatch, Kind, Limit, Market, MarketStatus, Page, ProviderCapabilities, Settings,
    hookimpl,
)

MINUTE = 60_000


class FakeProvider:
    class Settings(Settings):
        holes: tuple[int, ...] = ()

    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m", "1h"), page_limit=100,
        anchors=(Anchor.START, Anchor.END), limits=(Limit("requests", 600, 60.0),),
        costs={Kind.CANDLES: {"requests": 1}},
    )

    def __init__(self, settings, context):
        self.settings, self.context, self.requests, self.closed = settings, context, [], 0
        instances.append(self)

    @hookimpl
    async def candle_markets(self, query):
        await self.context.budget.spend({"requests": 1})
        markets = [
            Market(
                archetype="CRYPTO", exchange=self.context.name.upper(), tradetype="SPOT", base=base, quote="USDT",
                native_id=base + "USDT", ccxt_symbol=base + "/USDT", status=MarketStatus.TRADING, listed=0,
            )
            for base in ("ETH", "BTC")
        ]
        return [market for market in markets if query.name is None or market.answers_to(query.name)]

    @hookimpl
    def candle_fetch(self, request):
        self.requests.append(request)
        now, step = self.context.clock.now(), {"1m": MINUTE, "1h": 60 * MINUTE}[request.timeframe]
        if request.anchor is Anchor.START:
            first = -(-request.span.start // step)
            slots = range(first, min(first + request.limit, now // step + 1))
        else:
            last = (min(request.span.end, now + 1) - 1) // step
            slots = range(last - request.limit + 1, last + 1)
        times = np.array([slot * step for slot in slots if slot * step not in self.settings.holes], np.int64)
        columns = {name: times / step for name in REQUIRED_COLUMNS} | {"open_time": times}
        return Page.of(request, CandleBatch.from_columns(columns), answered_at=now)

    @hookimpl
    async def candle_close(self):
        self.closed += 1


instances = []
'''


@pytest.fixture
def exchange(install: Install) -> Any:
    """The module of an installed provider called ``fake``; `instances` are the providers built from it."""
    install("candle-fake", "[candle.providers]\nfake = fake_exchange:FakeProvider\n", fake_exchange=FAKE)
    return importlib.import_module("fake_exchange")
