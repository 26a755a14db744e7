"""The random stories find what they are meant to find: storages that are each wrong in one way, killed ones too."""

import pickle
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from candle_hookspecs import (
    Answer,
    BadInputError,
    CandleBatch,
    Coverage,
    Evidence,
    Forget,
    LoadRead,
    SaveReceipt,
    SaveWrite,
    Span,
    Symbol,
    SymbolRecord,
)
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.machine import StoryChecks
from candle_testkit.memory import MemoryStorage, Row, Series, Values

from .durable import DurableMemory, RevisingMemory
from .test_memory import TestMemory as _Honest


class Adopter(_Honest):
    """Adopts the suite for any of the storages below; it goes by name to the process that is killed."""

    __test__ = False

    def __init__(self, storage: type[MemoryStorage]) -> None:
        self.storage = storage

    def open(self, folder: Path) -> MemoryStorage:
        return self.storage(self.storage.Settings(), make_context(folder, "memory"))


class Detective(Adopter):
    """Looks until it finds a story, but not for the shortest one."""

    # Three hundred were not always enough: the rarest fault was missed now and then.
    stories = settings(StoryChecks.stories, max_examples=3_000, phases=[Phase.generate], database=None)


# ── wrong while they live ────────────────────────────────────────────────────────────────────────────────────────────


class LosesARowThatTouches(MemoryStorage):
    """Forgetting a stretch takes the candle behind it, too, if that opens on the grid."""

    def candle_forget(self, forget: Forget) -> int:
        deleted = super().candle_forget(forget)
        if forget.span is not None:
            self.series[forget.symbol].rows.pop(forget.span.end, None)
        return deleted


class ClaimsARowItRefused(MemoryStorage):
    """The fact of a late answer stands, its candle does not."""

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        last = max((fact.answered_at for fact in series.facts), default=0)
        late = answer.answered_at < last and len(answer.batch) > 1
        return super()._merge(series, replace(answer, batch=answer.batch[1:]) if late else answer)


class ConfirmsNothing(MemoryStorage):
    """A later answer that says the same leaves the moment as it was, so that one between them wins."""

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.rows)
        receipt = super()._merge(series, answer)
        for moment, row in series.rows.items():
            if moment in before and before[moment].values == row.values:
                series.rows[moment] = before[moment]
        return receipt


class RoundsABit(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        batch = super().candle_load(read)
        return CandleBatch.from_columns(batch.columns() | {"close": batch.close.round(12)})


class CountsTheForgotten(MemoryStorage):
    """Forgetting leaves the number of rows in the statistics as it was."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.counted: dict[Symbol, int] = {}

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        before = {symbol: len(series.rows) for symbol, series in self.series.items()}
        receipt = super().candle_save(write)
        for symbol, rows in before.items():
            self.counted[symbol] = self.counted.get(symbol, 0) + len(self.series[symbol].rows) - rows
        return receipt

    def _record(self, symbol: Symbol, *, statistics: bool) -> SymbolRecord:
        record = super()._record(symbol, statistics=statistics)
        return replace(record, rows=self.counted.get(symbol, 0)) if statistics else record


class CutsFactsShort(MemoryStorage):
    """What is left behind the forgotten stretch is lost when something is left before it."""

    def _outside(self, fact: Coverage, span: Span | None) -> Iterable[Coverage]:
        return list(super()._outside(fact, span))[:1]


class MixesSymbolsUp(MemoryStorage):
    """Forgetting everything of a market in one timeframe takes the facts of its other ones, too."""

    def candle_forget(self, forget: Forget) -> int:
        for symbol, series in self.series.items():
            if forget.span is None and symbol.base == forget.symbol.base:
                series.facts = set()
        return super().candle_forget(forget)


class UnitesOverGaps(MemoryStorage):
    def _compact(self, series: Series) -> int:
        changed = super()._compact(series)
        by_kind: dict[tuple[str, ...], list[Coverage]] = {}
        for fact in series.facts:
            by_kind.setdefault((fact.source, fact.state.value, fact.evidence.value), []).append(fact)
        for facts in by_kind.values():
            low, high = min(facts, key=lambda fact: fact.span), max(facts, key=lambda fact: fact.span)
            series.facts -= set(facts)
            series.facts.add(replace(low, span=Span(low.span.start, high.span.end)))
        return changed


class CountsWhatImportsLack(MemoryStorage):
    def _lacking(self, series: Series, answer: Answer, given: Mapping[int, Values]) -> int:
        coverage = tuple(replace(fact, evidence=Evidence.ANCHORED) for fact in answer.coverage)
        return super()._lacking(series, replace(answer, coverage=coverage), given)


class KeepsExtrasOfTheRevised(MemoryStorage):
    """A later answer without the extra column leaves the old one's value in it."""

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.rows)
        receipt = super()._merge(series, answer)
        for moment, row in series.rows.items():
            if moment in before and row.values is not before[moment].values:
                series.rows[moment] = Row({**before[moment].values, **row.values}, row.moment)
        return receipt


class ReadsWhatStoodSince(RevisingMemory):
    """As of a moment only what stands now is looked at."""

    def candle_load(self, read: LoadRead) -> CandleBatch:
        now = super().candle_load(replace(read, as_of=None))
        if read.as_of is None:
            return now
        rows = self.series[read.symbol].rows
        known = [time for time in now.open_time.tolist() if rows[time].moment[0] <= read.as_of]
        return self._batch(known, [rows[time].values for time in known], read.columns)


class RemembersTheForgotten(RevisingMemory):
    """Candles that were forgotten are still read as of a moment before."""

    def candle_forget(self, forget: Forget) -> int:
        deleted = super().candle_forget(forget)
        self.told.pop()
        return deleted


class EndsBeforeTheMoment(RevisingMemory):
    def was_given(self, answer: Answer, moment: int) -> bool:
        return answer.answered_at < moment


class ForgetsWhatCameLate(RevisingMemory):
    """An answer that came behind a later one changes nothing now, and so is not kept."""

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        if receipt.outdated:
            self.told = [one for one in self.told if one not in write.answers]
        return receipt


# ── wrong when they are closed or killed ─────────────────────────────────────────────────────────────────────────────


class ForgetsRevisionsAtTheEnd(DurableMemory):
    """Their number is not written."""

    def keep(self) -> None:
        counted = [series.revisions for series in self.series.values()]
        for series in self.series.values():
            series.revisions = 0
        super().keep()
        for series, revisions in zip(self.series.values(), counted, strict=True):
            series.revisions = revisions


class WritesAnswerByAnswer(DurableMemory):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        return sum((super(WritesAnswerByAnswer, self).candle_save(SaveWrite(answers=(one,))) for one in write.answers),
                   SaveReceipt())  # fmt: skip


class WritesFactsFirst(DurableMemory):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        facts = (replace(one, batch=one.batch[:0]) for one in write.answers)
        with self._lock:
            kept = {symbol: set(series.facts) for symbol, series in self.series.items()}
            for one in facts:
                self.series[one.symbol].facts.update(one.coverage)
            self.keep()
            for symbol, before in kept.items():
                self.series[symbol].facts = before
            return super().candle_save(write)


class WritesInPlace(DurableMemory):
    """The file is overwritten, so that a kill leaves a torn one. A slow disk makes that likely."""

    def keep(self) -> None:
        whole = pickle.dumps((self.registrations, self.series))
        with self.file.open("wb", buffering=0) as file:
            for start in range(0, len(whole), 4096):
                file.write(whole[start : start + 4096])
                time.sleep(0.0002)


class AcknowledgesTooEarly(DurableMemory):
    """Writes behind the caller's back."""

    later: threading.Thread | None = None

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        self.candle_close()
        receipt = MemoryStorage.candle_save(self, write)
        self.later = threading.Thread(target=self._keep_later)
        self.later.start()
        return receipt

    def _keep_later(self) -> None:
        time.sleep(0.02)
        with self._lock:
            self.keep()

    def candle_close(self) -> None:
        if self.later is not None:
            self.later.join()


class LosesTheEarlierWrite(DurableMemory):
    """Writes every other save; the rest when it is closed."""

    saves = 0

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        self.saves += 1
        return super().candle_save(write) if self.saves % 2 else MemoryStorage.candle_save(self, write)

    def candle_close(self) -> None:
        self.keep()


# ── the proof ────────────────────────────────────────────────────────────────────────────────────────────────────────

HONEST = [MemoryStorage, DurableMemory, RevisingMemory]
WRONG = [
    LosesARowThatTouches, ClaimsARowItRefused, ConfirmsNothing, RoundsABit, CountsTheForgotten, CutsFactsShort,
    MixesSymbolsUp, UnitesOverGaps, CountsWhatImportsLack, KeepsExtrasOfTheRevised,
    ReadsWhatStoodSince, RemembersTheForgotten, EndsBeforeTheMoment, ForgetsWhatCameLate, ForgetsRevisionsAtTheEnd,
    WritesAnswerByAnswer, WritesFactsFirst, WritesInPlace, AcknowledgesTooEarly, LosesTheEarlierWrite,
]  # fmt: skip


@pytest.mark.parametrize("storage", HONEST)
def test_an_honest_storage_lives_through_everything(storage: type[MemoryStorage], tmp_path: Path) -> None:
    Adopter(storage).test_any_story_matches_a_dictionary(tmp_path)


@pytest.mark.parametrize("storage", WRONG, ids=lambda storage: storage.__name__)
def test_a_wrong_storage_is_found_out(storage: type[MemoryStorage], tmp_path: Path) -> None:
    with pytest.raises((AssertionError, BadInputError, pickle.UnpicklingError, EOFError, BaseExceptionGroup)):
        Detective(storage).test_any_story_matches_a_dictionary(tmp_path)
