"""How an error becomes one line, one JSON document and one exit code."""

import errno
import json
import os
import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import click

PIPE_CLOSED: Final = 128 + 13
"""What a program ends with that writes to a pipe nobody reads any more (SIGPIPE)."""


class PipeClosed(Exception):
    """Whoever read our output has gone; that is no failure to speak of."""


class Interrupted(Exception):
    """The user, or the system, asked the command to stop (SIGINT, SIGTERM)."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message or "interrupted; what was committed stays, and the same command goes on from there")
        self.number = number
        self.exit_code = 128 + number


def describe(error: BaseException) -> dict[str, Any]:
    """``{"type": …, "message": …}``."""
    return {"type": type(error).__name__, "message": one_line(error)}


def exit_code(error: BaseException) -> int:
    """What the process ends with because of this error."""
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1


def one_line(error: BaseException) -> str:
    """The message without line breaks and secrets, never empty."""
    from candle_core.secrets import REDACTOR

    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(REDACTOR.scrub(text).split()) or type(error).__name__


def report(error: Exception, *, as_json: bool) -> int:
    """Tell an error on standard error, and with `as_json` on standard output too.

    Returns:
        The exit code.
    """
    if isinstance(error, click.exceptions.Abort):  # what click makes of Ctrl-C outside of our own signal handling
        error = Interrupted(signal.SIGINT, "interrupted")
    if isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC):
        error = _OutputError(f"cannot read or write {error.filename or 'standard output'!r}: {error.strerror or error}")
    if os.environ.get("CANDLE_DEBUG") == "1":
        from candle_core.secrets import scrubbed

        traceback.print_exception(scrubbed(error))
    click.echo(f"candle: {one_line(error)}{_advice(error)}", err=True)
    if as_json:
        with suppress(OSError):  # standard error has it, whether or not this can be written
            click.echo(json.dumps({"error": describe(error)}, ensure_ascii=False))
    return exit_code(error)


@contextmanager
def warnings_told() -> Iterator[None]:
    """Tell our own warnings on standard error as lines like errors, without the place in the code that Python shows."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if category.__module__.startswith("candle_"):
                click.echo(f"candle: warning: {one_line(Warning(message))}", err=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


class _OutputError(Exception):
    """A file or standard output cannot be used."""

    exit_code = 2


def _advice(error: Exception) -> str:
    from candle_hookspecs import CandleError

    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"\nTry '{error.ctx.command_path} --help'."
    if isinstance(error, CandleError | click.ClickException | Interrupted | _OutputError):
        return ""
    return f" ({type(error).__name__}; this is a defect of candle: CANDLE_DEBUG=1 shows where)"
