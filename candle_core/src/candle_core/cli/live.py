"""A table on a terminal that says how an update fares; nothing elsewhere."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from candle_core.cli.render import duration
from candle_hookspecs import Symbol, UpdateProgress, UpdateState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

Watch: TypeAlias = Callable[[UpdateProgress], None]

REDRAWN: Final = 0.1
"""Seconds from one drawing to the next."""
NAMED: Final = 6
"""Symbols under way that are named for each exchange."""


@dataclass(slots=True)
class _Exchange:
    began: float
    now: UpdateProgress | None = None
    under_way: dict[Symbol, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.now.total_rows if self.now else 0

    def take(self, now: UpdateProgress) -> None:
        self.now = now
        if now.state in (UpdateState.DONE, UpdateState.FAILED):
            self.under_way.pop(now.symbol, None)
        else:
            self.under_way[now.symbol] = now.symbol_rows

    def left(self) -> str:
        """How long the rest takes if its symbols take as long as those before; they tend to take longer."""
        now = self.now
        if now is None or not (ended := now.done_symbols + now.failed_symbols):
            return ""
        rest = now.total_symbols - now.skipped_symbols - ended
        return duration((time.monotonic() - self.began) / ended * rest) if rest else ""


class LiveTable:
    """Draws on standard error while its context is open, a line for each exchange and its symbols under way.

    Attributes:
        shown: whether there is a terminal to draw on.
    """

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self._exchanges: dict[str, _Exchange] = {}
        self._live: Live | None = None
        self._drawn = 0.0

    @property
    def rows(self) -> int:
        """Candles received so far, in the latest run of each exchange."""
        return sum(one.rows for one in self._exchanges.values())

    def watch(self, exchange: str) -> Watch:
        """A new run of an exchange begins; what is to be told of it."""
        state = self._exchanges[exchange] = _Exchange(time.monotonic())

        def watch(now: UpdateProgress) -> None:
            state.take(now)
            if self._live is not None and time.monotonic() - self._drawn >= REDRAWN:
                self.draw()

        return watch

    def draw(self) -> None:
        """Show how things stand."""
        if self._live is not None:
            self._drawn = time.monotonic()
            self._live.update(self._picture(), refresh=True)

    def __enter__(self) -> Self:
        if self.shown:
            from rich.console import Console
            from rich.live import Live

            # Standard output is left alone where it is no terminal, so that a result can go to a file.
            self._live = Live(
                console=Console(stderr=True), auto_refresh=False, transient=True, redirect_stdout=sys.stdout.isatty()
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> "RenderableType":
        from rich.box import SIMPLE_HEAD
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        table.add_column("exchange", style="bold")
        for title in ("done", "failed", "skipped", "total", "rows", "requests", "left"):
            table.add_column(title, justify="right")
        lines: list[Text] = []
        for name, one in self._exchanges.items():
            now = one.now
            counts = (
                (
                    now.done_symbols,
                    now.failed_symbols,
                    now.skipped_symbols,
                    now.total_symbols,
                    now.total_rows,
                    now.requests,
                )
                if now
                else ()
            )
            table.add_row(name, *(f"{count:,}" for count in counts), *[""] * (6 - len(counts)), one.left())
            shown = list(one.under_way.items())[:NAMED]
            lines += (Text(f"{symbol!s}  {rows:,} rows", style="dim") for symbol, rows in shown)
            if (more := len(one.under_way) - len(shown)) > 0:
                lines.append(Text(f"and {more:,} more of {name}", style="dim"))
        return Group(table, *lines)
