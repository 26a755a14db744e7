"""What both kinds of ``candle update`` do: a run for each exchange, and what is said of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from candle_core.cli.common import Session
from candle_core.cli.errors import Interrupted
from candle_core.cli.live import LiveTable, Watch
from candle_core.cli.render import Cell, Column, duration, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import BadInputError, Symbol, SymbolQuery, UpdateResult

if TYPE_CHECKING:
    from candle_core import Candles

NAMED: Final = 20
"""Symbols that failed which are named on standard error; ``--json`` has all."""

_COLUMNS = [
    Column("exchange", style="bold"),
    Column("done", right=True),
    Column("failed", right=True),
    Column("skipped", right=True),
    Column("rows", right=True),
    Column("revised", right=True),
    Column("requests", right=True),
    Column("took", right=True),
]


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done.

    Attributes:
        exchanges: which there are to be asked.
        run: updates one of them.
        nothing: what to say if there are no symbols.
    """

    exchanges: Callable[["Candles"], Awaitable[list[str]]]
    run: Callable[["Candles", str, Watch | None], Coroutine[Any, Any, UpdateResult]]
    nothing: str


def active_work(archetype: str | None, exchange: str, tradetype: str | None, wanted: dict[str, Any]) -> Work:
    """`Candles.active_update` of an exchange. What is left out is what it has one of."""

    async def exchanges(candles: "Candles") -> list[str]:
        return [exchange.upper()]

    async def run(candles: "Candles", name: str, watch: Watch | None) -> UpdateResult:
        there = candles.kernel.provider(name).capabilities
        if tradetype is None and len(there.tradetypes) > 1:
            raise BadInputError(f"{name} has several trade types; write one of {', '.join(there.tradetypes)} behind it")
        return await candles.active_update(
            archetype or there.archetype, name, tradetype or there.tradetypes[0], progress_callback=watch, **wanted
        )

    name = exchange.upper()
    return Work(exchanges, run, f"{name} lists no such market; `candle markets {name}` lists what there is")


def passive_work(exchange: str | None, conditions: dict[str, Any], options: dict[str, Any]) -> Work:
    """`Candles.passive_update` of each exchange of which symbols are known."""

    async def exchanges(candles: "Candles") -> list[str]:
        found = await candles.kernel.storage().symbols(SymbolQuery(exchange=exchange, **conditions))
        return sorted({record.symbol.exchange for record in found})

    async def run(candles: "Candles", name: str, watch: Watch | None) -> UpdateResult:
        return await candles.passive_update(exchange=name, progress_callback=watch, **conditions, **options)

    return Work(
        exchanges, run, "no stored symbol is like that; `candle update active` registers what an exchange lists"
    )


def update_once(session: Session, work: Work) -> int:
    """Do it, and tell what came of it.

    Returns:
        The exit code: 0 if no symbol failed, else 1.

    Raises:
        UpdateRunningError: another update of this database runs. Interrupted: by a signal.
    """
    table = LiveTable()
    try:
        results = run_async(_once(session, work, table))
    except Interrupted as stop:
        came = f"the {table.rows:,} candles that came are written"
        raise Interrupted(stop.number, f"interrupted; {came}, and the same command goes on from there") from None
    return _tell(session, results, work.nothing)


@asynccontextmanager
async def opened(session: Session) -> AsyncIterator["Candles"]:
    """A manager that is the only one to update its database, unless that is a process's own."""
    import candle_core
    from candle_core.update.lock import only_update

    async with candle_core.open(session.config) as candles:
        place = (await candles.status()).place
        with only_update(place) if candles.kernel.storage().capabilities.durable else nullcontext():
            yield candles


async def _once(session: Session, work: Work, table: LiveTable) -> dict[str, UpdateResult]:
    from candle_core.pipeline import first_error

    async with opened(session) as candles:
        names = await work.exchanges(candles)
        with table:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = {name: group.create_task(work.run(candles, name, table.watch(name))) for name in names}
            except BaseExceptionGroup as errors:
                raise first_error(errors) from None
        return {name: task.result() for name, task in tasks.items()}


def _tell(session: Session, results: Mapping[str, UpdateResult], nothing: str) -> int:
    failed = [pair for result in results.values() for pair in result.failed_symbols]
    if session.as_json:
        session.emit(_document(results))
    elif results:
        print_table(_COLUMNS, [_row(name, result) for name, result in results.items()])
    name_failures(session, failed)
    if not any(result.success_symbols or result.skipped_symbols for result in results.values()) and not failed:
        session.note(f"candle: {nothing}")
    return 1 if failed else 0


def _row(name: str, result: UpdateResult) -> tuple[Cell, ...]:
    counts = (len(result.success_symbols), len(result.failed_symbols), len(result.skipped_symbols))
    took = duration(result.duration_seconds)
    return name, *counts, result.total_rows, result.revised, result.requests, took


def _document(results: Mapping[str, UpdateResult]) -> dict[str, Any]:
    """Every symbol by name, and the counts of each exchange."""
    every = list(results.values())
    return {
        "exchanges": [{"exchange": name} | counts_of(result) for name, result in results.items()],
        "success_symbols": [str(symbol) for result in every for symbol in result.success_symbols],
        "failed_symbols": [failure(*pair) for result in every for pair in result.failed_symbols],
        "skipped_symbols": [str(symbol) for result in every for symbol in result.skipped_symbols],
        "total_rows": sum(result.total_rows for result in every),
    }


def counts_of(result: UpdateResult) -> dict[str, Any]:
    """The counts as JSON."""
    return {
        "done": len(result.success_symbols),
        "failed": len(result.failed_symbols),
        "skipped": len(result.skipped_symbols),
        "total_rows": result.total_rows,
        "revised": result.revised,
        "requests": result.requests,
        "duration_seconds": round(result.duration_seconds, 3),
    }


def failure(symbol: Symbol, cause: str) -> dict[str, str]:
    """A symbol that failed, as JSON."""
    return {"symbol": str(symbol), "cause": " ".join(cause.split())}


def name_failures(session: Session, failed: list[tuple[Symbol, str]]) -> None:
    """Name symbols that failed, each with its cause, on standard error."""
    for symbol, cause in failed[:NAMED]:
        session.note(f"candle: {symbol!s}: {' '.join(cause.split())}")
    if len(failed) > NAMED:
        session.note(f"candle: and {len(failed) - NAMED:,} more failed; --json names all")
