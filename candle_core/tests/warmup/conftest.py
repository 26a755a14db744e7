"""Exchanges in this process that list markets, and fail, dawdle or list something new where a test says so."""

import importlib
from typing import Any

import pytest

TOWN = '''
"""A thousand stalls each; warm-ups and listings are counted."""

import asyncio
from decimal import Decimal

from candle_hookspecs import Market, MarketInfo, MarketStatus, ProviderCapabilities, TransientError, hookimpl


class Plain:
    """Without a warm-up of its own."""

    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT", "SWAP"), timeframes=("1m", "1d"), page_limit=100,
    )

    def __init__(self, settings, context):
        self.context = context
        self.asked, self.new, self.error, self.seconds, self.empty = [], [], None, 0.0, False
        self.meeting, self.swaps = None, ["C0"]
        instances[context.name] = self

    @hookimpl
    async def candle_markets(self, query):
        self.asked.append(query.name or query.tradetype or "all")
        return [one for one in await self.listed() if query.selects(one)]

    async def listed(self):
        await asyncio.sleep(self.seconds)
        if self.meeting is not None:
            await self.meeting.wait()
        if self.error is not None:
            raise self.error
        names = [] if self.empty else [f"C{number}" for number in range(1000)] + self.new
        found = [market(self.context.name, name, "SPOT") for name in names]
        return found + [market(self.context.name, name, "SWAP") for name in self.swaps if not self.empty]


class Town(Plain):
    @hookimpl
    async def candle_warmup(self, scope):
        self.asked.append("warmup" if scope.markets else "clock")
        listed = await self.listed() if scope.markets else []
        now = self.context.clock.now()
        return MarketInfo(server_time=now + 250, local_time=now, markets=tuple(listed))


def market(exchange, base, tradetype):
    swap = tradetype == "SWAP"
    return Market(
        archetype="CRYPTO", exchange=exchange.upper(), tradetype=tradetype, base=base, quote="X", native_id=f"{base}X",
        ccxt_symbol=f"{base}/X:X" if swap else f"{base}/X", status=MarketStatus.TRADING,
        price_tick=Decimal("0.00000001"), min_notional=Decimal(5), settle="X" if swap else "",
    )


instances = {}
'''
POINTS = """\
[candle.providers]
plain = town_exchange:Plain
town = town_exchange:Town
harbour = town_exchange:Town
village = town_exchange:Town
"""


@pytest.fixture
def town(install: Any) -> Any:
    """The module of an installed distribution with four exchanges; `instances` are those that were built, by name."""
    install("candle-town", POINTS, town_exchange=TOWN)
    return importlib.import_module("town_exchange")
