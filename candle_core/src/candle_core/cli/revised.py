"""How later answers changed candles: collected for ``candle verify --revisions``, as a table or as JSON."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from candle_core.cli.common import Session
from candle_core.cli.render import Cell, Column, cell_text, fields_of, moment, print_table
from candle_hookspecs import Candles, Revision, Symbol

SHOWN: Final = 40
"""Revisions that a table shows."""

_COLUMNS = [
    Column("symbol", style="bold"),
    Column("open time"),
    Column("changed"),
    Column("answered before"),
    Column("answered after"),
    Column("source before", spare=True),
    Column("source after", spare=True),
]


@dataclass(slots=True)
class Revised:
    """Revisions by symbol, no more than are to be shown, and how many there are."""

    shown: dict[str, list[Revision]] = field(default_factory=dict)
    count: int = 0


async def find_revisions(
    candles: Candles, symbols: Sequence[Symbol], start: str | None, end: str | None, most: int | None
) -> Revised:
    """Go through the revisions of symbols.

    Args:
        candles: an open manager.
        symbols: registered ones.
        start: first open time; None: the first candle's.
        end: first open time no longer looked at; None: all.
        most: keep so many of them, the first; None: all.

    Raises:
        MissingHookError: the database forgets what it replaces.
    """
    found = Revised()
    for symbol in symbols:
        kept = found.shown.setdefault(str(symbol), [])
        async with aclosing(candles.revisions(symbol, start=start, end=end)) as revisions:
            async for revision in revisions:
                if most is None or found.count < most:
                    kept.append(revision)
                found.count += 1
    return found


def print_revisions(session: Session, found: Revised) -> None:
    """A table, if there are any; how many more there are is noted."""
    rows = [_row(symbol, revision) for symbol, kept in found.shown.items() for revision in kept]
    if rows:
        print_table(_COLUMNS, rows)
    if (more := found.count - len(rows)) > 0:
        session.note(f"candle: {more:,} revisions more; --json lists them all")


def revision_documents(found: Revised, symbol: str) -> list[dict[str, Any]]:
    """The revisions of a symbol as JSON."""
    return [fields_of(revision) for revision in found.shown.get(symbol, ())]


def _row(symbol: str, revision: Revision) -> tuple[Cell, ...]:
    changes = (f"{name} {cell_text(old)} → {cell_text(new)}" for name, (old, new) in revision.changes.items())
    answered = (revision.answered_before, revision.answered_after)
    return (
        symbol,
        moment(revision.open_time),
        ", ".join(changes),
        *(None if when is None else moment(when) for when in answered),
        revision.source_before,
        revision.source_after,
    )
