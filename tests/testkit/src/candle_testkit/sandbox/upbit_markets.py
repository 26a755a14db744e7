"""The Upbit markets that a sandbox has when nobody names any."""

from __future__ import annotations

from typing import Final

from candle_testkit.sandbox.config import UPBIT, MarketConfig

# quote, base, tick, step, price, turnover, trades, listed
_Line = tuple[str, str, str, str, str, str, int, str]
_LINES: Final[tuple[_Line, ...]] = (
    ("KRW", "BTC", "1000", "0.00000001", "42000000", "50000000", 400_000, "2017-09-25T03:00"),
    ("KRW", "ETH", "500", "0.00000001", "2800000", "50000000", 300_000, "2017-09-25T03:00"),
    ("KRW", "XRP", "1", "0.00000001", "700", "40000000", 200_000, "2017-09-25T03:00"),
    ("KRW", "DOGE", "0.1", "0.0000001", "90", "30000000", 90_000, "2021-02-24T07:00"),
    ("KRW", "QUIET", "1", "0.00000001", "120", "100000", 1, "2020-03-02T05:00"),
    ("BTC", "ETH", "0.00000001", "1", "0.06", "40", 4_000, "2017-09-25T03:00"),
    ("USDT", "BTC", "0.01", "0.000001", "30000", "200000", 5_000, "2018-06-01T03:00"),
)


def default_upbit_markets() -> list[MarketConfig]:
    """Dense ones, thin ones, one with a single trade a day, and one that is delisted."""
    lines = [
        MarketConfig(f"{quote}-{base}", base, quote, tick, step, price, turnover, trades, listed=listed, exchange=UPBIT)
        for quote, base, tick, step, price, turnover, trades, listed in _LINES
    ]
    ended = MarketConfig(
        "KRW-LUNA", "LUNA", "KRW", "1", "0.00000001", "9000", "20000000", 50_000,
        listed="2019-07-26T05:00", delisted="2022-05-20T03:00", exchange=UPBIT,
    )  # fmt: skip
    return [*lines, ended]
