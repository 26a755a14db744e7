"""What the commands share: their options, the words behind them, and where they write."""

import functools
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from candle_core.secrets import REDACTOR
from candle_hookspecs import BadInputError, BadSpanError

_Function = TypeVar("_Function", bound=Callable[..., Any])

TRADETYPES: Final = frozenset({"SPOT", "SWAP", "FUTURE", "MARGIN", "STOCK", "ETF"})
"""Words that are read as a trade type where one may stand; anything else is a symbol."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command.

    Attributes:
        config: the file that ``--config`` names; None: ``CANDLE_CONFIG``, ``./candle.toml``, or built-in defaults.
        as_json: standard output carries exactly one JSON document.
    """

    config: Path | None
    as_json: bool

    def emit(self, document: object) -> None:
        """Print the JSON document."""
        click.echo(REDACTOR.scrub(json.dumps(document, ensure_ascii=False, indent=2)))

    def note(self, text: str) -> None:
        """Tell the person at the terminal, on standard error."""
        click.echo(REDACTOR.scrub(text), err=True)


def command(function: _Function, *, as_json: str = "Print one JSON document on standard output.") -> click.Command:
    """A command that takes ``--config``, ``--json`` and ``--verbose`` and gets a `Session` as its first argument.

    Args:
        function: what it does; its name is the command's, but for a `_` at its end.
        as_json: what ``--json`` means.
    """

    @functools.wraps(function)
    def run(*arguments: Any, config: Path | None, as_json: bool, verbose: bool, **options: Any) -> Any:
        set_up_logging(verbose)
        return function(Session(config, as_json), *arguments, **options)

    built = click.command(function.__name__.rstrip("_"))(run)
    built.params += [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Settings.  [default: $CANDLE_CONFIG, else ./candle.toml, else built-in]",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help=as_json),
        click.Option(["--verbose", "-v"], is_flag=True, help="Log what happens, on standard error."),
    ]
    return built


# ── the words behind a command ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Target:
    """``EXCHANGE [TRADETYPE] SYMBOL... TIMEFRAME``."""

    exchange: str
    tradetype: str | None
    symbols: tuple[str, ...]
    timeframe: str

    @classmethod
    def of(cls, words: Sequence[str]) -> "Target":
        """Read the words of a command.

        The trade type may be left out; a ticker that looks like one (NYSE's SPOT) is then the symbol, as long as no
        other follows.

        Raises:
            BadInputError: too few words. UnknownTimeframeError: the last one is none.
        """
        from candle_core.timeframes import parse_timeframe

        if len(words) < 3:
            raise BadInputError(
                f"{' '.join(words)!r} is not enough; write EXCHANGE TRADETYPE SYMBOL... TIMEFRAME, "
                f"as in: BINANCE SPOT BTC/USDT 1m"
            )
        exchange, *middle, timeframe = words
        parse_timeframe(timeframe)
        tradetype = middle.pop(0).upper() if len(middle) > 1 and middle[0].upper() in TRADETYPES else None
        return cls(exchange.upper(), tradetype, tuple(dict.fromkeys(middle)), timeframe)

    @property
    def symbol(self) -> str:
        """The one symbol.

        Raises:
            BadInputError: there are several.
        """
        if len(self.symbols) != 1:
            raise BadInputError(f"one symbol at a time here: {', '.join(map(repr, self.symbols))} are several")
        return self.symbols[0]


def range_options(counted: str = "", *, start: str = "", end: str = "now") -> Callable[[_Function], _Function]:
    """``--start``, ``--end`` and ``--count``.

    Args:
        counted: what ``--count`` means; empty: there is none.
        start: where the range begins if nothing is said; empty: that depends.
        end: where it ends if nothing is said.
    """
    first = f"  [default: {start}]" if start else ""

    def add(function: _Function) -> _Function:
        if counted:
            function = click.option("--count", type=click.IntRange(min=1), metavar="N", help=counted)(function)
        for option in (
            click.option("--end", metavar="TIME", help=f"Up to here, exclusive.  [default: {end}]"),
            click.option("--start", metavar="TIME", help=f"From here on: 2024-01-31 or 2024-01-31T12:00 (UTC).{first}"),
        ):
            function = option(function)
        return function

    return add


def store_option(function: _Function) -> _Function:
    """``--store``."""
    means = "One of [stores].  [default: the candles]"
    return click.option("--store", metavar="NAME", default="", help=means)(function)


def check_range(start: str | None, end: str | None) -> None:
    """Refuse a range that cannot be, before anything is opened or written.

    Raises:
        BadSpanError: a text that is no time, or the end does not come after the start.
    """
    from candle_hookspecs import Span, to_ms

    if start and end:
        Span.of(start, end)
    elif start or end:
        to_ms(start or end or "")


def need_range(start: str | None, count: int | None) -> None:
    """Refuse what says no range.

    Raises:
        BadSpanError: neither a start nor a count.
    """
    if start is None and count is None:
        raise BadSpanError("which candles? give --start (and perhaps --end), or --count")


# ── logging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Formatter(logging.Formatter):
    """One line for a record, in UTC; its traceback only for those who debug."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info and os.environ.get("CANDLE_DEBUG") != "1":
            record.exc_info = record.exc_text = None
        return super().format(record)


class _StandardError(logging.Handler):
    """Writes to whatever standard error is now: a progress bar takes its place while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def set_up_logging(verbose: bool) -> None:
    """Warnings, or with `verbose` everything that matters, go to standard error."""
    handler = _StandardError()
    form = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s" if verbose else "%(levelname)s: %(message)s"
    handler.setFormatter(_Formatter(form, datefmt="%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("candle").setLevel(logging.DEBUG if verbose else logging.WARNING)
