"""Moving house: what one database holds of its symbols, brought to another and compared there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from candle_core.holdings import Difference, Holding, compare
from candle_core.kernel import Kernel
from candle_core.ranges import ALL_TIME
from candle_core.symbols import chosen
from candle_core.writer.sizes import size_of_batch
from candle_hookspecs import (
    Answer,
    BadInputError,
    CandleError,
    CopyProgress,
    CopyState,
    CopySummary,
    CoverageQuery,
    Ints,
    LoadRead,
    Priority,
    Registration,
    Span,
    StorageStatus,
    Symbol,
    SymbolCopy,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    iso,
)

CHUNK: Final = 10_000
"""Candles of a symbol that are in memory at once, with all that was said of them."""

CopyCallback: TypeAlias = Callable[[CopyProgress], object]


async def copy(
    source: Kernel, target: Kernel, names: Sequence[SymbolLike], query: SymbolQuery, callback: CopyCallback | None
) -> CopySummary:
    """Bring symbols to another database, then compare all of it there.

    Raises:
        BadInputError: both are one database. UnknownSymbolError: a name means no symbol of the source.
        StorageError, PluginError: one of them cannot be opened. The failure of a symbol stands in the summary.
    """
    began = time.perf_counter()
    here, there = await _places(source, target)
    records = chosen(names, await source.storage().symbols(replace(query, statistics=True)))
    run = _Copy(source, target, _Pace(sum(record.rows or 0 for record in records), callback))
    done = await run.all(records)
    return CopySummary(
        source=here.place,
        target=there.place,
        symbols=done,
        duration_seconds=time.perf_counter() - began,
        notes=tuple(run.notes(done)),
    )


async def _places(source: Kernel, target: Kernel) -> tuple[StorageStatus, StorageStatus]:
    mine, theirs = source.storage(), target.storage()
    here, there = await mine.status(), await theirs.status()
    lasting = mine.capabilities.durable and theirs.capabilities.durable
    if source is target or (lasting and _one_place(here.place, there.place)):
        raise BadInputError(f"source and target are one database, {here.place!r}; name another one to copy to")
    return here, there


def _one_place(here: str, there: str) -> bool:
    files = Path(here), Path(there)
    return here == there or (all(file.exists() for file in files) and files[0].samefile(files[1]))


class _Copy:
    """Symbols on their way from one database to another."""

    def __init__(self, source: Kernel, target: Kernel, pace: "_Pace") -> None:
        self._kernel = source
        self._source, self._target = source.storage(), target.storage()
        self._writer = target.writer()
        self._pace = pace
        self._extra: set[str] = set()
        self._actions = False
        self._turn = asyncio.Semaphore(max(1, self._target.capabilities.writers))

    async def all(self, records: Sequence[SymbolRecord]) -> tuple[SymbolCopy, ...]:
        """Every symbol, as many at once as the target gains from."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(record)) for record in records]
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # no symbol's failure, which would stand in its own result
        return tuple(task.result() for task in tasks)

    def notes(self, done: Sequence[SymbolCopy]) -> list[str]:
        """What one of the databases cannot keep."""
        source, target = self._source.capabilities, self._target.capabilities
        notes = []
        if not source.revisions:
            notes.append(
                f"{self._source.backend!r} keeps neither what a later answer replaced nor when a candle was given: "
                "copied were its candles, as given by the last answer that vouches for each"
            )
        elif not target.revisions and (left := sum(one.revisions for one in done)):
            notes.append(
                f"{self._target.backend!r} does not keep what a later answer replaced: {left:,} rows stay behind"
            )
        if self._extra and not target.extra_columns:
            names = ", ".join(sorted(self._extra))
            notes.append(f"{self._target.backend!r} keeps no extra columns: {names} stay behind")
        if self._actions and not target.actions:
            notes.append(f"{self._target.backend!r} keeps no splits and dividends: those of the source stay behind")
        return notes

    async def _one(self, record: SymbolRecord) -> SymbolCopy:
        symbol = record.symbol
        facts, cause, state = 0, "", CopyState.COPIED
        brought = seen = _Tally()
        async with self._turn:
            try:
                await self._target.register([Registration(market=record.market, timeframes=(symbol.timeframe,))])
                facts = len(await self._source.coverage(CoverageQuery(symbol=symbol)))
                await self._bring(symbol, brought)
                if brought.answers:
                    seen = _Tally()
                    await self._check(symbol, seen)
                else:
                    self._pace.move(symbol, brought.rows)  # all of it was compared already
                if cause := seen.cause():
                    state = CopyState.DIFFERENT
            except CandleError as error:
                cause, state = str(error), CopyState.FAILED
        await self._kernel.emit("copy.finished", symbol, rows=seen.rows, state=state.value)
        return SymbolCopy(
            symbol=symbol,
            rows=seen.rows,
            facts=facts,
            revisions=seen.replaced,
            copied=brought.copied,
            own=seen.own,
            state=state,
            cause=cause,
        )

    async def _bring(self, symbol: Symbol, tally: "_Tally") -> None:
        """Send what the target lacks. What it has otherwise by the same answer is left: nobody knows which is wrong."""
        async for mine, found in self._walk(symbol):
            tally.add(mine, found)
            if len(found.lacking) or found.unproven or found.untold:
                sent = [answer for one in mine.answers if (answer := _without(one, found.clashing)) is not None]
                tally.answers += len(sent)
                tally.copied += await self._save(sent)
            self._pace.move(symbol, len(mine.batch))

    async def _check(self, symbol: Symbol, tally: "_Tally") -> None:
        """Compare everything once more, now that all of it was sent."""
        async for mine, found in self._walk(symbol):
            tally.add(mine, found)
            self._pace.move(symbol, len(mine.batch))

    async def _walk(self, symbol: Symbol) -> AsyncIterator[tuple[Holding, Difference]]:
        """All time in pieces of at most `CHUNK` candles in either database: what the source holds, what is missing."""
        start = ALL_TIME.start
        while start < ALL_TIME.end:
            read = LoadRead(symbol=symbol, span=Span(start, ALL_TIME.end), limit=CHUNK)
            batches = [await storage.load(read) for storage in (self._source, self._target)]
            ends = [batch.last + 1 if len(batch) == CHUNK else ALL_TIME.end for batch in batches]
            span = Span(start, min(ends))
            mine, theirs = (
                await Holding.read(self._source, symbol, span, batches[0].between(span)),
                await Holding.read(self._target, symbol, span, batches[1].between(span)),
            )
            self._extra |= mine.extra()
            self._actions |= bool(mine.actions)
            # In a thread, for what it takes is measured in hundredths of a second.
            can = self._target.capabilities
            found = await asyncio.to_thread(compare, mine, theirs, extra=can.extra_columns, actions=can.actions)
            yield mine, found
            start = span.end

    async def _save(self, answers: Sequence[Answer]) -> int:
        """Commit answers in their order; how many rows were not there."""
        works = [
            self._writer.put(answer, Priority.LOW, fill=CHUNK, size=size_of_batch(answer.batch)) for answer in answers
        ]
        receipts = [await asyncio.shield(work.done) for work in works]
        return sum(receipt.inserted + receipt.revised for receipt in receipts)


def _without(answer: Answer, times: Ints) -> Answer | None:
    """The answer without some of its rows; None if nothing is left of it."""
    if len(times):
        answer = replace(answer, batch=answer.batch[~np.isin(answer.batch.open_time, times)])
    return answer if len(answer.batch) or answer.coverage or answer.actions else None


@dataclass(slots=True)
class _Pace:
    """How far the copy is. Every row counts when it is copied, and again when it is compared."""

    rows: int
    callback: CopyCallback | None
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def move(self, symbol: Symbol, rows: int) -> None:
        """So many rows more."""
        self.done += rows
        if self.callback is not None:
            total = max(2 * self.rows, self.done)
            left = (time.monotonic() - self.began) * (total - self.done) / self.done if self.done else float("inf")
            self.callback(
                CopyProgress(symbol=symbol, done_rows=self.done, total_rows=total, estimated_remaining_seconds=left)
            )


@dataclass(slots=True)
class _Tally:
    """What was seen of a symbol in one walk, and done for it."""

    rows: int = 0
    replaced: int = 0
    own: int = 0
    unproven: int = 0
    untold: int = 0
    lacking: int = 0
    clashing: int = 0
    first_lacking: int = 0
    first_clashing: int = 0
    answers: int = 0
    copied: int = 0

    def add(self, mine: Holding, found: Difference) -> None:
        """A piece more."""
        self.rows += len(mine.batch)
        self.replaced += mine.replaced
        self.own += found.own
        self.unproven += found.unproven
        self.untold = max(self.untold, found.untold)  # they are the market's, and told anew with every piece
        if len(found.lacking):
            self.first_lacking = self.first_lacking if self.lacking else int(found.lacking[0])
            self.lacking += len(found.lacking)
        if len(found.clashing):
            self.first_clashing = self.first_clashing if self.clashing else int(found.clashing[0])
            self.clashing += len(found.clashing)

    def cause(self) -> str:
        """What the target lacks or has otherwise; empty: nothing."""
        said = []
        if self.clashing:
            said.append(
                f"{self.clashing:,} candles are not as in the source, though of the same answer, the first at "
                f"{iso(self.first_clashing)}; they were left as they are: where they are wrong, `candle forget … "
                "--candles` them and copy again"
            )
        if self.lacking:
            said.append(
                f"{self.lacking:,} candles are not as in the source, the first at {iso(self.first_lacking)}; copy "
                "again if somebody wrote meanwhile"
            )
        if self.unproven:
            said.append(f"{self.unproven:,} proven stretches did not arrive; copy again if somebody wrote meanwhile")
        if self.untold:
            said.append(f"{self.untold:,} splits or dividends are not as in the source; copy again")
        return "; ".join(said)
