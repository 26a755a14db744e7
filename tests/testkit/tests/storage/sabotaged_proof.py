"""Storages that are each wrong in one way about what is proven."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from candle_hookspecs import (
    Coverage,
    CoverageQuery,
    Forget,
    MaintenanceReport,
    MaintenanceTask,
    Span,
)
from candle_testkit.memory import MemoryStorage, Series

from .sabotage import noticed_by


@noticed_by("facts_come_back_whole_and_in_order")
class LosesTheEvidence(MemoryStorage):
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        found = super().candle_coverage(query)
        return [replace(fact, evidence=found[0].evidence) for fact in found]


@noticed_by("facts_are_chosen_by_span_state_and_source")
class CutsFactsToTheSpan(MemoryStorage):
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        found = super().candle_coverage(query)
        span = query.span
        return found if span is None else [replace(fact, span=fact.span.intersect(span) or span) for fact in found]


@noticed_by("equal_facts_of_several_moments_stay_apart")
class KeepsOneMoment(MemoryStorage):
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        found = {(fact.span, fact.source, fact.state, fact.evidence): fact for fact in super().candle_coverage(query)}
        return list(found.values())


@noticed_by("forgetting_cuts_facts")
class ForgetsWholeFacts(MemoryStorage):
    def _outside(self, fact: Coverage, span: Span | None) -> Iterable[Coverage]:
        return [fact] if span is not None and fact.span.intersect(span) is None else []


@noticed_by("forgetting_candles_too")
class ForgetsNoCandles(MemoryStorage):
    def candle_forget(self, forget: Forget) -> int:
        return super().candle_forget(replace(forget, candles=False))


@noticed_by("what_was_forgotten_can_be_asked_again")
class ForgetsNothing(MemoryStorage):
    def candle_forget(self, forget: Forget) -> int:
        return 0


@noticed_by("compaction_preserves_what_is_proven")
class BridgesGaps(MemoryStorage):
    def _compact(self, series: Series) -> int:
        before = len(series.facts)
        kinds: dict[tuple[str, str, str], list[Coverage]] = {}
        for fact in series.facts:
            kinds.setdefault((fact.source, fact.state.value, fact.evidence.value), []).append(fact)
        series.facts = {
            replace(group[0], span=Span(min(f.span.start for f in group), max(f.span.end for f in group)))
            for group in kinds.values()
        }
        return before - len(series.facts)


@noticed_by("compaction_preserves_what_is_proven")
class UnitesWhatIsRecent(MemoryStorage):
    def _compact(self, series: Series) -> int:
        moments = {fact.span: fact.answered_at for fact in series.facts}
        series.facts = {replace(fact, answered_at=min(moments.values())) for fact in series.facts}
        return super()._compact(series)


@noticed_by("every_task_leaves_the_data_alone")
class VacuumsTooMuch(MemoryStorage):
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        if task is MaintenanceTask.VACUUM:
            for series in self.series.values():
                series.rows.popitem()
        return super().candle_maintain(task)
