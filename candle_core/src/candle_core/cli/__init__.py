"""The command line, ``candle``. Each command's module is imported when the command is typed."""

from candle_core.cli.app import main

__all__ = ["main"]
