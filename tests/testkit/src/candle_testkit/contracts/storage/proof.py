# ruff: noqa: D102 - a check is called what it checks
"""Checks of `candle_coverage`, `candle_forget` and `candle_maintain`."""

from collections.abc import Iterable
from dataclasses import replace

from candle_hookspecs import IN_FLIGHT, Coverage, CoverageState, Evidence, MaintenanceTask
from candle_testkit.contracts.storage.harness import MINUTE, Database, answer, candles, fact, rows_of, span


def proven(facts: Iterable[Coverage]) -> set[tuple[str, str, str, int]]:
    """What facts say, minute by minute, whatever their cut."""
    return {
        (fact.source, fact.state.value, fact.evidence.value, moment)
        for fact in facts
        for moment in range(fact.span.start, fact.span.end, MINUTE)
    }


class ProofChecks:
    """Facts."""

    def test_facts_come_back_whole_and_in_order(self, db: Database) -> None:
        facts = (
            fact(span(5, 9), 3),
            fact(span(0, 4), 7, state=CoverageState.NOT_LISTED, evidence=Evidence.LISTING),
            fact(span(2, 6), 1, state=CoverageState.OUT_OF_REACH, evidence=Evidence.DECLARED, source="other:rest"),
            fact(span(0, 2), 9, evidence=Evidence.REPEATED),
            fact(span(30, 31), 9, evidence=Evidence.IMPORTED, source="import"),
        )
        db.save(answer(candles([]), facts=facts))
        assert db.facts() == sorted(facts, key=lambda fact: fact.span)
        assert db.stored() == []

    def test_facts_are_chosen_by_span_state_and_source(self, db: Database) -> None:
        one, two = fact(span(0, 4)), fact(span(4, 8), state=CoverageState.OUT_OF_REACH, source="other:rest")
        db.save(answer(candles([]), facts=(one, two)))
        assert db.facts(span=span(3, 4)) == [one]
        assert db.facts(span=span(4, 5)) == [two], "a span ends before its end"
        assert db.facts(span=span(3, 5)) == [one, two]
        assert db.facts(span=span(8, 9)) == []
        assert db.facts(state=CoverageState.OUT_OF_REACH) == [two]
        assert db.facts(source="other:rest") == [two]
        assert db.facts(source="other:rest", state=CoverageState.ANSWERED) == []

    def test_equal_facts_of_several_moments_stay_apart(self, db: Database) -> None:
        for moment in (1, 2, 2):
            db.save(answer(candles([]), at=moment, proven=span(0, 4)))
        assert [found.answered_at for found in db.facts()] == [1, 2]

    def test_forgetting_cuts_facts(self, db: Database) -> None:
        wide, inner, apart = fact(span(0, 10)), fact(span(4, 5), 2), fact(span(6, 9), 3)
        left, right = replace(wide, span=span(0, 3)), replace(wide, span=span(6, 10))
        db.save(answer(candles(range(10)), facts=(wide, inner, apart)))
        assert db.forget(span(3, 6)) == 0
        assert db.facts() == [left, apart, right]
        assert db.stored() == rows_of(candles(range(10))), "only the proof was to be forgotten"
        db.forget(None)
        assert db.facts() == []
        assert db.count() == 10

    def test_forgetting_candles_too(self, db: Database) -> None:
        db.save(answer(candles(range(10)), proven=span(0, 10)))
        assert db.forget(span(3, 6), with_candles=True) == 3
        assert db.stored() == rows_of(candles([0, 1, 2, 6, 7, 8, 9]))
        assert [found.span for found in db.facts()] == [span(0, 3), span(6, 10)]
        assert db.forget(None, with_candles=True) == 7
        assert (db.stored(), db.facts()) == ([], [])

    def test_what_was_forgotten_can_be_asked_again(self, db: Database) -> None:
        given = answer(candles(range(4)), proven=span(0, 4))
        db.save(given)
        db.forget(span(1, 3), with_candles=True)
        assert db.save(given).inserted == 2
        assert proven(db.facts()) == proven(given.coverage)

    def test_compaction_preserves_what_is_proven(self, db: Database) -> None:
        now = db.storage.context.clock.now()
        recent = fact(span(9, 12), now - IN_FLIGHT // 2)
        facts = [fact(span(first, first + 2), 1_000 + first) for first in (0, 1, 3, 5, 8)]  # 7 is a gap
        facts += [fact(span(2, 4), 1, state=CoverageState.OUT_OF_REACH), fact(span(4, 6), 1, source="other:rest")]
        facts += [fact(span(5, 8), 1, evidence=Evidence.IMPORTED), recent]
        for given in facts:
            db.save(answer(candles([]), facts=(given,)))
        report = db.maintain(MaintenanceTask.COMPACT)
        after = db.facts()
        assert proven(after) == proven(facts)
        assert fact(span(0, 7), 1_000) in after, (
            "facts that touch were not united, or bear another moment than the first"
        )
        assert recent in after, "what was answered within the last hour must keep its moment"
        assert report.changed == len(facts) - len(after) == 3
        assert db.maintain(MaintenanceTask.COMPACT).changed == 0

    def test_every_task_leaves_the_data_alone(self, db: Database) -> None:
        db.save(answer(candles(range(700)), proven=span(0, 700)))
        db.forget(span(0, 100), with_candles=True)
        before = db.stored(), proven(db.facts()), db.symbols(statistics=True)
        for task in MaintenanceTask:
            report = db.maintain(task)
            assert report.task is task
            assert report.problems == ()
            assert (db.stored(), proven(db.facts()), db.symbols(statistics=True)) == before, task
        assert len(before[0]) == 600
