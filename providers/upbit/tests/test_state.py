"""Decimals are the wire's own text, never a float's, and what is no such answer is refused."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import MalformedAnswerError, Market, to_ms
from candle_upbit.state import books_of, tickers_of, ticks_of

MARKET = Market(
    archetype="CRYPTO", exchange="UPBIT", tradetype="SPOT", base="BTC", quote="KRW", native_id="KRW-BTC",
    ccxt_symbol="BTC/KRW",
)  # fmt: skip
TICKER = (
    '{{"market":"KRW-BTC","trade_date":"20250704","trade_time":"051400","trade_timestamp":1751606040365,'
    '"opening_price":148737000.00000000,"high_price":149360000.00000000,"low_price":148288000.00000000,'
    '"trade_price":{price},"prev_closing_price":148737000.00000000,"change":"RISE","change_price":0.0,'
    '"acc_trade_price":3.0,"acc_trade_price_24h":101967050836.82530000,"acc_trade_volume":1.0,'
    '"acc_trade_volume_24h":{amount},"timestamp":1751606040403}}'
)
BOOK = (
    '{{"market":"KRW-BTC","timestamp":1751606867762,"total_ask_size":8.8,"total_bid_size":2.4,'
    '"orderbook_units":[{{"ask_price":{price},"bid_price":0.0,"ask_size":{amount},"bid_size":0}}],"level":0}}'
)
TICK = (
    '{{"market":"KRW-BTC","trade_date_utc":"2025-06-27","trade_time_utc":"23:59:59","timestamp":1751068799336,'
    '"trade_price":{price},"trade_volume":{amount},"prev_closing_price":147996000.00000000,"change_price":1.0,'
    '"ask_bid":"BID","sequential_id":17510687993360000}}'
)
numbers = st.from_regex(r"(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?", fullmatch=True)


def body(form: str, price: str = "148601000.00000000", amount: str = "0.00006730") -> bytes:
    return f"[{form.format(price=price, amount=amount)}]".encode()


def changed(form: str, **fields: Any) -> bytes:
    (row,) = json.loads(body(form))
    return json.dumps([{**row, **fields}]).encode()


def test_a_ticker() -> None:
    (ticker,) = tickers_of(body(TICKER), [MARKET])
    said = {
        "last": "148601000.00000000", "open": "148737000.00000000", "high": "149360000.00000000",
        "low": "148288000.00000000", "volume": "0.00006730", "quote_volume": "101967050836.82530000",
    }  # fmt: skip
    assert {name: str(getattr(ticker, name)) for name in said} == said
    assert (ticker.at, ticker.since, ticker.market) == (1751606040403, to_ms("2025-07-04"), MARKET)
    assert (ticker.bid, ticker.ask, ticker.trades) == (None, None, None), "the exchange does not say"


def test_a_trade() -> None:
    found = ticks_of(body(TICK), MARKET)
    (trade,) = found.trades
    assert (trade.id, trade.at, trade.taker_is_buyer) == ("17510687993360000", 1751068799336, True)
    assert (str(trade.price), str(trade.amount)) == ("148601000.00000000", "0.00006730")
    assert found.cursor == 17510687993360000
    (sold,) = ticks_of(changed(TICK, ask_bid="ASK"), MARKET).trades
    assert sold.taker_is_buyer is False


@given(numbers, numbers, st.booleans())
def test_every_digit_is_kept(price: str, amount: str, as_text: bool) -> None:
    sent = [f'"{one}"' if as_text else one for one in (price, amount)]
    (ticker,) = tickers_of(body(TICKER, *sent), [MARKET])
    (trade,) = ticks_of(body(TICK, *sent), MARKET).trades
    (book,) = books_of(body(BOOK, *sent), [MARKET])
    found = [ticker.last, ticker.volume, trade.price, trade.amount]
    assert [f"{value:f}" for value in found if value is not None] == [price, amount] * 2
    assert [(f"{one.price:f}", f"{one.amount:f}") for one in book.asks] == (
        [(price, amount)] if Decimal(amount) else []
    )


def test_a_side_without_orders_is_empty() -> None:
    (book,) = books_of(body(BOOK), [MARKET])
    assert (len(book.bids), len(book.asks), book.at) == (0, 1, 1751606867762)


@pytest.mark.parametrize("text", ['"NaN"', '"Infinity"', "-1", '"-0.5"', "null", "true", '"many"', "[]"])
def test_what_is_no_price_is_malformed(text: str) -> None:
    for read in (
        lambda: tickers_of(body(TICKER, text), [MARKET]),
        lambda: ticks_of(body(TICK, text), MARKET),
        lambda: books_of(body(BOOK, text), [MARKET]),
    ):
        with pytest.raises(MalformedAnswerError):
            read()


@pytest.mark.parametrize("raw", [b"", b"[", b"{}", b"<html>", b"[1]", b'[{"market":"KRW-BTC"}]'])
def test_what_is_no_such_answer_is_malformed(raw: bytes) -> None:
    for read in (lambda: tickers_of(raw, [MARKET]), lambda: ticks_of(raw, MARKET), lambda: books_of(raw, [MARKET])):
        with pytest.raises(MalformedAnswerError, match="begins"):
            read()


@pytest.mark.parametrize(
    "raw",
    [changed(TICKER, trade_date="20251301"), changed(TICKER, trade_date="2025-07-04"), changed(TICKER, timestamp=-1)],
    ids=["no-such-day", "another-form", "before-1970"],
)
def test_a_moment_that_is_none_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        tickers_of(raw, [MARKET])


@pytest.mark.parametrize(
    ("read", "form", "wrong"),
    [
        (tickers_of, TICKER, {"trade_price": None}),
        (tickers_of, TICKER, {"trade_price": -1}),
        (tickers_of, TICKER, {"trade_date": "20251301"}),
        (books_of, BOOK, {"orderbook_units": None}),
        (books_of, BOOK, {"orderbook_units": [{"ask_price": 1, "ask_size": -1, "bid_price": 1, "bid_size": 1}]}),
        (books_of, BOOK, {"orderbook_units": [{"ask_price": 1, "ask_size": 1, "bid_price": 1, "bid_size": 1}] * 2}),
    ],
)
def test_one_market_that_cannot_be_read_is_left_out_and_the_others_are_there(
    read: Any, form: str, wrong: dict[str, Any]
) -> None:
    other = replace(MARKET, native_id="KRW-ETH", ccxt_symbol="ETH/KRW", base="ETH")
    told = changed(form, **wrong)[:-1] + b"," + changed(form, market="KRW-ETH")[1:]
    assert [one.market for one in read(told, [MARKET, other])] == [other]


def test_what_was_not_asked_for_is_malformed() -> None:
    for form, read in ((TICKER, tickers_of), (BOOK, books_of)):
        with pytest.raises(MalformedAnswerError, match="KRW-ETH"):
            read(changed(form, market="KRW-ETH"), [MARKET])
    with pytest.raises(MalformedAnswerError, match="KRW-ETH"):
        ticks_of(changed(TICK, market="KRW-ETH"), MARKET)
    assert tickers_of(changed(TICKER, market="KRW-ETH"), [MARKET], others=True) == []


def test_what_is_out_of_order_is_malformed() -> None:
    older, newer = body(TICK)[1:-1], changed(TICK, timestamp=1751068799337, sequential_id=2)[1:-1]
    assert len(ticks_of(b"[" + newer + b"," + older + b"]", MARKET).trades) == 2
    with pytest.raises(MalformedAnswerError, match="newest first"):
        ticks_of(b"[" + older + b"," + newer + b"]", MARKET)
    unit = {"ask_price": 5, "bid_price": 4, "ask_size": 1, "bid_size": 1}
    for worse in ({"ask_price": 4.5}, {"bid_price": 4.5}, {"ask_price": 6}):
        units = [unit, {**unit, "ask_price": 6, "bid_price": 3, **worse}]
        if worse == {"ask_price": 6}:
            assert len(books_of(changed(BOOK, orderbook_units=units), [MARKET])[0].bids) == 2
        else:
            with pytest.raises(MalformedAnswerError, match="out of order"):
                books_of(changed(BOOK, orderbook_units=units), [MARKET])
