"""The stocks that a sandbox has when nobody names any."""

from __future__ import annotations

from itertools import count, islice
from typing import Final

from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.stocks_config import Dividend, Split, StockConfig

_SAMSUNG: Final = StockConfig(
    "005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000, 200_000,
    splits=(Split("2018-05-04", "50:1"),), dividends=(Dividend("2023-12-27", "361"), Dividend("2024-03-28", "361")),
)  # fmt: skip
_KNOWN: Final = (
    StockConfig(
        "AAPL", "NMS", "Apple Inc.", "190", volume=60_000_000, trades=600_000,
        splits=(Split("2014-06-09", "7:1"), Split("2020-08-31", "4:1")),
        dividends=(Dividend("2020-08-07", "0.82"), Dividend("2020-11-06", "0.205"), Dividend("2024-02-09", "0.24")),
    ),
    StockConfig("MSFT", "NMS", "Microsoft Corporation", "400", volume=20_000_000,
                dividends=(Dividend("2023-11-15", "0.75"), Dividend("2024-02-14", "0.75"))),
    StockConfig("META", "NMS", "Meta Platforms, Inc.", "450", volume=15_000_000, listed="2012-05-18",
                former=(("FB", "2022-06-09"),)),
    StockConfig("NVDA", "NMS", "NVIDIA Corporation", "110", volume=90_000_000, trades=800_000,
                splits=(Split("2021-07-20", "4:1"), Split("2024-06-10", "10:1"))),
    StockConfig("BRK-B", "NYQ", "Berkshire Hathaway Inc.", "400", volume=4_000_000),
    StockConfig("GE", "NYQ", "GE Aerospace", "120", volume=6_000_000, splits=(Split("2021-08-02", "1:8"),)),
    StockConfig("TWTR", "NYQ", "Twitter, Inc.", "40", volume=15_000_000, listed="2013-11-07", delisted="2022-10-28"),
    StockConfig("THIN", "ASE", "Thin Trading Corp.", "8", volume=2_000, trades=30),
    StockConfig("SPY", "ASE", "SPDR S&P 500 ETF", "450", volume=50_000_000, trades=500_000, kind="ETF"),
    _SAMSUNG,
    StockConfig("000660.KS", "KSC", "SK hynix Inc.", "130000", "100", 3_000_000),
    StockConfig("247540.KQ", "KOE", "ECOPROBM CO., LTD.", "200000", "100", 900_000, listed="2019-03-05"),
    StockConfig("7203.T", "JPX", "Toyota Motor Corporation", "2200", "0.5", 30_000_000,
                splits=(Split("2021-09-29", "5:1"),)),
    StockConfig("NEWCO", "NMS", "New Company Inc.", "25", volume=900_000, listed="2026-06-01"),
)  # fmt: skip


def default_stocks(number: int = 20) -> list[StockConfig]:
    """The first so many of: some well-known ones, split, renamed and dead ones among them, then generated names.

    Raises:
        SandboxError: ``number`` is negative or above 10,000.
    """
    if not 0 <= number <= 10_000:
        raise SandboxError(f"{number!r} stocks: give a number from 0 to 10000, or the stocks themselves")
    return [*_KNOWN[:number], *islice(map(_generated, count()), max(number - len(_KNOWN), 0))]


def _generated(number: int) -> StockConfig:
    letters, rest = "", number
    for _ in range(3):
        rest, letter = divmod(rest, 26)
        letters = chr(ord("A") + letter) + letters
    listed = f"{2010 + number % 12}-{1 + number % 12:02}-{1 + number % 28:02}"
    if number % 5 == 4:
        return StockConfig(f"9{number:05}.KS", "KSC", f"Korean {letters}", "20000", "10", 300_000, 5_000, listed=listed)
    venue = ("NMS", "NYQ", "NMS", "ASE")[number % 5]
    return StockConfig(f"X{letters}", venue, f"{letters} Holdings", "30", "0.01", 400_000, 4_000, listed=listed)
