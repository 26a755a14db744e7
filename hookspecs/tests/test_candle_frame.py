"""Several symbols as one frame: all libraries, both shapes, value by value."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from candle_hookspecs import REQUIRED_COLUMNS, BadInputError, CandleBatch, CandleFrame, Shape

MINUTE = 60_000


def batch(minutes: list[int], seed: int, **more: Any) -> CandleBatch:
    chance = np.random.default_rng(seed)
    columns: dict[str, Any] = {name: chance.random(len(minutes)) for name in REQUIRED_COLUMNS}
    return CandleBatch.from_columns(columns | {"open_time": np.array(minutes, np.int64) * MINUTE} | more)


BTC = batch([0, 1, 2, 4], 1, trades=[5, 6, 7, -1], vwap=[1.0, 2.0, 3.0, 4.0])
ETH = batch([1, 3, 4], 2, trades=[1, 2, 3], quote_volume=[1.0, np.nan, 3.0])
FRAME = CandleFrame({"BTC/USDT": BTC, "ETH/USDT": ETH})
TIMES = [0, 1, 2, 3, 4]


def value(symbol: str, column: str, minute: int) -> Any:
    """What a frame must say, by looking the row up; None: nothing."""
    columns = FRAME[symbol].columns()
    rows = columns["open_time"].tolist()
    if column not in columns or minute * MINUTE not in rows:
        return None
    found = columns[column][rows.index(minute * MINUTE)].item()
    return None if found != found or (column == "trades" and found == -1) else found


def listed(values: Any) -> list[Any]:
    return [None if found is None or found is pd.NA or found != found else found for found in values]


def test_wide() -> None:
    pandas, polars, arrow = FRAME.to_pandas("wide"), FRAME.to_polars("wide"), FRAME.to_arrow("wide")
    assert pandas.index.as_unit("ms").asi8.tolist() == [minute * MINUTE for minute in TIMES]  # type: ignore[attr-defined]
    assert (pandas.index.name, pandas.columns.names) == ("open_time", ["column", "symbol"])
    order: list[tuple[str, str]] = list(pandas.columns)  # type: ignore[arg-type]
    assert order[:4] == [("open", "BTC/USDT"), ("open", "ETH/USDT"), ("high", "BTC/USDT"), ("high", "ETH/USDT")]
    assert order[-4:] == [
        ("quote_volume", "ETH/USDT"), ("trades", "BTC/USDT"), ("trades", "ETH/USDT"), ("vwap", "BTC/USDT"),
    ]  # fmt: skip
    assert polars.columns == arrow.column_names == ["open_time", *(f"{symbol}_{column}" for column, symbol in order)]
    for column, symbol in order:
        wanted = [value(symbol, column, minute) for minute in TIMES]
        assert listed(pandas[(column, symbol)]) == wanted
        assert polars[f"{symbol}_{column}"].to_list() == wanted
        assert arrow[f"{symbol}_{column}"].to_pylist() == wanted


def test_long() -> None:
    pandas, polars, arrow = FRAME.to_pandas().reset_index(), FRAME.to_polars(), FRAME.to_arrow()
    assert list(pandas.columns[:3]) == ["open_time", "symbol", "open"]
    assert polars.columns[:3] == arrow.column_names[:3] == ["symbol", "open_time", "open"]
    rows = [(symbol, int(time) // MINUTE) for symbol in FRAME.batches for time in FRAME[symbol].open_time]
    assert pandas["symbol"].tolist() == polars["symbol"].to_list() == [symbol for symbol, _ in rows]
    for column in ("open", "close", "volume", "quote_volume", "trades", "vwap"):
        wanted = [value(symbol, column, minute) for symbol, minute in rows]
        assert listed(pandas[column]) == wanted
        assert polars[column].to_list() == arrow[column].to_pylist() == wanted


def test_a_symbol_without_candles_is_there_all_the_same() -> None:
    frame = CandleFrame({"BTC/USDT": BTC, "NEW/USDT": CandleBatch.empty()})
    assert len(frame) == 4
    wide = frame.to_pandas("wide")
    assert wide[("close", "NEW/USDT")].isna().all()
    assert wide[("close", "BTC/USDT")].tolist() == BTC.close.tolist()
    assert frame.to_polars()["symbol"].unique().to_list() == ["BTC/USDT"]
    assert set(frame.to_pandas()["symbol"]) == {"BTC/USDT"}
    assert frame.to_arrow("wide").num_rows == 4
    nothing = CandleFrame({"NEW/USDT": CandleBatch.empty()})
    shapes: tuple[Shape, ...] = ("long", "wide")
    for shape in shapes:
        assert [len(nothing.to_pandas(shape)), len(nothing.to_polars(shape)), len(nothing.to_arrow(shape))] == [0] * 3


def test_what_is_no_frame() -> None:
    with pytest.raises(BadInputError, match="'tall'"):
        FRAME.to_arrow("tall")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="no symbol"):
        CandleFrame({}).to_pandas()
    assert repr(FRAME) == "<CandleFrame: 7 candles of BTC/USDT, ETH/USDT>"
