"""Tickers, books and trades through ccxt and by the exchange's own plugin: the same values; and what they cost."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

import candle_core
from candle_core.coordinator import (
    LargeOrderbookRequest,
    LargeTickerRequest,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_hookspecs import BadRequestError, to_ms
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from providers.ccxt.tests.clocks import JumpingClock

NOW: Final = "2024-03-10T12:34:30.500"
E8: Final = 10**8
NATIVE: Final = {"binance": "{}USDT", "upbit": "KRW-{}", "kraken": "{}USD", "okx": "{}-USDT"}
QUOTES: Final = {"binance": "USDT", "upbit": "KRW", "kraken": "USD", "okx": "USDT"}
COINS: Final = [f"C{number:02}" for number in range(100)]
LISTINGS: Final = (
    "/api/v3/exchangeInfo", "/api/v3/time", "/v1/market/all", "/0/public/AssetPairs", "/0/public/Assets",
    "/0/public/Time", "/api/v5/public/instruments", "/api/v5/public/time",
)  # fmt: skip


def market(exchange: str, coin: str) -> MarketConfig:
    scale: dict[str, Any] = {"price": "42000", "turnover": "300000000", "trades": 1_000_000}
    if exchange == "upbit":
        scale = {"tick": "1000", "step": "0.00000001", "price": "42000000", "turnover": "50000000", "trades": 5_000_000}
    return MarketConfig(NATIVE[exchange].format(coin), coin, QUOTES[exchange], exchange=exchange.upper(), **scale)


@pytest.fixture(scope="module")
def exchanges() -> Iterator[Sandbox]:
    markets = [market(exchange, coin) for exchange in NATIVE for coin in COINS]
    limits = Limits(weight=None, group=None)
    with Sandbox(SandboxConfig(markets=markets, clock=NOW, speed=0, limits=limits)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(exchanges: Sandbox) -> Sandbox:
    exchanges.ledger.clear()
    return exchanges


def opened(sandbox: Sandbox, exchange: str, **table: Any) -> Any:
    tables = {"storage": {"backend": "memory"}, "providers": {exchange: {"rest_url": sandbox.url, **table}}}
    return candle_core.open(tables, clock=JumpingClock())


def through(sandbox: Sandbox, exchange: str) -> Any:
    return opened(sandbox, exchange, plugin="ccxt", tradetypes=["SPOT"])


def asked(sandbox: Sandbox) -> Counter[str]:
    """How often each path was asked for, listings and clocks left out."""
    return Counter(one.path for one in sandbox.ledger.requests() if one.path not in LISTINGS)


@pytest.mark.parametrize("exchange", ["binance", "upbit"])
async def test_tickers_books_and_trades_are_those_of_the_exchanges_own_plugin(sandbox: Sandbox, exchange: str) -> None:
    names = [NATIVE[exchange].format(coin) for coin in COINS[:5]]
    told = []
    for table in ({}, {"plugin": "ccxt", "tradetypes": ["SPOT"]}):
        async with opened(sandbox, exchange, **table) as candles:
            asking = MarketDataCoordinator(candles)
            tickers = await asking.get_ticker_data(LargeTickerRequest(exchange=exchange, symbols=names))
            books = await asking.get_orderbook_data(LargeOrderbookRequest(exchange=exchange, symbols=names, depth=15))
            trades = await asking.get_trade_data(LargeTradeRequest(exchange=exchange, symbols=names, count=500))
            assert [one.failures for one in (tickers, books, trades)] == [{}, {}, {}]
            told.append((tickers.tickers, books.orderbooks, trades.trades))
    (own_tickers, own_books, own_trades), (tickers_, books_, trades_) = told
    for name in names:
        # What ccxt does not pass on: since when they count, how many trades; of Upbit, also when it was so.
        unsaid: dict[str, Any] = {"since": None, "trades": None, "at": 0, "market": tickers_[name].market}
        assert repr(replace(tickers_[name], **unsaid)) == repr(replace(own_tickers[name], **unsaid))
        own_book = own_books[name]
        assert repr((books_[name].bids, books_[name].asks)) == repr((own_book.bids, own_book.asks))
        assert (books_[name].at, books_[name].sequence) == (own_book.at, own_book.sequence)
        values = [
            [(one.id, one.at, str(one.price), str(one.amount), one.taker_is_buyer) for one in found[name]]
            for found in (own_trades, trades_)
        ]
        assert len(values[0]) == 500
        assert values[0] == values[1]


@pytest.mark.parametrize(
    ("exchange", "tickers", "books"),
    [
        ("binance", {"/api/v3/ticker/24hr": 1}, {"/api/v3/depth": 20}),
        # One a second is what ccxt grants, a little less for books.
        pytest.param("kraken", {"/0/public/Ticker": 1}, {"/0/public/Depth": 20}, marks=pytest.mark.slow),
        ("okx", {"/api/v5/market/tickers": 1}, {"/api/v5/market/books": 20}),
        ("upbit", {"/v1/ticker": 1}, {"/v1/orderbook": 1}),
    ],
)
async def test_a_hundred_tickers_and_twenty_books(
    sandbox: Sandbox, exchange: str, tickers: dict[str, int], books: dict[str, int]
) -> None:
    names = [NATIVE[exchange].format(coin) for coin in COINS]
    async with through(sandbox, exchange) as candles:
        asking = MarketDataCoordinator(candles)
        all_tickers = await asking.get_ticker_data(LargeTickerRequest(exchange=exchange, symbols=names))
        assert asked(sandbox) == tickers
        sandbox.ledger.clear()
        some_books = await asking.get_orderbook_data(
            LargeOrderbookRequest(exchange=exchange, symbols=names[:20], depth=15)
        )
        assert asked(sandbox) == books
    assert list(all_tickers.tickers) == names
    for name, ticker in all_tickers.tickers.items():
        assert ticker.last * E8 == sandbox.ledger.ticker(name)["last"]
    for name, book in some_books.orderbooks.items():
        bids, asks = sandbox.ledger.book(name, 15)
        for side, truth in ((book.bids, bids), (book.asks, asks)):
            assert [(level.price * E8, level.amount * E8) for level in side] == truth.tolist()


@pytest.mark.parametrize(("exchange", "start"), [("binance", "12:26"), ("kraken", "12:26"), ("okx", "12:33:20")])
async def test_a_range_of_trades_is_whole_and_the_oldest_of_it_are_the_oldest(
    sandbox: Sandbox, exchange: str, start: str
) -> None:
    name = NATIVE[exchange].format(COINS[0])
    start, end = f"2024-03-10T{start}", "2024-03-10T12:34:00.001"
    truth = sandbox.ledger.trades(name, to_ms(start), to_ms(end))
    assert len(truth) > 1_000
    async with through(sandbox, exchange) as candles:
        asking = MarketDataCoordinator(candles)
        whole = await asking.get_trade_data(LargeTradeRequest(exchange=exchange, symbols=name, start=start, end=end))
        oldest = await asking.get_trade_data(
            LargeTradeRequest(exchange=exchange, symbols=name, start=start, count=1_050)
        )
    told = [(one.at, one.price * E8, one.amount * E8, one.taker_is_buyer) for one in whole.trades[name]]
    assert told == truth[["at", "price", "amount", "taker_is_buyer"]].tolist()
    assert list(oldest.trades[name]) == list(whole.trades[name])[:1_050]


async def test_what_only_the_newest_are_had_of_is_refused_and_not_cut(sandbox: Sandbox) -> None:
    name = NATIVE["upbit"].format(COINS[0])
    async with through(sandbox, "upbit") as candles:
        asking = MarketDataCoordinator(candles)
        told = await asking.get_trade_data(
            LargeTradeRequest(exchange="upbit", symbols=name, start="2024-03-10T12:00", end="2024-03-10T12:34")
        )
    assert isinstance(told.failures[name], BadRequestError)
    assert "UPBIT tells its newest 500 trades, from 2024-03-10T12:3" in str(told.failures[name])
    assert not told.trades


async def test_upbit_tells_one_day_and_a_range_over_midnight_is_not_cut_there() -> None:
    name, before, after = NATIVE["upbit"].format(COINS[0]), "2024-03-09T23:59:50", "2024-03-10T00:00:02"
    config = SandboxConfig(markets=[market("upbit", COINS[0])], clock=after, speed=0)
    with Sandbox(config) as sandbox:
        truth = sandbox.ledger.trades(name, to_ms("2024-03-10"), to_ms("2024-03-11"))
        assert 0 < len(truth) < 500
        async with through(sandbox, "upbit") as candles:
            asking = MarketDataCoordinator(candles)
            over = await asking.get_trade_data(
                LargeTradeRequest(exchange="upbit", symbols=name, start=before, end=after)
            )
            counted = await asking.get_trade_data(LargeTradeRequest(exchange="upbit", symbols=name, count=500))
            few = await asking.get_trade_data(LargeTradeRequest(exchange="upbit", symbols=name, count=len(truth)))
    assert "there may be others" in str(over.failures[name])
    assert "there may be others" in str(counted.failures[name])
    assert [one.at for one in few.trades[name]] == truth["at"].tolist()
