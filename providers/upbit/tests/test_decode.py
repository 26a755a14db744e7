"""Rows of the wire become columns, to the last bit, and nothing else does."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from candle_hookspecs import Arrival, MalformedAnswerError
from candle_testkit.context import make_context
from candle_upbit.provider import UpbitProvider

# As the documentation shows it, with the decimals that the wire has.
ROW = """{"market":"KRW-BTC","candle_date_time_utc":"2024-03-13T11:00:00","candle_date_time_kst":"2024-03-13T20:00:00",
 "opening_price":97000000.00000000,"high_price":97000100.10000000,"low_price":96999900.00000000,
 "trade_price":97000050.12345678,"timestamp":1710328237828,"candle_acc_trade_price":4022470467.0340309881,
 "candle_acc_trade_volume":27.58904602,"unit":60}"""
DAY = ROW.replace('"unit":60', '"prev_closing_price":1.0,"change_price":2.0,"change_rate":0.5')
OPENED = 1_710_327_600_000


@pytest.fixture
def provider(tmp_path: Any) -> UpbitProvider:
    return UpbitProvider(UpbitProvider.Settings(), make_context(tmp_path, "upbit"))


def rows(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(ROW) | change for change in changes]


@pytest.mark.parametrize("text", [ROW, DAY], ids=["hour", "day"])
@pytest.mark.parametrize("parsed", [False, True])
def test_a_row_is_read_exactly(provider: UpbitProvider, text: str, parsed: bool) -> None:
    body = f"[{text}]"
    batch = provider.candle_decode(json.loads(body) if parsed else body.encode())
    assert batch.open_time.tolist() == [OPENED]
    exact = {"open": "97000000", "high": "97000100.1", "low": "96999900", "close": "97000050.12345678",
             "volume": "27.58904602", "quote_volume": "4022470467.0340309881"}  # fmt: skip
    found = {name: column.tolist()[0] for name, column in batch.columns().items() if name != "open_time"}
    assert found == {name: float(Decimal(value)) for name, value in exact.items()}
    assert (batch.trades, batch.taker_buy_volume, dict(batch.extra)) == (None, None, {})


def test_text_in_place_of_numbers_is_read_too(provider: UpbitProvider) -> None:
    texts = rows({"opening_price": "148737000.00000000", "candle_acc_trade_volume": "0.1"})
    batch = provider.candle_decode(texts)
    assert (batch.open[0], batch.volume[0]) == (148_737_000, 0.1)


def test_newest_first_is_sorted_and_remembered(provider: UpbitProvider) -> None:
    moments = ["2024-03-13T11:00:00", "2024-03-13T10:00:00", "2024-03-12T23:00:00"]
    batch = provider.candle_decode(rows(*({"candle_date_time_utc": moment} for moment in moments)))
    assert batch.open_time.tolist() == [OPENED - 12 * 3_600_000, OPENED - 3_600_000, OPENED]
    assert batch.arrival is Arrival.DESCENDING


def test_korean_time_and_the_last_trade_never_leak(provider: UpbitProvider) -> None:
    lies = {"candle_date_time_kst": "1999-01-01T00:00:00", "timestamp": 1}
    assert provider.candle_decode(rows(lies)) == provider.candle_decode(rows({}))
    without = [{name: value for name, value in rows({})[0].items() if name not in lies}]
    assert provider.candle_decode(without) == provider.candle_decode(rows({}))


def test_no_rows_are_no_candles(provider: UpbitProvider) -> None:
    assert len(provider.candle_decode(b"[]")) == 0
    assert len(provider.candle_decode([])) == 0


@pytest.mark.parametrize(
    "change",
    [
        *({name: value} for name in ("opening_price", "high_price", "low_price", "trade_price")
          for value in (None, "NaN", "inf", "", [1.0])),
        {"candle_acc_trade_volume": None}, {"candle_acc_trade_price": "x"},
        *({"candle_date_time_utc": value} for value in (
            "2024-03-13T11:00:00Z", "2024-03-13T20:00:00+09:00", "2024-03-13 11:00:00", "2024-03-13",
            "2024-02-30T00:00:00", "2024-13-01T00:00:00", "NaT", "", 1_710_327_600_000, None)),
    ],
    ids=repr,
)  # fmt: skip
def test_a_row_that_is_not_whole_is_refused(provider: UpbitProvider, change: dict[str, Any]) -> None:
    for raw in (rows({}, change), json.dumps(rows({}, change)).encode()):
        with pytest.raises(MalformedAnswerError):
            provider.candle_decode(raw)


@pytest.mark.parametrize("name", ["candle_date_time_utc", "opening_price", "trade_price", "candle_acc_trade_volume"])
def test_a_missing_field_is_named(provider: UpbitProvider, name: str) -> None:
    row = rows({})[0]
    del row[name]
    with pytest.raises(MalformedAnswerError, match=name):
        provider.candle_decode([row])


def test_random_numbers_are_the_nearest_floats(provider: UpbitProvider) -> None:
    random = np.random.default_rng(7)
    prices = [Decimal(int(units)) / 10**8 for units in random.integers(1, 10**17, 200)]
    for price in prices:
        one = ROW.replace("97000000.00000000", f"{price:.8f}", 1)
        assert provider.candle_decode(f"[{one}]".encode()).open[0] == float(price)
