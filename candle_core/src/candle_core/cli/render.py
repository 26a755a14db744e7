"""How values look: tables, numbers, times; and the same values as JSON."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import click

Cell: TypeAlias = str | int | float | Decimal | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        right: aligned to the right, as numbers are.
        style: rich's, seen on a terminal only.
        spare: left out where it has nothing to say, or where a terminal is too narrow for all.
    """

    title: str
    right: bool = False
    style: str = ""
    spare: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """A table on standard output: drawn by rich on a terminal, plain aligned text elsewhere."""
    said = [i for i, column in enumerate(columns) if not column.spare or any(row[i] is not None for row in rows)]
    columns = [columns[index] for index in said]
    texts = [[cell_text(row[index]) for index in said] for row in rows]
    if sys.stdout.isatty():
        _print_drawn(columns, texts)
    else:
        click.echo(plain_table(columns, texts), nl=False)


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Lines of text, columns two spaces apart, nothing cut off."""
    lines = [[column.title for column in columns], *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "".join(
        "  ".join(
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def _print_drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    shown = _fitting(columns, rows, console.width)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for column in (columns[index] for index in shown):
        table.add_column(column.title, justify="right" if column.right else "left", style=column.style, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[index]) for index in shown))
    console.print(table)
    if hidden := [column.title for index, column in enumerate(columns) if index not in shown]:
        console.print(Text(f"this terminal is too narrow for: {', '.join(hidden)}", style="dim"))


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns to show: spare ones are given up, the last first, until the rest fits."""
    widths = [max(len(text) for text in (column.title, *texts)) for column, *texts in zip(columns, *rows, strict=True)]
    shown = list(range(len(columns)))
    for index in reversed(range(len(columns))):
        if columns[index].spare and sum(widths[one] + 2 for one in shown) > width:
            shown.remove(index)
    return shown


def cell_text(cell: Cell) -> str:
    """A value for people; an absent one is a dash."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, Decimal):
        return f"{cell.normalize():f}" if cell else "0"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.12g}"
    return cell


def duration(seconds: float) -> str:
    """``0.4 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(when: datetime) -> str:
    """``2024-01-31T12:00:00Z``."""
    from candle_hookspecs import iso, to_ms

    return iso(to_ms(when))


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, as JSON can say them."""
    return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}


def jsonable(value: Any) -> Any:
    """A value as JSON can say it: times as ISO text, exact decimals as text, what is no number as null."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Decimal):
        return cell_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [jsonable(inner) for inner in value]
    return value
