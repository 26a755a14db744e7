"""An exchange in this process that can be told what it has and how it fails, and a witness of what is written.

`install` and `clock` are those of the package.
"""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any, TypeAlias

import pytest

import candle_core
from candle_core import Candles

EXCHANGE = '''
"""Two exchanges: ``fair`` answers one request at a time, ``wide`` four."""

import asyncio

import numpy as np

from candle_hookspecs import (
    REQUIRED_COLUMNS, Anchor, CandleBatch, Kind, Limit, Market, MarketInfo, MarketStatus, Page, ProviderCapabilities,
    Settings, hookimpl,
)

MINUTE = 60_000


class Fair:
    class Settings(Settings):
        pass

    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT", "SWAP"), timeframes=("1m", "1h", "1d"), page_limit=100, concurrency=1,
        anchors=(Anchor.START, Anchor.END), limits=(Limit("requests", 6000, 60.0),), settle=2_000, doubt=600_000,
        costs={Kind.CANDLES: {"requests": 1}},
    )

    def __init__(self, settings, context):
        self.context = context

    def now(self):
        return self.context.clock.now() + state.ahead

    @hookimpl
    async def candle_warmup(self, scope):
        if state.silent:
            raise state.silent
        state.greeted += 1
        return MarketInfo(server_time=self.now(), local_time=self.context.clock.now())

    @hookimpl
    async def candle_markets(self, query):
        if state.unlisted:
            raise state.unlisted
        return [one for one in state.markets if query.name is None or one.answers_to(query.name)]

    @hookimpl
    async def candle_fetch(self, request):
        state.requests.append(request)
        state.under_way += 1
        state.widest = max(state.widest, state.under_way)
        await asyncio.sleep(0)
        state.under_way -= 1
        base = request.market.base
        if base in state.errors:
            raise state.errors[base]
        now, step = self.now(), {"1m": 1, "1h": 60, "1d": 1440}[request.timeframe] * MINUTE
        first, end = state.life.get(base, (0, 2**53))
        times = np.arange(-(-first // step) * step, min(end, now + 1), step, np.int64)
        times = times[~np.isin(times, list(state.holes.get(base, ())))]
        if request.anchor is Anchor.START:
            times = times[times >= request.span.start][: request.limit]
        else:
            times = times[times < request.span.end][-request.limit :]
        columns = {name: times / MINUTE for name in REQUIRED_COLUMNS} | {"open_time": times}
        return Page.of(request, CandleBatch.from_columns(columns), answered_at=now)


class Wide(Fair):
    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=10, concurrency=4,
        anchors=(Anchor.START, Anchor.END),
    )


class State:
    """What the exchanges have; `life`: first and last moment of a market, by base; `ahead`: their clock, by ms."""

    def __init__(self):
        self.markets, self.life, self.holes, self.errors, self.requests = [], {}, {}, {}, []
        self.silent = self.unlisted = None
        self.under_way = self.widest = self.ahead = self.greeted = 0

    def list(self, *bases, exchange="FAIR", quote="USDT", status=MarketStatus.TRADING, life=None, **given):
        for base in bases:
            self.markets.append(
                Market(
                    archetype="CRYPTO", exchange=exchange, tradetype="SPOT", base=base, quote=quote,
                    native_id=base + quote, ccxt_symbol=f"{base}/{quote}", status=status, **given,
                )
            )
            if life:
                self.life[base] = life

    def asked(self):
        return [request.market.base for request in self.requests]


state = State()
'''

WITNESS = '''
"""What reaches the database, and a disk that may be full."""

from candle_hookspecs import ExtensionCapabilities, Settings, StorageFullError, hookimpl


class Witness:
    class Settings(Settings):
        pass

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self, settings, context):
        witnesses.append(self)
        self.saves, self.registrations, self.queries, self.lookups, self.events = [], [], [], [], []
        self.full_after = None

    @hookimpl(wrapper=True)
    def candle_save(self, write):
        found = yield
        if self.full_after is not None and len(self.saves) >= self.full_after:
            found.close()
            raise StorageFullError("no room is left on the disk")
        self.saves.append(write)
        return found

    @hookimpl(wrapper=True)
    def candle_register(self, registrations):
        self.registrations.append(list(registrations))
        return (yield)

    @hookimpl(wrapper=True)
    def candle_symbols(self, query):
        self.queries.append(query)
        return (yield)

    @hookimpl(wrapper=True)
    def candle_coverage(self, query):
        self.lookups.append(query)
        return (yield)

    @hookimpl
    def candle_event(self, event):
        self.events.append(event)


witnesses = []
'''

Opened: TypeAlias = AbstractAsyncContextManager[tuple[Candles, Any]]
Open: TypeAlias = Callable[..., Opened]


@pytest.fixture
def exchange(install: Any) -> Any:
    """What the installed exchanges have."""
    points = "[candle.providers]\nfair = fair_exchange:Fair\nwide = fair_exchange:Wide\n"
    install("candle-fair", points, fair_exchange=EXCHANGE)
    return importlib.import_module("fair_exchange").state


@pytest.fixture
def witness_module(install: Any) -> ModuleType:
    """The installed witness."""
    install("candle-witness", "[candle.extensions]\nwitness = witness_plugin:Witness\n", witness_plugin=WITNESS)
    return importlib.import_module("witness_plugin")


@pytest.fixture
def opened(exchange: Any, witness_module: ModuleType, clock: Any, tmp_path: Any) -> Open:
    """Opens a manager on one SQLite file, with the witness of it."""

    @asynccontextmanager
    async def open_it(**tables: Any) -> AsyncIterator[tuple[Candles, Any]]:
        config = {"storage": {"path": str(tmp_path / "candles.sqlite3")}, "extensions": {"witness": {}}} | tables
        async with candle_core.open(config, clock=clock) as candles:
            yield candles, witness_module.witnesses[-1]

    return open_it
