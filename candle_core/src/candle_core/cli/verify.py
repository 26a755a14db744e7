"""``candle verify``: what is stored, looked at row by row, and what of it is missing."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from candle_core.cli.common import Session, check_range, command, range_options
from candle_core.cli.errors import describe, exit_code
from candle_core.cli.outcomes import Outcome, attempt, failure_document, tell_failures, worst_if_all_failed
from candle_core.cli.render import Cell, Column, fields_of, jsonable, moment, print_table
from candle_core.cli.revised import SHOWN as SHOWN_REVISIONS
from candle_core.cli.revised import Revised, find_revisions, print_revisions, revision_documents
from candle_core.cli.running import run_async
from candle_core.symbols import chosen
from candle_hookspecs import AnomalyKind, SymbolQuery, VerifyReport

SHOWN: Final = 3
"""Gaps of one symbol that are named."""

_WRONG: Final = {
    AnomalyKind.HIGH: "a high below another price",
    AnomalyKind.LOW: "a low above another price",
    AnomalyKind.PRICE: "a negative price",
    AnomalyKind.VOLUME: "a negative volume",
}

_COLUMNS = [
    Column("symbol", style="bold"),
    Column("rows", right=True),
    Column("covered", right=True),
    Column("missing", right=True),
    Column("empty", right=True),
    Column("not listed", right=True, spare=True),
    Column("out of reach", right=True, spare=True),
    Column("off grid", right=True, spare=True),
    Column("anomalies", right=True),
    Column("revised", right=True),
    Column("first", spare=True),
    Column("last", spare=True),
    Column("state"),
]


@command
@click.argument("symbols", nargs=-1, metavar="[SYMBOL]...")
@click.option("--exchange", metavar="NAME", help="Only symbols of this exchange.")
@click.option("--tradetype", metavar="NAME", help="Only symbols of this trade type: SPOT, SWAP, FUTURE.")
@click.option("--timeframe", metavar="NAME", help="Only symbols of this timeframe.")
@click.option("--revisions", is_flag=True, help="Show how later answers changed candles.")
@range_options(start="the first candle", end="the last candle")
def verify(
    session: Session,
    symbols: tuple[str, ...],
    exchange: str | None,
    tradetype: str | None,
    timeframe: str | None,
    revisions: bool,
    start: str | None,
    end: str | None,
) -> int:
    """Look at every stored candle of each SYMBOL, or of all symbols; nobody is asked.

    SYMBOL is a market (BTC/USDT, BTCUSDT), in all its timeframes, or one symbol (CRYPTO-BINANCE-SPOT-BTC-USDT-1m).
    Gaps between the first and the last moment that is stored or proven, and candles that cannot be true, are
    problems, and make the exit code 1.

    \b
    Examples:
      candle verify
      candle verify BTC/USDT --exchange BINANCE --timeframe 1m --start 2024-01-01
      candle verify --revisions
    """
    check_range(start, end)
    query = SymbolQuery(exchange=exchange, tradetype=tradetype, timeframe=timeframe)
    outcomes, revised = run_async(_verify_all(session, symbols, query, (start, end), revisions=revisions))
    reports = [outcome.result for outcome in outcomes if isinstance(outcome.result, VerifyReport)]
    clean = len(reports) == len(outcomes) and all(report.clean for report in reports)
    worst = worst_if_all_failed(outcomes)
    if session.as_json:
        document = {"clean": clean, "symbols": [_document(outcome, revised) for outcome in outcomes]}
        session.emit(({"error": describe(worst)} if worst else {}) | document)
    elif reports:
        print_table(_COLUMNS, [_row(outcome) for outcome in outcomes])
        if revised is not None:
            print_revisions(session, revised)
    elif not outcomes:
        session.note("candle: no symbols are stored yet; `candle collect` fetches candles")
    for report in reports:
        for problem in _problems(report):
            session.note(f"candle: {report.symbol}: {problem}")
    tell_failures(session, outcomes)
    if worst is not None:
        return exit_code(worst)
    return 0 if clean else 1


async def _verify_all(
    session: Session,
    names: Sequence[str],
    query: SymbolQuery,
    bounds: tuple[str | None, str | None],
    *,
    revisions: bool,
) -> tuple[list[Outcome[VerifyReport]], Revised | None]:
    """What came of each symbol and, if wanted, their revisions: in JSON all, in a table the first ones."""
    import candle_core

    start, end = bounds
    async with candle_core.open(session.config) as candles:
        symbols = [record.symbol for record in chosen(names, await candles.symbols(query))]
        most = None if session.as_json else SHOWN_REVISIONS
        revised = await find_revisions(candles, symbols, start, end, most) if revisions else None
        return [await attempt(str(one), candles.verify(one, start=start, end=end)) for one in symbols], revised


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(outcome: Outcome[VerifyReport]) -> tuple[Cell, ...]:
    report = outcome.result
    if not isinstance(report, VerifyReport):
        return (outcome.name, *[None] * (len(_COLUMNS) - 2), "failed")
    slots = report.slots
    return (
        outcome.name,
        slots.rows,
        report.covered,
        slots.missing,
        slots.proven_empty,
        slots.not_listed,
        slots.out_of_reach,
        slots.off_grid,
        sum(anomaly.count for anomaly in report.anomalies),
        report.revisions,
        None if report.first is None else moment(report.first),
        None if report.last is None else moment(report.last),
        _state(report),
    )


def _state(report: VerifyReport) -> str:
    return "clean" if report.clean else "problems"


def _problems(report: VerifyReport) -> Iterator[str]:
    for start, end in report.gaps[:SHOWN]:
        yield f"no answer covers {moment(start)} to {moment(end)} yet; `candle collect` asks for it"
    if (more := len(report.gaps) - SHOWN) > 0:
        yield f"nor for {more:,} stretches more; --json lists them all"
    for anomaly in report.anomalies:
        yield f"{anomaly.count:,} × {_WRONG[anomaly.kind]}, the first at {moment(anomaly.first)}"


def _document(outcome: Outcome[VerifyReport], revised: Revised | None) -> dict[str, Any]:
    report = outcome.result
    if not isinstance(report, VerifyReport):
        return failure_document(outcome)
    head = {"name": outcome.name, "state": _state(report)}
    slots = fields_of(report.slots) | {"symbol": str(report.symbol), "covered": report.covered}
    found = {name: jsonable(getattr(report, name)) for name in ("revisions", "first", "last", "gaps", "anomalies")}
    changed = {} if revised is None else {"revised": revision_documents(revised, outcome.name)}
    return head | slots | found | changed
