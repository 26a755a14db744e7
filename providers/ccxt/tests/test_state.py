"""ccxt's tickers, books and trades as ours: whose digits they are, what is left out, what an amount counts."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from candle_ccxt.calls import calling
from candle_ccxt.exchange import configuration, metered
from candle_ccxt.loading import load
from candle_ccxt.state import books_of, tickers_of, trades_of
from candle_hookspecs import BadRequestError, MalformedAnswerError, Market
from candle_testkit.context import make_context

MOMENT: Final = 1_710_000_000_000
MARKET: Final = Market(
    archetype="CRYPTO", exchange="ANY", tradetype="SPOT", base="A", quote="B", native_id="AB", ccxt_symbol="A/B"
)
SPOT: Final[Mapping[str, Any]] = {"symbol": "A/B", "contract": False}
LINEAR: Final[Mapping[str, Any]] = {"symbol": "A/B", "contract": True, "linear": True, "contractSize": 0.001}
INVERSE: Final[Mapping[str, Any]] = {"symbol": "A/B", "contract": True, "inverse": True, "contractSize": 100}
UNKNOWN: Final[Mapping[str, Any]] = {"symbol": "A/B", "contract": True}


def ccxt_ticker(told: Mapping[str, Any], **info: Any) -> dict[str, Any]:
    return {"A/B": {**told, "info": info}}


def levels(*pairs: tuple[str, str]) -> list[list[Decimal]]:
    return [[Decimal(price), Decimal(amount)] for price, amount in pairs]


# ── tickers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_ccxt_works_out_is_left_out() -> None:
    told = {
        "last": Decimal("1.50"),
        "high": Decimal("2.0"),
        "quoteVolume": Decimal("15.750"),
        "baseVolume": Decimal("10.5"),
    }
    found = ccxt_ticker(told, c=["1.50", "7"], h="2.0", v={"day": "10.5"}, p="1.5")
    (ticker,) = tickers_of(found, {MARKET: SPOT}, MOMENT)
    assert (str(ticker.last), str(ticker.high), str(ticker.volume)) == ("1.50", "2.0", "10.5")
    assert (ticker.quote_volume, ticker.open, ticker.at, ticker.since) == (None, None, MOMENT, None)


def test_a_price_told_in_multiples_of_ten_is_the_exchanges_word() -> None:
    (ticker,) = tickers_of(ccxt_ticker({"last": Decimal("4.2001")}, lastEp=42001000), {MARKET: SPOT}, MOMENT)
    assert ticker.last == Decimal("4.2001")


def test_a_side_that_nobody_is_on_has_no_price() -> None:
    told = {"last": Decimal(1), "bid": Decimal(1), "bidVolume": Decimal("0.00"), "ask": Decimal(2)}
    (ticker,) = tickers_of(ccxt_ticker(told, a="1", b="0.00", c="2"), {MARKET: SPOT}, MOMENT)
    assert (ticker.bid, ticker.bid_amount, ticker.ask, ticker.ask_amount) == (None, None, Decimal(2), None)


@pytest.mark.parametrize("found", [{}, {"A/B": None}, ccxt_ticker({"last": None}), ccxt_ticker({"last": Decimal(7)})])
def test_who_was_never_traded_has_no_ticker(found: dict[str, Any]) -> None:
    assert tickers_of(found, {MARKET: SPOT}, MOMENT) == []


def test_one_market_that_cannot_be_read_is_left_out_and_the_others_are_there() -> None:
    other, both = replace(MARKET, ccxt_symbol="C/D"), {"last": Decimal(5), "info": {"c": "5"}}
    found = {"A/B": {**both, "high": Decimal(-1)}, "C/D": both}
    assert [one.market for one in tickers_of(found, {MARKET: SPOT, other: SPOT}, MOMENT)] == [other]
    sides = {"bids": levels(("2", "1")), "asks": levels(("3", "1"))}
    books = {"A/B": {**sides, "asks": levels(("3", "1"), ("3.0", "2"))}, "C/D": sides}
    assert [one.market for one in books_of(books, {MARKET: SPOT, other: SPOT}, MOMENT, 0)] == [other]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal(-1), Decimal("1e999999"), Decimal("1e-999999"), 1.5])
def test_a_number_that_is_no_price_is_refused(value: Any) -> None:
    with pytest.raises(MalformedAnswerError, match="'last' of 'A/B' is"):
        tickers_of(ccxt_ticker({"last": value}, last=str(value)), {MARKET: SPOT}, MOMENT)


@pytest.mark.parametrize("found", [[], {"A/B": []}])
def test_no_tickers_are_refused(found: Any) -> None:
    with pytest.raises(MalformedAnswerError, match="not tickers"):
        tickers_of(found, {MARKET: SPOT}, MOMENT)


# ── books ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_book_is_in_order_and_as_deep_as_wanted() -> None:
    found = {"bids": levels(("9.5", "1"), ("10", "2.0"), ("9", "0")), "asks": levels(("12", "1"), ("11", "3")),
             "timestamp": 5, "nonce": 8}  # fmt: skip
    (book,) = books_of({"A/B": found}, {MARKET: SPOT}, MOMENT, 0)
    assert [(str(one.price), str(one.amount)) for one in book.bids] == [("10", "2.0"), ("9.5", "1")]
    assert [one.price for one in book.asks] == [11, 12]
    assert (book.at, book.sequence) == (5, 8)
    (book,) = books_of({"A/B": found}, {MARKET: SPOT}, MOMENT, 1)
    assert (len(book.bids), len(book.asks)) == (1, 1)


def test_a_price_that_comes_twice_is_refused() -> None:
    found = {"bids": levels(("10.0", "1"), ("10", "2")), "asks": []}
    with pytest.raises(MalformedAnswerError, match="a price comes twice among the bids of 'A/B'"):
        books_of({"A/B": found}, {MARKET: SPOT}, MOMENT, 0)


def test_what_ccxt_reads_as_an_empty_book_is_none() -> None:
    assert books_of({"A/B": {"bids": [], "asks": []}}, {MARKET: SPOT}, MOMENT, 0) == []


# ── trades ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def trade(**changes: Any) -> dict[str, Any]:
    return {"id": "7", "timestamp": 5, "symbol": "A/B", "price": Decimal("2.50"), "amount": Decimal("1.0"),
            "side": "sell", **changes}  # fmt: skip


def test_who_has_no_id_is_called_by_moment_and_place() -> None:
    rows = [trade(id=None), trade(id=None, side="buy"), trade(id=None, timestamp=6, side=None)]
    found = trades_of(rows, MARKET, SPOT)
    assert [one.id for one in found] == ["5-0", "5-1", "6-0"]
    assert [one.taker_is_buyer for one in found] == [False, True, None]


@pytest.mark.parametrize(
    "row", [trade(symbol="A/C"), trade(timestamp=None), trade(price=None), trade(amount=None), "7", trade(price=1.5)]
)
def test_what_is_no_trade_of_this_market_is_refused(row: Any) -> None:
    with pytest.raises(MalformedAnswerError):
        trades_of([row], MARKET, SPOT)


@pytest.mark.parametrize(("listed", "amount"), [(SPOT, "40"), (LINEAR, "0.04"), (INVERSE, "1600")])
def test_amounts_are_coins(listed: Mapping[str, Any], amount: str) -> None:
    """Forty contracts of 0.001 coins, or of 100 of the quote at a price of 2.5."""
    (found,) = trades_of([trade(amount=Decimal(40))], MARKET, listed)
    assert found.amount == Decimal(amount)
    book = {"A/B": {"bids": levels(("2.5", "40")), "asks": []}}
    assert books_of(book, {MARKET: listed}, MOMENT, 0)[0].bids[0].amount == Decimal(amount)


def test_of_a_contract_of_unknown_size_no_amount_is_told() -> None:
    with pytest.raises(BadRequestError, match="does not tell how much a contract of 'A/B' is"):
        trades_of([trade()], MARKET, UNKNOWN)
    told = {"last": Decimal(3), "bid": Decimal(2), "bidVolume": Decimal(5), "baseVolume": Decimal(9)}
    (ticker,) = tickers_of(ccxt_ticker(told, a="3", b="2", c="5", d="9"), {MARKET: UNKNOWN}, MOMENT)
    assert (ticker.last, ticker.bid, ticker.bid_amount, ticker.volume) == (Decimal(3), Decimal(2), None, None)


# ── how ccxt is made to read ────────────────────────────────────────────────────────────────────────────────────────


def test_digits_pass_through_ccxt_as_they_are(tmp_path: Path) -> None:
    """Numbers of JSON, which a float would shorten; and seconds with a fraction, which it would round up."""
    exchange = metered(load("kraken"), make_context(tmp_path, "kraken"))(configuration(5, {}))
    body = '{"a":0.10000000000000000000001,"b":[42000000.00000000,3],"c":1710074070.1230001}'
    with calling(exact=True):
        told = exchange.parse_json(body)
        assert str(exchange.safe_number(told, "a")) == "0.10000000000000000000001"
        assert str(exchange.safe_float(told["b"], 0)) == "42000000.00000000"
        assert exchange.safe_timestamp(told, "c") == 1_710_074_070_123
        assert exchange.safe_timestamp(["1710074070.122999999"], 0) == 1_710_074_070_122
        assert exchange.safe_timestamp([None], 0) is None
        assert exchange.safe_timestamp(["2024-03-10"], 0, 7) == 7
        # GRVT's nanoseconds: floats make ...475_913 of the first and ...001_000 of the second.
        assert exchange.safe_integer_product(["1746799475914000000"], 0, 0.000001) == 1_746_799_475_914
        assert exchange.safe_integer_product(["1700000000999999999"], 0, 0.000001) == 1_700_000_000_999
    with calling():
        assert exchange.parse_json(body) == json.loads(body), "candles are floats, as ever"
        assert exchange.safe_number({"a": "0.5"}, "a") == 0.5
