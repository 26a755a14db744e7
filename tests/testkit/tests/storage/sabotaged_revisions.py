"""Storages that are each wrong in one way about what was known when."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from candle_hookspecs import (
    COLUMNS,
    Answer,
    CandleBatch,
    Forget,
    LoadRead,
    SaveReceipt,
    SaveWrite,
    StorageStatus,
    Symbol,
)
from candle_testkit.memory import MemoryStorage, Said, Series, Values

from .sabotage import noticed_by

_Moment = tuple[int, int]


class Remembering(MemoryStorage):
    """Keeps another kind of series."""

    kind: type[Series] = Series

    def _known(self, symbol: Symbol) -> Series:
        found = super()._known(symbol)
        if type(found) is not self.kind:
            found = self.series[symbol] = self.kind(found.registered)
        return found


@noticed_by("each_moment_reads_what_was_known_then")
class KnowsNoPast(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return super().candle_load(replace(read, as_of=None))


@noticed_by("a_read_of_the_past_takes_span_limit_and_columns")
class ReadsTheWholePast(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return super().candle_load(read if read.as_of is None else replace(read, limit=0))


@noticed_by("what_comes_late_was_known_from_its_own_moment")
class DropsWhatComesLate(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.said)
        receipt = super()._merge(series, answer)
        for moment, said in before.items():
            if max(said) > (answer.answered_at, answer.rank):
                series.said[moment] = said
        return receipt


@noticed_by("what_comes_late_ends_where_the_row_was_repeated")
class ForgetsRepetitions(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.said)
        receipt = super()._merge(series, answer)
        for moment, said in before.items():
            if said[max(said)].values == series.said[moment][max(series.said[moment])].values:
                series.said[moment] = said
        return receipt


class TellsThePresentToo(Series):
    def known(self, as_of: int | None) -> dict[int, Values]:
        return {moment: {**self.rows[moment].values, **values} for moment, values in super().known(as_of).items()}


@noticed_by("what_is_no_longer_said_was_known_before")
class MixesPastAndPresent(Remembering):
    kind = TellsThePresentToo


@noticed_by("extra_columns_of_the_past_are_kept")
class KeepsCommonColumnsOnly(MemoryStorage):
    def candle_load(self, read: LoadRead) -> CandleBatch:
        return super().candle_load(read if read.as_of is None or read.columns else replace(read, columns=COLUMNS))


class BeginsWithTheExchange(Series):
    def known(self, as_of: int | None) -> dict[int, Values]:
        dated = {time: {moment: said[moment] for moment in said if moment[0]} for time, said in self.said.items()}
        return replace(self, said=dated).rest(as_of)

    def rest(self, as_of: int | None) -> dict[int, Values]:
        return super().known(as_of)


@noticed_by("imported_rows_were_always_known")
class KnowsNoImports(Remembering):
    kind = BeginsWithTheExchange


class TakesTheLowestRank(Series):
    def known(self, as_of: int | None) -> dict[int, Values]:
        if as_of is None:
            return super().known(as_of)
        found = {}
        for time, said in self.said.items():
            if moments := [moment for moment in said if moment[0] <= as_of]:
                found[time] = said[max(moments, key=lambda moment: (moment[0], -moment[1]))].values
        return found


@noticed_by("of_one_moment_the_higher_rank_was_known")
class IgnoresRankInThePast(Remembering):
    kind = TakesTheLowestRank


@noticed_by("of_one_moment_and_rank_the_last_saved_was_known")
class KeepsTheFirstOfAMoment(MemoryStorage):
    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        before = dict(series.said)
        receipt = super()._merge(series, answer)
        for moment, said in before.items():
            series.said[moment] = series.said[moment] | said
        return receipt


@noticed_by("everything_is_told_by_answers")
class TellsWholeFacts(MemoryStorage):
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        whole = {
            (one.source, one.answered_at): one.coverage for one in super().candle_answers(replace(read, span=None))
        }
        return [replace(one, coverage=whole[one.source, one.answered_at]) for one in super().candle_answers(read)]


class TellsEverything(Series):
    def statements(self, open_time: int) -> Iterator[tuple[_Moment, Said]]:
        return iter(sorted(self.said[open_time].items()))


@noticed_by("what_was_repeated_is_told_once")
class TellsRepetitions(Remembering):
    kind = TellsEverything


@noticed_by("saving_twice_keeps_nothing_twice")
class KeepsEveryLateRow(MemoryStorage):
    late = 0

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        self.late += receipt.outdated
        return receipt

    def candle_status(self) -> StorageStatus:
        return replace(super().candle_status(), revisions=self.late)


@noticed_by("what_was_forgotten_was_never_known")
class RemembersWhatWasForgotten(MemoryStorage):
    def candle_forget(self, forget: Forget) -> int:
        series = self._known(forget.symbol)
        said = dict(series.said)
        deleted = super().candle_forget(forget)
        series.said = said
        return deleted


@noticed_by("many_rows_of_the_past_are_kept")
class TellsTwoThousandRows(MemoryStorage):
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        return [replace(one, batch=one.batch[:2_000]) for one in super().candle_answers(read)]


@noticed_by("the_past_is_the_same_in_every_order_and_place")
class TellsNoRank(MemoryStorage):
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        return [replace(one, rank=0) for one in super().candle_answers(read)]
