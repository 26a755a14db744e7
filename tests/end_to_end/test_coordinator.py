"""Large requests on the wire: what each costs, that it is the exchange's own truth, and what going parallel gains."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import candle_core
from bench.coordinator import TICKERS, answer, first_candle, large
from candle_core import blocking
from candle_core.coordinator import (
    LargeCandleRequest,
    LargeOrderbookRequest,
    LargeResponse,
    LargeTickerRequest,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_hookspecs import Clock, Kind
from candle_testkit.sandbox import Limits, MarketConfig, Request, Sandbox, SandboxConfig
from tests.end_to_end.clocks import PatientClock
from tests.end_to_end.world import ms

NOW = "2024-06-01T00:00:30"
LIFTED = Limits(weight=None, group=None)
REMEMBERED = dict.fromkeys((Kind.TICKERS, Kind.ORDERBOOKS, Kind.TRADES), 60.0)
UNIT = Decimal("1e-8")
PATHS = {
    "UPBIT": ("/v1/ticker", "/v1/orderbook", "/v1/trades/ticks"),
    "BINANCE": ("/api/v3/ticker/24hr", "/api/v3/depth", "/api/v3/aggTrades"),
}
LISTINGS = ("/api/v3/exchangeInfo", "/v1/market/all", "/api/v3/time")


def markets(exchange: str, number: int, **options: Any) -> list[MarketConfig]:
    """C00, C01 … against the exchange's own quote currency, trading densely."""
    made, dense = [], {"trades": 2_000_000}
    for coin in (f"C{index:02}" for index in range(number)):
        if exchange == "UPBIT":
            scale = {"tick": "1000", "step": "0.00000001", "price": "42000000", "turnover": "50000000"}
            made.append(MarketConfig(f"KRW-{coin}", coin, "KRW", exchange="UPBIT", **scale | dense | options))
        else:
            made.append(
                MarketConfig(f"{coin}USDT", coin, "USDT", price="30000", turnover="300000000", **dense | options)
            )
    return made


@dataclass
class Wire:
    """A sandbox of one exchange, a coordinator on an empty database beside it."""

    sandbox: Sandbox
    exchange: str
    markets: list[MarketConfig]
    path: Path

    @asynccontextmanager
    async def open(self, *, clock: Clock | None = None, **options: Any) -> AsyncIterator[MarketDataCoordinator]:
        name = self.exchange.lower()
        tables = {"storage": {"path": str(self.path)}, "providers": {name: {"rest_url": self.sandbox.url}}}
        async with candle_core.open(tables, clock=clock) as candles:
            yield MarketDataCoordinator(candles, **{"ttl": REMEMBERED, **options})

    def ids(self) -> list[str]:
        """The exchange's own names."""
        return [market.symbol for market in self.markets]

    def sent(self) -> list[Request]:
        """Requests so far, but for listings and clocks."""
        return [one for one in self.sandbox.ledger.requests() if one.path not in LISTINGS]

    def listings(self) -> int:
        """How often markets were listed."""
        return sum(one.path in LISTINGS[:2] for one in self.sandbox.ledger.requests())


MakeWire: TypeAlias = Callable[..., Wire]


@pytest.fixture
def make_wire(tmp_path: Path) -> Iterator[MakeWire]:
    with ExitStack() as running:

        def make(exchange: str, number: int = 1, *, market: dict[str, Any] | None = None, **options: Any) -> Wire:
            listed = markets(exchange, number, **market or {})
            config = SandboxConfig(markets=listed, clock=NOW, **{"speed": 0, "limits": LIFTED, **options})
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite3"
            return Wire(running.enter_context(Sandbox(config)), exchange, listed, path)

        yield make


# ── candles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("exchange", "size", "page"), [("UPBIT", "count", 200), ("BINANCE", "limit", 1000)])
async def test_a_thousand_candles_cost_a_thousand_by_the_page(
    make_wire: MakeWire, exchange: str, size: str, page: int
) -> None:
    wire = make_wire(exchange, market={"listed": "2023-01-01", "trades": 20_000_000})
    (name,) = wire.ids()
    request = LargeCandleRequest(exchange=exchange, symbols=name, timeframe="1m", count=1000)
    async with wire.open() as coordinator:
        response = await coordinator.get_candle_data(request)
        assert [one.params[size] for one in wire.sent()] == [str(page)] * (1000 // page)
        again = await coordinator.get_candle_data(request)
    end = ms("2024-06-01T00:00:00")
    truth = wire.sandbox.ledger.candles(name, "1m", end - 1000 * 60_000, end)
    batch = response.candles[name]
    assert batch.open_time.tolist() == truth["open_time"].tolist()
    assert (batch.close == truth["close"]).all()
    assert (batch.volume == truth["volume"]).all()
    assert response.continuous
    assert response.slots[name].slots == 1000
    assert (response.report.requests, response.report.rows) == (1000 // page, len(truth["close"]))
    assert (again.report.requests, again.report.cache_hits, again.candles[name]) == (0, 1, batch)


async def test_three_months_of_minutes(make_wire: MakeWire) -> None:
    wire = make_wire("BINANCE", 2, market={"listed": "2023-01-01"})
    names, span = wire.ids(), {"start": "2024-03-01", "end": "2024-06-01"}
    request = LargeCandleRequest(exchange="BINANCE", symbols=names, timeframe="1m", **span)  # type: ignore[arg-type]
    async with wire.open() as coordinator:
        response = await coordinator.get_candle_data(request)
    minutes = 92 * 1440
    assert len(wire.sent()) == response.report.requests == 2 * 133, "132,480 minutes, a thousand to a page"
    assert response.continuous
    for name in names:
        truth = wire.sandbox.ledger.candles(name, "1m", ms("2024-03-01"), ms("2024-06-01"))
        assert response.candles[name].open_time.tolist() == truth["open_time"].tolist()
        assert (response.candles[name].close == truth["close"]).all()
        assert response.slots[name].filled == minutes
    with closing(sqlite3.connect(wire.path)) as connection:
        ((stored,),) = connection.execute("SELECT count(*) FROM v_candles").fetchall()
    assert stored == 2 * minutes


# ── tickers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("exchange", "batch"), [("UPBIT", 100), ("BINANCE", 20)])
async def test_a_hundred_tickers(make_wire: MakeWire, exchange: str, batch: int) -> None:
    wire = make_wire(exchange, 100)
    request = LargeTickerRequest(exchange=exchange, symbols=wire.ids())
    async with wire.open() as coordinator:
        responses = await asyncio.gather(*(coordinator.get_ticker_data(request) for _ in range(5)))
        assert len(wire.sent()) == 100 // batch, "five requests at the same time cost one"
        again = await coordinator.get_ticker_data(request)
    assert len(wire.sent()) == 100 // batch, "within their time they cost nothing"
    assert again.report.cache_hits == 100
    assert wire.listings() == 1
    for response in responses:
        assert response.complete
        assert list(response.tickers) == wire.ids()
    for name, ticker in responses[0].tickers.items():
        truth = wire.sandbox.ledger.ticker(name)
        assert (ticker.market.native_id, ticker.last) == (name, truth["last"] * UNIT)
        assert ticker.volume == truth["volume"] * UNIT


# ── order books ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("exchange", "calls"), [("UPBIT", 1), ("BINANCE", 20)])
async def test_order_books_of_twenty_coins(make_wire: MakeWire, exchange: str, calls: int) -> None:
    wire = make_wire(exchange, 20)
    request = LargeOrderbookRequest(exchange=exchange, symbols=wire.ids(), depth=15)
    async with wire.open() as coordinator:
        response = await coordinator.get_orderbook_data(request)
        await coordinator.get_orderbook_data(request)
    assert len(wire.sent()) == response.report.requests == calls
    assert response.complete
    for name, book in response.orderbooks.items():
        bids, asks = wire.sandbox.ledger.book(name, 15)
        assert [level.price for level in book.bids] == [price * UNIT for price in bids["price"].tolist()]
        assert [level.amount for level in book.asks] == [amount * UNIT for amount in asks["amount"].tolist()]
        assert book.bids[0].price < book.asks[0].price


# ── trades ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exchange", ["UPBIT", "BINANCE"])
async def test_the_newest_trades_of_some_markets(make_wire: MakeWire, exchange: str) -> None:
    wire = make_wire(exchange, 3)
    async with wire.open() as coordinator:
        response = await coordinator.get_trade_data(
            LargeTradeRequest(exchange=exchange, symbols=wire.ids(), count=1700)
        )
    page = {"UPBIT": 500, "BINANCE": 1000}[exchange]
    assert response.complete
    assert -(-1700 // page) * 3 <= len(wire.sent()) <= (1700 // page + 2) * 3
    for name, trades in response.trades.items():
        truth = wire.sandbox.ledger.newest_trades(name, 1700)
        assert [trade.at for trade in trades] == truth["at"].tolist()
        assert [trade.price for trade in trades] == [price * UNIT for price in truth["price"].tolist()]
        assert len({trade.id for trade in trades}) == 1700


@pytest.mark.parametrize("exchange", ["UPBIT", "BINANCE"])
async def test_a_range_of_trades_is_whole(make_wire: MakeWire, exchange: str) -> None:
    wire = make_wire(exchange, 1)
    (name,) = wire.ids()
    start, end = "2024-05-31T23:50:00", "2024-06-01T00:00:10"  # over midnight
    truth = wire.sandbox.ledger.trades(name, ms(start), ms(end))
    assert len(truth) > 1000, "more than a page"
    async with wire.open() as coordinator:
        whole = await coordinator.get_trade_data(
            LargeTradeRequest(exchange=exchange, symbols=name, start=start, end=end)
        )
        oldest = await coordinator.get_trade_data(
            LargeTradeRequest(exchange=exchange, symbols=name, start=start, count=700)
        )
    assert whole.complete, whole.failures
    assert [trade.at for trade in whole.trades[name]] == truth["at"].tolist()
    assert [trade.amount for trade in whole.trades[name]] == [amount * UNIT for amount in truth["amount"].tolist()]
    assert oldest.trades[name] == whole.trades[name][:700]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exchange", ["UPBIT", "BINANCE"])
async def test_faults_on_the_line_change_nothing(make_wire: MakeWire, exchange: str) -> None:
    wire = make_wire(exchange, 12)
    async with wire.open() as coordinator:
        await coordinator.get_ticker_data(LargeTickerRequest(exchange=exchange, symbols=wire.ids()[:1]))
        for path in PATHS[exchange]:
            for fault in ("status", "truncated"):
                wire.sandbox.faults.script(fault, path=path)
        responses: list[LargeResponse] = [
            await coordinator.get_ticker_data(LargeTickerRequest(exchange=exchange, symbols=wire.ids(), max_age=0)),
            await coordinator.get_orderbook_data(LargeOrderbookRequest(exchange=exchange, symbols=wire.ids())),
            await coordinator.get_trade_data(LargeTradeRequest(exchange=exchange, symbols=wire.ids(), count=600)),
        ]
    struck = [one for one in wire.sent() if one.fault]
    assert len(struck) == 6
    assert all(response.complete for response in responses)
    assert [response.report.rows for response in responses] == [12, 12, 7200]
    assert sum(response.report.retries for response in responses) == len(struck)


async def test_however_many_at_once_the_exchanges_limits_hold(
    make_wire: MakeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upbit: ten a second in each group, one of which candles, trades and so on are."""
    wire = make_wire("UPBIT", 24, limits=Limits(), market={"listed": "2023-01-01"})
    names = wire.ids()
    async with wire.open(clock=PatientClock(wire.sandbox, monkeypatch), max_concurrency=24) as coordinator:
        trades, candles = await asyncio.gather(
            coordinator.get_trade_data(LargeTradeRequest(exchange="UPBIT", symbols=names, count=20)),
            coordinator.get_candle_data(
                LargeCandleRequest(
                    exchange="UPBIT", symbols=names, timeframe="1d", start="2024-01-01", end="2024-05-01"
                )
            ),
        )
    assert trades.complete
    assert candles.continuous
    assert {one.status for one in wire.sent()} == {200}, "nothing was refused"
    for path, response in (("trades", trades), ("candles", candles)):
        moments = sorted(one.at for one in wire.sent() if path in one.path)
        assert len(moments) == response.report.requests >= 24
        assert moments[-1] - moments[0] > 1000, "they took more than a second"


# ── parallel ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "calls"), [(Kind.CANDLES, 24), (Kind.TICKERS, 12), (Kind.ORDERBOOKS, 24), (Kind.TRADES, 24)]
)
async def test_side_by_side_is_the_same(make_wire: MakeWire, kind: Kind, calls: int) -> None:
    """How much faster it is `bench` tells; here, that calls are under way beside each other, and what comes of them."""
    values, beside = [], []
    for most, latency in ((1, 0), (12, 300)):
        number = TICKERS * calls if kind is Kind.TICKERS else calls
        wire = make_wire("BINANCE", number, latency_ms=latency, market={"listed": "2023-01-01"})
        async with wire.open(max_concurrency=most) as coordinator:
            await coordinator.get_candle_data(first_candle(wire.ids()[0]))
            wire.sandbox.ledger.clear()
            response, found = await answer(coordinator, large(kind, calls, wire.ids()))
        assert response.complete
        assert response.report.requests == calls
        values.append(found)
        beside.append(sorted(one.under_way for one in wire.sent()))
    assert values[0] == values[1]
    assert beside[0] == [1] * calls
    assert 6 <= beside[1][-1] <= 12
    assert beside[1].count(1) <= calls / 3, "hardly one is sent while no other is under way"


# ── without await ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_blocking_twin_gives_the_same(make_wire: MakeWire) -> None:
    wire = make_wire("UPBIT", 3)
    tables = {"storage": {"path": str(wire.path)}, "providers": {"upbit": {"rest_url": wire.sandbox.url}}}
    names = wire.ids()
    with blocking.open(tables) as candles:
        coordinator = blocking.MarketDataCoordinator(candles, 2, max_entries=10)
        day = coordinator.get_candle_data(LargeCandleRequest(exchange="UPBIT", symbols=names, timeframe="1h", count=24))
        tickers = coordinator.get_ticker_data(LargeTickerRequest(exchange="UPBIT", symbols=names))
        books = coordinator.get_orderbook_data(LargeOrderbookRequest(exchange="UPBIT", symbols=names, depth=1))
        trades = coordinator.get_trade_data(LargeTradeRequest(exchange="UPBIT", symbols=names, count=5))
    assert [response.report.rows for response in (day, tickers, books, trades)] == [72, 3, 3, 15]
    for name in names:
        assert tickers.tickers[name].last == wire.sandbox.ledger.ticker(name)["last"] * UNIT
        assert trades.trades[name][-1].at == wire.sandbox.ledger.newest_trades(name, 1)["at"][0]
