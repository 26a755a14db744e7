"""What goes through a COPY comes back as it was, bit for bit."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candle_postgres import frames

KINDS: dict[str, np.dtype[Any]] = {
    "number": np.dtype(np.int32),
    "moment": np.dtype(np.int64),
    "price": np.dtype(np.float64),
}
rows = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=True, allow_subnormal=True),
        st.booleans(),
    ),
    max_size=40,
)
Row = tuple[int | None, int | None, float | None, bool]


@pytest.fixture(scope="module")
def driver(server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server) as connection:
        connection.execute("CREATE TEMP TABLE said (number int, moment bigint, price float8, sure bool)")
        yield connection
        connection.rollback()


def columns(said: list[Row]) -> dict[str, frames.Column]:
    kinds: list[tuple[str, np.dtype[Any]]] = [*KINDS.items(), ("sure", np.dtype(np.bool_))]
    return {
        name: (
            np.array([0 if row[index] is None else row[index] for row in said], kind),
            np.array([row[index] is None for row in said], np.bool_),
        )
        for index, (name, kind) in enumerate(kinds)
    }


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack(">d", value)


@given(said=rows)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back(driver: psycopg.Connection, said: list[Row]) -> None:
    driver.execute("TRUNCATE said")
    frames.write(driver, "said", iter([columns(said[:7]), columns(said[7:])]))
    stored = driver.execute("SELECT number, moment, float8send(price), sure FROM said").fetchall()
    assert stored == [(number, moment, bits(price), sure) for number, moment, price, sure in said]
    query = "SELECT coalesce(number, 7), coalesce(moment, 8), coalesce(price, 9) FROM said"
    found = frames.read(driver, query, KINDS)
    assert {name: column.dtype for name, column in found.items()} == KINDS
    assert found["number"].tolist() == [7 if row[0] is None else row[0] for row in said]
    assert found["moment"].tolist() == [8 if row[1] is None else row[1] for row in said]
    assert list(map(bits, found["price"].tolist())) == [bits(9.0) if row[2] is None else bits(row[2]) for row in said]


def test_an_encoded_row_is_that_of_the_manual() -> None:
    unknown = np.array([False, True])
    rows = {"a": (np.array([1, 2], np.int32), None), "b": (np.array([0.5, 0.0]), unknown)}
    known = struct.pack(">hiiid", 2, 4, 1, 8, 0.5)
    assert frames.encode(rows).tobytes() == known + struct.pack(">hiii", 2, 4, 2, -1)


@pytest.mark.parametrize("count", [0, 1, 65_535, 65_536, 65_537, 150_000])
def test_blocks_have_no_seams(driver: psycopg.Connection, count: int) -> None:
    query = f"SELECT n::bigint, n / 2.0::float8 FROM generate_series(1, {count}) AS n"
    found = frames.read(driver, query, {"n": np.dtype(np.int64), "half": np.dtype(np.float64)})
    assert np.array_equal(found["n"], np.arange(1, count + 1))
    assert np.array_equal(found["half"], np.arange(1, count + 1) / 2)


def test_a_query_that_fails_says_so_and_leaves_the_connection_usable(server: str) -> None:
    with psycopg.connect(server) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            frames.read(
                connection, "SELECT 1 / (n - 70000) FROM generate_series(1, 80000) AS n", {"n": KINDS["number"]}
            )
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_nothing_is_written_of_nothing(driver: psycopg.Connection) -> None:
    driver.execute("TRUNCATE said")
    frames.write(driver, "said", iter(()))
    assert driver.execute("SELECT count(*) FROM said").fetchone() == (0,)
