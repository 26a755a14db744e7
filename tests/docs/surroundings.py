"""What a page takes for granted, brought about for those who run it."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from candle_testkit.redis import running
from storage_backends.postgres.tests.server import any_server, create_database, drop_database
from tests.distributions import ROOT
from tests.docs.pages import blocks


@contextmanager
def surroundings(page: str) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """`places` and `environment` for `read`: the servers and the plugin that a page's configurations name."""
    configured = "".join(block.text for block in blocks(page) if block.kind == "toml")
    places: dict[str, str] = {}
    environment: dict[str, str] = {}
    with ExitStack() as stack:
        if "CANDLE_POSTGRES_URL" in configured:
            server = stack.enter_context(any_server())
            environment["CANDLE_POSTGRES_URL"] = database = create_database(server)
            stack.callback(drop_database, server, database)
        if "REDIS_URL" in configured:
            environment["REDIS_URL"] = stack.enter_context(running()).url
        if "9464" in configured:
            port = _free_port()
            places |= {f"{before}9464": f"{before}{port}" for before in ("port = ", "127.0.0.1:")}
        if "[providers.example]" in configured:
            environment["PYTHONPATH"] = folder = stack.enter_context(tempfile.TemporaryDirectory())
            _install(folder)
        yield places, environment


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _install(folder: str) -> None:
    """As `pip install .` does it, but into a folder of its own."""
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", folder]
    command = [sys.executable, "-m", "pip", "install", *options, str(ROOT / "examples" / "candle-example")]
    subprocess.run(command, check=True, timeout=240)
