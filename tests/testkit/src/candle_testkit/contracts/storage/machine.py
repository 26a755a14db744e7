# ruff: noqa: D102 - a rule is called what it does
"""Any story a database may live through, step by step against a plain dictionary, `kill -9` in the middle included."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial, reduce
from multiprocessing.connection import Connection
from operator import add
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from candle_hookspecs import (
    IN_FLIGHT,
    Answer,
    Coverage,
    CoverageState,
    Evidence,
    MaintenanceTask,
    SaveReceipt,
    Symbol,
    SymbolRecord,
)
from candle_testkit.contracts.storage.harness import (
    BTC,
    SYMBOL,
    Database,
    StorageHarness,
    StoredRow,
    market,
    span,
)
from candle_testkit.contracts.storage.model import Expected, Proof, Series, batch, row, rows_in, slot_of
from candle_testkit.processes import Child, Nursery

SLOTS: Final = 12
LOAD: Final = market("LOAD")  # takes the mass of rows that makes a write long enough to be hit
SYMBOLS: Final = (SYMBOL, BTC.symbol("1h"), market("ETH").symbol("1m"))
MASS: Final = 1_500
RECENT: Final = 100  # moments from here on are taken for recent ones


@dataclass(frozen=True)
class Saying:
    """What a random answer says. Its moment is small for an old one; from `RECENT` on it was given within the hour."""

    symbol: int
    moment: int
    rank: int
    words: dict[int, int]
    proven: tuple[int, int] | None
    state: CoverageState
    imported: bool

    def answer(self, now: int, *, extra: bool) -> Answer:
        """The answer itself."""
        at = self.moment if self.moment < RECENT else now - IN_FLIGHT // 2 + self.moment
        rank, source = self.rank, f"example:{self.rank}"
        evidence = Evidence.ANCHORED
        if self.imported:
            at, rank, source, evidence = 0, -1_000_000, "import", Evidence.IMPORTED
        facts = (Coverage(span(*self.proven), self.state, evidence, source, at),) if self.proven else ()
        rows = (row(index, word) for index, word in sorted(self.words.items()))
        return Answer(
            symbol=SYMBOLS[self.symbol], source=source, rank=rank, answered_at=at, coverage=facts,
            batch=batch(rows, extra=extra),
        )  # fmt: skip


spans = st.tuples(st.integers(0, SLOTS - 1), st.integers(1, SLOTS)).filter(lambda pair: pair[0] < pair[1])
sayings = st.builds(
    Saying,
    symbol=st.sampled_from([0, 0, 0, 1, 2]),
    moment=st.sampled_from([1, 2, 3, 4, 5, RECENT, RECENT + 1, RECENT + 2]),
    rank=st.sampled_from([0, 0, 0, 1]),
    words=st.dictionaries(st.integers(0, SLOTS - 1), st.integers(0, 3), max_size=SLOTS),
    proven=st.none() | spans,
    state=st.sampled_from([CoverageState.ANSWERED] * 4 + [CoverageState.NOT_LISTED, CoverageState.OUT_OF_REACH]),
    imported=st.sampled_from([False] * 9 + [True]),
)
writes = st.lists(sayings, min_size=1, max_size=3)


class StoryChecks(StorageHarness):
    """The storage lives through random stories."""

    stories: ClassVar[settings] = settings(
        max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
    )
    """How many stories, and how long; set another one for a longer run."""

    def opener(self, folder: Path) -> Callable[[], Any]:
        """How the process that is to be killed opens what `open` opens: something that can be pickled.

        Adopters whose class cannot be imported by name, or holds what another process cannot have, give another one.
        """
        return partial(self.open, folder)

    def test_any_story_matches_a_dictionary(self, tmp_path: Path) -> None:
        found: list[Exception] = []
        with ExitStack() as running:
            nursery = cache(lambda: running.enter_context(Nursery(_serve)))

            def begin() -> Story:
                folder = tmp_path / uuid.uuid4().hex
                folder.mkdir()
                return Story(self.database(folder), lambda: nursery().fork(self.opener(folder)), found)

            try:
                run_state_machine_as_test(begin, settings=self.stories)  # type: ignore[arg-type] # any maker will do
            except Flaky as error:  # what comes of a kill depends on its moment, which hypothesis cannot repeat
                raise (found[-1] if found else error) from error


class Story(RuleBasedStateMachine):
    """What may happen to a storage."""

    def __init__(self, database: Database, bear: Callable[[], Child], found: list[Exception]) -> None:
        super().__init__()
        self.db, self.bear, self.found = database, bear, found
        self.now: int = database.storage.context.clock.now()
        self.extra = database.capabilities.extra_columns
        database.register("1h")
        database.register(listed=LOAD)  # between the others, so that a write has something on both sides of the mass
        database.register(listed=market("ETH"))
        self.model = {symbol: Series() for symbol in (*SYMBOLS, LOAD.symbol("1m"))}

    def teardown(self) -> None:
        self.db.close()

    # ── saving ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(said=writes)
    def save(self, said: list[Saying]) -> None:
        """Whatever moments, stretches and words: overlaps, gaps, later and late answers come by themselves."""
        self._save([one.answer(self.now, extra=self.extra) for one in said])

    @rule(said=sayings, word=st.integers(0, 3))
    def revise(self, said: Saying, word: int) -> None:
        """A later answer than all before words a whole stretch anew."""
        self._save([self._whole(said, word, max(self._moments(), default=0) + 1)])

    @rule(said=sayings, word=st.integers(0, 3), place=st.integers(0, 99))
    def come_late(self, said: Saying, word: int, place: int) -> None:
        """An answer to a whole stretch comes to the database behind answers that were given after it."""
        moments = sorted(self._moments()) or [2]
        self._save([self._whole(said, word, max(0, moments[place % len(moments)] - place % 2))])

    def _whole(self, said: Saying, word: int, moment: int) -> Answer:
        low, high = said.proven or (0, SLOTS)
        rows = batch((row(index, word) for index in range(low, high)), extra=self.extra)
        fact = Coverage(span(low, high), CoverageState.ANSWERED, Evidence.REPEATED, "example:0", moment)
        return Answer(
            symbol=SYMBOLS[said.symbol], source="example:0", answered_at=moment, batch=rows,
            coverage=(fact,) if said.proven else (),
        )  # fmt: skip

    def _moments(self) -> set[int]:
        return {moment for series in self.model.values() for moment in series.moments()}

    def _save(self, answers: list[Answer]) -> None:
        _enter(self.model, answers, self.db.save(*answers))
        self._check(SYMBOLS, past={answer.symbol for answer in answers})

    # ── the rest of a database's life ───────────────────────────────────────────────────────────────────────────────

    @rule(symbol=st.sampled_from([SYMBOL, *SYMBOLS]), over=st.none() | spans, candles=st.booleans())
    def forget(self, symbol: Symbol, over: tuple[int, int] | None, *, candles: bool) -> None:
        reach = over and span(*over)
        deleted = self.db.forget(reach, with_candles=candles, symbol=symbol)
        assert deleted == self.model[symbol].forget(reach, candles=candles)
        self._check(SYMBOLS, past={symbol})

    @rule(task=st.sampled_from([MaintenanceTask.COMPACT] * 3 + list(MaintenanceTask)))
    def maintain(self, task: MaintenanceTask) -> None:
        if task is MaintenanceTask.COMPACT:
            for series in self.model.values():
                series.compact(self.now - IN_FLIGHT)
        more = True
        while more:
            report = self.db.maintain(task)
            assert report.problems == ()
            more = report.more
        self._check(SYMBOLS, past={SYMBOL})

    @precondition(lambda self: self.db.capabilities.durable)
    @rule()
    def reopen(self) -> None:
        self.db.reopen()
        self._check(SYMBOLS, past={SYMBOL})

    @precondition(lambda self: self.db.capabilities.durable)
    @rule(before=writes, doomed=writes, moment=st.floats(0, 1.2))
    def kill(self, before: list[Saying], doomed: list[Saying], moment: float) -> None:
        """Another process writes, is believed, writes again, and is killed meanwhile."""
        first, second = self._heavy(before, 1, range(MASS)), self._heavy(doomed, 2, range(MASS // 2, MASS + MASS // 2))
        self.db.let_go(self.db.storage)
        child = self.bear()
        child.hear()  # it has opened the storage
        began = time.perf_counter()
        _enter(self.model, first, child.ask(first))
        took = time.perf_counter() - began
        child.tell(second)
        time.sleep(took * moment)
        told = child.kill()
        with self._noted():
            self._awake(second, told)

    def _awake(self, second: list[Answer], told: list[SaveReceipt]) -> None:
        """What another process finds."""
        load = LOAD.symbol("1m")
        self.db.storage = self.db.open_another()
        # A server may not have noticed yet; whoever wants to write the same symbol waits until it has.
        self.db.forget(span(-2, -1), symbol=load)
        after = {symbol: series.copy() for symbol, series in self.model.items()}
        _enter(after, second, told[0] if told else None)
        self._settle_on(after, acknowledged=bool(told))
        self.db.forget(None, with_candles=True, symbol=load)
        self.model[load].forget(None, candles=True)
        assert self.db.maintain(MaintenanceTask.CHECK).problems == ()

    def _heavy(self, said: list[Saying], moment: int, mass: range) -> list[Answer]:
        fact = Coverage(span(mass.start, mass.stop), CoverageState.ANSWERED, Evidence.ANCHORED, "example:0", moment)
        rows = batch((row(index, 4 * moment) for index in mass), extra=False)
        load = Answer(
            symbol=LOAD.symbol("1m"), source="example:0", answered_at=moment, batch=rows, coverage=(fact,)
        )  # fmt: skip
        return [load, *(one.answer(self.now, extra=self.extra) for one in said)]

    def _settle_on(self, after: dict[Symbol, Series], *, acknowledged: bool) -> None:
        """Whether a write that was interrupted is there is open, but not that it is there whole or not at all."""
        landed = bool(self.db.count(LOAD.symbol("1m"), span=span(MASS, MASS + MASS // 2)))
        assert landed or not acknowledged, "a write was acknowledged, and is lost"
        self.model = after if landed else self.model
        try:
            self._check(self.model)
        except AssertionError as error:
            error.add_note(f"of a write that was killed the mass is {'there' if landed else 'lost'}; the rest differs")
            raise

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep what was found, in case that it is not found again."""
        try:
            yield
        except Exception as error:
            self.found.append(error)
            raise

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check(self, symbols: Iterable[Symbol], past: Iterable[Symbol] | None = None) -> None:
        """Look at these symbols, and at the past of those of them whose story went on (None: all)."""
        with self._noted():
            records = {record.symbol: record for record in self.db.symbols(statistics=True, coverage=True)}
            for symbol in symbols:
                series = self.model[symbol]
                rows = self._check_rows(symbol, series)
                self._check_statistics(series, records[symbol], rows)
                facts = self.db.facts(symbol)
                assert _proofs(facts) == series.proofs, f"other facts of {symbol}"
                assert list(records[symbol].coverage or ()) == facts, f"other facts beside the symbol {symbol}"
                if self.db.capabilities.revisions and (past is None or symbol in past):
                    self._check_past(symbol, series)

    def _check_past(self, symbol: Symbol, series: Series) -> None:
        for moment in sorted({-1, 0, *series.moments()}):
            found = rows_in(self.db.load(symbol, as_of=moment))
            _compare(found, series.rows(moment), f"{symbol} as of {moment}")

    def _check_rows(self, symbol: Symbol, series: Series) -> dict[int, StoredRow]:
        rows = rows_in(self.db.load(symbol))
        _compare(rows, series.rows(), f"{symbol}")
        assert self.db.stored(symbol) == [values[:-1] for values in rows.values()], f"{symbol} is read as it is not"
        assert self.db.count(symbol) == len(rows)
        return rows

    def _check_statistics(self, series: Series, record: SymbolRecord, rows: dict[int, StoredRow]) -> None:
        times = [int(values[0] or 0) for values in rows.values()]
        assert (record.rows, record.first, record.last) == (
            len(times), min(times, default=None), max(times, default=None)
        )  # fmt: skip
        if series.revisions is None:
            series.revisions = record.revisions
        assert record.revisions in (None, series.revisions)


def _enter(model: dict[Symbol, Series], answers: list[Answer], receipt: SaveReceipt | None) -> None:
    """Tell the model what was saved; where a killed write leaves no receipt, revisions are counted anew."""
    expected = Expected(lacking=0)
    least: dict[Symbol, Expected] = {}
    for answer in answers:
        found = model[answer.symbol].save(answer)
        least[answer.symbol] = least.get(answer.symbol, Expected(lacking=0)) + found
    expected = reduce(add, least.values(), expected)
    if receipt is not None:
        expected.check(receipt)
    for symbol, found in least.items():
        series = model[symbol]
        decided = series.revisions is not None and not found.undecided
        series.revisions = (series.revisions or 0) + found.revised if decided else None


def _compare(found: dict[int, StoredRow], wanted: dict[int, list[StoredRow]], what: str) -> None:
    assert found.keys() == wanted.keys(), f"{what}: other rows"
    for index, values in found.items():
        assert values in wanted[index], f"{what}: slot {index}"


def _proofs(facts: Iterable[Coverage]) -> set[Proof]:
    return {
        ((fact.source, fact.state.value, fact.evidence.value), index, fact.answered_at)
        for fact in facts
        for index in range(slot_of(fact.span.start), slot_of(fact.span.end))
    }


def _serve(pipe: Connection, opener: Callable[[], Any]) -> None:
    """In a child: save what comes, and acknowledge it."""
    database = Database(opener, lambda *_: ())
    pipe.send("open")
    while True:
        answers: list[Answer] = pipe.recv()
        pipe.send(database.save(*answers))
