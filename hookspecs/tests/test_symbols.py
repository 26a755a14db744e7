"""Symbols read and print without loss; markets answer to their names."""

import string
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from candle_hookspecs import BadInputError, Market, MarketStatus, Symbol

parts = st.text(st.characters() | st.sampled_from("-%2D5"), min_size=1, max_size=8)


@given(st.tuples(*[parts] * 6, st.just("") | parts))
@example(("%2D", "-", "--", "%", "%25", "%252D", "-%"))
@example(("CRYPTO", "업비트", "SPOT", "1000SATS", "₩", "1m", ""))
def test_text_form_is_lossless(names: tuple[str, ...]) -> None:
    symbol = Symbol(*names)
    text = str(symbol)
    assert Symbol.parse(text) == symbol
    assert text.count("-") == (6 if symbol.contract else 5), "what separates the parts stands in no part"


@given(st.lists(st.tuples(*[parts] * 6), min_size=2, max_size=2, unique=True))
def test_different_symbols_print_differently(two: list[tuple[str, ...]]) -> None:
    first, second = (str(Symbol(*names)) for names in two)
    assert first != second


def test_text_form() -> None:
    assert str(Symbol("CRYPTO", "BINANCE", "SPOT", "BTC", "USDT", "1m")) == "CRYPTO-BINANCE-SPOT-BTC-USDT-1m"
    dated = Symbol("CRYPTO", "BINANCE", "FUTURE", "BTC", "USDT", "1m", "261225")
    assert str(dated) == "CRYPTO-BINANCE-FUTURE-BTC-USDT-1m-261225"
    assert str(Symbol("STOCK", "NYSE", "SPOT", "BRK-B", "USD", "1d")) == "STOCK-NYSE-SPOT-BRK%2DB-USD-1d"


@pytest.mark.parametrize("text", ["", "BTC/USDT", "A-B-C-D-E", "A-B-C-D-E-F-G-H", "A-B--D-E-F"])
def test_what_is_no_symbol_is_named(text: str) -> None:
    with pytest.raises(BadInputError, match=r"symbol"):
        Symbol.parse(text)


@pytest.mark.parametrize("name", ["archetype", "exchange", "tradetype", "base", "quote", "timeframe"])
def test_only_the_contract_may_be_empty(name: str) -> None:
    given_parts = dict.fromkeys(("archetype", "exchange", "tradetype", "base", "quote", "timeframe"), "X")
    with pytest.raises(BadInputError, match=repr(name)):
        Symbol(**{**given_parts, name: ""})


def market(contract: str = "") -> Market:
    return Market(
        archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", contract=contract,
        native_id="BTCUSDT", ccxt_symbol="BTC/USDT",
    )  # fmt: skip


def test_a_symbol_is_a_market_in_one_timeframe() -> None:
    assert str(market().symbol("4h")) == "CRYPTO-BINANCE-SPOT-BTC-USDT-4h"
    assert market(contract="261225").symbol("4h").contract == "261225"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("BTC/USDT", True), ("btc/usdt", True), ("btcusdt", True), ("BTC-USDT", False), ("BTC", False), ("", False)],
)
def test_answers_to_either_name_in_any_case(name: str, meant: bool) -> None:
    assert market().answers_to(name) is meant


def test_a_market_is_a_value() -> None:
    one = Market(
        archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
        ccxt_symbol="BTC/USDT", price_tick=Decimal("0.01"), extra={"a": "b"},
    )  # fmt: skip
    assert hash(one) == hash(one)
    assert one != market()
    assert market().status is MarketStatus.UNKNOWN
    assert set(string.ascii_letters).isdisjoint(str(one.price_tick)), "an exact decimal, not 1E-2"
