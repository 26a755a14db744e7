"""Storages that each lose something in one way: on a failure, side by side, after many writes."""

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from candle_hookspecs import (
    Answer,
    Registration,
    SaveReceipt,
    SaveWrite,
    Symbol,
    SymbolRecord,
    to_datetime,
)
from candle_testkit.memory import MemoryStorage, Row, Series

from .sabotage import noticed_by


@noticed_by("a_write_is_all_or_nothing")
class SavesAnswerByAnswer(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = SaveReceipt()
        for answer in write.answers:
            receipt += super().candle_save(SaveWrite(answers=(answer,)))
        return receipt


@noticed_by("an_empty_write_does_nothing")
class FailsOnNothing(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        max(write.answers, key=lambda answer: answer.answered_at)
        return super().candle_save(write)


@noticed_by("what_was_acknowledged_is_there_after_reopening")
class SaysItIsDurable(MemoryStorage):
    capabilities = replace(MemoryStorage.capabilities, durable=True)


@noticed_by("two_instances_share_the_data")
class SaysItIsShared(MemoryStorage):
    capabilities = replace(MemoryStorage.capabilities, shared=True)


class Unlocked(MemoryStorage):
    """Reads, lets others run, then writes."""

    def pause(self) -> None:
        time.sleep(0.002)


@noticed_by("saves_at_the_same_time_are_all_kept")
class LosesUpdates(Unlocked):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        copies = {answer.symbol: copy(self._known(answer.symbol)) for answer in write.answers}
        receipt = sum((self._merge(copies[answer.symbol], answer) for answer in write.answers), SaveReceipt())
        self.pause()
        self.series |= copies
        return receipt


@noticed_by("conflicting_saves_at_the_same_time_end_with_the_latest")
class LosesFacts(Unlocked):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        receipt = super()._merge(series, answer)
        series.facts = set(answer.coverage)
        return receipt


@noticed_by("reading_goes_on_while_writing")
class ShowsHalfAWrite(Unlocked):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = SaveReceipt()
        for answer in write.answers:
            half = len(answer.batch) // 2
            for part in (answer.batch[:half], answer.batch[half:]):
                receipt += super().candle_save(SaveWrite(answers=(replace(answer, batch=part),)))
                self.pause()
        return receipt


@noticed_by("registering_at_the_same_time_makes_one")
class RegistersOverEachOther(Unlocked):
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        known = dict(self.series)
        records = super().candle_register(registrations)
        for symbol in [one for one in self.series if one not in known]:
            self.pause()
            self.series[symbol] = Series(to_datetime(self.context.clock.now()))
        return [self._record(record.symbol, statistics=False) for record in records]


@noticed_by("random_saves_match_a_dictionary")
class LowersTheMoment(MemoryStorage):
    """An answer that comes too late changes no value, but the moment: the next late one wins."""

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.rows)
        receipt = super()._merge(series, answer)
        for moment in answer.batch.open_time.tolist():
            row = series.rows[moment]
            if moment in before and row.moment > (answer.answered_at, answer.rank):
                series.rows[moment] = Row(row.values, (answer.answered_at, answer.rank))
        return receipt


@noticed_by("any_story_matches_a_dictionary")
class LosesTheLastMoment(MemoryStorage):
    """The last open time is that of the newest answer instead of the newest candle."""

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        self.ends = getattr(self, "ends", {}) | {a.symbol: a.batch.last for a in write.answers if len(a.batch)}
        return receipt

    def _record(self, symbol: Symbol, *, statistics: bool) -> SymbolRecord:
        record = super()._record(symbol, statistics=statistics)
        return replace(record, last=self.ends[symbol]) if record.rows and statistics else record
