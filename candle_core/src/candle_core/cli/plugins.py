"""``candle plugins``: what is installed, and whether it works."""

from typing import TYPE_CHECKING

import click

from candle_core.cli.common import Session, command
from candle_core.cli.render import Column, jsonable, print_table
from candle_core.cli.running import run_async

if TYPE_CHECKING:
    from candle_core.checkup import PluginState


@command
@click.option("--check", is_flag=True, help="Import and build each of them, and say what is wrong.")
def plugins(session: Session, check: bool) -> int:
    """Show the installed plugins: distribution, version, kind and name.

    Nothing is imported for that. With --check each plugin is imported and built with its table of the
    configuration; one that fails makes the exit code 1. One that needs a table, and has none, is unset.
    """
    return _check(session) if check else _list(session)


def _list(session: Session) -> int:
    from candle_core.discovery import installed_plugins

    found = installed_plugins()
    if session.as_json:
        names = ("distribution", "version", "kind", "name")
        session.emit({"plugins": [{name: str(getattr(plugin, name)) for name in names} for plugin in found]})
    else:
        rows = [(plugin.distribution, plugin.version, plugin.kind.value, plugin.name) for plugin in found]
        print_table([Column("distribution"), Column("version"), Column("kind"), Column("name", style="bold")], rows)
    return 0


def _check(session: Session) -> int:
    states = run_async(_states(session))
    if session.as_json:
        session.emit({"plugins": jsonable(states)})
    else:
        columns = [*map(Column, ("distribution", "version", "kind")), Column("name", style="bold"), Column("state")]
        rows = [
            (one.distribution, one.version, one.kind, one.name, one.state, ", ".join(one.hooks) or one.error)
            for one in states
        ]
        print_table([*columns, Column("hooks, or what is wrong")], rows)
    return 1 if any(state.state == "error" for state in states) else 0


async def _states(session: Session) -> "list[PluginState]":
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.check_plugins()
