"""Two readers of one wire: both against Python's own `json` and `float`."""

import json
import random
from typing import Any

import numpy as np
import pytest

from candle_binance import digits, wire
from candle_hookspecs import MalformedAnswerError

TIME = 1_704_067_200_000
KEPT = {name: place for place, name in enumerate(wire.FIELDS) if name}


def rows(count: int, *, largest: int = 10**15, seed: int = 1) -> list[list[Any]]:
    """Rows as on the wire, with numbers of every length below `largest` units of 1e-8."""
    dice = random.Random(seed)

    def number() -> str:
        units = dice.randrange(int(10 ** dice.uniform(0, len(str(largest)) - 1)) + 1)
        return f"{units // 10**8}.{units % 10**8:08d}"

    return [
        [TIME + 60_000 * slot, *(number() for _ in range(5)), TIME + 60_000 * slot + 59_999, number(),
         dice.randrange(10**6), number(), number(), "0"]
        for slot in range(count)
    ]  # fmt: skip


def body(table: list[list[Any]]) -> bytes:
    return json.dumps(table, separators=(",", ":")).encode()


def check(columns: Any, table: list[list[Any]]) -> None:
    for name, place in KEPT.items():
        np.testing.assert_array_equal(columns[name], [float(row[place]) for row in table], name)


def test_usual_numbers_are_the_floats_nearest_to_their_text() -> None:
    table = rows(5_000)
    columns = digits.columns(body(table))
    assert columns is not None
    check(columns, table)
    check(wire.decode(table).columns(), table)


@pytest.mark.parametrize("text", ["0.00000000", "0.00000001", "9.99999999", "90071992.54740991", "12345678.90000000"])
def test_the_longest_and_the_shortest_number(text: str) -> None:
    table = rows(3)
    table[1][3] = text
    columns = digits.columns(body(table))
    assert columns is not None
    check(columns, table)


@pytest.mark.parametrize(
    "text", ["90071992.54740993", "123456789.00000001", "999999999999.12345678", "1.5", "7", "1e-7", "0.123456789"]
)
def test_unusual_numbers_go_to_the_general_reader(text: str) -> None:
    table = rows(3)
    table[1][3] = text
    assert digits.columns(body(table)) is None
    check(wire.decode(body(table)).columns(), table)


def test_a_body_damaged_anywhere_is_never_misread() -> None:
    table = rows(2, seed=3)
    sound = body(table)
    ignored = {place for place, name in enumerate(wire.FIELDS) if not name}
    field = 0
    refused = 0
    for place, letter in enumerate(sound):
        field = (field + 1) % 12 if letter == ord(",") else field
        for damage in b'x"., -:[]{}9/\xff':
            damaged = sound[:place] + bytes([damage]) + sound[place + 1 :]
            columns = digits.columns(damaged)
            if columns is None:
                refused += 1
            elif field not in ignored or letter in b"[],":
                check(columns, json.loads(damaged))
    assert refused > len(sound)


def test_order_and_repetition_are_remembered() -> None:
    table = rows(4)
    batch = wire.decode(body([table[2], table[1], table[1], table[0]]))
    assert batch.open_time.tolist() == [row[0] for row in table[:3]]
    assert (batch.arrival, batch.repeated) == ("descending", 1)


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", None, "", "1,5", True, [], "0x1p3", "1_0"], ids=repr)
@pytest.mark.parametrize("place", [0, 4, 8])
def test_what_is_no_number_is_refused(value: Any, place: int) -> None:
    table = rows(2)
    table[1][place] = value
    for raw in (body(table), table):
        with pytest.raises(MalformedAnswerError, match="the answer begins"):
            wire.decode(raw)


def test_microseconds_are_not_taken_for_milliseconds() -> None:
    table = rows(1)
    table[0][0] *= 1000
    with pytest.raises(MalformedAnswerError):
        wire.decode(body(table))


def test_nothing_is_no_candles() -> None:
    assert len(wire.decode(b"[]")) == len(wire.decode([])) == 0


def test_a_message_quotes_no_more_than_the_beginning() -> None:
    with pytest.raises(MalformedAnswerError) as caught:
        wire.decode(b"<html>" + b"x" * 10_000)
    assert "<html>" in str(caught.value)
    assert len(str(caught.value)) < 300
