"""Collecting in a process of its own, and ending it at an awkward moment."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.end_to_end.world import World, write_toml

CANDLE = [sys.executable, "-c", "from candle_core.cli import main; main()"]


def start_collecting(world: World, *words: str) -> "subprocess.Popen[str]":
    """``candle collect BINANCE SPOT BTC/USDT 1m …`` on the world's database."""
    file = write_toml(world.sandbox.url, world.path)
    command = [*CANDLE, "collect", "BINANCE", "SPOT", "BTC/USDT", "1m", *words, "--json", "--config", str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=world.path.parent)


def end_after(
    world: World, process: "subprocess.Popen[str]", requests: int, delay: float, number: signal.Signals
) -> None:
    """Send a signal `delay` seconds after so many history requests were seen (or when the process has ended)."""
    deadline = time.monotonic() + 120
    while len(world.asked()) < requests and process.poll() is None:
        assert time.monotonic() < deadline, f"{requests} requests were never made"
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(number)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def leftovers(path: Path) -> set[str]:
    """What lies beside the database when nobody has it open."""
    return {file.name for file in path.parent.iterdir() if file.name.startswith(path.name)}
