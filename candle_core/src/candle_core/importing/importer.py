"""Importing: candles from a user's file, kept below everything that an exchange ever says."""

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from candle_core.coverage import Runs
from candle_core.discovery import PluginKind, installed_plugins
from candle_core.importing.files import CandleFile
from candle_core.importing.names import read_name
from candle_core.kernel import Kernel
from candle_core.provider import Provider
from candle_core.retry import with_retries
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_core.writer import Writer
from candle_hookspecs import (
    Answer,
    BadInputError,
    CandleBatch,
    ImportSummary,
    Market,
    RateLimitedError,
    Registration,
    SaveReceipt,
    Symbol,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    TransientError,
    UnknownMarketError,
    to_datetime,
)

SOURCE: Final = "import"
RANK: Final = -1_000_000
"""Below every exchange's source."""

UNDATED: Final = 0
"""`answered_at` of imported rows. Nobody knows when an exchange said them, so whatever an exchange says is later."""

_DAY: Final = 86_400_000
_FEW: Final = 10
"""So many rows may stand on a coarser grid by chance."""

_UNREACHABLE: Final = (TransientError, RateLimitedError)

ImportCallback: TypeAlias = Callable[[int, int | None], object]
"""Told after each batch how many rows are imported, of how many; while the file is checked, how many are, of None."""


def query_for(
    kernel: Kernel,
    path: Path,
    symbol: SymbolLike | None,
    timeframe: str | None,
    exchange: str | None,
    tradetype: str | None,
) -> SymbolQuery:
    """Whose candles a file holds: by what is given, else by the file's name, else by ``[defaults]``.

    Raises:
        BadInputError: it cannot be told; names what is missing, the file itself if need be.
    """
    catalogue = Catalogue(kernel)
    if isinstance(symbol, Symbol) or (symbol is not None and symbol.count("-") >= 5):
        return catalogue.query(symbol, timeframe, exchange, tradetype)
    named, defaults = read_name(path), kernel.config.defaults
    offered = {plugin.name for plugin in installed_plugins() if plugin.kind is PluginKind.PROVIDER}
    by_folder = named.exchange if named.exchange and named.exchange.lower() in offered else None
    found = {
        "exchange": exchange or by_folder or defaults.exchange,
        "tradetype": tradetype or named.tradetype or defaults.tradetype,
        "symbol": symbol or named.symbol,
        "timeframe": timeframe or named.timeframe,
    }
    if missing := [name for name, value in found.items() if not value]:
        if not path.exists():
            raise BadInputError(f"cannot read {str(path)!r}: No such file or directory")
        options = " ".join(f"--{name} …" for name in missing)
        raise BadInputError(f"the name of {str(path)!r} does not tell its {', '.join(missing)}; name it ({options})")
    assert found["symbol"] is not None
    return catalogue.query(found["symbol"], found["timeframe"], found["exchange"], found["tradetype"])


@dataclass(slots=True)
class Survey:
    """What a whole file looks like, learned before anything of it is stored.

    Attributes:
        rows: in the file. first, last: its open times. on_grid: rows that open on the grid.
        apart: greatest number of slots that divides every distance between them.
        odd: rows whose open or close lies outside of low and high.
    """

    rows: int = 0
    first: int = 0
    last: int = 0
    on_grid: int = 0
    apart: int = 0
    odd: int = 0
    _slot: int | None = None

    def add(self, batch: CandleBatch, grid: Grid) -> None:
        """Look at some rows."""
        self.first = min(batch.first, self.first) if self.rows else batch.first
        self.last = max(batch.last, self.last) if self.rows else batch.last
        self.rows += len(batch) + batch.repeated
        slots = grid.indices(batch.open_time)
        self._slot = int(slots[0]) if self._slot is None else self._slot
        self.apart = math.gcd(self.apart, int(np.gcd.reduce(slots - self._slot)))
        self.on_grid += int(grid.on_grid(batch.open_time).sum()) + batch.repeated
        outside = (np.minimum(batch.open, batch.close) < batch.low) | (np.maximum(batch.open, batch.close) > batch.high)
        self.odd += int(outside.sum())

    def refuse_other_timeframe(self, path: Path, timeframe: str) -> None:
        """Refuse rows that are candles of another timeframe.

        Raises:
            BadInputError: most of them open off the grid, or all of them several slots apart.
        """
        if not self.rows:
            raise BadInputError(f"{str(path)!r} holds no candles")
        if self.on_grid * 2 < self.rows:
            raise BadInputError(
                f"{str(path)!r}: only {self.on_grid:,} of {self.rows:,} rows open where candles of {timeframe!r} do; "
                f"name the file's own timeframe"
            )
        if self.apart > 1 and self.rows >= _FEW:
            raise BadInputError(
                f"{str(path)!r}: all {self.rows:,} rows open multiples of {self.apart:,} slots of {timeframe!r} apart; "
                f"name the file's own timeframe"
            )


@dataclass(slots=True)
class _Tally:
    done: int = 0
    still_open: int = 0
    repeated: int = 0
    saved: SaveReceipt = field(default_factory=SaveReceipt)


class Import:
    """One file on its way into the database."""

    def __init__(self, kernel: Kernel, writer: Writer, path: Path, callback: ImportCallback | None) -> None:
        self._kernel = kernel
        self._writer = writer
        self._path = path
        self._told = callback or (lambda done, rows: None)
        self._notes: list[str] = []

    async def run(self, query: SymbolQuery, *, offline: bool) -> ImportSummary:
        """Check the whole file, then store it.

        Raises:
            BadInputError: the file, or the market; nothing was stored.
        """
        began = time.perf_counter()
        assert query.exchange is not None
        assert query.timeframe is not None
        provider = self._kernel.provider(query.exchange)
        grid = await provider.open_grid(query.timeframe)
        file = CandleFile.open(self._path)
        survey = await self._survey(file, grid)
        record = await self._record(query, provider, offline=offline)
        until = await self._closed_until(survey, grid, provider, offline=offline)
        tally = await self._store(file, record, grid, survey, until)
        if survey.odd:
            self._notes.append(f"{survey.odd:,} rows open or close outside of their low and high; kept as they are")
        if tally.still_open:
            self._notes.append(f"{tally.still_open:,} rows were still open, or may have been; not imported")
        await self._kernel.emit("import.finished", record.symbol, rows=survey.rows)
        return ImportSummary(
            symbol=record.symbol,
            file=str(self._path),
            rows=survey.rows,
            still_open=tally.still_open,
            repeated=tally.repeated,
            saved=tally.saved,
            time_range=(to_datetime(survey.first), to_datetime(grid.after(survey.last))),
            duration_seconds=time.perf_counter() - began,
            notes=tuple(self._notes),
        )

    # ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _survey(self, file: CandleFile, grid: Grid) -> Survey:
        survey = Survey()
        async with aclosing(_batches(file)) as batches:
            async for batch in batches:
                survey.add(batch, grid)
                self._told(survey.rows, None)
        survey.refuse_other_timeframe(self._path, grid.timeframe)
        return survey

    async def _record(self, query: SymbolQuery, provider: Provider, *, offline: bool) -> SymbolRecord:
        if not offline:
            try:
                return await Catalogue(self._kernel).resolve(query)
            except UnknownMarketError as error:
                raise UnknownMarketError(f"{error}; offline (--offline) it is registered by its name alone") from None
            except _UNREACHABLE as error:
                self._notes.append(f"{query.exchange} cannot be asked: {error}")
        storage = self._kernel.storage()
        known = await storage.symbols(replace(query, timeframe=None))
        market = known[0].market if len(known) else _market_named(query, provider)
        if not market.native_id:
            self._notes.append(f"{market.ccxt_symbol} is known by its name alone until it is first collected")
        assert query.timeframe is not None
        (record,) = await storage.register([Registration(market=market, timeframes=(query.timeframe,))])
        return record

    async def _closed_until(self, survey: Survey, grid: Grid, provider: Provider, *, offline: bool) -> int:
        """When a candle of the file must have closed to be final."""
        if not offline and grid.after(survey.last) > provider.clock.now() - _DAY:
            try:
                await with_retries(provider, provider.warm_up)
            except _UNREACHABLE:
                self._notes.append(f"what is closed by now is told by this machine's clock, not by {provider.name!r}")
        now, written = provider.clock.now(), int(self._path.stat().st_mtime * 1000)
        # What closed after the file was written was open in it. No file is older than what it holds, though: a time
        # before its newest row is not when it was written.
        return (min(now, written) if written >= survey.last else now) - provider.capabilities.settle

    async def _store(self, file: CandleFile, record: SymbolRecord, grid: Grid, survey: Survey, until: int) -> _Tally:
        tally, runs = _Tally(), Runs(grid, SOURCE, UNDATED)
        async with aclosing(_batches(file)) as batches:
            async for batch in batches:
                closed = batch[grid.closes(batch.open_time) <= until]
                facts = tuple(runs.facts(closed))
                answer = Answer(
                    symbol=record.symbol, source=SOURCE, rank=RANK, answered_at=UNDATED, batch=closed, coverage=facts
                )
                if len(closed):
                    tally.saved += await self._writer.save(answer)
                tally.done += len(batch) + batch.repeated
                tally.repeated += batch.repeated
                tally.still_open += len(batch) - len(closed)
                self._told(tally.done, survey.rows)
        return tally


_PAIR: Final = re.compile(r"(?P<base>[^/:]+)/(?P<quote>[^/:]+)(:(?P<settle>[^/:-]+)(-(?P<contract>\w+))?)?")


def _market_named(query: SymbolQuery, provider: Provider) -> Market:
    """A market of which only ccxt's name is known. It has no native id until the exchange is asked.

    Raises:
        BadInputError: base and quote cannot be told from the name.
    """
    assert query.exchange is not None
    assert query.tradetype is not None
    name = query.name or f"{query.base}/{query.quote}"
    found = _PAIR.fullmatch(name.upper())
    if found is None or (query.name and (query.tradetype == "SPOT") != (found["settle"] is None)):
        form = "BASE/QUOTE" if query.tradetype == "SPOT" else "BASE/QUOTE:SETTLE"
        raise BadInputError(f"{name!r} cannot be looked up now; write it as {form}")
    return Market(
        archetype=provider.capabilities.archetype,
        exchange=query.exchange,
        tradetype=query.tradetype,
        base=found["base"],
        quote=found["quote"],
        settle=found["settle"] or "",
        contract=query.contract or found["contract"] or "",
        native_id="",
        ccxt_symbol=name.upper(),
    )


async def _batches(file: CandleFile) -> AsyncGenerator[CandleBatch, None]:
    """Read in a thread, a batch at a time."""
    source = file.batches()
    try:
        while (batch := await _in_thread(source)) is not None:
            yield batch
    finally:
        source.close()


async def _in_thread(source: Iterator[CandleBatch]) -> CandleBatch | None:
    """The next batch. Who is cancelled waits for the thread, for a generator at work cannot be closed."""
    work = asyncio.ensure_future(asyncio.to_thread(next, source, None))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
