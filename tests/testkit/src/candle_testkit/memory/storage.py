"""The hooks, over dictionaries."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeAlias

from candle_hookspecs import (
    CONTRACT_VERSION,
    IN_FLIGHT,
    INTEGER_COLUMNS,
    REQUIRED_COLUMNS,
    UNKNOWN_COUNT,
    Action,
    ActionKind,
    ActionQuery,
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Market,
    PluginContext,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
    StorageCapabilities,
    StorageStatus,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    UnknownSymbolError,
    hookimpl,
    to_datetime,
)
from candle_hookspecs import Settings as BaseSettings
from candle_testkit.memory.series import Row, Said, Series, Told, Values, values_of

_NAMES: Final = ("archetype", "exchange", "tradetype", "base", "quote", "contract")

Origin: TypeAlias = tuple[int, int, str]
"""Moment, rank and source of an answer."""


class MemoryStorage:
    """Candles, proof and catalogue in memory, safe for threads: one at a time."""

    class Settings(BaseSettings):
        """Nothing to set."""

    capabilities: ClassVar[StorageCapabilities] = StorageCapabilities(
        contract=CONTRACT_VERSION, durable=False, shared=False, extra_columns=True, revisions=True, actions=True
    )

    def __init__(self, settings: Settings, context: PluginContext) -> None:
        self.context = context
        self.markets: dict[Symbol, Market] = {}
        self.series: dict[Symbol, Series] = {}
        self.actions: dict[ActionQuery, dict[tuple[int, ActionKind], Told]] = {}
        self._lock = threading.RLock()

    # ── catalogue ───────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        """Make markets and their timeframes known."""
        now = to_datetime(self.context.clock.now())
        with self._lock:
            for entry in registrations:
                for known in self.series:
                    if known == entry.market.symbol(known.timeframe):
                        self.markets[known] = entry.market
                for timeframe in entry.timeframes:
                    symbol = entry.market.symbol(timeframe)
                    self.markets[symbol] = entry.market
                    self.series.setdefault(symbol, Series(now))
            wanted = [entry.market.symbol(timeframe) for entry in registrations for timeframe in entry.timeframes]
            return [self._record(symbol, statistics=False) for symbol in wanted]

    @hookimpl
    def candle_symbols(self, query: SymbolQuery) -> Sequence[SymbolRecord]:
        """The registered symbols that match."""
        with self._lock:
            found = sorted(symbol for symbol in self.series if self._matches(symbol, query))
            records = [self._record(symbol, statistics=query.statistics) for symbol in found]
            if not query.coverage:
                return records
            return [replace(one, coverage=tuple(self._facts(CoverageQuery(symbol=one.symbol)))) for one in records]

    def _matches(self, symbol: Symbol, query: SymbolQuery) -> bool:
        market = self.markets[symbol]
        for name in _NAMES:
            wanted = getattr(query, name)
            if wanted is not None and getattr(symbol, name).casefold() != wanted.casefold():
                return False
        return (
            query.timeframe in (None, symbol.timeframe)
            and query.status in (None, market.status)
            and (query.name is None or market.answers_to(query.name))
        )

    def _record(self, symbol: Symbol, *, statistics: bool) -> SymbolRecord:
        series = self.series[symbol]
        record = SymbolRecord(symbol=symbol, market=self.markets[symbol], registered=series.registered)
        if not statistics:
            return record
        return replace(
            record,
            first=min(series.rows, default=None),
            last=max(series.rows, default=None),
            rows=len(series.rows),
            revisions=series.revisions,
        )

    def _known(self, symbol: Symbol) -> Series:
        if symbol not in self.series:
            raise UnknownSymbolError(f"no symbol {str(symbol)!r} in memory; register it, or collect it first")
        return self.series[symbol]

    # ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        """Merge the answers into copies; take those for true only when all of them went well."""
        receipt = SaveReceipt()
        with self._lock:
            copies = {answer.symbol: copy(self._known(answer.symbol)) for answer in write.answers}
            for answer in write.answers:
                receipt += self._merge(copies[answer.symbol], answer)
            self.series |= copies
            for answer in write.answers:
                self._hear(answer)
        return receipt

    def _hear(self, answer: Answer) -> None:
        known = self.actions.setdefault(ActionQuery.of(answer.symbol), {})
        for action in answer.actions:
            told = Told((answer.answered_at, answer.rank), answer.source, action)
            key = (action.at, action.kind)
            if key not in known or (told.moment >= known[key].moment and known[key].action != action):
                known[key] = told

    @hookimpl
    def candle_actions(self, query: ActionQuery) -> Sequence[Action]:
        """Splits and dividends of a market, in the order of their moments."""
        with self._lock:
            known = self.actions.get(replace(query, span=None), {})
            found = [told.action for _, told in sorted(known.items())]
        return [action for action in found if query.span is None or action.at in query.span]

    def _merge(self, series: Series, answer: Answer) -> SaveReceipt:
        given = dict(zip(answer.batch.open_time.tolist(), values_of(answer.batch), strict=True))
        receipt = SaveReceipt(lacking=self._lacking(series, answer, given))
        for open_time, values in given.items():
            new, old = Row(values, (answer.answered_at, answer.rank)), series.rows.get(open_time)
            if old is None:
                done, kept = SaveReceipt(inserted=1), new
            elif old.values == new.values:
                done, kept = SaveReceipt(unchanged=1), Row(old.values, max(old.moment, new.moment))
            elif self._is_later(old, new):
                done, kept = SaveReceipt(outdated=1), old
            else:
                done, kept = SaveReceipt(revised=1), new
            series.rows[open_time] = kept
            said = {new.moment: Said(answer.source, values)}
            series.said[open_time] = series.said.get(open_time, {}) | said
            receipt += done
        series.facts.update(answer.coverage)
        series.ranks |= {(fact.source, fact.answered_at): answer.rank for fact in answer.coverage}
        series.revisions += receipt.revised
        return receipt

    def _is_later(self, old: Row, new: Row) -> bool:
        return old.moment > new.moment

    def _lacking(self, series: Series, answer: Answer, given: Mapping[int, Values]) -> int:
        """An imported file does not claim to have every candle."""
        proofs = [
            fact.span
            for fact in answer.coverage
            if fact.state is CoverageState.ANSWERED and fact.evidence is not Evidence.IMPORTED
        ]
        return sum(any(moment in span for span in proofs) for moment in series.rows if moment not in given)

    @hookimpl
    def candle_load(self, read: LoadRead) -> CandleBatch:
        """Candles in time order, at most `read.limit`."""
        with self._lock:
            rows = self._known(read.symbol).known(read.as_of)
            times = sorted(moment for moment in rows if read.span is None or moment in read.span)
            if read.limit:
                times = times[-read.limit :] if read.newest_first else times[: read.limit]
            return self._batch(times, [rows[moment] for moment in times], read.columns)

    @hookimpl
    def candle_answers(self, read: LoadRead) -> Sequence[Answer]:
        """Everything stored of a span, as the answers it came from."""
        batches: dict[Origin, dict[int, Values]] = {}
        facts: dict[Origin, list[Coverage]] = {}
        actions: dict[Origin, list[Action]] = {}
        with self._lock:
            series = self._known(read.symbol)
            for told in self.actions.get(ActionQuery.of(read.symbol), {}).values():
                actions.setdefault((*told.moment, told.source), []).append(told.action)
            for open_time in sorted(moment for moment in series.said if read.span is None or moment in read.span):
                for moment, said in series.statements(open_time):
                    batches.setdefault((*moment, said.source), {})[open_time] = said.values
            for fact in sorted(series.facts, key=lambda fact: fact.span):
                if inside := fact.span if read.span is None else fact.span.intersect(read.span):
                    origin = (fact.answered_at, series.ranks[fact.source, fact.answered_at], fact.source)
                    facts.setdefault(origin, []).append(replace(fact, span=inside))
        return [
            Answer(
                symbol=read.symbol, source=origin[2], rank=origin[1], answered_at=origin[0],
                batch=self._batch([*(rows := batches.get(origin, {}))], [*rows.values()], None),
                coverage=tuple(facts.get(origin, ())), actions=tuple(actions.get(origin, ())),
            )
            for origin in sorted({*batches, *facts, *actions})
        ]  # fmt: skip

    def _batch(self, times: list[int], rows: list[Values], chosen: tuple[str, ...] | None) -> CandleBatch:
        given = dict.fromkeys(name for row in rows for name in row)
        names = [name for name in given if chosen is None or name in chosen or name in REQUIRED_COLUMNS]
        columns: dict[str, list[Any]] = {name: [] for name in REQUIRED_COLUMNS} | {"open_time": times}
        for name in names:
            unknown = UNKNOWN_COUNT if name in INTEGER_COLUMNS else float("nan")
            columns[name] = [row.get(name, unknown) for row in rows]
        return CandleBatch.from_columns(columns)

    @hookimpl
    def candle_count(self, read: LoadRead) -> int:
        """How many candles the read would return without a limit."""
        return len(self.candle_load(replace(read, limit=0)))

    # ── proof ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_coverage(self, query: CoverageQuery) -> Sequence[Coverage]:
        """The facts that match, each whole, in the order of their spans."""
        with self._lock:
            return self._facts(query)

    def _facts(self, query: CoverageQuery) -> list[Coverage]:
        facts = (
            fact
            for fact in self._known(query.symbol).facts
            if (query.span is None or fact.span.intersect(query.span))
            and query.state in (None, fact.state)
            and query.source in (None, fact.source)
        )
        return sorted(facts, key=lambda fact: (fact.span, fact.answered_at, fact.source))

    @hookimpl
    def candle_forget(self, forget: Forget) -> int:
        """Take proof back, and candles if asked."""
        with self._lock:
            series = self._known(forget.symbol)
            series.facts = {rest for fact in series.facts for rest in self._outside(fact, forget.span)}
            if not forget.candles:
                return 0
            doomed = [moment for moment in series.rows if forget.span is None or moment in forget.span]
            for moment in doomed:
                del series.rows[moment], series.said[moment]
            return len(doomed)

    def _outside(self, fact: Coverage, span: Span | None) -> Iterable[Coverage]:
        if span is None:
            return []
        if fact.span.intersect(span) is None:
            return [fact]
        edges = [(fact.span.start, span.start), (span.end, fact.span.end)]
        return [replace(fact, span=Span(start, end)) for start, end in edges if start < end]

    # ── upkeep ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @hookimpl
    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Unite facts; nothing else means anything here."""
        start = time.perf_counter()
        changed = 0
        if task is MaintenanceTask.COMPACT:
            with self._lock:
                changed = sum(self._compact(series) for series in self.series.values())
        return MaintenanceReport(task=task, seconds=time.perf_counter() - start, changed=changed)

    def _compact(self, series: Series) -> int:
        """Unite facts of one kind that touch, once no earlier answer can still be on its way."""
        before, limit = len(series.facts), self.context.clock.now() - IN_FLIGHT
        united = {fact for fact in series.facts if fact.answered_at >= limit}
        pending: dict[tuple[str, str, str], Coverage] = {}
        for fact in sorted(series.facts - united, key=lambda fact: fact.span):
            kind = (fact.source, fact.state.value, fact.evidence.value)
            last = pending.get(kind)
            if last is None or fact.span.start > last.span.end:
                united |= {last} if last else set()
                pending[kind] = fact
            else:
                span = Span(last.span.start, max(last.span.end, fact.span.end))
                pending[kind] = replace(last, span=span, answered_at=min(last.answered_at, fact.answered_at))
        series.facts = united | set(pending.values())
        return before - len(series.facts)

    @hookimpl
    def candle_status(self) -> StorageStatus:
        """How much is kept."""
        with self._lock:
            kept = self.series.values()
            return StorageStatus(
                place="memory",
                schema=1 if kept else 0,
                symbols=len(kept),
                candles=sum(len(series.rows) for series in kept),
                facts=sum(len(series.facts) for series in kept),
                revisions=sum(series.replaced for series in kept) if self.capabilities.revisions else 0,
            )

    @hookimpl
    def candle_close(self) -> None:
        """Nothing to let go of."""
