"""What a batch hands over to pandas, polars, pyarrow and people is the same, value by value."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_hookspecs import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, UNKNOWN_COUNT, CandleBatch

finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = finite | st.just(math.nan)


@st.composite
def batches(draw: st.DrawFn) -> CandleBatch:
    """Any optional columns, values unknown here and there, open times before 1970 too."""
    times = sorted(draw(st.sets(st.integers(-(10**12), 2 * 10**12), max_size=6)))
    chosen = draw(st.sets(st.sampled_from([*OPTIONAL_COLUMNS, "vwap"])))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=len(times), max_size=len(times)))

    columns: dict[str, Any] = {name: column(finite) for name in REQUIRED_COLUMNS}
    columns |= {name: column(maybe) for name in sorted(chosen - {"trades"})}
    if "trades" in chosen:
        columns["trades"] = column(st.just(UNKNOWN_COUNT) | st.integers(0, 2**60))
    return CandleBatch.from_columns(columns | {"open_time": times})


def plain(batch: CandleBatch) -> list[dict[str, Any]]:
    """Rows of plain values, unknown ones None, built without the methods under test."""
    rows = []
    for number, time in enumerate(batch.open_time):
        row: dict[str, Any] = {"open_time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(time))}
        for name, column in batch.columns().items():
            if name != "open_time":
                value = column[number].item()
                unknown = value != value or (name == "trades" and value == UNKNOWN_COUNT)
                row[name] = None if unknown else value
        rows.append(row)
    return rows


@given(batches())
@settings(deadline=None)
def test_all_frames_say_the_same(batch: CandleBatch) -> None:
    expected = plain(batch)
    assert batch.to_arrow().to_pylist() == expected
    assert batch.to_polars().to_dicts() == expected
    frame = batch.to_pandas().reset_index()
    shown = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert shown == expected
    candles = [candle._asdict() for candle in batch.to_candles()]
    absent = [name for name in OPTIONAL_COLUMNS if getattr(batch, name) is None]
    known = [{name: value for name, value in row.items() if name != "vwap"} for row in expected]
    assert candles == [row | dict.fromkeys(absent) for row in known]


def batch_of(count: int) -> CandleBatch:
    columns = {name: np.arange(float(count)) for name in REQUIRED_COLUMNS}
    return CandleBatch.from_columns(columns | {"open_time": np.arange(count) * 60_000, "trades": np.arange(count)})


@pytest.mark.parametrize("count", [0, 3])
def test_types_do_not_depend_on_the_rows(count: int) -> None:
    batch = batch_of(count)
    frame = batch.to_pandas()
    assert str(frame.index.dtype) == "datetime64[ms, UTC]"
    assert frame.index.name == "open_time"
    assert (str(frame["trades"].dtype), str(frame["open"].dtype)) == ("Int64", "float64")
    assert batch.to_arrow().schema.field("open_time").type == pa.timestamp("ms", "UTC")
    assert str(batch.to_polars().schema["open_time"]) == "Datetime(time_unit='ms', time_zone='UTC')"
    assert batch.to_arrow().schema.field("trades").type == pa.int64()


def test_a_frame_is_the_users_to_change() -> None:
    batch = batch_of(3)
    frame = batch.to_pandas()
    frame.loc[:, "open"] = 7.0
    assert batch.open.tolist() == [0, 1, 2]
