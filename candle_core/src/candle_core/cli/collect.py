"""``candle collect``: fetch what is missing of several symbols, and say what came of each."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import click

from candle_core.cli.common import Session, Target, check_range, command, need_range, range_options
from candle_core.cli.errors import Interrupted, describe, exit_code, one_line
from candle_core.cli.outcomes import caption
from candle_core.cli.progress import progress_bars
from candle_core.cli.render import Cell, Column, duration, fields_of, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import (
    CandleError,
    Candles,
    CollectionProgress,
    CollectionSummary,
    ConfigError,
    PluginError,
    StorageError,
)

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one symbol: a summary or an error."""

    symbol: str
    result: CollectionSummary | CandleError

    @property
    def state(self) -> str:
        """``complete``, ``incomplete`` or ``failed``."""
        if isinstance(self.result, CandleError):
            return "failed"
        return "complete" if self.result.complete else "incomplete"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know besides."""
        if isinstance(self.result, CandleError):
            return (one_line(self.result),)
        late = self.result.overlap_analysis_results["pending"]
        pending = (f"{late:,} of the newest slots are empty but may still fill; the next run asks again",)
        return (*self.result.problems, *(pending if late else ()))


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
) -> list[Outcome]:
    import candle_core

    with progress_bars() as new_bar:
        async with candle_core.open(session.config) as candles:
            turn = asyncio.Semaphore(AT_ONCE)

            async def one(symbol: str) -> Outcome:
                async with turn:
                    with new_bar(symbol) as move:

                        def watch(now: CollectionProgress) -> None:
                            committed[symbol] = now.collected_count
                            if move is not None:
                                done = now.covered_slots / now.total_slots
                                move(done, now.collected_count, now.estimated_remaining_seconds)

                        return await _collect_one(candles, target, symbol, wanted | {"progress_callback": watch})

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(one(symbol)) for symbol in target.symbols]
            except ExceptionGroup as group:
                raise group.exceptions[0] from None  # the first to fail; the others were cancelled because of it
            return [task.result() for task in tasks]


async def _collect_one(candles: Candles, target: Target, symbol: str, wanted: dict[str, Any]) -> Outcome:
    try:
        summary = await candles.collect_candles_only(
            symbol,
            target.timeframe,
            exchange=target.exchange,
            tradetype=target.tradetype,
            **wanted,
        )
    except (ConfigError, PluginError, StorageError):
        raise  # not this symbol's failure: no other symbol could do better
    except CandleError as error:
        return Outcome(symbol, error)
    return Outcome(symbol, summary)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(session: Session, target: Target, outcomes: list[Outcome]) -> int:
    errors = [outcome.result for outcome in outcomes if isinstance(outcome.result, CandleError)]
    all_failed = len(errors) == len(outcomes)
    worst = max(errors, key=exit_code, default=None)
    if session.as_json:
        document: dict[str, Any] = {"symbols": [_document(outcome) for outcome in outcomes]}
        session.emit(({"error": describe(worst)} if all_failed and worst else {}) | document)
    elif not all_failed:
        summaries = (outcome.result for outcome in outcomes if not isinstance(outcome.result, CandleError))
        click.echo(caption(target, [summary.time_range for summary in summaries]))
        print_table(_COLUMNS, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        for remark in outcome.remarks:
            session.note(f"candle: {outcome.symbol}: {remark}")
    if all_failed and worst:
        return exit_code(worst)
    return 0 if all(outcome.state == "complete" for outcome in outcomes) else 1


def _row(outcome: Outcome) -> tuple[Cell, ...]:
    summary = outcome.result
    if isinstance(summary, CandleError):
        return (outcome.symbol, *[None] * (len(_COLUMNS) - 2), outcome.state)
    return (
        outcome.symbol,
        summary.db_records_count,
        summary.saved.inserted,
        summary.saved.revised,
        summary.api_calls_made,
        summary.overlap_analysis_results["missing"],
        duration(summary.duration_seconds),
        outcome.state,
    )


def _document(outcome: Outcome) -> dict[str, Any]:
    head = {"name": outcome.symbol, "state": outcome.state}
    if isinstance(outcome.result, CandleError):
        return head | {"error": describe(outcome.result)}
    own = {"symbol": str(outcome.result.symbol), "duration_seconds": round(outcome.result.duration_seconds, 3)}
    return head | fields_of(outcome.result) | own
