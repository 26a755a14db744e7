"""Storages that each read or store candles wrongly, in one way."""

from dataclasses import replace
from typing import Any

import numpy as np

from candle_hookspecs import (
    Answer,
    BadInputError,
    CandleBatch,
    Forget,
    LoadRead,
    SaveReceipt,
    SaveWrite,
    Span,
    UnknownSymbolError,
)
from candle_testkit.memory import MemoryStorage, Series

from .sabotage import noticed_by


def changed(batch: CandleBatch, **columns: Any) -> CandleBatch:
    return CandleBatch.from_columns(batch.columns() | columns)


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
