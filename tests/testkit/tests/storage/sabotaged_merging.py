"""Storages that each merge an answer wrongly, in one way."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from candle_hookspecs import (
    Answer,
    SaveReceipt,
    SaveWrite,
)
from candle_testkit.memory import MemoryStorage, Row, Series, Values

from .sabotage import noticed_by


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
