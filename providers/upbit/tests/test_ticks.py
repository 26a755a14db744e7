"""The tick tables, by prices that the notices name."""

from decimal import Decimal

import pytest

from candle_hookspecs import to_ms
from candle_upbit.ticks import as_text, price_tick

NOW = to_ms("2026-01-01")
BEFORE = to_ms("2025-07-30T23:59:59+09:00")


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("97000000", "1000"), ("1000000", "1000"), ("999999.99", "500"), ("500000", "500"), ("100000", "100"),
        ("99999", "50"), ("50000", "50"), ("10000", "10"), ("9999", "5"), ("5000", "5"), ("4999", "1"), ("1000", "1"),
        ("999", "1"), ("100", "1"), ("99.9", "0.1"), ("10", "0.1"), ("1", "0.01"), ("0.1", "0.001"), ("0.01", "0.0001"),
        ("0.001", "0.00001"), ("0.0001", "0.000001"), ("0.00001", "0.0000001"), ("0.00000999", "0.00000001"),
        ("0", "0.00000001"),
    ],
)  # fmt: skip
def test_won(price: str, tick: str) -> None:
    assert price_tick("KRW", Decimal(price)) == Decimal(tick)
    assert price_tick("KRW", Decimal(price), NOW) == Decimal(tick)


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("2000000", "1000"), ("1999999", "500"), ("1000000", "500"), ("500000", "100"), ("100000", "50"),
        ("10000", "10"), ("9999", "1"), ("1000", "1"), ("999", "0.1"), ("100", "0.1"), ("10", "0.01"), ("1", "0.001"),
        ("0.1", "0.0001"),
    ],
)  # fmt: skip
def test_won_before_the_summer_of_2025(price: str, tick: str) -> None:
    assert price_tick("KRW", Decimal(price), BEFORE) == Decimal(tick)


def test_tables_change_at_midnight_in_korea() -> None:
    assert price_tick("KRW", Decimal(1_500_000), BEFORE) == 500
    assert price_tick("KRW", Decimal(1_500_000), BEFORE + 1000) == 1000
    assert price_tick("KRW", Decimal(1_500_000), to_ms("2024-01-29T00:00+09:00")) == 500
    assert price_tick("KRW", Decimal(1_500_000), to_ms("2024-01-29T00:00+09:00") - 1) is None


def test_dollar_coins_had_half_a_won() -> None:
    assert price_tick("KRW", Decimal(1_380), BEFORE, base="USDT") == Decimal("0.5")
    assert price_tick("KRW", Decimal(1_380), BEFORE, base="XRP") == 1
    assert price_tick("KRW", Decimal(1_380), NOW, base="USDT") == 1


@pytest.mark.parametrize(
    ("quote", "price", "tick"),
    [
        ("BTC", "0.06", "0.00000001"), ("BTC", "12", "0.00000001"), ("USDT", "65000", "0.01"), ("USDT", "10", "0.01"),
        ("USDT", "9.99", "0.001"), ("USDT", "0.5", "0.0001"), ("USDT", "0.05", "0.00001"),
        ("USDT", "0.005", "0.000001"), ("USDT", "0.0005", "0.0000001"), ("USDT", "0.00005", "0.00000001"),
    ],
)  # fmt: skip
def test_bitcoin_and_dollar(quote: str, price: str, tick: str) -> None:
    assert price_tick(quote, Decimal(price)) == Decimal(tick)


def test_another_quote_has_no_table() -> None:
    assert price_tick("EUR", Decimal(1)) is None
    assert as_text("EUR") == ""


@pytest.mark.parametrize("quote", ["KRW", "BTC", "USDT"])
def test_the_text_of_a_table_says_the_same(quote: str) -> None:
    pairs = [tuple(map(Decimal, pair.split(":"))) for pair in as_text(quote).split()]
    for price in ("0", "0.00001", "0.3", "7", "123.4", "5000", "812345", "97000000"):
        (tick, *_) = [tick for start, tick in pairs if Decimal(price) >= start]
        assert tick == price_tick(quote, Decimal(price))
