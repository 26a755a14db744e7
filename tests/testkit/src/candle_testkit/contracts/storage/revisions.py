# ruff: noqa: D102 - a check is called what it checks
"""Checks of what is kept of the past: `LoadRead.as_of` and `candle_answers`, by `StorageCapabilities.revisions`."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from candle_hookspecs import COLUMNS, Answer, CandleBatch, Coverage, CoverageState, Evidence, UnknownSymbolError
from candle_testkit.contracts.storage.harness import (
    MINUTE,
    Database,
    StorageHarness,
    StoredRow,
    answer,
    batch_of,
    candles,
    fact,
    market,
    rows_of,
    slot,
    span,
)
from candle_testkit.contracts.storage.random import Saying, sayings, winners

IMPORTS: Final = -1_000_000
"""The rank of imported rows, whose moment is 0."""


def keeping(db: Database) -> Database:
    """The database, if it keeps what later answers replace."""
    if not db.capabilities.revisions:
        pytest.skip("capabilities.revisions is False")
    return db


def prices(db: Database, as_of: int | None) -> dict[int, float]:
    """The price that `candles` was given, by slot."""
    batch = db.load(as_of=as_of)
    index = (batch.open_time - slot(0)) // MINUTE
    return dict(zip(index.tolist(), np.round(batch.open - index / 7, 6).tolist(), strict=True))


def told(answers: Iterable[Answer]) -> list[tuple[int, int, str, list[StoredRow]]]:
    """Moment, rank, source and rows of each."""
    return [(one.answered_at, one.rank, one.source, rows_of(one.batch)) for one in answers]


def proofs(facts: Iterable[Coverage]) -> set[tuple[str, int, CoverageState, Evidence, int]]:
    """What facts say minute by minute, whatever their cut."""
    return {
        (one.source, one.answered_at, one.state, one.evidence, moment)
        for one in facts
        for moment in range(one.span.start, one.span.end, MINUTE)
    }


def _saying(rank: int, price: int) -> Saying:
    """Two of these at one moment are told apart by nothing but their rank."""
    return Saying(at=1, rank=rank, price=price, slots=frozenset({0}), proven=None)


class RevisionChecks(StorageHarness):
    """What was known when."""

    def test_each_moment_reads_what_was_known_then(self, db: Database) -> None:
        keeping(db)
        for moment in (10, 20, 30):
            db.save(answer(candles(range(4), price=moment), at=moment, proven=span(0, 4)))
        db.save(answer(candles([4, 5], price=40), at=40))
        known = {moment: db.load(as_of=moment) for moment in (9, 10, 19, 20, 29, 30, 39)}
        assert known[9] == CandleBatch.empty()
        assert known[10] == known[19] == candles(range(4), price=10)
        assert known[20] == known[29] == candles(range(4), price=20)
        assert known[30] == known[39] == candles(range(4), price=30)
        assert db.load(as_of=40) == db.load() == db.load(as_of=2**62)
        assert [db.count(as_of=moment) for moment in (9, 10, 20, 39, 40)] == [0, 4, 4, 4, 6]

    def test_a_read_of_the_past_takes_span_limit_and_columns(self, db: Database) -> None:
        keeping(db)
        db.save(answer(candles(range(0, 10, 2), price=1), at=10))
        db.save(answer(candles(range(10), price=2), at=20))
        db.save(answer(candles([4], price=3), at=30))
        known = candles(range(0, 10, 2), price=1)
        assert db.load(as_of=10, span=span(2, 7)) == known[1:4]
        assert db.count(as_of=10, span=span(1, 6)) == 2
        assert db.load(as_of=10, limit=2) == known[:2]
        assert db.load(as_of=10, limit=2, newest_first=True) == known[-2:]
        assert list(db.load(as_of=10, columns=("trades",)).columns()) == [*COLUMNS[:6], "trades"]

    def test_what_comes_late_was_known_from_its_own_moment(self, db: Database) -> None:
        keeping(db)
        db.save(answer(candles([0, 1], price=3), at=30, proven=span(0, 2)))
        db.save(answer(candles([0, 1], price=1), at=10))
        db.save(answer(candles([0, 1], price=2), at=20, proven=span(0, 2)))
        db.save(answer(candles([0], price=3), at=15))
        assert [prices(db, moment) for moment in (9, 10, 15, 20, 30)] == [
            {}, {0: 1, 1: 1}, {0: 3, 1: 1}, {0: 2, 1: 2}, {0: 3, 1: 3}
        ]  # fmt: skip

    def test_what_comes_late_ends_where_the_row_was_repeated(self, db: Database) -> None:
        keeping(db)
        for over in (span(0, 2), None):
            db.forget(None, with_candles=True)
            for moment in (10, 30, 50):
                db.save(answer(candles([0, 1], price=1), at=moment, proven=over))
            db.save(answer(candles([0, 1], price=4), at=40, proven=over))
            db.save(answer(candles([0, 1], price=2), at=20, proven=over))
            found = [prices(db, moment).get(0) for moment in (10, 19, 20, 29, 30, 39, 40, 49, 50, None)]
            assert found == [1, 1, 2, 2, 1, 1, 4, 4, 1, 1]

    def test_what_is_no_longer_said_was_known_before(self, db: Database) -> None:
        keeping(db)
        full = candles([0, 1])
        less = batch_of({name: column for name, column in full.columns().items() if name != "trades"})
        db.save(answer(less, at=10))
        db.save(answer(full, at=20))
        db.save(answer(less, at=30))
        db.save(answer(full, at=40))
        assert [db.load(as_of=moment) for moment in (10, 20, 30, 40)] == [less, full, less, full]

    def test_extra_columns_of_the_past_are_kept(self, db: Database) -> None:
        keeping(db)
        if not db.capabilities.extra_columns:
            pytest.skip("capabilities.extra_columns is False")
        plain = candles([0, 1])
        said = [plain.columns() | extra for extra in ({"funding": [0.5, 2.0]}, {"funding": [0.25, 2.0]}, {})]
        given = [batch_of(columns) for columns in said]
        for moment in (30, 10, 20):
            db.save(answer(given[moment // 10 - 1], at=moment))
        assert [db.load(as_of=moment) for moment in (10, 20, 30)] == given
        assert db.load(as_of=10, columns=()).extra == {}
        by_moment = {one.answered_at: one.batch for one in db.answers()}
        assert by_moment[10] == given[0]
        assert by_moment[20].extra["funding"][0] == 0.25
        assert by_moment[30] == given[2]

    def test_imported_rows_were_always_known(self, db: Database) -> None:
        keeping(db)
        imported = answer(candles([0, 1, 2], price=1), at=0, rank=IMPORTS, source="import")
        asked = answer(candles([0, 1], price=2), at=10, proven=span(0, 2))
        for first, second in ((imported, asked), (asked, imported)):
            db.forget(None, with_candles=True)
            db.save(first)
            db.save(second)
            assert [prices(db, moment) for moment in (0, 9, 10)] == [{0: 1, 1: 1, 2: 1}] * 2 + [{0: 2, 1: 2, 2: 1}]

    def test_of_one_moment_the_higher_rank_was_known(self, db: Database) -> None:
        keeping(db)
        low, high = answer(candles([0], 1), at=10), answer(candles([0], 2), at=10, rank=1, source="archive")
        db.save(high, low, answer(candles([0], 3), at=20))
        assert prices(db, 10) == {0: 2}
        assert told(db.answers())[:2] == [
            (10, 0, low.source, rows_of(low.batch)), (10, 1, "archive", rows_of(high.batch))
        ]  # fmt: skip

    def test_of_one_moment_and_rank_the_last_saved_was_known(self, db: Database) -> None:
        keeping(db)
        one, other = answer(candles([0, 1], 1), at=10), answer(candles([0, 1], 2), at=10)
        for said in (one, other, one, other, answer(candles([0, 1], 3), at=20)):
            db.save(said)
        assert (prices(db, 10), prices(db, 20)) == ({0: 2, 1: 2}, {0: 3, 1: 3})
        db.save(one)
        assert (prices(db, 10), prices(db, 20)) == ({0: 1, 1: 1}, {0: 3, 1: 3})
        assert [found.answered_at for found in db.answers()] == [10, 20], "an answer is one of its source and moment"

    def test_everything_is_told_by_answers(self, db: Database) -> None:
        keeping(db)
        first = answer(candles(range(4), 1), at=10, proven=span(0, 4))
        archive = answer(candles([2, 3, 4], 2), at=20, rank=5, source="archive", proven=span(2, 9))
        empty = fact(span(7, 12), 30, state=CoverageState.NOT_LISTED, evidence=Evidence.LISTING)
        db.save(archive, first)
        db.save(answer(candles([]), at=30, facts=(empty,)))
        found = db.answers()
        assert told(found) == [
            (10, 0, first.source, rows_of(first.batch)),
            (20, 5, "archive", rows_of(archive.batch)),
            (30, 0, first.source, []),
        ]
        assert [one.coverage for one in found] == [first.coverage, archive.coverage, (empty,)]
        cut = db.answers(span=span(3, 8))
        assert [rows_of(one.batch) for one in cut] == [rows_of(candles([3], 1)), rows_of(candles([3, 4], 2)), []]
        spans = [proved.span for one in cut for proved in one.coverage]
        assert spans == [span(3, 4), span(3, 8), span(7, 8)], "facts must be cut to the span"
        with pytest.raises(UnknownSymbolError, match="STRANGER"):
            db.answers(market("STRANGER").symbol("1m"))

    def test_what_was_repeated_is_told_once(self, db: Database) -> None:
        keeping(db)
        for moment in (10, 20, 30):
            db.save(answer(candles(range(6), 1), at=moment, proven=span(0, 6)))
        assert [len(one.batch) for one in db.answers()] == [6, 0, 0]
        assert [len(one.coverage) for one in db.answers()] == [1, 1, 1]

    def test_saving_twice_keeps_nothing_twice(self, db: Database) -> None:
        keeping(db)
        said = [answer(candles(range(4), price), at=price, proven=span(0, 4)) for price in (30, 10, 20)]
        said.append(answer(candles([1, 2], 15), at=15))
        db.save(*said)
        before = told(db.answers())
        for one in reversed(said):
            db.save(one)
        db.save(*said)
        assert told(db.answers()) == before
        assert db.status().revisions == sum(len(rows) for *_, rows in before) - 4

    def test_what_was_forgotten_was_never_known(self, db: Database) -> None:
        keeping(db)
        for moment in (10, 20):
            db.save(answer(candles(range(4), moment), at=moment, proven=span(0, 4)))
        db.forget(span(0, 1))
        assert prices(db, 10) == dict.fromkeys(range(4), 10), "only the proof was to be forgotten"
        db.forget(span(1, 3), with_candles=True)
        assert (prices(db, 10), prices(db, 20)) == ({0: 10, 3: 10}, {0: 20, 3: 20})
        assert [one.batch.open_time.tolist() for one in db.answers()] == [[slot(0), slot(3)]] * 2
        db.save(answer(candles([1], 30), at=30))
        assert prices(db, 20) == {0: 20, 3: 20}

    def test_many_rows_of_the_past_are_kept(self, db: Database) -> None:
        keeping(db)
        first, second = candles(range(3_000), 1), candles(range(1_000, 2_600), 2)
        db.save(answer(first, at=10, proven=span(0, 3_000)))
        db.save(answer(second, at=20, proven=span(1_000, 2_600)))
        assert db.load(as_of=10) == first
        assert db.load(as_of=20) == CandleBatch.concat([first, second])
        assert [rows for *_, rows in told(db.answers())] == [rows_of(first), rows_of(second)]

    # ── whatever is saved in whatever order ─────────────────────────────────────────────────────────────────────────

    @example(said=[_saying(rank=1, price=1), _saying(rank=0, price=2)], shuffled=Random(0))
    @given(said=st.lists(sayings, min_size=1, max_size=10), shuffled=st.randoms(use_true_random=False))
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_the_past_is_the_same_in_every_order_and_place(
        self, tmp_path: Path, said: list[Saying], shuffled: Random
    ) -> None:
        with self._fresh(tmp_path) as db, self._fresh(tmp_path) as other, self._fresh(tmp_path) as third:
            if not db.capabilities.revisions:
                pytest.skip("capabilities.revisions is False")
            for one in said:
                db.save(_answer(one))
            self._check(db, said)
            answers = db.answers()
            for kept in reversed(answers):
                other.save(kept)
            third.save(*answers)
            for moment in (*range(6), None):
                assert other.load(as_of=moment) == third.load(as_of=moment) == db.load(as_of=moment)
            assert proofs(other.facts()) == proofs(third.facts()) == proofs(db.facts())
            again = list({(one.at, one.rank): one for one in said}.values())  # of one moment and rank but one
            shuffled.shuffle(again)
            other.forget(None, with_candles=True)
            for one in again:
                other.save(_answer(one))
            self._check(other, again)

    def _check(self, db: Database, said: list[Saying]) -> None:
        for moment in range(6):
            expected = dict(winners([one for one in said if one.at <= moment]))
            found = prices(db, moment)
            assert found.keys() == expected.keys()
            wrong = {index: found[index] for index, price in expected.items() if price not in (None, found[index])}
            assert not wrong, f"as of {moment}"

    @contextmanager
    def _fresh(self, folder: Path) -> Iterator[Database]:
        own = folder / uuid.uuid4().hex
        own.mkdir()
        with closing(self.database(own)) as database:
            yield database


def _answer(saying: Saying) -> Answer:
    batch, source = candles(sorted(saying.slots), saying.price), f"example:{saying.rank}"
    return answer(batch, saying.at, rank=saying.rank, proven=saying.span, source=source)
