"""``candle maintain``: upkeep of the database, done now instead of by the clock."""

from collections.abc import Sequence

import click

from candle_core.cli.common import Session, command, store_option
from candle_core.cli.render import Column, duration, jsonable, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import MaintenanceReport, MaintenanceTask

_COLUMNS = [
    Column("task", style="bold"),
    Column("changed", right=True),
    Column("problems", right=True),
    Column("took", right=True),
]


@command
@click.argument("tasks", nargs=-1, metavar="[TASK]...", type=click.Choice(list(MaintenanceTask), case_sensitive=False))
@store_option
def maintain(session: Session, tasks: tuple[str, ...], store: str) -> int:
    """Do upkeep of the database: each TASK to its end, or all of them. Others may write meanwhile.

    \b
    compact     unite coverage facts that touch
    vacuum      give back the room of what was deleted
    analyze     bring the planner's statistics up to date
    checkpoint  take the log in
    check       look for damage; what is found is named, and makes the exit code 1
    """
    reports = run_async(_maintain(session, tasks, store))
    sound = not any(report.problems for report in reports)
    if session.as_json:
        session.emit({"sound": sound, "tasks": jsonable(reports)})
    else:
        rows = [(one.task.value, one.changed, len(one.problems), duration(one.seconds)) for one in reports]
        print_table(_COLUMNS, rows)
    for report in reports:
        for problem in report.problems:
            session.note(f"candle: {report.task.value}: {problem}")
    return 0 if sound else 1


async def _maintain(session: Session, tasks: Sequence[str], store: str) -> list[MaintenanceReport]:
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.maintain(tasks, store=store)
