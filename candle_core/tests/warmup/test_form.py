"""Listings as they stand in a cache: readable, exact, and nothing else is taken for one."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.directory.form import decode, encode, encode_precision, market_key, precision_key
from candle_hookspecs import Market, MarketStatus

BITCOIN = Market(
    archetype="CRYPTO",
    exchange="UPBIT",
    tradetype="SPOT",
    base="BTC",
    quote="KRW",
    native_id="KRW-BTC",
    ccxt_symbol="BTC/KRW",
    status=MarketStatus.TRADING,
    price_tick=Decimal("1E-8"),
    min_notional=Decimal("5E+3"),
    listed=1_506_308_400_000,
    title="비트코인",
    extra={"price_ticks": "1000:1 0:0.1"},
)

texts = st.text(max_size=6)
numbers = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
moments = st.none() | st.integers(-(2**62), 2**62)
markets = st.builds(
    Market,
    **dict.fromkeys(
        ("archetype", "exchange", "tradetype", "base", "quote", "contract", "settle", "native_id", "ccxt_symbol",
         "title"), texts,
    ),
    status=st.sampled_from(MarketStatus),
    **dict.fromkeys(
        ("price_tick", "amount_step", "min_amount", "max_amount", "min_price", "max_price", "min_notional"), numbers
    ),
    listed=moments,
    delisted=moments,
    extra=st.dictionaries(texts, texts, max_size=2),
)  # fmt: skip


@given(st.lists(markets, min_size=1, max_size=4))
def test_equal_markets_come_back(listed: list[Market]) -> None:
    found = decode("upbit", encode("upbit", listed))
    assert found == tuple(listed)
    assert [type(one.price_tick) for one in found] == [type(one.price_tick) for one in listed]


def test_any_program_can_read_it() -> None:
    document = json.loads(encode("UPBIT", [BITCOIN]))
    assert document == {
        "version": 1,
        "exchange": "upbit",
        "markets": [
            {
                "archetype": "CRYPTO", "exchange": "UPBIT", "tradetype": "SPOT", "base": "BTC", "quote": "KRW",
                "native_id": "KRW-BTC", "ccxt_symbol": "BTC/KRW", "status": "TRADING", "price_tick": "0.00000001",
                "min_notional": "5000", "listed": 1_506_308_400_000, "title": "비트코인",
                "extra": {"price_ticks": "1000:1 0:0.1"},
            }
        ],
    }  # fmt: skip


def changed(**values: Any) -> bytes:
    document = json.loads(encode("upbit", [BITCOIN]))
    document["markets"][0] |= values
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x00\xff",
        b"null",
        b"[]",
        b'{"version":1,"exchange":"upbit"}',
        encode("upbit", [BITCOIN])[:-10],
        encode("upbit", [BITCOIN]).replace(b'"version":1', b'"version":2'),
        encode("upbit", [BITCOIN]).replace(b'"version":1,', b""),
        changed(status="ASLEEP"),
        changed(price_tick="cheap"),
        changed(price_tick="NaN"),
        changed(base=None),
        changed(listed="yesterday"),
        changed(extra=[]),
        encode("upbit", []),
        encode("binance", [BITCOIN]),
    ],
)
def test_what_is_damaged_or_of_another_version_is_absent(value: bytes) -> None:
    assert decode("upbit", value) is None


def test_the_sound_one_of_these_is_there() -> None:
    assert decode("upbit", changed(status="HALTED")) is not None


def test_precision_is_found_by_either_name() -> None:
    swap = Market(
        archetype="CRYPTO", exchange="BINANCE", tradetype="SWAP", base="BTC", quote="USDT", settle="USDT",
        native_id="BTCUSDT", ccxt_symbol="BTC/USDT:USDT", amount_step=Decimal("0.001"),
    )  # fmt: skip
    spot = Market(
        archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
        ccxt_symbol="BTC/USDT", price_tick=Decimal("1E-2"), max_amount=Decimal(9000),
    )  # fmt: skip
    document = json.loads(encode_precision("BINANCE", [spot, swap, BITCOIN]))
    assert (document["version"], document["exchange"]) == (1, "binance")
    assert document["native_ids"] == {"BTCUSDT": ["BTC/USDT", "BTC/USDT:USDT"], "KRW-BTC": ["BTC/KRW"]}
    assert document["markets"] == {
        "BTC/USDT": {"native_id": "BTCUSDT", "tradetype": "SPOT", "price_tick": "0.01", "max_amount": "9000"},
        "BTC/USDT:USDT": {"native_id": "BTCUSDT", "tradetype": "SWAP", "amount_step": "0.001"},
        "BTC/KRW": {
            "native_id": "KRW-BTC", "tradetype": "SPOT", "price_tick": "0.00000001", "min_notional": "5000",
            "price_ticks": "1000:1 0:0.1",
        },
    }  # fmt: skip


def test_the_keys_are_those_that_are_promised() -> None:
    assert market_key("BINANCE") == "market:info:binance"
    assert precision_key("BINANCE") == "precision:cache:binance"
