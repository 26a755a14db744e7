"""Stocks that several tests use."""

from __future__ import annotations

from datetime import UTC, datetime

from candle_testkit.sandbox import Dividend, Split, StockConfig

NOW = "2024-03-15T23:30:00"

AAPL = StockConfig(
    "AAPL", "NMS", "Apple Inc.", "190", volume=60_000_000, trades=600_000,
    splits=[Split("2020-08-31", "4:1")],
    dividends=[Dividend("2020-08-07", "0.82"), Dividend("2020-11-06", "0.205"), Dividend("2024-02-09", "0.24")],
)  # fmt: skip
SAMSUNG = StockConfig("005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000, 200_000)
TOYOTA = StockConfig("7203.T", "JPX", "Toyota Motor Corporation", "2200", "0.5", 30_000_000, 200_000)
THIN = StockConfig("THIN", "ASE", "Thin Trading Corp.", "8", volume=2_000, trades=30)
HALTED = StockConfig(
    "HALT", "NYQ", volume=9_000_000, trades=400_000,
    halts=[("2024-03-05T15:00", "2024-03-05T16:10"), ("2024-03-06T14:00", "2024-03-06T21:00")],
)  # fmt: skip
HOLED = StockConfig(
    "NULLS", "NMS", volume=9_000_000, trades=400_000,
    nulls=[("2024-03-05T15:00", "2024-03-05T15:10"), ("2024-03-06T14:00", "2024-03-06T21:00")],
)  # fmt: skip
DEAD = StockConfig("TWTR", "NYQ", "Twitter, Inc.", "40", listed="2013-11-07", delisted="2022-10-28")
RENAMED = StockConfig("META", "NMS", "Meta Platforms, Inc.", "450", listed="2012-05-18", former=[("FB", "2022-06-09")])
FUND = StockConfig("SPY", "ASE", "SPDR S&P 500 ETF", "450", kind="ETF")
STOCKS = (AAPL, SAMSUNG, TOYOTA, THIN, HALTED, HOLED, DEAD, RENAMED, FUND)


def ms(text: str) -> int:
    """UTC milliseconds of ISO 8601 text."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
