"""What the command line says of itself, and how it meets what it does not know."""

import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import IO

import pytest

from candle_core.cli.app import COMMANDS

from .conftest import COMMAND, Candle


def test_help_names_every_command(candle: Candle) -> None:
    outcome = candle("--help")
    assert outcome.code == 0
    listed = {line.split()[0] for line in outcome.out.splitlines() if line.startswith("  ") and line.split()}
    assert {*COMMANDS, "sandbox"} <= listed


def test_a_bare_word_shows_the_help_as_it_is_laid_out(candle: Candle) -> None:
    assert (candle().code, candle().out) == (0, candle("--help").out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options(candle: Candle, name: str) -> None:
    outcome = candle(name, "--help")
    assert outcome.code == 0
    for option in ("--config FILE", "--json", "--verbose"):
        assert option in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_what_the_command_says_itself(candle: Candle, name: str) -> None:
    assert candle(name, "--help").out.startswith(f"Usage: candle {name} ")


def test_version(candle: Candle) -> None:
    assert candle("--version").out == "candle 0.1.0\n"


def test_a_misspelled_command_is_met_with_the_nearest(candle: Candle) -> None:
    candle("colect").failed_with(2, "'colect'", "did you mean 'collect'?")


def test_an_unknown_command_is_met_with_all(candle: Candle) -> None:
    candle("xyzzy").failed_with(2, "'xyzzy'", ", ".join(COMMANDS), "sandbox")


def test_an_unknown_option(candle: Candle) -> None:
    candle("markets", "BINANCE", "--qote", "USDT").failed_with(2, "--qote", "--quote")


def test_errors_of_usage_are_json_too(candle: Candle) -> None:
    outcome = candle("collect", "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["type"] == "MissingParameter"


def test_a_closed_pipe_is_quiet(config: Path, candle: Candle) -> None:
    week = ("--start", "2024-01-01", "--end", "2024-01-08")  # far more than a pipe holds before anybody reads
    assert candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *week).code == 0
    words = ("load", "BINANCE", "SPOT", "BTC/USDT", "1m", "--format", "csv")
    script = f"set -o pipefail; '{COMMAND}' {' '.join(words)} | head -n 1"
    done = subprocess.run(["bash", "-c", script], cwd=config.parent, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("open_time,")
    assert (done.stdout.count("\n"), done.stderr, done.returncode) == (1, "", 141)


def test_a_pipe_gets_all_of_it_where_python_does_not_buffer(config: Path, candle: Candle) -> None:
    """As in many containers; a process that is stopped in the middle of a write is told that less was taken."""
    week = ("--start", "2024-01-01", "--end", "2024-01-08")
    assert candle("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *week).code == 0
    words = [COMMAND, "load", "BINANCE", "SPOT", "BTC/USDT", "1m", "--format", "csv"]
    whole = subprocess.run(words, capture_output=True, check=True).stdout
    assert whole.count(b"\n") == 1 + 7 * 1440
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        until_full(process.stdout)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == whole
    assert process.returncode == 0


def until_full(pipe: IO[bytes]) -> None:
    """Wait until whoever writes to it waits: it holds much, and for a while no more of it."""
    held, looks, deadline = 0, 0, time.monotonic() + 120
    while looks < 20:
        assert time.monotonic() < deadline
        before, held = held, struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
        looks = looks + 1 if held == before > 0 else 0
        time.sleep(0.02)
