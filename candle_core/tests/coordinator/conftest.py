"""An exchange in this process that has all four kinds of market data, and goes wrong where a test says so."""

import importlib
from typing import Any

import pytest

BAZAAR = '''
"""Ten markets a..j; a call names three at most; a page holds a hundred candles or five trades."""

import asyncio
from decimal import Decimal

import numpy as np

from candle_hookspecs import (
    REQUIRED_COLUMNS, Anchor, CandleBatch, Kind, Level, Limit, Market, MarketGoneError, MarketStatus, OrderBook, Page,
    Priority, ProviderCapabilities, Settings, Ticker, Trade, TransientError, hookimpl,
)

MINUTE = 60_000


class Bazaar:
    capabilities = ProviderCapabilities(
        contract=1, tradetypes=("SPOT",), timeframes=("1m",), page_limit=100, kinds=frozenset(Kind),
        batch={Kind.TICKERS: 3, Kind.ORDERBOOKS: 3}, rows={Kind.TRADES: 5}, anchors=(Anchor.START, Anchor.END),
        limits=(Limit("requests", 6000, 60.0),), costs=dict.fromkeys(Kind, {"requests": 1}),
    )

    def __init__(self, settings, context):
        self.context = context
        self.sent, self.listings = [], 0
        self.under_way = self.most_under_way = 0
        self.gone, self.left_out, self.crossed, self.failing, self.apart = set(), set(), {}, {}, {}
        self.gate, self.begun = asyncio.Event(), asyncio.Event()
        self.gate.set()
        instances.append(self)

    @hookimpl
    async def candle_markets(self, query):
        self.listings += 1
        await asyncio.sleep(0)
        markets = [market(base, self.context.name) for base in "ABCDEFGHIJ"]
        return [one for one in markets if query.name is None or one.answers_to(query.name)]

    @hookimpl
    async def candle_fetch(self, request):
        self.sent.append(request)
        self.under_way += 1
        self.begun.set()
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            return self.answer(request)
        finally:
            self.under_way -= 1

    def answer(self, request):
        names = [one.base for one in request.markets]
        for name in names:
            if self.failing.get(name, 0) > 0:
                self.failing[name] -= 1
                raise TransientError(f"the line broke at {name}")
        if self.gone & set(names):
            raise MarketGoneError(f"no market {sorted(self.gone & set(names))}")
        here = [one for one in request.markets if one.base not in self.left_out]
        now = self.context.clock.now()
        if request.kind is Kind.TICKERS:
            return Page(request=request, answered_at=now, size=10, tickers=[
                Ticker(market=one, at=now, last=Decimal(ord(one.base))) for one in here
            ])
        if request.kind is Kind.ORDERBOOKS:
            return Page(request=request, answered_at=now, size=10, orderbooks=[self.book(one, now) for one in here])
        if request.kind is Kind.TRADES:
            return Page.of_trades(request, self.trades(request), asked=5, answered_at=now, size=10)
        return self.candles(request, now)

    def book(self, one, now):
        best = 90 if self.crossed.get(one.base, 0) <= 0 else 200
        self.crossed[one.base] = self.crossed.get(one.base, 0) - 1
        # The worst first, to be put right.
        bids = tuple(Level(Decimal(best - step), Decimal(1)) for step in reversed(range(10)))
        asks = tuple(Level(Decimal(100 + step), Decimal(2)) for step in reversed(range(10)))
        return OrderBook(market=one, at=now, bids=bids, asks=asks)

    def trades(self, request):
        """One a second since 1970, numbered by it."""
        now = self.context.clock.now() // 1000
        span = request.span
        if span and request.anchor is Anchor.START:
            first = -(-span.start // 1000)
            seconds = range(first, min(first + 5, now + 1))
        else:
            last = min(now, (span.end - 1) // 1000) if span else now
            seconds = range(max(0, last - 4), last + 1)
        return [
            Trade(market=request.market, id=str(second), at=second * 1000, price=Decimal(second), amount=Decimal(1))
            for second in seconds
        ]

    def candles(self, request, now):
        """One in every minute or, where a test says so, one in so many."""
        step = MINUTE * self.apart.get(request.market.base, 1)
        if request.anchor is Anchor.START:
            first = -(-request.span.start // step)
            slots = range(first, min(first + request.limit, now // step + 1))
        else:
            last = (min(request.span.end, now + 1) - 1) // step
            slots = range(last - request.limit + 1, last + 1)
        times = np.array([slot * step for slot in slots], np.int64)
        columns = {name: times / MINUTE for name in REQUIRED_COLUMNS} | {"open_time": times}
        return Page.of(request, CandleBatch.from_columns(columns), answered_at=now, size=10)


def market(base, name="bazaar"):
    return Market(
        archetype="CRYPTO", exchange=name.upper(), tradetype="SPOT", base=base, quote="X", native_id=base + "X",
        ccxt_symbol=base + "/X", status=MarketStatus.TRADING, listed=0,
    )


instances = []
'''


@pytest.fixture
def bazaar(install: Any) -> Any:
    """The module of an installed provider called ``bazaar``; `instances` are the providers built from it."""
    install("candle-bazaar", "[candle.providers]\nbazaar = bazaar_exchange:Bazaar\n", bazaar_exchange=BAZAAR)
    return importlib.import_module("bazaar_exchange")
