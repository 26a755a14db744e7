"""A user's folder with a candle.toml that points to a sandbox exchange, and the command line to type in it."""

import fcntl
import json
import logging
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from candle_core.cli.app import run
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig

COMMAND = str(Path(sys.executable).with_name("candle"))
NOW = "2024-03-01T00:00:30"
KLINES = "/api/v3/klines"


@dataclass(frozen=True)
class Outcome:
    """What one command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)

    def failed_with(self, code: int, *words: str) -> None:
        """It ended with this code and one clear line that has these words, no traceback, and nothing on the output."""
        assert (self.code, self.out) == (code, ""), self
        assert "Traceback" not in self.err
        (line,) = [line for line in self.err.splitlines() if not line.startswith("Try ")]
        assert line.startswith("candle: ")
        assert [word for word in words if word not in line] == [], line


Candle = Callable[..., Outcome]


@contextmanager
def terminal(columns: int) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def seen(ours: int, until: str | None = None) -> str:
    """What was printed, without colours and the moves of the cursor: all of it, or no more than shows these words."""
    text, shown, deadline = b"", "", time.monotonic() + 300
    while until is None or until not in shown:
        assert select.select([ours], [], [], max(0, deadline - time.monotonic()))[0], shown
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not piece:
            break
        text += piece
        shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text.decode(errors="ignore"))
    return shown


@pytest.fixture(scope="session")
def exchange() -> Iterator[Sandbox]:
    """One sandbox for all; its clock stands still."""
    with Sandbox(SandboxConfig(clock=NOW, speed=0, limits=Limits(weight=None))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(exchange: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, with nothing ordered, nothing logged and nothing counted: its minute never ends."""
    exchange.ledger.clear()
    exchange.forgive()
    yield exchange
    exchange.faults.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; no setting of the machine's own reaches into it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CANDLE_") and name != "CANDLE_CACHE_DIR"]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def candle(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Candle]:
    """Type a command into this process, in which nobody hesitates before asking again."""
    monkeypatch.setattr("candle_core.retry.FIRST_DELAY", 0.001)
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def typed(*words: str) -> Outcome:
        capfd.readouterr()
        code = run(words)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    yield typed
    root.handlers[:], root.level = before


@pytest.fixture
def shell(folder: Path) -> Candle:
    """Type a command into a process of its own, with further environment variables."""

    def typed(*words: str, **environment: str) -> Outcome:
        settings = os.environ | environment
        done = subprocess.run([COMMAND, *words], cwd=folder, env=settings, capture_output=True, text=True, check=False)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return typed


@pytest.fixture
def config(folder: Path, sandbox: Sandbox) -> Path:
    """./candle.toml, pointing to the sandbox."""
    file = folder / "candle.toml"
    file.write_text(f'[providers.binance]\nrest_url = "{sandbox.url}"\n')
    return file


@pytest.fixture
def day(config: Path, candle: Candle) -> None:
    """2024-02-01 of BTC/USDT in minutes is in the database."""
    words = ("collect", "BINANCE", "SPOT", "BTC/USDT", "1m", "--start", "2024-02-01", "--end", "2024-02-02")
    assert candle(*words).code == 0
