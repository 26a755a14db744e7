"""Storages that are each wrong in one way, with the check that must notice."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from candle_hookspecs import (
    Answer,
    BadInputError,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    UnknownSymbolError,
    to_datetime,
)
from candle_testkit.memory import MemoryStorage, Row, Series, Values

SABOTAGED: dict[type[MemoryStorage], str] = {}
"""Each storage and the check meant to notice it."""


def noticed_by(check: str) -> Callable[[type[MemoryStorage]], type[MemoryStorage]]:
    def enter(sabotaged: type[MemoryStorage]) -> type[MemoryStorage]:
        SABOTAGED[sabotaged] = f"test_{check}"
        return sabotaged

    return enter


def changed(batch: CandleBatch, **columns: Any) -> CandleBatch:
    return CandleBatch.from_columns(batch.columns() | columns)


@noticed_by("a_name_is_but_a_name")
class ReadsNamesAsPatterns(MemoryStorage):
    """A quote ends the name, and what a `%` matches is forgotten as well."""

    def candle_forget(self, forget: Forget) -> int:
        wild = "%" in forget.symbol.base or "'" in forget.symbol.base
        for symbol in list(self.series) if wild else []:
            super().candle_forget(replace(forget, symbol=symbol))
        return super().candle_forget(forget)


# ── catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("a_market_comes_back_whole")
class ShortensDecimals(MemoryStorage):
    def candle_symbols(self, query: SymbolQuery) -> list[SymbolRecord]:
        found = super().candle_symbols(query)
        return [replace(one, market=replace(one.market, price_tick=self.short(one))) for one in found]

    def short(self, record: SymbolRecord) -> Any:
        tick = record.market.price_tick
        return tick and tick.normalize()


@noticed_by("registering_twice_changes_nothing")
class RegistersAnew(MemoryStorage):
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        super().candle_register(registrations)
        for series in self.series.values():
            series.registered = to_datetime(series_moment(series) + 1)
        return super().candle_register(registrations)


def series_moment(series: Series) -> int:
    return int(series.registered.timestamp() * 1000)


@noticed_by("registering_again_brings_the_market_up_to_date")
class KeepsTheFirstListing(MemoryStorage):
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        before = dict(self.markets)
        records = super().candle_register(registrations)
        self.markets |= before
        return records


@noticed_by("records_come_in_the_order_given")
class SortsRecords(MemoryStorage):
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        return sorted(super().candle_register(registrations), key=lambda record: record.symbol)


@noticed_by("symbols_come_in_order")
class ListsInAnyOrder(MemoryStorage):
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        return sorted(super().candle_symbols(query), key=lambda record: str(record.symbol).casefold())


@noticed_by("symbols_match_every_field")
class TakesAMonthForAMinute(MemoryStorage):
    def _matches(self, symbol: Symbol, query: SymbolQuery) -> bool:
        frame = query.timeframe
        same = frame is not None and symbol.timeframe.lower() == frame.lower()
        return super()._matches(symbol, replace(query, timeframe=symbol.timeframe) if same else query)


@noticed_by("statistics_are_exact")
class CountsWhatWasForgotten(MemoryStorage):
    forgotten = 0

    def candle_forget(self, forget: Forget) -> int:
        deleted = super().candle_forget(forget)
        self.forgotten += deleted
        return deleted

    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        found = super().candle_symbols(query)
        return [replace(one, rows=one.rows + self.forgotten) if one.rows else one for one in found]


@noticed_by("coverage_comes_with_the_symbols")
class TellsWhatWasAnsweredAlone(MemoryStorage):
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        return [replace(one, coverage=self.answered(one)) for one in super().candle_symbols(query)]

    def answered(self, record: SymbolRecord) -> tuple[Coverage, ...] | None:
        facts = record.coverage
        return facts and tuple(fact for fact in facts if fact.state is CoverageState.ANSWERED)


@noticed_by("coverage_comes_with_the_symbols")
class LosesSymbolsWithoutFacts(MemoryStorage):
    """As a plain join of symbols and facts does."""

    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        return [record for record in super().candle_symbols(query) if record.coverage != ()]


@noticed_by("names_of_any_kind_are_kept_apart")
class MixesCase(MemoryStorage):
    def _known(self, symbol: Symbol) -> Series:
        same = (known for known in self.series if str(known).lower() == str(symbol).lower())
        return super()._known(next(same, symbol))


@noticed_by("an_unknown_symbol_is_an_error")
class GreetsStrangers(MemoryStorage):
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        return super().candle_coverage(query) if query.symbol in self.series else []


# ── candles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("candles_come_back_bit_for_bit")
class RoundsPrices(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        rounded = np.array([float(f"{price:.15g}") for price in answer.batch.close.tolist()])
        return super()._merge(series, replace(answer, batch=changed(answer.batch, close=rounded)))


@noticed_by("many_candles_come_back")
class LosesTheLastRowOfALargeBatch(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        batch = super().candle_load(read)
        return batch[: 500 * (len(batch) // 500)] if len(batch) > 1_000 else batch


@noticed_by("unknown_values_stay_unknown")
class TakesUnknownForZero(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        batch = super().candle_load(read)
        if batch.taker_buy_volume is None:
            return batch
        return changed(batch, taker_buy_volume=np.nan_to_num(batch.taker_buy_volume))


@noticed_by("an_unknown_price_is_refused")
class StoresHalfACandle(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        try:
            return super().candle_save(write)
        except BadInputError as error:
            if isinstance(error, UnknownSymbolError):
                raise
            return SaveReceipt()


@noticed_by("extra_columns_are_kept")
class DropsExtraColumns(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return replace(super().candle_load(read), extra={})


@noticed_by("a_span_is_half_open")
class ReadsOneTooMany(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        wide = read.span and Span(read.span.start, read.span.end + 1)
        return super().candle_load(replace(read, span=wide))


@noticed_by("a_limit_takes_the_oldest_or_the_newest")
class IgnoresTheEnd(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return super().candle_load(replace(read, newest_first=False))


@noticed_by("optional_columns_are_chosen")
class ReadsAllColumns(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return super().candle_load(replace(read, columns=None))


@noticed_by("count_agrees")
class CountsUpToTheLimit(MemoryStorage):
    def candle_count(self, read: LoadRead) -> int:
        return len(self.candle_load(read))


@noticed_by("symbols_do_not_mix")
class ForgetsEverySymbol(MemoryStorage):
    def candle_forget(self, forget: Forget) -> int:
        for symbol in self.series:
            super().candle_forget(replace(forget, symbol=symbol))
        return 0


@noticed_by("nothing_stored_reads_as_nothing")
class KnowsNoSymbolWithoutCandles(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        if not self._known(read.symbol).rows:
            raise UnknownSymbolError(f"no candles of {str(read.symbol)!r}")
        return super().candle_load(read)


# ── merging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("a_later_answer_wins_whichever_is_saved_first")
class LastSavedWins(MemoryStorage):
    def _is_later(self, old: Row, new: Row) -> bool:
        return False


@noticed_by("of_one_moment_the_higher_rank_wins")
class IgnoresRank(MemoryStorage):
    def _is_later(self, old: Row, new: Row) -> bool:
        return old.moment[0] > new.moment[0]


class ForgetsConfirmation(MemoryStorage):
    """A row that is repeated keeps the moment at which it was first said."""

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.rows)
        receipt = super()._merge(series, answer)
        for moment in self._confirmed(answer):
            row = series.rows[moment]
            if moment in before and before[moment].values == row.values:
                series.rows[moment] = before[moment]
        return receipt

    def _confirmed(self, answer: Answer) -> list[int]:
        moments: list[int] = answer.batch.open_time.tolist()
        return moments


@noticed_by("a_row_repeated_later_is_not_overturned")
class ForgetsProvenConfirmation(ForgetsConfirmation):
    def _confirmed(self, answer: Answer) -> list[int]:
        return super()._confirmed(answer) if answer.coverage else []


@noticed_by("a_row_repeated_later_without_proof_is_not_overturned")
class ForgetsBareConfirmation(ForgetsConfirmation):
    def _confirmed(self, answer: Answer) -> list[int]:
        return [] if answer.coverage else super()._confirmed(answer)


@noticed_by("receipts_tell_rows_apart")
class CallsOutdatedUnchanged(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        return replace(receipt, outdated=0, unchanged=receipt.unchanged + receipt.outdated)


@noticed_by("one_column_is_enough_to_differ")
class LooksAtPricesOnly(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        batch = answer.batch
        trades = [] if batch.trades is None else batch.trades.tolist()
        for moment, close, number in zip(batch.open_time.tolist(), batch.close.tolist(), trades, strict=False):
            row = series.rows.get(moment)
            if row and row.values["close"] == close and row.values.get("trades") != number:
                series.rows[moment] = Row({**row.values, "trades": number}, row.moment)
        return super()._merge(series, answer)


@noticed_by("becoming_unknown_is_a_revision")
class KeepsWhatIsNoLongerSaid(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = {moment: row.values for moment, row in series.rows.items()}
        receipt = super()._merge(series, answer)
        for moment, values in before.items():
            row = series.rows[moment]
            series.rows[moment] = Row({**values, **row.values}, row.moment)
        return receipt


@noticed_by("saving_twice_changes_nothing")
class CountsTheSameAsRevised(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        return replace(receipt, unchanged=0, revised=receipt.revised + receipt.unchanged)


@noticed_by("rows_a_later_answer_lacks_are_kept_and_counted")
class DeletesWhatIsLacking(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        given = set(answer.batch.open_time.tolist())
        receipt = super()._merge(series, answer)
        for moment in [one for one in series.rows if one not in given and any(one in f.span for f in answer.coverage)]:
            del series.rows[moment]
        return receipt


@noticed_by("an_imported_file_claims_no_emptiness")
class BelievesImports(MemoryStorage):
    def _lacking(self, series: Series, answer: Answer, given: Mapping[int, Values]) -> int:
        missing = (moment for moment in series.rows if moment not in given)
        return sum(any(moment in fact.span for fact in answer.coverage) for moment in missing)


@noticed_by("answers_of_one_write_follow_each_other")
class TakesOneAnswerPerSymbol(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        last = {answer.symbol: answer for answer in write.answers}
        return super().candle_save(SaveWrite(answers=tuple(last.values())))


@noticed_by("a_candle_that_was_absent_goes_in_though_its_answer_is_old")
class ShutsProvenStretches(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        later = [fact.span for fact in series.facts if fact.answered_at > answer.answered_at]
        times = answer.batch.open_time.tolist()
        keep = np.array([one in series.rows or not any(one in span for span in later) for one in times], np.bool_)
        receipt = super()._merge(series, replace(answer, batch=answer.batch[keep]))
        return receipt + SaveReceipt(outdated=int((~keep).sum()))


@noticed_by("the_order_of_symbols_in_a_write_does_not_matter")
class SortsAnswersButNotSymbols(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        symbols = [answer.symbol for answer in write.answers]
        if len(set(symbols)) == len(symbols):  # numbered in the order of registration, given in that of their names
            order = [symbol for symbol in self.series if symbol in symbols]
            answers = tuple(replace(one, symbol=symbol) for one, symbol in zip(write.answers, order, strict=True))
            return super().candle_save(SaveWrite(answers=answers))
        return super().candle_save(write)


# ── proof ────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── safety ───────────────────────────────────────────────────────────────────────────────────────────────────────────


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
