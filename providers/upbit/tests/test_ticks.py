"""The tick tables, by prices that the pages and notices name."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from candle_hookspecs import TickTable, to_ms
from candle_upbit.ticks import tick_table

KOREA = timezone(timedelta(hours=9))
SIXTEEN = [
    "ADA", "ALGO", "BLUR", "CELO", "ELF", "EOS", "GRS", "GRT", "ICX", "MANA", "MINA", "POL", "SAND", "SEI", "STG",
    "TRX",
]  # fmt: skip


def korean(*date: int) -> int:
    """The midnight that a day begins with in Korea."""
    return to_ms(datetime(*date, tzinfo=KOREA))  # type: ignore[arg-type, misc]


NOW = korean(2026, 1, 1)
SUMMER = korean(2025, 7, 31)
SPRING = korean(2025, 3, 21)
AUTUMN = korean(2024, 10, 14)
AUGUST = korean(2024, 8, 19)
WINTER = korean(2024, 1, 29)


def tick(quote: str, price: str, at: int | None = None, base: str = "XRP") -> Decimal | None:
    table = tick_table(quote, base)
    assert table is not None
    return table.tick(Decimal(price), at)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("97000000", "1000"), ("1000000", "1000"), ("999999.99", "500"), ("500000", "500"), ("100000", "100"),
        ("99999", "50"), ("50000", "50"), ("10000", "10"), ("9999", "5"), ("5000", "5"), ("4999", "1"), ("1000", "1"),
        ("999", "1"), ("100", "1"), ("99.9", "0.1"), ("10", "0.1"), ("1", "0.01"), ("0.1", "0.001"), ("0.01", "0.0001"),
        ("0.001", "0.00001"), ("0.0001", "0.000001"), ("0.00001", "0.0000001"), ("0.00000999", "0.00000001"),
        ("0", "0.00000001"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("base", ["BTC", "USDT", "ADA"])
def test_won(price: str, expected: str, base: str) -> None:
    for at in (None, NOW, SUMMER):
        assert tick("KRW", price, at, base) == Decimal(expected)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("2000000", "1000"), ("1999999", "500"), ("1000000", "500"), ("500000", "100"), ("100000", "50"),
        ("10000", "10"), ("9999", "1"), ("1000", "1"), ("999", "0.1"), ("100", "0.1"), ("10", "0.01"), ("1", "0.001"),
        ("0.1", "0.0001"), ("0.01", "0.00001"), ("0.001", "0.000001"), ("0.0001", "0.0000001"),
        ("0.00009", "0.00000001"),
    ],
)  # fmt: skip
def test_won_before_the_summer_of_2025(price: str, expected: str) -> None:
    for at in (SUMMER - 1, SPRING, AUTUMN, WINTER):
        assert tick("KRW", price, at) == Decimal(expected)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("2000000", "1000"), ("1999999", "500"), ("500000", "100"), ("100000", "50"), ("10000", "10"), ("9999", "5"),
        ("1000", "5"), ("999", "1"), ("100", "1"), ("99", "0.1"), ("9.9", "0.01"), ("0.9", "0.001"), ("0.09", "0.0001"),
    ],
)  # fmt: skip
def test_won_before_2024(price: str, expected: str) -> None:
    for base in ("XRP", "ADA", "USDT"):
        assert tick("KRW", price, WINTER - 1, base) == Decimal(expected)


@pytest.mark.parametrize("base", ["USDT", "USDC"])
def test_dollar_coins_had_half_a_won_from_march_to_july_of_2025(base: str) -> None:
    assert [tick("KRW", "1380", at, base) for at in (SPRING - 1, SPRING, SUMMER - 1, SUMMER, NOW)] == [
        1, Decimal("0.5"), Decimal("0.5"), 1, 1,
    ]  # fmt: skip
    assert tick("KRW", "999", SPRING, base) == Decimal("0.1"), "no other band"
    assert tick("KRW", "1380", SPRING) == 1, "no other coin"


@pytest.mark.parametrize("base", SIXTEEN)
def test_sixteen_coins_were_coarser_from_october_of_2024_on(base: str) -> None:
    assert [tick("KRW", "999.9", at, base) for at in (AUTUMN - 1, AUTUMN, SUMMER - 1, SUMMER)] == [
        Decimal("0.1"), 1, 1, 1,
    ]  # fmt: skip
    assert [tick("KRW", price, AUTUMN, base) for price in ("99", "1000")] == [Decimal("0.01"), 1], "no other band"


@pytest.mark.parametrize(
    ("quote", "price", "expected"),
    [
        ("BTC", "0.06", "0.00000001"), ("BTC", "12", "0.00000001"), ("USDT", "65000", "0.01"), ("USDT", "10", "0.01"),
        ("USDT", "9.99", "0.001"), ("USDT", "0.5", "0.0001"), ("USDT", "0.05", "0.00001"),
        ("USDT", "0.005", "0.000001"), ("USDT", "0.0005", "0.0000001"), ("USDT", "0.00005", "0.00000001"),
    ],
)  # fmt: skip
def test_bitcoin_and_dollar(quote: str, price: str, expected: str) -> None:
    for at in (None, NOW, AUGUST):
        assert tick(quote, price, at) == Decimal(expected)


@pytest.mark.parametrize("price", ["65000", "10", "0.5", "0.00005"])
def test_dollar_before_august_of_2024(price: str) -> None:
    assert tick("USDT", price, AUGUST - 1) == Decimal("0.001")


def test_another_quote_has_no_table() -> None:
    assert tick_table("EUR", "BTC") is None


@pytest.mark.parametrize(
    ("quote", "base"), [("KRW", "BTC"), ("KRW", "USDC"), ("KRW", "TRX"), ("BTC", ""), ("USDT", "")]
)
def test_a_table_survives_its_text(quote: str, base: str) -> None:
    table = tick_table(quote, base)
    assert TickTable.parse(str(table)) == table
