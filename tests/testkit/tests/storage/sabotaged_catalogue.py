"""Storages that are each wrong in one way about symbols and markets."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from candle_hookspecs import (
    Coverage,
    CoverageQuery,
    CoverageState,
    Forget,
    Registration,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    to_datetime,
)
from candle_testkit.memory import MemoryStorage, Series

from .sabotage import noticed_by


@noticed_by("a_name_is_but_a_name")
class ReadsNamesAsPatterns(MemoryStorage):
    """A quote ends the name, and what a `%` matches is forgotten as well."""

    def candle_forget(self, forget: Forget) -> int:
        wild = "%" in forget.symbol.base or "'" in forget.symbol.base
        for symbol in list(self.series) if wild else []:
            super().candle_forget(replace(forget, symbol=symbol))
        return super().candle_forget(forget)


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


@noticed_by("contracts_of_one_pair_are_told_apart_by_their_expiry")
class TakesEveryExpiryForOne(MemoryStorage):
    def _matches(self, symbol: Symbol, query: SymbolQuery) -> bool:
        return super()._matches(symbol, replace(query, contract=None))


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
