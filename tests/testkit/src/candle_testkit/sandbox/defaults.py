"""The markets a sandbox has when nobody names any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from candle_testkit.sandbox.config import MarketConfig, OffGrid
from candle_testkit.sandbox.errors import SandboxError

# Maintenance of the real exchange, kept because clients have to survive exactly these.
MAINTENANCE: Final = (
    ("2018-02-08T00:29", "2018-02-09T09:00"),
    ("2020-02-19T11:35", "2020-02-19T17:30"),
    ("2020-11-30T06:00", "2020-11-30T07:00"),
)
_OFF_GRID: Final = (OffGrid("1h", "2018-02-09T09:00", 1_694_789),)

# symbol, base, quote, tick, step, price, turnover, trades, listed
_Line = tuple[str, str, str, str, str, str, int, str]
_LINES: Final[tuple[_Line, ...]] = (
    ("BTC", "USDT", "0.01", "0.00001", "30000", "300000000", 1_000_000, "2017-08-17T04:00"),
    ("ETH", "USDT", "0.01", "0.0001", "2000", "200000000", 700_000, "2017-08-17T04:00"),
    ("BNB", "USDT", "0.1", "0.001", "300", "60000000", 300_000, "2017-11-06T03:54"),
    ("SOL", "USDT", "0.01", "0.001", "90", "80000000", 400_000, "2020-08-11T06:00"),
    ("XRP", "USDT", "0.0001", "0.1", "0.6", "50000000", 200_000, "2018-05-04T08:11"),
    ("DOGE", "USDT", "0.00001", "1", "0.1", "40000000", 150_000, "2019-07-05T12:00"),
    ("ADA", "USDT", "0.0001", "0.1", "0.5", "20000000", 100_000, "2018-04-17T04:00"),
    ("SHIB", "USDT", "0.00000001", "1", "0.00002", "8000", 80_000, "2021-05-10T11:00"),
    ("LTC", "USDT", "0.01", "0.001", "90", "9000000", 60_000, "2017-12-13T03:32"),
    ("ETH", "BTC", "0.00001", "0.001", "0.06", "500", 50_000, "2017-07-14T04:00"),
    ("BNB", "BTC", "0.000001", "0.01", "0.008", "90", 20_000, "2017-07-14T04:00"),
    ("LTC", "BTC", "0.000001", "0.01", "0.002", "20", 8_000, "2017-07-14T04:00"),
    ("BTC", "USDC", "0.01", "0.00001", "30000", "50000000", 200_000, "2018-12-15T08:02"),
    ("ETH", "USDC", "0.01", "0.0001", "2000", "30000000", 100_000, "2018-12-15T08:02"),
    ("BTC", "EUR", "0.01", "0.00001", "27000", "4000000", 30_000, "2020-01-03T08:00"),
    ("BTC", "TRY", "1", "0.00001", "900000", "60000000", 40_000, "2020-02-28T09:00"),
    ("XRP", "BNB", "0.00001", "0.1", "0.002", "300", 400, "2018-07-26T04:00"),
    ("USDC", "USDT", "0.0001", "1", "1", "100000000", 90_000, "2018-12-15T03:00"),
)


def default_markets(count: int = 20) -> list[MarketConfig]:
    """The first ``count`` of: 18 well-known markets, a delisted one, a recent one, then generated names.

    Raises:
        SandboxError: ``count`` is below 1 or above 10,000.
    """
    if not 1 <= count <= 10_000:
        raise SandboxError(f"{count!r} markets: give a number from 1 to 10000, or the markets themselves")
    known = [*(_known(*line) for line in _LINES), _delisted(), _recent()]
    return [*known[:count], *(_generated(number) for number in range(count - len(known)))]


def _known(
    base: str, quote: str, tick: str, step: str, price: str, turnover: str, trades: int, listed: str
) -> MarketConfig:
    symbol = base + quote
    holes: Sequence[tuple[str, str]] = [hole for hole in MAINTENANCE if hole[0] > listed]
    if symbol == "USDCUSDT":
        holes = [*holes, ("2022-09-27T03:00", "2023-03-10T14:00")]
    return MarketConfig(
        symbol, base, quote, tick, step, price, turnover, trades,
        listed=listed, holes=holes, off_grid=_OFF_GRID if symbol == "BTCUSDT" else (), permissions=("SPOT", "MARGIN"),
    )  # fmt: skip


def _delisted() -> MarketConfig:
    return MarketConfig(
        "LUNAUSDT", "LUNA", "USDT", "0.0001", "0.01", "40", "30000000", 150_000,
        listed="2020-08-21T10:00", delisted="2022-05-13T01:00", holes=MAINTENANCE[2:],
    )  # fmt: skip


def _recent() -> MarketConfig:
    return MarketConfig("NEWUSDT", "NEW", "USDT", "0.0001", "0.1", "2", "9000000", 60_000, listed="2026-06-01T10:00")


def _generated(number: int) -> MarketConfig:
    letters = ""
    rest = number
    for _ in range(3):
        rest, letter = divmod(rest, 26)
        letters = chr(ord("A") + letter) + letters
    base, quote = f"X{letters}", ("USDT", "USDC", "USDT", "BTC")[number % 4]
    day = f"{2017 + number % 9}-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:00"
    holes = [hole for hole in MAINTENANCE if hole[0] > day]
    if quote == "BTC":
        return MarketConfig(
            base + quote, base, quote, "0.00000001", "1", "0.00002", "9", 5_000, listed=day, holes=holes
        )
    trades = (200, 2_000, 20_000, 200_000)[number // 4 % 4]
    return MarketConfig(base + quote, base, quote, "0.0001", "0.1", "3", "5000000", trades, listed=day, holes=holes)
