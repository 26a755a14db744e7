"""A batch against a plain-Python model: a dict of rows by open time."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import (
    COLUMNS,
    INTEGER_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    Arrival,
    CandleBatch,
    MalformedAnswerError,
    Span,
)

Row = dict[str, float | int]

times = st.integers(-50, 50)
numbers = st.floats(width=64, allow_infinity=False)
names = st.sets(st.sampled_from(["quote_volume", "trades", "taker_buy_volume", "vwap"])).map(sorted)


@st.composite
def wires(draw: st.DrawFn, optional: list[str] | None = None) -> list[Row]:
    """Rows in the order of a wire: any order, open times that come again."""
    columns = [*REQUIRED_COLUMNS, *(draw(names) if optional is None else optional)]
    values = {name: st.integers(0, 9) if name == "trades" else numbers for name in columns} | {"open_time": times}
    return draw(st.lists(st.fixed_dictionaries(values), max_size=12))


def as_columns(rows: list[Row], columns: list[str] | None = None) -> dict[str, list[Any]]:
    chosen = columns or (list(rows[0]) if rows else list(REQUIRED_COLUMNS))
    return {name: [row[name] for row in rows] for name in chosen}


def batch_of(rows: list[Row]) -> CandleBatch:
    return CandleBatch.from_columns(as_columns(rows))


def model(rows: list[Row]) -> dict[int, Row]:
    """The last row of each open time, in time order."""
    last = {int(row["open_time"]): row for row in rows}
    return {time: last[time] for time in sorted(last)}


def assert_holds(batch: CandleBatch, expected: dict[int, Row]) -> None:
    assert batch.open_time.tolist() == list(expected)
    for name, column in batch.columns().items():
        np.testing.assert_array_equal(column, [row[name] for row in expected.values()], name)


def line(start: int, count: int, **changes: Any) -> CandleBatch:
    """Flat candles, one a millisecond."""
    columns = {name: np.ones(count) for name in REQUIRED_COLUMNS} | {"open_time": np.arange(start, start + count)}
    return CandleBatch.from_columns({**columns, **changes})


# ── making ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(wires())
def test_rows_are_sorted_and_the_last_of_equals_stays(rows: list[Row]) -> None:
    batch = batch_of(rows)
    assert_holds(batch, model(rows))
    assert batch.repeated == len(rows) - len(model(rows))
    assert len(batch) == len(model(rows))


@given(wires())
def test_arrival_tells_the_order_of_the_wire(rows: list[Row]) -> None:
    came = [row["open_time"] for row in rows]
    expected = {
        came == sorted(came): Arrival.ASCENDING,
        came == sorted(came, reverse=True): Arrival.DESCENDING,
    }
    allowed = {arrival for holds, arrival in expected.items() if holds} or {Arrival.DISORDERED}
    if came == sorted(came):
        allowed = {Arrival.ASCENDING}
    assert batch_of(rows).arrival in allowed


def test_columns_that_are_none_are_absent() -> None:
    batch = line(0, 2, trades=None, vwap=[1.0, 2.0])
    assert batch.trades is None
    assert list(batch.columns()) == [*REQUIRED_COLUMNS, "vwap"]
    assert batch.extra["vwap"].dtype == np.float64


@pytest.mark.parametrize(
    "columns",
    [
        {"open_time": [1]},
        {name: [1] for name in REQUIRED_COLUMNS if name != "volume"},
        {name: [1] for name in REQUIRED_COLUMNS} | {"close": ["cheap"]},
        {name: [1] for name in REQUIRED_COLUMNS} | {"open_time": ["noon"]},
        {name: [1] for name in REQUIRED_COLUMNS} | {"open_time": [None]},
        {name: [1] for name in REQUIRED_COLUMNS} | {"open_time": [2**70]},
        {name: [1] for name in REQUIRED_COLUMNS} | {"close": [1, 2]},
        {name: [[1]] for name in REQUIRED_COLUMNS},
        {name: [2, 1] for name in REQUIRED_COLUMNS} | {"close": [1]},
        {name: [2, 1] for name in REQUIRED_COLUMNS} | {"close": [1, 2, 3]},
        {name: [2, 1] for name in REQUIRED_COLUMNS} | {"vwap": [1, 2, 3]},
    ],
    ids=["one", "no-volume", "text", "text-time", "no-time", "huge", "long", "2d", "short-unsorted", "long-unsorted",
         "long-extra"],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        CandleBatch.from_columns(columns)


def test_a_batch_made_by_hand_must_be_sorted_and_typed() -> None:
    floats = np.ones(2)
    with pytest.raises(ValueError, match="strictly"):
        CandleBatch(np.array([2, 1]), floats, floats, floats, floats, floats)
    with pytest.raises(ValueError, match="strictly"):
        CandleBatch(np.array([1, 1]), floats, floats, floats, floats, floats)
    with pytest.raises(ValueError, match="'close' must be float64"):
        CandleBatch(np.array([1, 2]), floats, floats, floats, np.array([1, 2]), floats)


@given(wires(), wires(), wires())
def test_concat_lets_the_later_batch_win(first: list[Row], second: list[Row], third: list[Row]) -> None:
    parts = [batch_of(rows) for rows in (first, second, third)]
    filled = [rows for rows in (first, second, third) if rows]
    columns = {name for rows in filled for name in rows[0]}
    unknown: Row = {name: UNKNOWN_COUNT if name in INTEGER_COLUMNS else float("nan") for name in columns}
    merged: dict[int, Row] = {}
    for rows in filled:
        merged.update({time: unknown | row for time, row in model(rows).items()})
    assert_holds(CandleBatch.concat(parts), {time: merged[time] for time in sorted(merged)})


def test_concat_of_nothing_is_nothing() -> None:
    assert CandleBatch.concat([]) == CandleBatch.empty()
    assert len(CandleBatch.empty()) == 0
    with pytest.raises(IndexError):
        _ = CandleBatch.empty().first


# ── looking and cutting ─────────────────────────────────────────────────────────────────────────────────────────────


@given(wires(), times, st.integers(1, 60))
def test_between_takes_what_opens_inside(rows: list[Row], start: int, length: int) -> None:
    span = Span(start, start + length)
    inside = {time: row for time, row in model(rows).items() if time in span}
    assert_holds(batch_of(rows).between(span), inside)


@given(wires(), st.data())
def test_a_mask_takes_its_rows(rows: list[Row], data: st.DataObject) -> None:
    expected = model(rows)
    mask = data.draw(st.lists(st.booleans(), min_size=len(expected), max_size=len(expected)))
    kept = {time: row for (time, row), keep in zip(expected.items(), mask, strict=True) if keep}
    assert_holds(batch_of(rows)[np.array(mask, bool)], kept)


def test_slices() -> None:
    batch = line(10, 5, vwap=np.arange(5.0))
    assert batch[1:3].open_time.tolist() == [11, 12]
    assert batch[-2:].extra["vwap"].tolist() == [3, 4]
    assert (batch.first, batch.last) == (10, 14)
    with pytest.raises(ValueError, match="strictly"):
        batch[::-1]


@given(wires(["trades", "vwap"]))
def test_equal_is_value_by_value(rows: list[Row]) -> None:
    batch = batch_of(rows)
    assert batch == batch_of(rows[:])
    assert batch == CandleBatch.from_columns(batch.columns()), "how the rows arrived does not count"
    assert (batch == batch_of(rows[1:])) == (model(rows) == model(rows[1:]))


def test_nan_equals_nan_and_an_unknown_column_is_no_absent_one() -> None:
    nan = float("nan")
    assert line(0, 2, quote_volume=[nan, 1]) == line(0, 2, quote_volume=[nan, 1])
    assert line(0, 2, quote_volume=[nan, 1]) != line(0, 2, quote_volume=[1, nan])
    assert line(0, 2, quote_volume=[nan, nan]) != line(0, 2)
    assert line(0, 2) != "a batch"
    with pytest.raises(TypeError):
        hash(line(0, 2))


def test_nothing_in_a_batch_can_be_changed() -> None:
    batch = line(0, 3, trades=[1, 2, 3], vwap=[1, 2, 3])
    for column in (*batch.columns().values(), *batch[1:].columns().values()):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 9
    with pytest.raises(AttributeError):
        batch.open = np.zeros(3)  # type: ignore[misc]
    with pytest.raises(TypeError):
        batch.extra["vwap"] = np.zeros(3)  # type: ignore[index]


def test_the_callers_arrays_stay_the_callers() -> None:
    mine = np.arange(3.0)
    batch = line(0, 3, open=mine)
    mine[0] = 7
    assert batch.open.tolist() == [0, 1, 2]


@given(wires())
def test_a_batch_travels_to_another_process(rows: list[Row]) -> None:
    batch = batch_of(rows)
    arrived = pickle.loads(pickle.dumps(batch))
    assert arrived == batch
    assert (arrived.arrival, arrived.repeated) == (batch.arrival, batch.repeated)
    assert copy.deepcopy(batch) == batch
    assert not arrived.open.flags.writeable


def test_representation_names_the_bounds_and_not_the_rows() -> None:
    assert repr(line(0, 3)) == "<CandleBatch: 3 candles, 1970-01-01T00:00:00Z to 1970-01-01T00:00:00.002Z>"
    assert repr(CandleBatch.empty()) == "<CandleBatch: no candles>"


def test_the_names_of_columns() -> None:
    assert tuple(COLUMNS[:6]) == REQUIRED_COLUMNS
    assert sorted(INTEGER_COLUMNS) == ["open_time", "trades"]


def test_rows_of_json_become_columns() -> None:
    rows = [["1000", "1.5", 2, 1, "1.75", "10", 0], [2000, 1.75, 3, 1.5, 2.5, 20, 0]]
    places = {"open_time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
    batch = CandleBatch.from_rows(rows, places)
    assert batch.open_time.tolist() == [1000, 2000]
    assert batch.close.tolist() == [1.75, 2.5]
    assert len(CandleBatch.from_rows([], places)) == 0


@pytest.mark.parametrize(
    "rows", [[[1, 2]], [[1, 2, 3, 4, 5, None]], [[1, 2, 3, 4, 5, "NaN"]], [[1, 2, 3, 4, 5, "six"]], [[1], [1, 2]], 7,
             {"a": 1}, [1, 2, 3], [[[1]] * 6]],
)  # fmt: skip
def test_rows_that_are_none_are_refused(rows: object) -> None:
    places = {name: place for place, name in enumerate(("open_time", "open", "high", "low", "close", "volume"))}
    with pytest.raises(MalformedAnswerError):
        CandleBatch.from_rows(rows, places)
