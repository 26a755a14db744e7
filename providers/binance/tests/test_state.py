"""Decimals are the wire's own text, and what is no such answer is refused."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_binance.state import book_of, tickers_of, trades_of
from candle_hookspecs import MalformedAnswerError, Market

MARKET = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
# The documentation's own examples.
TICKER = {
    "symbol": "BTCUSDT", "priceChange": "-94.99999800", "priceChangePercent": "-95.960",
    "weightedAvgPrice": "0.29628482", "prevClosePrice": "0.10002000", "lastPrice": "4.00000200",
    "lastQty": "200.00000000", "bidPrice": "4.00000000", "bidQty": "100.00000000", "askPrice": "4.00000200",
    "askQty": "100.00000000", "openPrice": "99.00000000", "highPrice": "100.00000000", "lowPrice": "0.10000000",
    "volume": "8913.30000000", "quoteVolume": "15.30000000", "openTime": 1499783499040, "closeTime": 1499869899040,
    "firstId": 28385, "lastId": 28460, "count": 76,
}  # fmt: skip
BOOK = {
    "lastUpdateId": 1027024, "bids": [["4.00000000", "431.00000000"]],
    "asks": [["4.00000200", "12.00000000"]],
}  # fmt: skip
TRADE = {
    "a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781, "T": 1498793709153, "m": True, "M": True,
}  # fmt: skip
texts = st.from_regex(r"(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?", fullmatch=True)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_the_documented_ticker() -> None:
    (ticker,) = tickers_of(body([TICKER]), [MARKET])
    said = {
        "last": "4.00000200", "open": "99.00000000", "high": "100.00000000", "low": "0.10000000",
        "bid": "4.00000000", "bid_amount": "100.00000000", "ask": "4.00000200", "ask_amount": "100.00000000",
        "volume": "8913.30000000", "quote_volume": "15.30000000",
    }  # fmt: skip
    assert {name: str(getattr(ticker, name)) for name in said} == said
    assert (ticker.at, ticker.since, ticker.trades, ticker.market) == (1499869899040, 1499783499040, 76, MARKET)


def test_the_documented_book() -> None:
    book = book_of(body(BOOK), MARKET, 77)
    assert [(str(one.price), str(one.amount)) for one in (*book.bids, *book.asks)] == [
        ("4.00000000", "431.00000000"), ("4.00000200", "12.00000000"),
    ]  # fmt: skip
    assert (book.at, book.sequence, book.market) == (77, 1027024, MARKET)


def test_the_documented_trade() -> None:
    ((number, trade),) = trades_of(body([TRADE]), MARKET)
    assert (number, trade.id, trade.at) == (26129, "26129", 1498793709153)
    assert (str(trade.price), str(trade.amount), trade.taker_is_buyer) == ("0.01633102", "4.70443515", False)


@given(texts, texts)
def test_every_digit_is_kept(price: str, amount: str) -> None:
    ((_, trade),) = trades_of(body([{**TRADE, "p": price, "q": amount}]), MARKET)
    (ticker,) = tickers_of(body([{**TICKER, "lastPrice": price, "volume": amount}]), [MARKET])
    book = book_of(body({**BOOK, "bids": [[price, amount]], "asks": []}), MARKET, 0)
    found = [trade.price, trade.amount, ticker.last, ticker.volume, book.bids[0].price, book.bids[0].amount]
    assert [f"{value:f}" for value in found if value is not None] == [price, amount] * 3


def test_nobody_bids() -> None:
    (ticker,) = tickers_of(body([{**TICKER, "bidPrice": "0.00000000", "bidQty": "0.00000000"}]), [MARKET])
    assert (ticker.bid, ticker.bid_amount, str(ticker.ask)) == (None, None, "4.00000200")


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-1.0", "1_0", " 1", "1e5", "", "١", "0x1", "1.", ".5", 4.5, None, True]
)
def test_what_is_no_decimal_is_malformed(text: Any) -> None:
    for read in (
        lambda: tickers_of(body([{**TICKER, "highPrice": text}]), [MARKET]),
        lambda: trades_of(body([{**TRADE, "q": text}]), MARKET),
        lambda: book_of(body({**BOOK, "asks": [[text, "1.0"]]}), MARKET, 0),
    ):
        with pytest.raises(MalformedAnswerError, match="begins"):
            read()


@pytest.mark.parametrize(
    "raw",
    [b"", b"[", b"{}", b"<html>", b"[1]", body([{**TICKER, "count": "many"}]),
     body([{name: value for name, value in TICKER.items() if name != "lastPrice"}]),
     body([{**TICKER, "closeTime": 1499869899040000}])],
)  # fmt: skip
def test_what_is_no_ticker_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        tickers_of(raw, [MARKET])


def test_a_ticker_that_cannot_be_read_is_left_out_and_the_others_are_there() -> None:
    other = replace(MARKET, native_id="ETHUSDT", ccxt_symbol="ETH/USDT", base="ETH")
    wrong = {**TICKER, "volume": "-1.00000000"}
    (ticker,) = tickers_of(body([wrong, {**TICKER, "symbol": "ETHUSDT"}]), [MARKET, other])
    assert ticker.market is other


def test_a_ticker_that_was_not_asked_for_is_malformed() -> None:
    strange = {**TICKER, "symbol": "ETHUSDT"}
    with pytest.raises(MalformedAnswerError, match="ETHUSDT"):
        tickers_of(body([TICKER, strange]), [MARKET])
    assert [one.market for one in tickers_of(body([strange, TICKER]), [MARKET], others=True)] == [MARKET]


@pytest.mark.parametrize(
    "sides",
    [{"bids": [["1.0", "1"], ["2.0", "1"]]}, {"asks": [["2.0", "1"], ["1.0", "1"]]}, {"bids": [["1.0", "1"]] * 2}],
    ids=["bids-rise", "asks-fall", "twice"],
)
def test_a_book_out_of_order_is_malformed(sides: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswerError, match="BTCUSDT"):
        book_of(body({"lastUpdateId": 1, "bids": [], "asks": [], **sides}), MARKET, 0)


@pytest.mark.parametrize("change", [{"a": 26129}, {"a": 26130, "T": 1498793709152}], ids=["number", "time"])
def test_trades_out_of_order_are_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswerError, match="out of order"):
        trades_of(body([TRADE, {**TRADE, **change}]), MARKET)


def test_exact_beyond_any_float() -> None:
    text = "12345678901234567890.123456789012345678"
    ((_, trade),) = trades_of(body([{**TRADE, "p": text}]), MARKET)
    assert trade.price == Decimal(text) != Decimal(float(text))
