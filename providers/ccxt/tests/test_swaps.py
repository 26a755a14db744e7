"""Contracts on a wire: perpetual and dated ones are listed, named, collected and told in coins."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

import candle_core
from candle_core.coordinator import (
    LargeOrderbookRequest,
    LargeTickerRequest,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_hookspecs import to_ms
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from providers.ccxt.tests.clocks import JumpingClock

NOW: Final = "2024-03-10T12:34:30.500"
SWAP, FUTURE = "BTC/USDT:USDT", "BTC/USDT:USDT-261225"
MARKETS: Final = [
    MarketConfig("BTC-USDT", "BTC", "USDT", "0.1", "0.00001", "42000", "200000000", exchange="OKX"),
    MarketConfig("BTC-USDT-SWAP", "BTC", "USDT", "0.1", "0.0001", "42000", "300000000", exchange="OKX"),
    MarketConfig("BTC-USDT-261225", "BTC", "USDT", "0.1", "0.0001", "43000", "9000000", listed="2024-02-28T08:00",
                 delisted="2026-12-25T08:00", exchange="OKX"),
    MarketConfig("BTC-USDT-240301", "BTC", "USDT", "0.1", "0.0001", "43000", "9000000", listed="2024-01-01T08:00",
                 delisted="2024-03-01T08:00", exchange="OKX"),
]  # fmt: skip
NATIVE: Final = {SWAP: "BTC-USDT-SWAP", FUTURE: "BTC-USDT-261225"}
E8: Final = 10**8


@pytest.fixture(scope="module")
def exchange() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(markets=MARKETS, clock=NOW, speed=0, limits=Limits(weight=None))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(exchange: Sandbox) -> Sandbox:
    exchange.ledger.clear()
    return exchange


def opened(sandbox: Sandbox, **tables: Any) -> Any:
    okx = {"plugin": "ccxt", "rest_url": sandbox.url}
    tables = {"storage": {"backend": "memory"}, "providers": {"okx": okx}, **tables}
    return candle_core.open(tables, clock=JumpingClock())


async def test_contracts_are_listed_with_what_tells_them_apart(sandbox: Sandbox) -> None:
    async with opened(sandbox) as candles:
        found = {market.ccxt_symbol: market for market in await candles.markets("OKX")}
    told = {name: (one.tradetype, one.base, one.quote, one.settle, one.contract) for name, one in found.items()}
    assert told == {
        "BTC/USDT": ("SPOT", "BTC", "USDT", "", ""),
        SWAP: ("SWAP", "BTC", "USDT", "USDT", ""),
        FUTURE: ("FUTURE", "BTC", "USDT", "USDT", "261225"),
    }
    # The wire counts contracts of a hundredth of a coin, by hundredths; a market's steps are in coins.
    assert (found[SWAP].amount_step, found[SWAP].min_amount) == (Decimal("0.0001"), Decimal("0.0001"))
    assert found[SWAP].extra["contract_size"] == "0.01"
    assert found["BTC/USDT"].amount_step == Decimal("0.00001")


@pytest.mark.parametrize("defaults", [{}, {"tradetype": "SPOT"}], ids=["no-defaults", "spot-by-default"])
@pytest.mark.parametrize(
    ("name", "tradetype", "start", "end"),
    [
        (SWAP, None, "2024-03-08", "2024-03-09"),
        (FUTURE, None, "2024-02-28", "2024-03-01"),
        (SWAP.lower(), None, "2024-03-08", "2024-03-09"),
        ("BTC-USDT-261225", "FUTURE", "2024-02-28", "2024-03-01"),
    ],
)
async def test_their_candles_are_collected_by_name(
    sandbox: Sandbox, defaults: dict[str, str], name: str, tradetype: str | None, start: str, end: str
) -> None:
    async with opened(sandbox, defaults=defaults) as candles:
        summary = await candles.collect_candles_only(
            name, "5m", exchange="OKX", tradetype=tradetype, start=start, end=end
        )
        stored = await candles.load(summary.symbol, start=start, end=end)
    dated = "261225" in name
    assert str(summary.symbol) == ("CRYPTO-OKX-FUTURE-BTC-USDT-5m-261225" if dated else "CRYPTO-OKX-SWAP-BTC-USDT-5m")
    truth = sandbox.ledger.candles(NATIVE[FUTURE if dated else SWAP], "5m", to_ms(start), to_ms(end))
    assert len(truth["open_time"]) == (2 * 288 - 96 if dated else 288)
    for column in ("open_time", "open", "high", "low", "close", "volume"):
        assert stored.columns()[column].tolist() == truth[column].tolist(), column


async def test_books_and_trades_are_told_in_coins_and_no_volume_is_made_up(sandbox: Sandbox) -> None:
    start, end, ledger, native = "2024-03-10T12:10", "2024-03-10T12:32", sandbox.ledger, NATIVE[SWAP]
    async with opened(sandbox) as candles:
        asking = MarketDataCoordinator(candles)
        tickers = await asking.get_ticker_data(LargeTickerRequest(exchange="OKX", symbols=SWAP))
        books = await asking.get_orderbook_data(LargeOrderbookRequest(exchange="OKX", symbols=SWAP, depth=20))
        trades = await asking.get_trade_data(LargeTradeRequest(exchange="OKX", symbols=SWAP, start=start, end=end))
    ticker, book = tickers.tickers[SWAP], books.orderbooks[SWAP]
    bids, asks = ledger.book(native, 20)
    assert ticker.last * E8 == ledger.ticker(native)["last"]
    assert (ticker.bid_amount or 0) * E8 == int(bids["amount"][0])
    assert (ticker.volume, ticker.quote_volume) == (None, None), "contracts or coins? ccxt does not say"
    for side, truth in ((book.bids, bids), (book.asks, asks)):
        assert [(level.price * E8, level.amount * E8) for level in side] == truth.tolist()
    told = [(one.at, one.price * E8, one.amount * E8) for one in trades.trades[SWAP]]
    assert told == ledger.trades(native, to_ms(start), to_ms(end))[["at", "price", "amount"]].tolist()
    assert len(told) > 100, "more than a page"
