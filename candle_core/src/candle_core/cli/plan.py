"""``candle plan``: what a collection would ask for, and what that costs, before anything is fetched."""

from collections.abc import Sequence
from typing import Any, Final

import click

from candle_core.cli.common import Session, Target, check_range, command, need_range, range_options
from candle_core.cli.errors import describe, exit_code
from candle_core.cli.outcomes import Outcome, attempt, caption, failure_document, tell_failures, worst_if_all_failed
from candle_core.cli.render import Cell, Column, duration, fields_of, jsonable, moment, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import CollectionPlan, ConfigError, PluginError, Spending, StorageError

SHOWN: Final = 5
"""Missing stretches of one symbol that are listed below the table."""

_COLUMNS = [
    Column("symbol", style="bold"),
    Column("wanted", right=True),
    Column("covered", right=True),
    Column("missing", right=True),
    Column("stretches", right=True),
    Column("requests", right=True),
]


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL... TIMEFRAME")
@range_options("The newest N candles, or the first N from --start on.")
@click.option("--refetch", is_flag=True, help="As if nothing were known already.")
def plan(
    session: Session, words: tuple[str, ...], start: str | None, end: str | None, count: int | None, refetch: bool
) -> int:
    """Say what `candle collect` with the same words would ask for: slots of the time grid, requests, cost, time.

    No history is asked for. The figures are those of a market with a candle in every slot, and the time is what the
    exchange's limits need to grant so many requests.

    \b
    Example:
      candle plan BINANCE SPOT BTC/USDT ETH/USDT 1m --start 2020-01-01 --end 2025-01-01
    """
    target = Target.of(words)
    check_range(start, end)
    need_range(start, count)
    wanted = {"start": start, "end": end, "count": count, "refetch": refetch}
    outcomes = run_async(_plan_all(session, target, wanted))
    plans = [outcome.result for outcome in outcomes if isinstance(outcome.result, CollectionPlan)]
    total = _total(plans)
    worst = worst_if_all_failed(outcomes)
    if session.as_json:
        document = {"symbols": [_document(outcome) for outcome in outcomes], "total": _total_document(plans, total)}
        session.emit(({"error": describe(worst)} if worst else {}) | document)
    elif plans:
        click.echo(caption(target, [one.time_range for one in plans]))
        _print(outcomes, plans, total)
    tell_failures(session, outcomes)
    if worst is not None:
        return exit_code(worst)
    return 0 if len(plans) == len(outcomes) else 1


async def _plan_all(session: Session, target: Target, wanted: dict[str, Any]) -> list[Outcome[CollectionPlan]]:
    import candle_core

    wanted = wanted | {"exchange": target.exchange, "tradetype": target.tradetype}
    fatal = (ConfigError, PluginError, StorageError)
    async with candle_core.open(session.config) as candles:
        return [
            await attempt(symbol, candles.plan_collection(symbol, target.timeframe, **wanted), fatal=fatal)
            for symbol in target.symbols
        ]


def _total(plans: Sequence[CollectionPlan]) -> tuple[Spending, ...]:
    from candle_core.estimate import together

    return together(plans)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _print(
    outcomes: Sequence[Outcome[CollectionPlan]], plans: Sequence[CollectionPlan], total: tuple[Spending, ...]
) -> None:
    limits = [Column(one.limit.name, right=True) for one in total]
    columns = [*_COLUMNS, *limits, Column("takes up to", right=True)]
    rows = [_row(outcome, len(limits)) for outcome in outcomes]
    if len(plans) > 1:
        rows.append(("total", *map(sum, zip(*map(_counts, plans), strict=True)), *_costs(total)))
    print_table(columns, rows)
    for outcome in outcomes:
        if isinstance(outcome.result, CollectionPlan):
            _print_missing(outcome.name, outcome.result)


def _row(outcome: Outcome[CollectionPlan], limits: int) -> tuple[Cell, ...]:
    plan = outcome.result
    if not isinstance(plan, CollectionPlan):
        return (outcome.name, *[None] * (len(_COLUMNS) - 1 + limits), "failed")
    return (outcome.name, *_counts(plan), *_costs(plan.spending))


def _counts(plan: CollectionPlan) -> tuple[int, ...]:
    return plan.wanted, plan.already_covered, plan.asked, len(plan.missing), plan.requests


def _costs(spending: Sequence[Spending]) -> tuple[Cell, ...]:
    costs = [int(one.cost) if one.cost == int(one.cost) else one.cost for one in spending]
    return (*costs, duration(_seconds(spending)))


def _seconds(spending: Sequence[Spending]) -> float:
    return max((one.seconds for one in spending), default=0.0)


def _print_missing(name: str, plan: CollectionPlan) -> None:
    """The stretches, where they are not simply the whole range."""
    if plan.asked == plan.wanted:
        return
    for start, end in plan.missing[:SHOWN]:
        click.echo(f"{name} lacks {moment(start)} to {moment(end)}")
    if (more := len(plan.missing) - SHOWN) > 0:
        click.echo(f"{name} lacks {more:,} stretches more; --json lists them all")


def _document(outcome: Outcome[CollectionPlan]) -> dict[str, Any]:
    plan = outcome.result
    if not isinstance(plan, CollectionPlan):
        return failure_document(outcome)
    head = {"name": outcome.name, "state": "planned"}
    own = {"symbol": str(plan.symbol), "estimated_seconds": round(plan.estimated_seconds, 3)}
    return head | fields_of(plan) | own


def _total_document(plans: Sequence[CollectionPlan], total: tuple[Spending, ...]) -> dict[str, Any]:
    return {
        "wanted": sum(plan.wanted for plan in plans),
        "already_covered": sum(plan.already_covered for plan in plans),
        "asked": sum(plan.asked for plan in plans),
        "requests": sum(plan.requests for plan in plans),
        "spending": jsonable(total),
        "estimated_seconds": round(_seconds(total), 3),
    }
