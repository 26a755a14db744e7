"""``candle status``: where the database is, and how it stands."""

from typing import Any

import click

from candle_core.cli.common import Session, command, store_option
from candle_core.cli.render import cell_text, fields_of
from candle_core.cli.running import run_async
from candle_hookspecs import StorageStatus


@command
@store_option
def status(session: Session, store: str) -> int:
    """Show which database is used, where it is, and what it holds. One that is not there yet is not made."""
    from candle_core.config import load_config

    config = load_config(session.config)
    table = config.store(store) if store else config.storage
    file, backend = None if config.file is None else str(config.file), table.plugin
    found = run_async(_status(session, store))
    if session.as_json:
        session.emit({"config": file, "backend": backend} | fields_of(found))
    else:
        click.echo(_lines({"configuration": file or "none, built-in defaults", "backend": backend}, found))
        if not found.schema and not store:
            session.note("candle: there are no candles yet; `candle collect` fetches them")
    return 0


async def _status(session: Session, store: str) -> StorageStatus:
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.status(store)


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
