"""``candle copy``: everything stored, brought to another database and compared there."""

from pathlib import Path
from typing import Any, Final

import click

from candle_core.cli.common import TRADETYPES, Session, command
from candle_core.cli.progress import progress_bars
from candle_core.cli.render import Cell, Column, duration, fields_of, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import CopyProgress, CopyState, CopySummary, SymbolCopy

_DASHES: Final = 5
"""As many as there are in a symbol's text; no exchange has so many in its name."""

_COLUMNS = [
    Column("symbol", style="bold"),
    Column("rows", right=True),
    Column("earlier", right=True),
    Column("facts", right=True),
    Column("copied", right=True),
    Column("own", right=True, spare=True),
    Column("state"),
]


@command
@click.argument("words", nargs=-1, metavar="[EXCHANGE [TRADETYPE] [SYMBOL]...]")
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Settings of the target."
)
@click.option("--timeframe", metavar="NAME", help="Only symbols of this timeframe.")
def copy(session: Session, words: tuple[str, ...], target: Path, timeframe: str | None) -> int:
    """Bring what is stored to the database of another configuration, and compare all of it there.

    Candles, what earlier answers said of them, and coverage are copied. What is there already is compared and not
    sent again, so an interrupted command goes on where it was. What the target has otherwise is named and stays.

    \b
    Examples:
      candle copy --to postgres.toml
      candle copy BINANCE SPOT BTC/USDT ETH/USDT --timeframe 1m --to backup.toml
    """
    summary = run_async(_copy(session, words, target, timeframe))
    if session.as_json:
        session.emit(_document(summary))
    elif summary.symbols:
        click.echo(f"{summary.source} to {summary.target}, {duration(summary.duration_seconds)}")
        print_table(_COLUMNS, [_row(one) for one in summary.symbols])
    for note in summary.notes:
        session.note(f"candle: {note}")
    for one in summary.symbols:
        if one.cause:
            session.note(f"candle: {one.symbol}: {one.cause}")
    if not summary.symbols:
        session.note(f"candle: no symbols of this kind are stored in {summary.source}")
    return 0 if summary.complete else 1


async def _copy(session: Session, words: tuple[str, ...], target: Path, timeframe: str | None) -> CopySummary:
    import candle_core

    rest = list(words)
    exchange = rest.pop(0) if rest and rest[0].count("-") < _DASHES else None
    tradetype = rest.pop(0) if rest and rest[0].upper() in TRADETYPES else None
    with progress_bars() as new_bar, new_bar("copy") as move:

        def watch(now: CopyProgress) -> None:
            if move is not None and now.total_rows:
                move(now.done_rows / now.total_rows, now.done_rows // 2, now.estimated_remaining_seconds)

        async with candle_core.open(session.config) as candles:
            return await candles.copy_to(
                target, rest, exchange=exchange, tradetype=tradetype, timeframe=timeframe, progress_callback=watch
            )


def _row(one: SymbolCopy) -> tuple[Cell, ...]:
    if one.state is CopyState.FAILED:
        return (str(one.symbol), *[None] * (len(_COLUMNS) - 3), None, one.state.value)
    return (str(one.symbol), one.rows, one.revisions, one.facts, one.copied, one.own or None, one.state.value)


def _document(summary: CopySummary) -> dict[str, Any]:
    symbols = [fields_of(one) | {"symbol": str(one.symbol)} for one in summary.symbols]
    taken = {"complete": summary.complete, "duration_seconds": round(summary.duration_seconds, 3)}
    return fields_of(summary) | taken | {"symbols": symbols}
