# ruff: noqa: D102 - a check is called what it checks
"""Checks of `candle_save` where something is stored already: who wins, and what the receipt says."""

from candle_hookspecs import Evidence, SaveReceipt
from candle_testkit.contracts.storage.harness import (
    Database,
    answer,
    batch_of,
    candles,
    fact,
    market,
    rows_of,
    slot,
    span,
)


class MergeChecks:
    """Conflicts and receipts."""

    def test_a_later_answer_wins_whichever_is_saved_first(self, db: Database) -> None:
        old, new = candles(range(4), price=1), candles(range(4), price=2)
        assert db.save(answer(old, at=10)).inserted == 4
        assert db.save(answer(new, at=20)) == SaveReceipt(revised=4)
        assert db.stored() == rows_of(new)
        assert db.save(answer(old, at=10)) == SaveReceipt(outdated=4)
        assert db.stored() == rows_of(new), "an earlier answer, saved late, overwrote a later one"

    def test_of_one_moment_the_higher_rank_wins(self, db: Database) -> None:
        low, high = candles(range(4), price=1), candles(range(4), price=2)
        db.save(answer(high, at=10, rank=5, source="archive"))
        assert db.save(answer(low, at=10, rank=1)) == SaveReceipt(outdated=4)
        assert db.stored() == rows_of(high)
        db.save(answer(low, at=11, rank=1))
        assert db.save(answer(high, at=11, rank=5, source="archive")) == SaveReceipt(revised=4)
        assert db.stored() == rows_of(high)

    def test_a_row_repeated_later_is_not_overturned(self, db: Database) -> None:
        true, false = candles(range(4), price=1), candles(range(4), price=2)
        db.save(answer(true, at=10, proven=span(0, 4)))
        assert db.save(answer(true, at=30, proven=span(0, 4))) == SaveReceipt(unchanged=4)
        assert db.save(answer(false, at=20, proven=span(0, 4))) == SaveReceipt(outdated=4)
        assert db.stored() == rows_of(true), "the answer of 20 came after that of 30 and beat what it had repeated"
        assert db.save(answer(false, at=31)) == SaveReceipt(revised=4)

    def test_a_row_repeated_later_without_proof_is_not_overturned(self, db: Database) -> None:
        true, false = candles(range(4), price=1), candles(range(4), price=2)
        db.save(answer(true, at=10), answer(true, at=30))
        assert db.save(answer(false, at=20)) == SaveReceipt(outdated=4)
        assert db.stored() == rows_of(true)

    def test_receipts_tell_rows_apart(self, db: Database) -> None:
        db.save(answer(candles([0, 1, 2], price=1), at=10), answer(candles([5], price=1), at=99))
        mixed = {name: column.copy() for name, column in candles([0, 1, 2, 3, 5], price=1).columns().items()}
        mixed["close"][1] = 50.0
        mixed["trades"][2] = 77
        mixed["volume"][4] = 3.0
        batch = batch_of(mixed)  # 0 same, 1 and 2 differ, 3 is new, 5 was answered later
        assert db.save(answer(batch, at=20)) == SaveReceipt(inserted=1, revised=2, unchanged=1, outdated=1)
        expected = rows_of(batch)
        expected[4] = rows_of(candles([5], price=1))[0]
        assert db.stored() == expected

    def test_one_column_is_enough_to_differ(self, db: Database) -> None:
        base = candles([0])
        db.save(answer(base))
        for moment, name in enumerate(list(base.columns())[1:], start=2):
            changed = {other: column.copy() for other, column in db.load().columns().items()}
            changed[name] += 1
            batch = batch_of(changed)
            assert db.save(answer(batch, at=moment)) == SaveReceipt(revised=1), name
            assert db.stored() == rows_of(batch), name

    def test_becoming_unknown_is_a_revision(self, db: Database) -> None:
        full = candles([0])
        db.save(answer(full))
        columns = full.columns()
        del columns["quote_volume"]
        less = batch_of(columns)
        assert db.save(answer(less, at=2)) == SaveReceipt(revised=1)
        assert db.stored()[0][6] is None
        assert db.load() == less
        assert db.save(answer(full, at=3)) == SaveReceipt(revised=1)
        assert db.load() == full

    def test_saving_twice_changes_nothing(self, db: Database) -> None:
        given = answer(candles(range(600)), at=5, proven=span(0, 600))
        db.save(given)
        before = db.stored(), db.facts(), db.symbols(statistics=True)
        assert db.save(given) == SaveReceipt(unchanged=600)
        assert (db.stored(), db.facts(), db.symbols(statistics=True)) == before

    def test_rows_a_later_answer_lacks_are_kept_and_counted(self, db: Database) -> None:
        db.save(answer(candles(range(10))))
        receipt = db.save(answer(candles([2, 3, 9]), at=2, proven=span(2, 8)))
        assert receipt == SaveReceipt(unchanged=3, lacking=4), "4, 5, 6 and 7 are lacking; 8 was not proven"
        assert db.stored() == rows_of(candles(range(10)))
        assert db.save(answer(candles([]), at=3, proven=span(0, 3))) == SaveReceipt(lacking=3)
        overlapping = (fact(span(0, 4), 4), fact(span(2, 6), 4))
        assert db.save(answer(candles([1]), at=4, facts=overlapping)) == SaveReceipt(unchanged=1, lacking=5)

    def test_an_imported_file_claims_no_emptiness(self, db: Database) -> None:
        db.save(answer(candles(range(5))))
        imported = fact(span(0, 5), 2, evidence=Evidence.IMPORTED, source="import")
        receipt = db.save(answer(candles([0, 4]), at=2, facts=(imported,), source="import"))
        assert receipt == SaveReceipt(unchanged=2)

    def test_answers_of_one_write_follow_each_other(self, db: Database) -> None:
        first, second, third = (candles(range(3), price=price) for price in (1, 2, 3))
        receipt = db.save(
            answer(first, at=10, proven=span(0, 3)),
            answer(third, at=30, proven=span(0, 3)),
            answer(second, at=20, proven=span(0, 3)),
        )
        assert receipt == SaveReceipt(inserted=3, revised=3, outdated=3)
        assert db.stored() == rows_of(third)
        assert len(db.facts()) == 3

    def test_a_candle_that_was_absent_goes_in_though_its_answer_is_old(self, db: Database) -> None:
        db.save(answer(candles([0, 2]), at=30, proven=span(0, 3)))
        assert db.save(answer(candles([0, 1], price=100), at=20)) == SaveReceipt(inserted=1, unchanged=1)
        assert [row[0] for row in db.stored()] == [slot(0), slot(1), slot(2)]

    def test_the_order_of_symbols_in_a_write_does_not_matter(self, db: Database) -> None:
        late, early = market("ZZZ"), market("AAA")
        db.register(listed=late)
        db.register(listed=early)
        for price, listed in enumerate((early, late), start=1):
            db.save(answer(candles([0], price), symbol=listed.symbol("1m")))
        receipt = db.save(
            answer(candles([1], 5), symbol=early.symbol("1m")),
            answer(candles([0, 1], 6), symbol=late.symbol("1m"), at=2),
        )
        assert receipt == SaveReceipt(inserted=2, revised=1)
        assert db.stored(late.symbol("1m")) == rows_of(candles([0, 1], 6))
