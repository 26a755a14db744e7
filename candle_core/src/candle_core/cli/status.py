"""``candle status``: where the database is, how it stands, and what exchanges were asked."""

from typing import Any, Final

import click

from candle_core.cli.common import Session, command, store_option
from candle_core.cli.render import Cell, Column, cell_text, fields_of, moment, print_table
from candle_core.cli.running import run_async
from candle_hookspecs import CallStatistics, Statistics, StorageStatus

_DAYS: Final = 30
_DAY: Final = 86_400_000
_COLUMNS: Final = (
    Column("exchange"),
    Column("kind"),
    Column("calls", right=True),
    Column("retries", right=True),
    Column("pauses", right=True, spare=True),
    Column("cache hits", right=True, spare=True),
    Column("hit rate", right=True, spare=True),
    Column("spent", right=True),
    Column("rows", right=True),
    Column("bytes", right=True, spare=True),
    Column("p50", right=True),
    Column("p90", right=True, spare=True),
    Column("p99", right=True, spare=True),
    Column("errors", spare=True),
)


@command
@click.option("--since", metavar="TIME", help=f"Count requests from this day on.  [default: {_DAYS} days ago]")
@store_option
def status(session: Session, since: str | None, store: str) -> int:
    """Show which database is used, where it is, what it holds, and what exchanges were asked lately.

    A database that is not there yet is not made.
    """
    from candle_core.config import load_config

    config = load_config(session.config)
    table = config.store(store) if store else config.storage
    file, backend = None if config.file is None else str(config.file), table.plugin
    found, asked = run_async(_status(session, since, store))
    if session.as_json:
        requests = {} if asked is None else {"requests": fields_of(asked)}
        session.emit({"config": file, "backend": backend} | fields_of(found) | requests)
    else:
        click.echo(_lines({"configuration": file or "none, built-in defaults", "backend": backend}, found))
        if asked is not None and asked.entries:
            click.echo(f"\nrequests since {moment(asked.since)[:10]}")
            print_table(_COLUMNS, [_row(entry) for entry in asked.entries])
        if not found.schema and not store:
            session.note("candle: there are no candles yet; `candle collect` fetches them")
    return 0


async def _status(session: Session, since: str | None, store: str) -> tuple[StorageStatus, Statistics | None]:
    """How the database stands and, unless it is one of the user's own, what exchanges were asked."""
    import candle_core

    async with candle_core.open(session.config) as candles:
        found = await candles.status(store)
        if store:
            return found, None
        return found, await candles.statistics(candles.kernel.clock.now() - _DAYS * _DAY if since is None else since)


def _row(entry: CallStatistics) -> list[Cell]:
    spent = ", ".join(f"{cell_text(cost)} {limit}" for limit, cost in sorted(entry.spent.items()))
    errors = ", ".join(f"{count} {name}" for name, count in sorted(entry.errors.items()))
    waits = [None if seconds is None else f"{seconds:.3f} s" for seconds in (entry.p50, entry.p90, entry.p99)]
    return [
        entry.exchange,
        entry.kind,
        entry.calls,
        entry.retries,
        entry.pauses or None,
        entry.hits or None,
        None if entry.hit_rate is None else f"{entry.hit_rate:.1%}",
        spent or None,
        entry.rows,
        entry.size or None,
        *waits,
        errors or None,
    ]


def _lines(head: dict[str, Any], found: StorageStatus) -> str:
    counts = {name: getattr(found, name) for name in ("symbols", "candles", "facts", "revisions")}
    details = {name.replace("_", " "): value for name, value in found.details.items()}
    size = None if found.size is None else _size(found.size)
    values = head | {"place": found.place, "schema": found.schema or "none yet", "size": size} | counts | details
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {cell_text(value)}" for name, value in values.items())


def _size(size: int) -> str:
    amount, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:,.0f} bytes" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"
