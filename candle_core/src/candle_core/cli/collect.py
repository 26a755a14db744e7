"""``candle collect``: fetch what is missing of several symbols, and say what came of each."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from candle_core.cli.common import Session, Target, check_range, command, need_range, range_options
from candle_core.cli.errors import Interrupted, describe, exit_code, one_line
from candle_core.cli.outcomes import Outcome, attempt, caption, failure_document, worst_if_all_failed
from candle_core.cli.progress import Move, progress_bars
from candle_core.cli.render import Cell, Column, duration, fields_of, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import CollectionProgress, CollectionSummary, ConfigError, PluginError, StorageError

AT_ONCE: Final = 4
"""Symbols under way at once. The budget is shared, so more would only make each of them slower."""

_COLUMNS = [
    Column("symbol", style="bold"),
    Column("candles", right=True),
    Column("new", right=True),
    Column("revised", right=True),
    Column("requests", right=True),
    Column("missing", right=True),
    Column("took", right=True),
    Column("state"),
]


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL... TIMEFRAME")
@range_options("The newest N candles, or the first N from --start on.")
@click.option("--refetch", is_flag=True, help="Ask again for what is known already.")
def collect(
    session: Session, words: tuple[str, ...], start: str | None, end: str | None, count: int | None, refetch: bool
) -> int:
    """Fetch the candles that are missing in a range and keep them, with the proof of what was asked.

    What is stored already is not asked for again, so an interrupted command goes on where it was. One symbol's
    failure does not stop the others.

    \b
    Examples:
      candle collect BINANCE SPOT BTC/USDT 1m --start 2024-01-01 --end 2025-01-01
      candle collect BINANCE SPOT BTC/USDT ETH/USDT 1h --count 10000
    """
    target = Target.of(words)
    check_range(start, end)
    need_range(start, count)
    wanted = {"start": start, "end": end, "count": count, "refetch": refetch}
    committed: dict[str, int] = {}
    try:
        outcomes = run_async(_collect_all(session, target, wanted, committed))
    except Interrupted as stop:
        # What was on its way to the database at that moment is committed too, so this is a lower bound.
        stay = f"at least {sum(committed.values()):,} candles were committed and stay"
        raise Interrupted(stop.number, f"interrupted; {stay}, and the same command goes on from there") from None
    return _tell(session, target, outcomes)


async def _collect_all(
    session: Session, target: Target, wanted: dict[str, Any], committed: dict[str, int]
) -> list[Outcome[CollectionSummary]]:
    import candle_core

    wanted = wanted | {"exchange": target.exchange, "tradetype": target.tradetype}
    turn = asyncio.Semaphore(AT_ONCE)
    with progress_bars() as new_bar:
        async with candle_core.open(session.config) as candles:

            async def one(symbol: str) -> Outcome[CollectionSummary]:
                async with turn:
                    with new_bar(symbol) as move:
                        watch = _watch(symbol, committed, move)
                        work = candles.collect_candles_only(symbol, target.timeframe, **wanted, progress_callback=watch)
                        return await attempt(symbol, work, fatal=(ConfigError, PluginError, StorageError))

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(symbol)) for symbol in target.symbols]
            except ExceptionGroup as group:
                raise group.exceptions[0] from None  # the first to fail; the others were cancelled because of it
            return [task.result() for task in tasks]


def _watch(symbol: str, committed: dict[str, int], move: Move | None) -> Callable[[CollectionProgress], None]:
    """What is called after each commit: it counts the symbol's candles, and moves its bar."""

    def watch(now: CollectionProgress) -> None:
        committed[symbol] = now.collected_count
        if move is not None:
            move(now.covered_slots / now.total_slots, now.collected_count, now.estimated_remaining_seconds)

    return watch


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(session: Session, target: Target, outcomes: list[Outcome[CollectionSummary]]) -> int:
    worst = worst_if_all_failed(outcomes)
    if session.as_json:
        document = {"symbols": [_document(outcome) for outcome in outcomes]}
        session.emit(({"error": describe(worst)} if worst else {}) | document)
    elif worst is None:
        summaries = [outcome.result for outcome in outcomes if isinstance(outcome.result, CollectionSummary)]
        click.echo(caption(target, [summary.time_range for summary in summaries]))
        print_table(_COLUMNS, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        for remark in _remarks(outcome):
            session.note(f"candle: {outcome.name}: {remark}")
    if worst is not None:
        return exit_code(worst)
    return 0 if all(_state(outcome) == "complete" for outcome in outcomes) else 1


def _state(outcome: Outcome[CollectionSummary]) -> str:
    if not isinstance(outcome.result, CollectionSummary):
        return "failed"
    return "complete" if outcome.result.complete else "incomplete"


def _remarks(outcome: Outcome[CollectionSummary]) -> Sequence[str]:
    """What a person should know besides the row of the table."""
    summary = outcome.result
    if not isinstance(summary, CollectionSummary):
        return [one_line(summary)]
    if summary.time_range[0] == summary.time_range[1]:
        return ["no candle of this range has closed yet"]
    if not (late := summary.overlap_analysis_results["pending"]):
        return summary.problems
    pending = f"{late:,} of the newest slots may yet be filled; the next run asks again"
    return [*summary.problems, pending]


def _row(outcome: Outcome[CollectionSummary]) -> tuple[Cell, ...]:
    summary = outcome.result
    if not isinstance(summary, CollectionSummary):
        return (outcome.name, *[None] * (len(_COLUMNS) - 2), _state(outcome))
    return (
        outcome.name,
        summary.db_records_count,
        summary.saved.inserted,
        summary.saved.revised,
        summary.api_calls_made,
        summary.overlap_analysis_results["missing"],
        duration(summary.duration_seconds),
        _state(outcome),
    )


def _document(outcome: Outcome[CollectionSummary]) -> dict[str, Any]:
    summary = outcome.result
    if not isinstance(summary, CollectionSummary):
        return failure_document(outcome)
    own = {"symbol": str(summary.symbol), "duration_seconds": round(summary.duration_seconds, 3)}
    return {"name": outcome.name, "state": _state(outcome)} | fields_of(summary) | own
