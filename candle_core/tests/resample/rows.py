"""Rows to be resampled, and how the result is compared with what pandas makes of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from candle_hookspecs import CandleBatch

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
HOW = {
    "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum",
    "trades": "sum", "taker_buy_volume": "sum",
}  # fmt: skip


def candles(times: Any, seed: int = 0) -> CandleBatch:
    """Random candles with five and eight decimals at these open times."""
    chance, count = np.random.default_rng(seed), len(times)
    low = chance.integers(1_000, 9_000, count) / 100
    return CandleBatch(
        open_time=np.array(times, np.int64),
        open=low + chance.integers(0, 99, count) / 100,
        high=low + 1,
        low=low,
        close=low + chance.integers(0, 99, count) / 100,
        volume=chance.integers(0, 10**8, count) / 10**5,
        quote_volume=chance.integers(0, 10**12, count) / 10**8,
        trades=chance.integers(0, 10**6, count),
        taker_buy_volume=chance.integers(0, 10**8, count) / 10**5,
    )


def by_pandas(batch: CandleBatch, rule: str, **options: Any) -> pd.DataFrame:
    """What pandas makes of all rows."""
    frame = batch.to_pandas()
    made = frame.resample(rule, closed="left", label="left", **options).agg(HOW)
    return made[frame["close"].resample(rule, closed="left", label="left", **options).count() > 0]


def milliseconds(frame: pd.DataFrame) -> Any:
    """The index as UTC ms."""
    return pd.DatetimeIndex(frame.index).as_unit("ms").asi8


def assert_same(made: CandleBatch, wanted: pd.DataFrame, columns: Iterable[str] = tuple(HOW)) -> None:
    """Value for value: the very same floats."""
    assert made.open_time.tolist() == milliseconds(wanted).tolist()
    for name in columns:
        assert getattr(made, name).tolist() == wanted[name].tolist(), name
