"""Trades against the candles they are part of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig
from candle_testkit.sandbox.clock import to_ms
from candle_testkit.sandbox.deals import DealBook

NOW = to_ms("2024-03-10T12:34:30.500")
MINUTE = 60_000
UNITS = 10**8
MARKETS = [
    MarketConfig(
        "BTCUSDT", "BTC", "USDT", price="42000", turnover="300000000", trades=2_000_000,
        holes=[("2024-03-10T11:00:20", "2024-03-10T11:10")], quiet=[("2024-03-10T11:30", "2024-03-10T11:40:30")],
    ),
    MarketConfig("ETHBTC", "ETH", "BTC", "0.00001", "0.001", "0.06", "500", trades=5_000),
    MarketConfig("KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", trades=1, listed="2023-03-01",
                 exchange="UPBIT"),
]  # fmt: skip
SPANS = {"BTCUSDT": 180 * MINUTE, "ETHBTC": 1_440 * MINUTE, "KRW-LONE": 40 * 1_440 * MINUTE}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0))


def minutes(sandbox: Sandbox, symbol: str) -> list[tuple[Any, Any]]:
    """Every closed candle of the market's stretch, with the trades that came in it."""
    end = NOW // MINUTE * MINUTE
    start = end - SPANS[symbol]
    deals = sandbox.ledger.trades(symbol, start, end)
    rows = sandbox.ledger.rows(symbol, "1m", start, end)
    edges = np.searchsorted(deals["at"], [*rows["open_time"], end])
    assert len(deals) == sum(int(row["trades"]) for row in rows), "no trade lies beside the candles"
    return [(row, deals[a:b]) for row, a, b in zip(rows, edges, edges[1:], strict=False)]


@pytest.mark.parametrize("symbol", SPANS)
def test_they_add_up_to_the_candle(sandbox: Sandbox, symbol: str) -> None:
    for row, deals in minutes(sandbox, symbol):
        bought = deals["taker_is_buyer"] == 1
        assert len(deals) == row["trades"]
        assert deals["amount"].sum() == row["volume"]
        assert (deals["amount"] > 0).all()
        assert ((deals["price"] >= row["low"]) & (deals["price"] <= row["high"])).all()
        quotes = [divmod(int(price) * int(amount), UNITS) for price, amount in deals[["price", "amount"]].tolist()]
        assert not any(finer for _, finer in quotes)
        told = sum(quote for quote, _ in quotes)
        if len(deals) > 1:
            assert told == row["quote_volume"]
        elif len(deals):
            tick = sandbox.markets[symbol].config.tick_units
            assert 0 <= row["quote_volume"] - told < tick * row["volume"] // UNITS, "at the average price, to a tick"
        if min(bought.sum(), (~bought).sum()) > 1:
            assert deals["amount"][bought].sum() == row["taker_buy_volume"]


def test_many_trades_open_and_close_and_reach_as_the_candle_does(sandbox: Sandbox) -> None:
    """But for the few minutes whose quote volume leaves no room for a single step at another price."""
    full = [(row, deals["price"]) for row, deals in minutes(sandbox, "BTCUSDT") if len(deals) > 100]
    assert len(full) > 150
    ends = [[row["open"], row["close"], row["high"], row["low"]] for row, _ in full]
    found = [[prices[0], prices[-1], prices.max(), prices.min()] for _, prices in full]
    assert np.mean(np.all(np.array(ends) == np.array(found), axis=1)) > 0.98


def test_none_where_nothing_is_traded(sandbox: Sandbox) -> None:
    for start, end in (("2024-03-10T11:00:20", "2024-03-10T11:10"), ("2024-03-10T11:30", "2024-03-10T11:40:30")):
        assert not len(sandbox.ledger.trades("BTCUSDT", to_ms(start), to_ms(end)))
    assert len(sandbox.ledger.trades("BTCUSDT", to_ms("2024-03-10T11:00"), to_ms("2024-03-10T11:00:20")))


def test_none_of_the_future(sandbox: Sandbox) -> None:
    deals = sandbox.ledger.trades("BTCUSDT", NOW - MINUTE, NOW + MINUTE)
    assert len(deals)
    assert deals["at"].max() < NOW


@pytest.mark.parametrize("symbol", SPANS)
def test_numbers_have_no_gaps(sandbox: Sandbox, symbol: str) -> None:
    deals = sandbox.ledger.trades(symbol, NOW - SPANS[symbol], NOW)
    assert np.array_equal(np.diff(deals["number"]), np.ones(len(deals) - 1))
    assert (np.diff(deals["at"]) >= 0).all()


def test_the_first_trade_has_the_number_zero(sandbox: Sandbox) -> None:
    first = DealBook(sandbox.markets["KRW-LONE"]).oldest(0, 3, NOW)
    assert first["number"].tolist() == [0, 1, 2]


WAYS: list[Callable[[DealBook, Any], Any]] = [
    lambda book, deals: book.newest(NOW, len(deals), 0),
    lambda book, deals: book.oldest(int(deals["at"][0]), len(deals), NOW),
    lambda book, deals: book.from_number(int(deals["number"][0]), len(deals), NOW),
]


@pytest.mark.parametrize("way", WAYS, ids=["newest", "oldest", "by-number"])
@pytest.mark.parametrize("symbol", SPANS)
def test_however_they_are_asked_for_they_are_the_same(
    sandbox: Sandbox, symbol: str, way: Callable[[DealBook, Any], Any]
) -> None:
    deals = sandbox.ledger.trades(symbol, NOW - SPANS[symbol], NOW)
    first = next(place for place in range(len(deals)) if not place or deals["at"][place] > deals["at"][place - 1])
    wanted = deals[first:] if len(deals) < 2_000 else deals[-1_500:]
    assert np.array_equal(way(DealBook(sandbox.markets[symbol]), wanted)["number"], wanted["number"])
