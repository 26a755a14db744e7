"""Storages that keep splits and dividends wrongly, each in one way."""

from collections.abc import Sequence
from dataclasses import replace

from candle_hookspecs import Action, ActionQuery, Answer, Forget, LoadRead, SaveReceipt, SaveWrite
from candle_testkit.memory import MemoryStorage

from .sabotage import noticed_by


@noticed_by("actions_come_back_in_order")
class IncludesTheEnd(MemoryStorage):
    def candle_actions(self, query: ActionQuery) -> Sequence[Action]:
        span = query.span
        return super().candle_actions(query if span is None else replace(query, span=replace(span, end=span.end + 1)))


@noticed_by("a_later_answer_corrects_and_an_earlier_one_does_not")
class BelievesWhoeverComesLast(MemoryStorage):
    def _hear(self, answer: Answer) -> None:
        self.actions.setdefault(ActionQuery.of(answer.symbol), {})
        for action in answer.actions:
            self.actions[ActionQuery.of(answer.symbol)].pop((action.at, action.kind), None)
        super()._hear(answer)


@noticed_by("a_market_has_them_once_for_all_timeframes")
class ForgetsOtherTimeframes(MemoryStorage):
    def _hear(self, answer: Answer) -> None:
        if answer.symbol.timeframe == "1m":
            super()._hear(answer)


@noticed_by("markets_do_not_mix")
class MixesMarkets(MemoryStorage):
    def _hear(self, answer: Answer) -> None:
        super()._hear(replace(answer, symbol=replace(answer.symbol, base="BTC")))


@noticed_by("actions_outlive_forgotten_candles_and_reopening")
class ForgetsActionsToo(MemoryStorage):
    def candle_forget(self, forget: Forget) -> int:
        self.actions.clear()
        return super().candle_forget(forget)


@noticed_by("a_refused_write_tells_nothing")
class HearsWhatItRefuses(MemoryStorage):
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        for answer in write.answers:
            self._hear(answer)
        return super().candle_save(write)


@noticed_by("answers_carry_them")
class AnswersWithoutActions(MemoryStorage):
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        return [replace(answer, actions=()) for answer in super().candle_answers(read)]
