"""Tickers, order books and trades stay in memory, bounded: nothing of them ever reaches a storage."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import (
    LargeCandleRequest,
    LargeOrderbookRequest,
    LargeTickerRequest,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_core.coordinator.present import book_bytes, ticker_bytes, trades_bytes
from candle_hookspecs import Kind, Level, Market, OrderBook, Ticker, Trade

NAMES = [f"{base}/X" for base in "ABCDEFGHIJ"]


@contextmanager
def watched(candles: candle_core.Candles) -> Iterator[set[str]]:
    """Every hook that is called, of whichever plugin."""
    called: set[str] = set()
    manager = candles.kernel.dispatch._manager
    undo = manager.add_hookcall_monitoring(lambda hook, *_: called.add(hook), lambda *_: None)
    try:
        yield called
    finally:
        undo()


async def ask_for_everything(coordinator: MarketDataCoordinator) -> None:
    for options in ({}, {"max_age": 0}):
        tickers = await coordinator.get_ticker_data(
            LargeTickerRequest(exchange="BAZAAR", symbols=NAMES, **options)  # type: ignore[arg-type]
        )
        books = await coordinator.get_orderbook_data(
            LargeOrderbookRequest(exchange="BAZAAR", symbols=NAMES, **options)  # type: ignore[arg-type]
        )
        trades = await coordinator.get_trade_data(
            LargeTradeRequest(exchange="BAZAAR", symbols=NAMES, count=12, **options)  # type: ignore[arg-type]
        )
        assert (tickers.report.rows, books.report.rows, trades.report.rows) == (10, 10, 120)


async def test_no_hook_of_a_storage_is_called_and_no_file_is_made(clock: Any, bazaar: Any, tmp_path: Path) -> None:
    file = tmp_path / "candles.sqlite3"
    async with candle_core.open({"storage": {"path": str(file)}}, clock=clock) as candles:
        coordinator = MarketDataCoordinator(candles)
        with watched(candles) as called:
            await ask_for_everything(coordinator)
            assert called == {"candle_markets", "candle_split", "candle_fetch"}
            assert not file.exists(), "the database was not even opened"
            await coordinator.get_candle_data(
                LargeCandleRequest(exchange="BAZAAR", symbols="A/X", timeframe="1m", count=3)
            )
            assert {"candle_register", "candle_save", "candle_load"} <= called, "the watch sees what there is"


async def test_what_is_remembered_is_bounded(clock: Any, bazaar: Any) -> None:
    ttl = dict.fromkeys((Kind.TICKERS, Kind.ORDERBOOKS, Kind.TRADES), 600.0)
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        coordinator = MarketDataCoordinator(candles, ttl=ttl, max_entries=4)
        await coordinator.get_ticker_data(LargeTickerRequest(exchange="BAZAAR", symbols=NAMES))
        again = await coordinator.get_ticker_data(LargeTickerRequest(exchange="BAZAAR", symbols=NAMES))
        assert (again.report.cache_hits, again.report.rows) == (4, 10)
        small = MarketDataCoordinator(candles, ttl=ttl, max_bytes=trades_bytes((a_trade(),) * 12) * 3)
        trades = LargeTradeRequest(exchange="BAZAAR", symbols=NAMES, count=12)
        await small.get_trade_data(trades)
        kept = await small.get_trade_data(trades)
        assert (kept.report.cache_hits, kept.report.rows) == (3, 120)


# ── what a value takes ───────────────────────────────────────────────────────────────────────────────────────────────

MARKET = Market(
    archetype="CRYPTO", exchange="BAZAAR", tradetype="SPOT", base="A", quote="X", native_id="AX", ccxt_symbol="A/X"
)
LONG = Decimal("123456789.12345678")


def a_trade() -> Trade:
    return Trade(market=MARKET, id="1234567890123456789", at=2**41, price=+LONG, amount=+LONG, taker_is_buyer=True)


def a_ticker() -> Ticker:
    names = [one.name for one in fields(Ticker) if one.name not in ("market", "at", "trades", "since")]
    return Ticker(market=MARKET, at=2**41, since=2**41, trades=2**41, **dict.fromkeys(names, +LONG))


def a_book() -> OrderBook:
    side = tuple(Level(Decimal(number) / 3, +LONG) for number in range(1, 101))
    return OrderBook(market=MARKET, at=2**41, bids=side, asks=side, sequence=2**62)


def really(value: object) -> int:
    """Bytes of an object and of all that only it holds."""
    if isinstance(value, Market) or value is None or isinstance(value, bool):
        return 0
    size = sys.getsizeof(value)
    if isinstance(value, tuple):
        return size + sum(map(really, value))
    if is_dataclass(value):
        return size + sum(really(getattr(value, one.name)) for one in fields(value))
    return size


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (a_ticker(), ticker_bytes(a_ticker())),
        (a_book(), book_bytes(a_book())),
        (tuple(a_trade() for _ in range(100)), trades_bytes(tuple(a_trade() for _ in range(100)))),
    ],
    ids=["ticker", "book", "trades"],
)
def test_what_a_value_takes_is_not_told_too_small(value: object, told: int) -> None:
    assert really(value) <= told <= 3 * really(value)
