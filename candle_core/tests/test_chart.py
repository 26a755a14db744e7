"""A range fitted into bars: pandas resamples the same candles, plain sets count the same slots."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import candle_core
from candle_core import reading
from candle_core.chart import Chart
from candle_hookspecs import BadInputError, UnknownSymbolError, to_ms

MINUTE = 60_000
START = to_ms("2023-11-01")
CONFIG: dict[str, Any] = {"storage": {"backend": "memory"}, "defaults": {"exchange": "FAKE", "tradetype": "SPOT"}}
HOLES = [*range(START // MINUTE + 100, START // MINUTE + 130), START // MINUTE + 700]


@pytest.fixture
def frame() -> pd.DataFrame:
    """A day and a bit of minutes, with holes and a candle off the grid."""
    rows = 1500
    walk = np.random.default_rng(7)
    close = 100 + walk.normal(size=rows).cumsum()
    opened = np.r_[100, close[:-1]]
    index = pd.date_range("2023-11-01", periods=rows, freq="min", tz="UTC")
    values = {"open": opened, "high": np.maximum(opened, close) + 1, "low": np.minimum(opened, close) - 1}
    frame = pd.DataFrame(values | {"close": close, "volume": walk.random(rows)}, index=index)
    frame = frame.drop(index=index[[*range(200, 260), 901]])
    frame.loc[index[901] + pd.Timedelta(seconds=31)] = [1.0, 500.0, 1.0, 2.0, 3.0]
    return frame.sort_index()


async def drawn(frame: pd.DataFrame, file: Path, **options: Any) -> Chart:
    frame.reset_index(names="date").to_feather(file)
    async with candle_core.open(CONFIG) as candles:
        await candles.import_candles(file, "BTC/USDT", "1m")
        return await candles.chart("BTC/USDT", "1m", **options)


@pytest.mark.parametrize("chunk", [97, 100_000], ids=["in small chunks", "in one chunk"])
@pytest.mark.parametrize(
    ("bars", "length"), [(1500, "1min"), (400, "5min"), (100, "15min"), (30, "1h"), (10, "3h"), (3, "12h"), (2, "24h")]
)
async def test_bars_are_what_pandas_resamples(
    exchange: Any,
    frame: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bars: int,
    length: str,
    chunk: int,
) -> None:
    monkeypatch.setattr(reading.read_chunks, "__kwdefaults__", {"rows": chunk})
    chart = await drawn(frame, tmp_path / "my.feather", start="2023-11-01", bars=bars)
    rules: dict[str, Any] = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    true = frame.resample(length, origin="epoch").agg(rules)
    counted = frame["open"].resample(length, origin="epoch").count()
    assert len(chart) <= bars
    assert chart.open_time.tolist() == [round(moment.timestamp() * 1000) for moment in true.index]
    assert chart.candles.tolist() == counted.tolist()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(chart, name), true[name])
    np.testing.assert_allclose(chart.volume, true["volume"].where(counted > 0), rtol=1e-12)


async def test_slots_are_counted_by_state(exchange: Any, tmp_path: Path) -> None:
    config = CONFIG | {"providers": {"fake": {"holes": [hole * MINUTE for hole in HOLES]}}}
    ranges = [("2023-11-01", "2023-11-01T12:00"), ("2023-11-01T14:00", "2023-11-01T15:00")]
    async with candle_core.open(config) as candles:
        for start, end in ranges:
            await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end)
        chart = await candles.chart("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T15:00", bars=16)
        slots = await candles.slots("BTC/USDT", "1m", start="2023-11-01", end="2023-11-01T15:00")
    known = {START // MINUTE + slot for slot in (*range(720), *range(840, 900))}
    for bar in range(15):
        inside = {START // MINUTE + slot for slot in range(60 * bar, 60 * bar + 60)}
        told = {name: int(counts[bar]) for name, counts in chart.slots.items() if counts[bar]}
        expected = {
            "filled": len(inside & known - set(HOLES)),
            "proven_empty": len(inside & known & set(HOLES)),
            "missing": len(inside - known),
        }
        assert told == {name: count for name, count in expected.items() if count}, bar
    assert {name: int(counts.sum()) for name, counts in chart.slots.items()} == {
        name: getattr(slots, name) for name in chart.slots
    }


@pytest.mark.parametrize(
    ("options", "first", "last", "each"),
    [
        ({}, "2023-11-02T00:50", "2023-11-02T00:59", 1),
        ({"count": 3}, "2023-11-02T00:57", "2023-11-02T00:59", 1),
        ({"count": 100}, "2023-11-01T23:20", "2023-11-02T00:50", 10),
        ({"start": "2023-11-01T10:00", "count": 4}, "2023-11-01T10:00", "2023-11-01T10:03", 1),
        ({"end": "2023-11-01T10:00", "count": 4}, "2023-11-01T09:56", "2023-11-01T09:59", 1),
        ({"start": "2023-11-01T10:00:30", "end": "2023-11-01T10:04"}, "2023-11-01T10:01", "2023-11-01T10:03", 1),
        ({"start": "2023-11-02"}, "2023-11-02T00:00", "2023-11-02T00:50", 10),
        ({"start": "2023-11-03", "count": 5}, "2023-11-03T00:00", "2023-11-03T00:04", 1),
    ],
    ids=str,
)
async def test_ranges(
    exchange: Any, frame: pd.DataFrame, tmp_path: Path, options: dict[str, Any], first: str, last: str, each: int
) -> None:
    chart = await drawn(frame, tmp_path / "my.feather", bars=10, **options)
    assert (chart.open_time[0], chart.open_time[-1]) == (to_ms(first), to_ms(last))
    assert chart.slots_per_bar == each


async def test_months_are_counted_by_the_calendar(exchange: Any, tmp_path: Path) -> None:
    chart = await drawn_months(tmp_path)
    months = [pd.Timestamp(ms, unit="ms").strftime("%Y-%m") for ms in chart.open_time]
    assert months == ["2020-01", "2020-05", "2020-09", "2021-01"]
    assert (chart.bar_length, chart.candles.tolist()) == ("4M", [4, 4, 4, 3])
    assert chart.volume.tolist() == [10, 26, 42, 42]


async def drawn_months(tmp_path: Path) -> Chart:
    months = pd.date_range("2020-01-01", periods=15, freq="MS", tz="UTC")
    rows = pd.DataFrame({"date": months} | dict.fromkeys(("open", "high", "low", "close"), 1.0))
    rows.assign(volume=np.arange(1, 16)).to_csv(tmp_path / "my.csv")
    async with candle_core.open({"storage": {"backend": "memory"}}) as candles:
        name: dict[str, Any] = {"timeframe": "1M", "exchange": "BINANCE", "tradetype": "SPOT"}
        await candles.import_candles(tmp_path / "my.csv", "BTC/USDT", offline=True, **name)
        return await candles.chart("BTC/USDT", **name, start="2020-01-01", bars=4)


async def test_what_cannot_be_drawn(exchange: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    async with candle_core.open(CONFIG) as candles:
        with pytest.raises(UnknownSymbolError, match="'BTC/USDT'"):
            await candles.chart("BTC/USDT", "1m")
    for options, words in (
        ({"start": "2023-11-03"}, "behind the newest stored candle"),
        ({"start": "2023-11-01T00:00:10", "end": "2023-11-01T00:00:50"}, "no slot of '1m'"),
        ({"bars": 1}, "1 bars"),
        ({"start": "2023-11-01", "end": "2023-11-02", "count": 3}, "more than two"),
    ):
        with pytest.raises(BadInputError, match=words):
            await drawn(frame, tmp_path / "my.feather", **options)
