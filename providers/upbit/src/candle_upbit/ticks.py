"""How finely Upbit prices orders: a table of the price, not one number for a market, and it has changed.

Source: https://docs.upbit.com, the pages on each market (ticks, smallest orders) and the notices on each change, which
give the day; on that day it was done in the maintenance at night, so the tables begin at midnight in Korea. What was in
force before the first of these notices is told by the page of 2023 (KRW) and by the notice itself (USDT); since when is
not. What is in force this moment is told by ``GET /v1/orderbook/instruments``.

Candles are never rounded to it; historical prices lie on the grid of their own day.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from candle_hookspecs import TickTable

_KRW_2025: Final = (
    "@2025-07-31T00:00+09:00 1000000:1000 500000:500 100000:100 50000:50 10000:10 5000:5 1000:1 100:1 10:0.1 1:0.01"
    " 0.1:0.001 0.01:0.0001 0.001:0.00001 0.0001:0.000001 0.00001:0.0000001 0:0.00000001"
)
_KRW_2024: Final = (
    "@2024-01-29T00:00+09:00 2000000:1000 1000000:500 500000:100 100000:50 10000:10 1000:1 100:0.1 10:0.01 1:0.001"
    " 0.1:0.0001 0.01:0.00001 0.001:0.000001 0.0001:0.0000001 0:0.00000001"
)
_KRW_BEFORE: Final = (
    "2000000:1000 1000000:500 500000:100 100000:50 10000:10 1000:5 100:1 10:0.1 1:0.01 0.1:0.001 0:0.0001"
)


def _krw(*between: str) -> TickTable:
    return TickTable.parse("; ".join((_KRW_2025, *between, _KRW_2024, _KRW_BEFORE)))


def _but(moment: str, band: str, other: str) -> str:
    """The table of 2024 with another tick in one band, from a moment on."""
    _, *pairs = _KRW_2024.split()
    return " ".join((f"@{moment}", *(other if pair == band else pair for pair in pairs)))


_KRW: Final = _krw()
_KRW_COARSER: Final = _krw(_but("2024-10-14T00:00+09:00", "100:0.1", "100:1"))
_KRW_DOLLARS: Final = _krw(_but("2025-03-21T00:00+09:00", "1000:1", "1000:0.5"))
_BTC: Final = TickTable.parse("0:0.00000001")
_USDT: Final = TickTable.parse(
    "@2024-08-19T00:00+09:00 10:0.01 1:0.001 0.1:0.0001 0.01:0.00001 0.001:0.000001 0.0001:0.0000001 0:0.00000001;"
    " 0:0.001"
)
_QUOTES: Final[Mapping[str, TickTable]] = {"KRW": _KRW, "BTC": _BTC, "USDT": _USDT}

_COINS: Final[Mapping[str, TickTable]] = dict.fromkeys(("USDT", "USDC"), _KRW_DOLLARS) | dict.fromkeys(
    (
        "ADA", "ALGO", "BLUR", "CELO", "ELF", "EOS", "GRS", "GRT", "ICX", "MANA", "MINA", "POL", "SAND", "SEI", "STG",
        "TRX",
    ),
    _KRW_COARSER,
)  # fmt: skip
"""Coins whose ticks in KRW had a table of their own for a while."""

MIN_NOTIONAL: Final[Mapping[str, Decimal]] = {"KRW": Decimal(5_000), "BTC": Decimal("0.00005"), "USDT": Decimal("0.5")}
"""Quote → the smallest order, in quote units."""


def tick_table(quote: str, base: str) -> TickTable | None:
    """The ticks of a market, with their history; None for a quote that Upbit has no market of."""
    return _COINS.get(base, _KRW) if quote == "KRW" else _QUOTES.get(quote)
