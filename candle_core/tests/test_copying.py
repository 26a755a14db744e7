"""A database copied to another: nothing lost, nothing sent twice, and what is otherwise is named."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import candle_core
from candle_core.kernel import Kernel
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Action,
    ActionKind,
    ActionQuery,
    Answer,
    BadInputError,
    CandleBatch,
    CopyProgress,
    CopyState,
    CopySummary,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    ExtensionCapabilities,
    LoadRead,
    Market,
    MissingHookError,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
    StorageError,
    Symbol,
    UnknownSymbolError,
    hookimpl,
    iso,
)

from .conftest import Install

MINUTE = 60_000
BEGIN = 1_704_067_200_000  # 2024-01-01
CHUNK = 3_000
"""Candles that are copied at once; fewer than usually, so that there are several such pieces in little time."""
ROWS = 2 * CHUNK + 1_500
SYMBOLS = [Symbol("CRYPTO", "ONE", "SPOT", base, "USDT", "1m") for base in ("BTC", "ETH")]
MOMENTS = [BEGIN + day * 86_400_000 for day in (30, 31, 32, 33)]


def market(base: str) -> Market:
    return Market(
        archetype="CRYPTO", exchange="ONE", tradetype="SPOT", base=base, quote="USDT", native_id=f"{base}USDT",
        ccxt_symbol=f"{base}/USDT",
    )  # fmt: skip


def rows(first: int, last: int, price: float, *, step: int = 1, **more: Any) -> CandleBatch:
    """Candles of the minutes from `first` to before `last`."""
    times = BEGIN + np.arange(first, last, step, dtype=np.int64) * MINUTE
    columns = {name: price + np.arange(len(times)) / 8 for name in REQUIRED_COLUMNS[1:]}
    return CandleBatch.from_columns({"open_time": times} | columns | more)


def fact(first: int, last: int, at: int, state: CoverageState = CoverageState.ANSWERED) -> Coverage:
    return Coverage(Span(BEGIN + first * MINUTE, BEGIN + last * MINUTE), state, Evidence.ANCHORED, "one:rest", at)


def history(symbol: Symbol) -> list[Answer]:
    """Pages, a later answer that changed some of them, another rank at the same moment, an import, and bare proof."""
    first, second, third, fourth = MOMENTS

    def said(batch: CandleBatch, at: int, *facts: Coverage, rank: int = 0, source: str = "one:rest") -> Answer:
        return Answer(symbol=symbol, source=source, answered_at=at, rank=rank, batch=batch, coverage=facts)

    gap = rows(0, ROWS, 1.0, trades=np.arange(ROWS))
    gap = gap[(gap.open_time < BEGIN + 7_000 * MINUTE) | (gap.open_time >= BEGIN + 7_100 * MINUTE)]
    imported = Coverage(
        Span(BEGIN - 50 * MINUTE, BEGIN - 10 * MINUTE), CoverageState.ANSWERED, Evidence.IMPORTED, "import", 0
    )
    return [
        said(gap, first, fact(-5, ROWS, first)),
        said(rows(100, ROWS, 2.0, step=997), second, fact(100, ROWS, second)),
        said(rows(100, 2_000, 3.0, step=1994), second, rank=1, source="one:archive"),
        said(rows(CHUNK - 3, CHUNK + 3, 5.0), third, fact(CHUNK - 3, CHUNK + 3, third)),
        said(rows(-50, 20, 7.0), 0, imported, rank=-1_000_000, source="import"),
        said(CandleBatch.empty(), fourth, fact(-10_000_000, -60, fourth, CoverageState.NOT_LISTED)),
        said(CandleBatch.empty(), fourth, fact(ROWS + 500, ROWS + 900, fourth)),
    ]  # fmt: skip


def known(answers: list[Answer], moment: int) -> dict[int, tuple[float, ...]]:
    """What was known at a moment, by the plainest reading of the rule: the last answer up to it wins."""
    found: dict[int, tuple[float, ...]] = {}
    for one in sorted(answers, key=lambda one: (one.answered_at, one.rank)):
        if one.answered_at <= moment:
            found |= flat(one.batch)
    return found


def flat(batch: CandleBatch) -> dict[int, tuple[float, ...]]:
    trades = np.full(len(batch), -1) if batch.trades is None else batch.trades
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume, trades)
    return dict(zip(batch.open_time.tolist(), zip(*(one.tolist() for one in columns), strict=True), strict=True))


@dataclass(eq=False)
class Watch:
    """An extension that sees every write, and may stop one."""

    refuse: Callable[[Answer], bool] = lambda _: False
    saved: list[Answer] = field(default_factory=list)
    capabilities = ExtensionCapabilities(contract=1)

    @hookimpl(wrapper=True)
    def candle_save(self, write: SaveWrite) -> Generator[None, Awaitable[SaveReceipt], Awaitable[SaveReceipt]]:
        inner = yield
        return self._save(write, inner)

    async def _save(self, write: SaveWrite, inner: Awaitable[SaveReceipt]) -> SaveReceipt:
        if any(map(self.refuse, write.answers)):
            asyncio.ensure_future(inner).cancel()
            raise StorageError("the disk is on strike")
        self.saved.extend(write.answers)
        return await inner


Open = Callable[..., Awaitable[candle_core.Candles]]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("candle_core.copying.CHUNK", CHUNK)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a database by name and backend; with `filled` it holds the history of both symbols."""
    async with AsyncExitStack() as stack:

        async def open_one(name: str, backend: str = "sqlite", *, filled: bool = False) -> candle_core.Candles:
            storage = {"backend": backend} | (
                {"path": str(tmp_path / f"{name}.sqlite3")} if backend == "sqlite" else {}
            )
            candles = await stack.enter_async_context(candle_core.open({"storage": storage}))
            if filled:
                await fill(kernel_of(candles))
            return candles

        yield open_one


def kernel_of(candles: candle_core.Candles) -> Kernel:
    return candles._kernel


async def fill(kernel: Kernel) -> None:
    for symbol in SYMBOLS:
        await kernel.storage().register([Registration(market=market(symbol.base), timeframes=("1m",))])
        for one in history(symbol):
            await kernel.storage().save(SaveWrite(answers=(one,)))


def watch(candles: candle_core.Candles, seen: Watch) -> Watch:
    kernel_of(candles).dispatch.add_everywhere("watch", seen)
    return seen


async def proven(candles: candle_core.Candles, symbol: Symbol) -> dict[tuple[str, str], set[int]]:
    """By state and source, every minute that is proven, one by one."""
    found: dict[tuple[str, str], set[int]] = {}
    for one in await kernel_of(candles).storage().coverage(CoverageQuery(symbol=symbol)):
        start = -(-max(one.span.start, BEGIN - 100_000 * MINUTE) // MINUTE) * MINUTE
        found.setdefault((one.state.value, one.source), set()).update(range(start, one.span.end, MINUTE))
    return found


async def assert_equal(source: candle_core.Candles, target: candle_core.Candles) -> None:
    for symbol in SYMBOLS:
        assert await proven(source, symbol) == await proven(target, symbol)
        assert await source.load(symbol) == await target.load(symbol)
        for moment in (*MOMENTS, MOMENTS[0] - 1):
            batch = await target.load(symbol, as_of=moment)
            assert flat(batch) == known(history(symbol), moment)


def states(summary: CopySummary) -> list[CopyState]:
    return [one.state for one in summary.symbols]


# ── all of it ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("backend", ["sqlite", "memory"])
async def test_the_target_holds_what_the_source_holds_at_every_moment(opened: Open, backend: str) -> None:
    source, target = await opened("source", filled=True), await opened("target", backend)
    if not kernel_of(target).storage().capabilities.revisions:
        pytest.skip(f"{backend} keeps no revisions")
    progress: list[CopyProgress] = []
    summary = await source.copy_to(target, progress_callback=progress.append)
    await assert_equal(source, target)
    standing = known(history(SYMBOLS[0]), MOMENTS[-1])
    for one, symbol in zip(summary.symbols, SYMBOLS, strict=True):
        replaced = [revision async for revision in target.revisions(symbol)]
        assert (one.symbol, one.rows, one.own, one.state, one.cause) == (symbol, len(standing), 0, CopyState.COPIED, "")
        assert (one.revisions, one.copied) == (len(replaced), len(standing) + len(replaced))
        assert one.facts == len(await kernel_of(source).storage().coverage(CoverageQuery(symbol=symbol)))
    assert summary.complete
    assert summary.notes == ()
    assert [one.done_rows for one in progress] == sorted(one.done_rows for one in progress)
    assert progress[-1].done_rows == progress[-1].total_rows == 2 * sum(one.rows for one in summary.symbols)
    assert progress[-1].estimated_remaining_seconds == 0


async def test_what_is_there_is_not_sent_again(opened: Open) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    await source.copy_to(target)
    seen = watch(target, Watch())
    again = await source.copy_to(target)
    assert seen.saved == []
    assert [(one.copied, one.state) for one in again.symbols] == [(0, CopyState.COPIED)] * 2


async def test_a_copy_goes_on_where_it_was_stopped(opened: Open) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    chunks = 0

    def stop(_: CopyProgress) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            copying.cancel()

    copying = asyncio.ensure_future(source.copy_to(target, progress_callback=stop))
    with pytest.raises(asyncio.CancelledError):
        await copying
    there = len(await target.load(SYMBOLS[0], count=ROWS))
    assert 0 < there < ROWS
    seen = watch(target, Watch())
    summary = await source.copy_to(target)
    assert summary.complete
    assert sum(len(one.batch) for one in seen.saved if one.symbol == SYMBOLS[0]) == summary.symbols[0].copied < ROWS
    await assert_equal(source, target)


async def test_one_symbols_failure_is_its_own(opened: Open) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    strike = watch(target, Watch(lambda one: one.symbol == SYMBOLS[0] and bool(len(one.batch))))
    summary = await source.copy_to(target)
    assert states(summary) == [CopyState.FAILED, CopyState.COPIED]
    assert summary.symbols[0].cause == "the disk is on strike"
    assert not summary.complete
    strike.refuse = lambda _: False
    assert states(await source.copy_to(target)) == [CopyState.COPIED] * 2
    await assert_equal(source, target)


# ── what is otherwise in the target ──────────────────────────────────────────────────────────────────────────────────


def execute(file: Path, *statements: str) -> None:
    with sqlite3.connect(file) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            database.execute(statement)
    database.close()


async def test_a_row_that_was_spoiled_is_named_and_left(opened: Open, tmp_path: Path) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    await source.copy_to(target)
    moment = BEGIN + 7_345 * MINUTE
    execute(tmp_path / "target.sqlite3", f"UPDATE candles SET close = 0.5 WHERE symbol_id = 1 AND open_time = {moment}")
    for _ in range(2):
        summary = await source.copy_to(target)
        assert states(summary) == [CopyState.DIFFERENT, CopyState.COPIED]
        assert "1 candles" in summary.symbols[0].cause
        assert iso(moment) in summary.symbols[0].cause
        assert (await target.load(SYMBOLS[0], start=moment, count=1)).close.tolist() == [0.5]
    await target.forget(SYMBOLS[0], start=moment, end=moment + 1, candles=True)
    mended = await source.copy_to(target)
    assert mended.complete
    await assert_equal(source, target)


async def test_a_row_that_was_lost_is_brought_back(opened: Open, tmp_path: Path) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    await source.copy_to(target)
    execute(
        tmp_path / "target.sqlite3",
        f"DELETE FROM candles WHERE symbol_id = 1 AND open_time = {BEGIN + 7_345 * MINUTE}",
    )
    summary = await source.copy_to(target)
    assert [(one.copied, one.state) for one in summary.symbols] == [(1, CopyState.COPIED), (0, CopyState.COPIED)]
    await assert_equal(source, target)


async def test_a_target_that_keeps_something_else_than_it_was_given_is_found_out(opened: Open, tmp_path: Path) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    await kernel_of(target).storage().register([Registration(market=market("BTC"), timeframes=("1m",))])
    moment = BEGIN + 777 * MINUTE
    execute(
        tmp_path / "target.sqlite3",
        f"CREATE TRIGGER wrong AFTER INSERT ON candles WHEN NEW.open_time = {moment} BEGIN "
        f"UPDATE candles SET volume = volume + 1 WHERE symbol_id = NEW.symbol_id AND open_time = {moment}; END",
    )
    summary = await source.copy_to(target)
    assert states(summary) == [CopyState.DIFFERENT] * 2
    assert iso(moment) in summary.symbols[0].cause


async def test_what_only_the_target_holds_stays(opened: Open) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    storage = kernel_of(target).storage()
    await storage.register([Registration(market=market("BTC"), timeframes=("1m",))])
    own = rows(ROWS + 100, ROWS + 100 + CHUNK + 7, 9.0)
    later = rows(0, 10, 8.0)
    for batch, at in ((own, MOMENTS[0]), (later, MOMENTS[3] + 1)):
        one = Answer(symbol=SYMBOLS[0], source="one:rest", answered_at=at, batch=batch)
        await storage.save(SaveWrite(answers=(one,)))
    summary = await source.copy_to(target)
    assert [(one.own, one.state) for one in summary.symbols] == [(CHUNK + 7, CopyState.COPIED), (0, CopyState.COPIED)]
    expected = known(history(SYMBOLS[0]), MOMENTS[3]) | flat(own) | flat(later)
    assert flat(await target.load(SYMBOLS[0])) == expected
    assert flat(await target.load(SYMBOLS[0], end=BEGIN + 10 * MINUTE, as_of=MOMENTS[3])) == {
        time: row for time, row in known(history(SYMBOLS[0]), MOMENTS[3]).items() if time < BEGIN + 10 * MINUTE
    }


# ── which symbols, and where to ──────────────────────────────────────────────────────────────────────────────────────


async def test_only_what_is_named_is_copied(opened: Open) -> None:
    source, target = await opened("source", filled=True), await opened("target")
    summary = await source.copy_to(target, ["ETH/USDT"], exchange="one", timeframe="1m")
    assert [one.symbol for one in summary.symbols] == SYMBOLS[1:]
    assert [record.symbol for record in await target.symbols()] == SYMBOLS[1:]
    assert (await source.copy_to(target, timeframe="1d")).symbols == ()
    with pytest.raises(UnknownSymbolError, match="'DOGE/USDT'"):
        await source.copy_to(target, ["DOGE/USDT"])


async def test_a_database_is_not_copied_to_itself(opened: Open, tmp_path: Path) -> None:
    source = await opened("source", filled=True)
    link = tmp_path / "link.sqlite3"
    link.symlink_to(tmp_path / "source.sqlite3")
    for target in (source, {"storage": {"path": str(tmp_path / "source.sqlite3")}}, {"storage": {"path": str(link)}}):
        with pytest.raises(BadInputError, match="one database"):
            await source.copy_to(target)
    assert (await (await opened("one", "memory")).copy_to(await opened("two", "memory"))).complete


async def test_from_a_configuration_file_and_blocking(opened: Open, tmp_path: Path) -> None:
    await opened("source", filled=True)
    (tmp_path / "source.toml").write_text('[storage]\npath = "source.sqlite3"\n')
    (tmp_path / "target.toml").write_text('[storage]\npath = "target.sqlite3"\n')

    def copy() -> CopySummary:
        with candle_core.blocking.open(tmp_path / "source.toml") as candles:
            return candles.copy_to(tmp_path / "target.toml")

    summary = await asyncio.to_thread(copy)
    assert (summary.source, summary.target) == (str(tmp_path / "source.sqlite3"), str(tmp_path / "target.sqlite3"))
    assert summary.complete
    await assert_equal(await opened("source"), await opened("target"))


# ── databases that can do less ───────────────────────────────────────────────────────────────────────────────────────

FORGETFUL = """
from dataclasses import replace

from candle_hookspecs import LoadRead, hookimpl
from candle_testkit.memory import MemoryStorage


class Forgetful(MemoryStorage):
    capabilities = replace(MemoryStorage.capabilities, revisions=False, extra_columns=False, actions=False)

    @hookimpl
    def candle_answers(self, read: LoadRead):
        raise AssertionError("nobody may ask for it")
"""


@pytest.fixture
def forgetful(install: Install) -> str:
    """A backend that forgets what it replaces."""
    install(
        "candle-forgetful", "[candle.storage]\nforgetful = forgetful_storage:Forgetful\n", forgetful_storage=FORGETFUL
    )
    return "forgetful"


async def test_to_a_database_that_forgets_what_it_replaces(opened: Open, forgetful: str) -> None:
    source, target = await opened("source", filled=True), await opened("target", forgetful)
    summary = await source.copy_to(target)
    assert summary.complete
    left = sum(one.revisions for one in summary.symbols)
    assert left > 0
    (note,) = summary.notes
    assert f"'forgetful' does not keep what a later answer replaced: {left:,} rows stay behind" in note
    for symbol in SYMBOLS:
        assert await target.load(symbol) == await source.load(symbol)
        assert await proven(target, symbol) == await proven(source, symbol)
    assert [one.copied for one in (await source.copy_to(target)).symbols] == [0, 0]


async def test_from_a_database_that_forgets_what_it_replaces(opened: Open, forgetful: str) -> None:
    source, target = await opened("source", forgetful, filled=True), await opened("target")
    summary = await source.copy_to(target)
    assert summary.complete
    (note,) = summary.notes
    assert "'forgetful' keeps neither" in note
    for symbol in SYMBOLS:
        assert await target.load(symbol) == await source.load(symbol)
        assert await proven(target, symbol) == await proven(source, symbol)
    page = rows(300, 301, 11.0)
    later = Answer(symbol=SYMBOLS[0], source="one:rest", answered_at=MOMENTS[3] + 1, batch=page)
    assert (await kernel_of(target).storage().save(SaveWrite(answers=(later,)))).revised == 1
    assert [one.copied for one in (await source.copy_to(target, ["ETH/USDT"])).symbols] == [0]


async def test_what_was_known_then_is_not_made_up(opened: Open, forgetful: str) -> None:
    candles = await opened("source", forgetful, filled=True)
    with pytest.raises(MissingHookError, match=r"'forgetful' does not keep.*candle copy"):
        await candles.load(SYMBOLS[0], as_of=MOMENTS[0])
    with pytest.raises(MissingHookError, match="'forgetful'"):
        [one async for one in candles.revisions(SYMBOLS[0])]
    assert len(await candles.load(SYMBOLS[0], count=3)) == 3


async def test_extra_columns_and_actions_come_along_where_they_can(opened: Open, forgetful: str) -> None:
    source, target = await opened("source"), await opened("target")
    storage = kernel_of(source).storage()
    await storage.register([Registration(market=market("BTC"), timeframes=("1m",))])
    split = Action(BEGIN + MINUTE, ActionKind.SPLIT, 4.0)
    for at, price in ((MOMENTS[0], 1.0), (MOMENTS[1], 2.0)):
        batch = rows(0, 3, price, dividend=np.array([np.nan, price, 0.25]))
        one = Answer(symbol=SYMBOLS[0], source="a", answered_at=at, batch=batch, actions=(split,))
        await storage.save(SaveWrite(answers=(one,)))
    summary = await source.copy_to(target)
    assert (summary.complete, summary.notes) == (True, ())
    there = kernel_of(target).storage()
    assert await there.actions(ActionQuery.of(SYMBOLS[0])) == [split]
    for moment, price in ((None, 2.0), (MOMENTS[0], 1.0)):
        read = LoadRead(symbol=SYMBOLS[0], as_of=moment)
        loaded = await there.load(read)
        assert loaded == await storage.load(read)
        assert loaded.extra["dividend"][1] == price
    assert [one.copied for one in (await source.copy_to(target)).symbols] == [0]
    behind = await source.copy_to(await opened("poor", forgetful))
    assert [re.findall("extra columns: dividend|splits and dividends", note) for note in behind.notes][1:] == [
        ["extra columns: dividend"], ["splits and dividends"],
    ]  # fmt: skip
