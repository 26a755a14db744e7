"""``candle import``: candles from files that others wrote."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from candle_core.cli.common import Session, command
from candle_core.cli.errors import Interrupted, describe, exit_code, one_line
from candle_core.cli.render import Cell, Column, duration, fields_of, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import CandleError, Candles, ConfigError, ImportSummary, PluginError, StorageError

if TYPE_CHECKING:
    from rich.progress import Progress

Move: TypeAlias = Callable[[int, int | None], object]

_COLUMNS = [
    Column("file", style="bold"),
    Column("symbol"),
    Column("rows", right=True),
    Column("new", right=True),
    Column("revised", right=True),
    Column("unchanged", right=True),
    Column("outdated", right=True),
    Column("left out", right=True),
    Column("took", right=True, spare=True),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file: a summary or an error."""

    file: Path
    result: ImportSummary | CandleError


@command
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--exchange", metavar="NAME", help="Whose candles they are, such as BINANCE.")
@click.option("--tradetype", metavar="NAME", help="SPOT, SWAP or FUTURE.")
@click.option("--symbol", metavar="NAME", help="BTC/USDT or BTCUSDT.")
@click.option("--timeframe", metavar="NAME", help="1m, 4h, 1d.")
@click.option("--offline", is_flag=True, help="Ask no exchange: register an unknown market by its name alone.")
def import_(session: Session, files: tuple[Path, ...], offline: bool, **names: str | None) -> int:
    """Store the candles of CSV, Parquet or Feather files.

    What is stored is not asked for again, but whatever the exchange says of it goes first, and what a file leaves
    out is not taken for empty. Of a file with a row that is no candle nothing is stored.

    The four names are taken from the file's own where it is one of freqtrade's or of Binance's archives.

    \b
    Examples:
      candle import user_data/data/binance/*.feather
      candle import BTCUSDT-1m-2024-01.csv --exchange BINANCE --tradetype SPOT
      candle import my.csv --exchange BINANCE --tradetype SPOT --symbol BTC/USDT --timeframe 1m
    """
    try:
        outcomes = run_async(_import_all(session, files, names | {"offline": offline}))
    except Interrupted as stop:
        stay = "interrupted; what was committed stays, and the same command does no harm"
        raise Interrupted(stop.number, stay) from None
    return _tell(session, outcomes)


async def _import_all(session: Session, files: tuple[Path, ...], options: dict[str, Any]) -> list[Outcome]:
    import candle_core

    with _bars() as bar:
        async with candle_core.open(session.config) as candles:
            return [await _import_one(candles, file, options, bar) for file in files]


async def _import_one(candles: Candles, file: Path, options: dict[str, Any], bar: "NewBar") -> Outcome:
    with bar(file.name) as move:
        try:
            return Outcome(file, await candles.import_candles(file, progress_callback=move, **options))
        except (ConfigError, PluginError, StorageError):
            raise  # not this file's failure: no other could do better
        except CandleError as error:
            return Outcome(file, error)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(session: Session, outcomes: list[Outcome]) -> int:
    errors = [outcome.result for outcome in outcomes if isinstance(outcome.result, CandleError)]
    worst = max(errors, key=exit_code) if len(errors) == len(outcomes) else None
    if session.as_json:
        document: dict[str, Any] = {"files": [_document(outcome) for outcome in outcomes]}
        session.emit(({"error": describe(worst)} if worst else {}) | document)
    elif worst is None:
        print_table(_COLUMNS, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        if isinstance(outcome.result, CandleError):
            session.note(f"candle: {one_line(outcome.result)}")
        else:
            for note in outcome.result.notes:
                session.note(f"candle: {outcome.file}: {note}")
    if worst:
        return exit_code(worst)
    return 1 if errors else 0


def _row(outcome: Outcome) -> tuple[Cell, ...]:
    done = outcome.result
    if isinstance(done, CandleError):
        return (str(outcome.file), "refused", *[None] * (len(_COLUMNS) - 2))
    saved = done.saved
    rows = (done.rows, saved.inserted, saved.revised, saved.unchanged, saved.outdated, done.still_open + done.repeated)
    return (str(outcome.file), str(done.symbol), *rows, duration(done.duration_seconds))


def _document(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome.result, CandleError):
        return {"file": str(outcome.file), "error": describe(outcome.result)}
    own = {"symbol": str(outcome.result.symbol), "duration_seconds": round(outcome.result.duration_seconds, 3)}
    return {"file": str(outcome.file)} | fields_of(outcome.result) | own


# ── progress ─────────────────────────────────────────────────────────────────────────────────────────────────────────

NewBar: TypeAlias = Callable[[str], AbstractContextManager[Move | None]]


@contextmanager
def _bars() -> Iterator[NewBar]:
    """Draw on standard error, where that is a terminal, one bar for the file under way."""
    if not sys.stderr.isatty():
        yield lambda _: nullcontext()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:>11,} rows {task.fields[what]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as progress:
        yield lambda name: _bar(progress, name)


@contextmanager
def _bar(progress: "Progress", name: str) -> Iterator[Move]:
    task = progress.add_task(name, total=None, rows=0, what="checked")

    def move(done: int, rows: int | None) -> None:
        if rows is None:
            progress.update(task, rows=done)
        else:
            progress.update(task, total=rows, completed=done, rows=done, what="stored")

    yield move
    progress.remove_task(task)
