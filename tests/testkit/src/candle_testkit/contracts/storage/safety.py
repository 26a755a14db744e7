# ruff: noqa: D102 - a check is called what it checks
"""Checks of what must hold when things go wrong, or happen at once."""

import pytest

from candle_hookspecs import LoadRead, Registration, SaveReceipt, SaveWrite, UnknownSymbolError
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, Database, answer, candles, market, rows_of, span


class SafetyChecks:
    """Atomicity, durability, concurrency."""

    def test_a_write_is_all_or_nothing(self, db: Database) -> None:
        db.save(answer(candles([0], price=1), proven=span(0, 1)))
        before = db.stored(), db.facts(), db.symbols(statistics=True)
        stranger = market("STRANGER").symbol("1m")
        good = answer(candles(range(900), price=2), at=2, proven=span(0, 900))
        with pytest.raises(UnknownSymbolError):
            db.save(good, answer(candles([0]), at=2, symbol=stranger))
        assert (db.stored(), db.facts(), db.symbols(statistics=True)) == before, "half of a refused write was stored"
        assert db.save(good).inserted == 899

    def test_an_empty_write_does_nothing(self, db: Database) -> None:
        assert db.save() == SaveReceipt()
        assert db.save(answer(candles([]))) == SaveReceipt()
        assert db.call("candle_register", []) == []

    def test_what_was_acknowledged_is_there_after_reopening(self, db: Database) -> None:
        if not db.capabilities.durable:
            pytest.skip("capabilities.durable is False")
        db.save(answer(candles(range(600)), proven=span(0, 600)))
        before = db.facts(), db.symbols(statistics=True)
        db.reopen()
        assert db.load() == candles(range(600))
        assert (db.facts(), db.symbols(statistics=True)) == before
        assert db.save(answer(candles([600]), at=2)).inserted == 1

    def test_saves_at_the_same_time_are_all_kept(self, db: Database) -> None:
        given = [answer(candles(range(start, start + 150)), at=1 + start) for start in range(0, 1_200, 100)]
        receipts = db.together(*(("candle_save", SaveWrite(answers=(one,))) for one in given))
        total = sum(receipts, SaveReceipt())
        assert total == SaveReceipt(inserted=1_250, unchanged=550)
        assert db.stored() == rows_of(candles(range(1_250)))

    def test_conflicting_saves_at_the_same_time_end_with_the_latest(self, db: Database) -> None:
        given = [answer(candles(range(50), price), at=price, proven=span(0, 50)) for price in range(1, 17)]
        db.together(*(("candle_save", SaveWrite(answers=(one,))) for one in given))
        assert db.stored() == rows_of(candles(range(50), price=16))
        assert len(db.facts()) == 16

    def test_reading_goes_on_while_writing(self, db: Database) -> None:
        """A read sees a write whole or not at all."""
        given = [answer(candles(range(n * 100, (n + 1) * 100)), proven=span(n * 100, (n + 1) * 100)) for n in range(8)]
        saves = [("candle_save", SaveWrite(answers=(one,))) for one in given]
        counts = [("candle_count", LoadRead(symbol=SYMBOL)) for _ in range(16)]
        results = db.together(*(call for pair in zip(saves, counts[:8], counts[8:], strict=True) for call in pair))
        assert all(result % 100 == 0 for result in results if isinstance(result, int))
        assert db.count() == 800

    def test_registering_at_the_same_time_makes_one(self, db: Database) -> None:
        registrations = [Registration(market=market(f"B{n}"), timeframes=("1m", "1h")) for n in range(20)]
        answers = db.together(*(("candle_register", registrations) for _ in range(6)))
        assert all(found == answers[0] for found in answers)
        assert len(db.symbols()) == 41

    def test_two_instances_share_the_data(self, db: Database) -> None:
        if not db.capabilities.shared:
            pytest.skip("capabilities.shared is False")
        other = db.open_another()
        db.save(answer(candles([0])))
        assert db.call("candle_load", LoadRead(symbol=SYMBOL), on=other) == candles([0])
        receipt = db.call("candle_save", SaveWrite(answers=(answer(candles([0, 1]), at=2),)), on=other)
        assert receipt == SaveReceipt(inserted=1, unchanged=1)
        db.call("candle_register", [Registration(market=BTC, timeframes=("1d",))], on=other)
        db.let_go(other)
        assert db.load() == candles([0, 1])
        assert db.count(BTC.symbol("1d")) == 0
