# ruff: noqa: D102 - a check is called what it checks
"""Checks of what goes in and comes out: `candle_save` into empty ground, `candle_load`, `candle_count`."""

import numpy as np
import pytest

from candle_hookspecs import REQUIRED_COLUMNS, UNKNOWN_COUNT, BadInputError, CandleBatch, Span
from candle_testkit.contracts.storage.harness import BTC, Database, answer, batch_of, candles, rows_of, slot, span

NASTY = (0.1, 1e-320, 5e-324, 1.7976931348623157e308, 0.30000000000000004, 2.0**53 + 2, 1 / 3, -37.63, 1e22, 7.0)
"""Floats that an inexact way loses: denormals, the largest, those with 17 digits, a negative price, whole numbers."""


def nasty() -> CandleBatch:
    """Candles of such values, at moments on no grid and before 1970."""
    values = np.array(NASTY)
    times = np.array([-(2**41), -1, 0, 1, 59_999, 60_001, slot(0), slot(1) + 7, slot(2), 2**42], dtype=np.int64)
    columns = {name: np.roll(values, shift) for shift, name in enumerate(REQUIRED_COLUMNS[1:])}
    trades = np.array([0, 1, 2**62, 3, 4, 5, 6, 7, 8, 9], dtype=np.int64)
    optional = {"quote_volume": values * 0.5, "trades": trades, "taker_buy_volume": values[::-1]}
    return batch_of({"open_time": times} | columns | optional)


class CandleChecks:
    """Candles in, candles out."""

    def test_candles_come_back_bit_for_bit(self, db: Database) -> None:
        given = nasty()
        receipt = db.save(answer(given))
        assert receipt.inserted == len(given)
        assert db.stored() == rows_of(given), "what stands in the database is not what was saved"
        loaded = db.load()
        for name, column in given.columns().items():
            assert loaded.columns()[name].tobytes() == column.tobytes(), name

    def test_many_candles_come_back(self, db: Database) -> None:
        given = candles(range(12_345))
        assert db.save(answer(given)).inserted == 12_345
        assert db.stored() == rows_of(given)
        assert db.load() == given

    def test_unknown_values_stay_unknown(self, db: Database) -> None:
        full = candles(range(3))
        trades, taker = np.array([1, UNKNOWN_COUNT, 0]), np.array([np.nan, 0.0, np.nan])
        given = batch_of(
            {name: getattr(full, name) for name in REQUIRED_COLUMNS} | {"trades": trades, "taker_buy_volume": taker}
        )
        db.save(answer(given))
        assert [row[6:] for row in db.stored()] == [(None, 1, None), (None, None, 0.0), (None, 0, None)]
        assert db.load() == given
        assert db.load(span=span(0, 1)).taker_buy_volume is None, "a column unknown in all rows read is None"

    def test_an_unknown_price_is_refused(self, db: Database) -> None:
        full = candles(range(2))
        given = batch_of(full.columns() | {"close": np.array([1.0, np.nan])})
        with pytest.raises(BadInputError, match="close"):
            db.save(answer(given))
        assert db.stored() == []

    def test_extra_columns_are_kept(self, db: Database) -> None:
        if not db.capabilities.extra_columns:
            pytest.skip("capabilities.extra_columns is False")
        extra = {"funding": np.array([0.1, np.nan, 1e-320]), "open_interest": np.array([1.0, 2.0, 3.0])}
        given = batch_of(candles(range(3)).columns() | extra)
        db.save(answer(given))
        assert db.load() == given
        assert list(db.load(columns=("funding",)).extra) == ["funding"]
        assert db.save(answer(given, at=2)).unchanged == 3
        revised = batch_of(candles([2]).columns() | {"funding": np.array([0.2])})
        assert db.save(answer(revised, at=3)).revised == 1
        assert db.load(span=span(2, 3)) == revised
        db.forget(None, with_candles=True)
        db.save(answer(candles(range(3))))
        assert not db.load().extra, "extra columns outlive their candles"

    def test_a_span_is_half_open(self, db: Database) -> None:
        given = candles(range(10))
        db.save(answer(given))
        assert db.load(span=span(2, 5)) == given[2:5]
        assert db.load(span=Span(slot(2) + 1, slot(5) + 1)) == given[3:6]
        assert len(db.load(span=span(10, 20))) == 0
        assert len(db.load(span=span(-5, 0))) == 0

    def test_a_limit_takes_the_oldest_or_the_newest(self, db: Database) -> None:
        given = candles(range(10))
        db.save(answer(given))
        assert db.load(limit=3) == given[:3]
        assert db.load(limit=3, newest_first=True) == given[7:], "in time order all the same"
        assert db.load(span=span(2, 6), limit=3, newest_first=True) == given[3:6]
        assert db.load(newest_first=True) == given
        assert db.load(limit=99) == given

    def test_optional_columns_are_chosen(self, db: Database) -> None:
        given = candles(range(4))
        db.save(answer(given))
        six = set(REQUIRED_COLUMNS)
        assert set(db.load(columns=()).columns()) == six
        chosen = db.load(columns=("trades",))
        assert set(chosen.columns()) == six | {"trades"}
        assert chosen.trades is not None
        assert chosen.trades.tolist() == candles(range(4)).columns()["trades"].tolist()

    def test_count_agrees(self, db: Database) -> None:
        db.save(answer(candles([0, 1, 5, 6, 7])))
        assert db.count() == 5
        assert db.count(span=span(1, 6)) == 2
        assert db.count(limit=1) == 5, "a count knows no limit"
        assert db.count(span=span(2, 5)) == 0

    def test_symbols_do_not_mix(self, db: Database) -> None:
        db.register("1h")
        hourly = BTC.symbol("1h")
        db.save(answer(candles([0, 1], price=1)), answer(candles([1, 2], price=2), symbol=hourly))
        assert db.load() == candles([0, 1], price=1)
        assert db.load(hourly) == candles([1, 2], price=2)
        db.forget(None, with_candles=True)
        assert db.count(hourly) == 2

    def test_nothing_stored_reads_as_nothing(self, db: Database) -> None:
        assert (len(db.load()), db.count(), db.facts()) == (0, 0, [])
