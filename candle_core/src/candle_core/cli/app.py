"""The ``candle`` group: which commands there are, and what the process ends with."""

import difflib
import io
import keyword
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

import click

from candle_core.cli.errors import PIPE_CLOSED, PipeClosed, report, warnings_told

COMMANDS: Final = {
    "init": "Write a commented candle.toml.",
    "accounts": "Show where the keys of accounts are kept, and which are found.",
    "plugins": "Show which exchanges, databases and commands are installed.",
    "markets": "List what an exchange trades.",
    "warmup": "Ask exchanges ahead: markets, precision, clocks.",
    "precision": "Show how a market wants prices and amounts, and try an order.",
    "plan": "Say what a collection would ask for, and what that costs.",
    "collect": "Fetch the candles that are missing and keep them.",
    "update": "Keep many symbols fresh, once or again and again.",
    "stream": "Print candles in time order while they are being collected.",
    "load": "Read candles from the database, as a table or a file.",
    "chart": "Draw candles, in the terminal or on a page.",
    "import": "Store the candles of CSV, Parquet or Feather files.",
    "symbols": "List what the database knows, and how much of it is proven.",
    "verify": "Look at every stored candle, and at what is missing.",
    "forget": "Take proof back, and the candles with it if asked.",
    "status": "Show where the database is, and what it holds.",
    "maintain": "Do upkeep of the database.",
    "copy": "Bring what is stored to another database.",
}
"""Name → help. The command ``name`` is the object of that name in the module ``candle_core.cli.name``.

Both have a ``_`` behind the name where it is a word of Python's.
"""


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one when it is typed.

    Besides `COMMANDS` these are the entry points of the group ``candle.commands`` of any installed distribution.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, ours first."""
        return [*COMMANDS, *_foreign_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; this imports it."""
        if cmd_name in COMMANDS:
            home = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
            command = getattr(import_module(f"candle_core.cli.{home}"), home)
        elif cmd_name in _foreign_commands():
            command = _load_foreign(cmd_name)
        else:
            return None
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but a misspelled name is met with the nearest one."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-") and not ctx.resilient_parsing:
            names = self.list_commands(ctx)
            near = difflib.get_close_matches(args[0], names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
            ctx.fail(f"no command {args[0]!r}; {advice}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and help, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        if foreign := _foreign_commands():
            with formatter.section("Commands of other distributions"):
                formatter.write_dl([(name, f"(from {distribution})") for name, distribution in foreign.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command. Click would turn a closed pipe into an ordinary failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="candle-core", prog_name="candle", message="%(prog)s %(version)s")
def candle() -> None:
    """Market history that you can trust: every candle an exchange has, and the proof that there are no more.

    \b
    First steps:
      candle init                                              write a candle.toml
      candle markets BINANCE SPOT --quote USDT                 see what is traded
      candle collect BINANCE SPOT BTC/USDT 1m --count 100000   fetch candles
      candle load BINANCE SPOT BTC/USDT 1m --count 20          look at them

    Every command takes --config FILE, --json and --verbose. It ends with 0 (done), 1 (partly failed),
    2 (bad input), 3 (nothing reachable) or 4 (another update of this database runs).
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    Args:
        arguments: words behind ``candle``; None: those of this process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    for closed in [name for name in ("stdout", "stderr") if getattr(sys, name) is None]:
        # So Python says it; and the next file that is opened, perhaps the database, would take the stream's number.
        setattr(sys, closed, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    _write_all()
    code = run(words)
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command; the exit code. Errors are told on standard error, never by a traceback."""
    try:
        with warnings_told():
            code = candle.main(list(words) or ["--help"], prog_name="candle", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, PipeClosed):
        _let_go()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a line and an exit code
        code = report(error, as_json="--json" in words)
        try:
            sys.stdout.flush()
        except OSError:  # the error is this one, and told
            _let_go()
    return code if isinstance(code, int) else 0


def _write_all() -> None:
    """Let standard output lose nothing where ``PYTHONUNBUFFERED`` is set, as in many containers.

    Python then writes each piece once, and does not look how much of it a pipe took before a signal came.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and isinstance(out.buffer, io.RawIOBase):
        sys.stdout = open(  # noqa: SIM115 - it is open as long as the process is
            out.fileno(), "w", buffering=1, encoding=out.encoding, errors=out.errors, closefd=False
        )


def _let_go() -> None:
    """Let what cannot be written go nowhere. Python flushes standard output once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _foreign_commands() -> dict[str, str]:
    """Name → distribution and version of the commands that other distributions add.

    Not by `discovery`, which imports the contract, and with it numpy and pydantic: this is for who has not chosen yet.
    """
    from importlib.metadata import entry_points

    homes = {point.name: point.dist for point in entry_points(group="candle.commands") if point.name not in COMMANDS}
    return {name: f"{home.name} {home.version}" for name, home in sorted(homes.items()) if home is not None}


def _load_foreign(name: str) -> object:
    from candle_core.discovery import PluginKind, find_plugin
    from candle_hookspecs import BrokenPluginError

    plugin = find_plugin(PluginKind.COMMAND, name)
    command = plugin.load()
    if not isinstance(command, click.Command):
        raise BrokenPluginError(f"{plugin} is not a click command: {command!r}")
    return command
