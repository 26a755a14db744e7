"""How finely Upbit prices orders: a table of the price, not one number for a market, and it has changed.

Source: https://docs.upbit.com, the notices on tick sizes (the KRW market as of 2025-07-31, and as of 2024-01-29 before
that); the BTC and USDT markets and the smallest orders: the pages on each market. What is in force this moment is told
by ``GET /v1/orderbook/instruments``.

Candles are never rounded to it; historical prices lie on the grid of their own day.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from candle_hookspecs import to_ms

Table: TypeAlias = tuple[tuple[Decimal, Decimal], ...]
"""Pairs (price from which on, tick), the highest price first; the last one holds from zero."""


def _table(text: str) -> Table:
    pairs = (pair.split(":") for pair in text.split())
    return tuple((Decimal(price), Decimal(tick)) for price, tick in pairs)


KRW: Final = _table(
    "1000000:1000 500000:500 100000:100 50000:50 10000:10 5000:5 1000:1 100:1 10:0.1 1:0.01 0.1:0.001 0.01:0.0001"
    " 0.001:0.00001 0.0001:0.000001 0.00001:0.0000001 0:0.00000001"
)
KRW_2024: Final = _table(
    "2000000:1000 1000000:500 500000:100 100000:50 10000:10 1000:1 100:0.1 10:0.01 1:0.001 0.1:0.0001 0.01:0.00001"
    " 0.001:0.000001 0.0001:0.0000001 0:0.00000001"
)
BTC: Final = _table("0:0.00000001")
USDT: Final = _table(
    "10:0.01 1:0.001 0.1:0.0001 0.01:0.00001 0.001:0.000001 0.0001:0.0000001 0:0.00000001"
)  # fmt: skip

KRW_SINCE: Final = to_ms("2025-07-31T00:00+09:00")
KRW_2024_SINCE: Final = to_ms("2024-01-29T00:00+09:00")

CURRENT: Final[Mapping[str, Table]] = {"KRW": KRW, "BTC": BTC, "USDT": USDT}
"""Quote → the table in force."""

MIN_NOTIONAL: Final[Mapping[str, Decimal]] = {"KRW": Decimal(5_000), "BTC": Decimal("0.00005"), "USDT": Decimal("0.5")}
"""Quote → the smallest order, in quote units."""

_HALF: Final = frozenset({"USDT", "USDC"})
"""Coins that had ticks of 0.5 KRW where others had 1."""


def price_tick(quote: str, price: Decimal, at: int | None = None, *, base: str = "") -> Decimal | None:
    """The smallest step of a price.

    Args:
        quote: ``KRW``, ``BTC`` or ``USDT``.
        price: in quote units, not negative.
        at: UTC ms; None: by the table in force.
        base: for the coins that had a table of their own. The sixteen whose ticks between 100 and 1,000 KRW were 1
            instead of 0.1 from October 2024 on are not known here.

    Returns:
        Quote units; None where no table is known: another quote, or KRW before 2024-01-29.
    """
    table = CURRENT.get(quote)
    if quote == "KRW" and at is not None and at < KRW_SINCE:
        table = KRW_2024 if at >= KRW_2024_SINCE else None
    if table is None:
        return None
    tick = next(tick for start, tick in table if price >= start)
    return Decimal("0.5") if table is KRW_2024 and base in _HALF and tick == 1 else tick


def as_text(quote: str) -> str:
    """The table in force as ``FROM:TICK FROM:TICK …``, the highest price first; empty for a quote without one."""
    return " ".join(f"{start:f}:{tick:f}" for start, tick in CURRENT.get(quote, ()))
