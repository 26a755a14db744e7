"""Progress bars on a terminal; nothing elsewhere."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

from candle_core.cli.render import duration

if TYPE_CHECKING:
    from rich.progress import Progress

Move: TypeAlias = Callable[[float, int, float], object]
"""Moves a bar: to a share from 0.0 to 1.0, with so many candles, and so many seconds left (infinite: unknown)."""

NewBar: TypeAlias = Callable[[str], AbstractContextManager[Move | None]]
"""A bar for a symbol while it is under way: what moves it, or None where no bars are drawn."""


@contextmanager
def progress_bars(*, shown: bool = True) -> Iterator[NewBar]:
    """Draw on standard error while the context is open, one bar for each symbol under way."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: nullcontext()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TextColumn("{task.fields[candles]:>11,} candles"),
        TextColumn("{task.fields[left]}", style="dim"),
    )
    # Standard output is left alone, so that a result can go to a file while the bar is drawn.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as progress:
        yield lambda name: _bar(progress, name)


@contextmanager
def _bar(progress: "Progress", name: str) -> Iterator[Move]:
    task = progress.add_task(name, total=None, candles=0, left="")

    def move(done: float, candles: int, left: float) -> None:
        progress.update(
            task,
            total=1.0,
            completed=done,
            candles=candles,
            left=f"{duration(left)} left" if math.isfinite(left) and left > 0 else "",
        )

    yield move
    # The summary will tell. The bar of an interrupted symbol stays, and shows how far it came.
    progress.remove_task(task)
