"""``candle chart``: what is stored, drawn in the terminal or on a page."""

import math
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from candle_core.cli.common import Session, Target, check_range, command, range_options
from candle_core.cli.render import jsonable
from candle_core.cli.running import run_async
from candle_hookspecs import BadInputError, iso

if TYPE_CHECKING:
    from candle_core.chart import Chart

_PAGE_BARS: Final = 240
_LEAST_WIDTH: Final = 40
_HEIGHT: Final = 18
_COLUMNS: Final = ("open", "high", "low", "close", "volume")


@command
@click.argument("words", nargs=-1, required=True, metavar="EXCHANGE [TRADETYPE] SYMBOL TIMEFRAME")
@range_options("The newest N slots, or the first N from --start on.", end="behind the newest candle")
@click.option(
    "--bars", type=click.IntRange(2, 2000), metavar="N", help="At most so many bars.  [default: as many as fit]"
)
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="A page (.html) or image (.svg).")
def chart(
    session: Session,
    words: tuple[str, ...],
    start: str | None,
    end: str | None,
    count: int | None,
    bars: int | None,
    output: Path | None,
) -> int:
    """Draw stored candles; nobody is asked for more. `candle collect` fetches them first.

    A range longer than what fits is drawn in longer bars. Without a range: the newest slots that fit. What is proven
    to be empty looks different from what nobody has asked for yet.

    \b
    Examples:
      candle chart BINANCE SPOT BTC/USDT 1h
      candle chart BINANCE SPOT BTC/USDT 1m --start 2024-01-01 --end 2024-02-01 -o january.html
    """
    target = Target.of(words)
    check_range(start, end)
    if output is not None and output.suffix.lower() not in (".html", ".htm", ".svg"):
        raise BadInputError(f"a chart is a page or an image; name {str(output)!r} *.html or *.svg")
    width = max(_LEAST_WIDTH, shutil.get_terminal_size((80, 24)).columns)
    options = {"start": start, "end": end, "count": count, "bars": bars or _most_bars(width, output)}
    drawn = run_async(_read(session, target, options))
    if output is not None:
        _write(drawn, output)
    if session.as_json:
        session.emit(({"file": str(output)} if output else {}) | _document(drawn))
    elif output is not None:
        session.note(f"drew {int(drawn.candles.sum()):,} candles in {len(drawn):,} bars to {output}")
    else:
        _print(drawn, max(width, len(drawn) + _axis()))
    return 0


def _most_bars(width: int, output: Path | None) -> int:
    return _PAGE_BARS if output is not None else width - _axis()


def _axis() -> int:
    from candle_core.cli.chart_text import AXIS

    return AXIS


async def _read(session: Session, target: Target, options: dict[str, Any]) -> "Chart":
    import candle_core

    async with candle_core.open(session.config) as candles:
        return await candles.chart(
            target.symbol, target.timeframe, exchange=target.exchange, tradetype=target.tradetype, **options
        )


def _print(drawn: "Chart", width: int) -> None:
    from candle_core.cli.chart_text import draw

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(draw(drawn, width=width, height=_HEIGHT, colour=colour))


def _write(drawn: "Chart", output: Path) -> None:
    from candle_core.cli.chart_page import image, page
    from candle_core.cli.export import atomic

    text = image(drawn) if output.suffix.lower() == ".svg" else page(drawn)
    with atomic(output) as file:
        file.write(text.encode())


def _document(drawn: "Chart") -> dict[str, Any]:
    columns = {name: getattr(drawn, name).tolist() for name in (*_COLUMNS, "candles")}
    columns |= {name: counts.tolist() for name, counts in drawn.slots.items()}
    bars = [
        {"open_time": iso(moment)} | dict(zip(columns, map(_number, values), strict=True))
        for moment, *values in zip(drawn.open_time.tolist(), *columns.values(), strict=True)
    ]
    return {
        "symbol": str(drawn.symbol),
        "time_range": [iso(drawn.span.start), iso(drawn.span.end)],
        "bar_length": drawn.bar_length,
        "slots_per_bar": drawn.slots_per_bar,
        "bars": bars,
    }


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else jsonable(value)
