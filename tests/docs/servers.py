"""Servers that a page takes for granted, started for those who run it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from candle_testkit.redis import running
from storage_backends.postgres.tests.server import any_server, create_database, drop_database
from tests.docs.pages import blocks


@contextmanager
def servers(page: str) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What `read` wants to know of the servers that a page's configurations name: `places` and `environment`."""
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
        yield places, environment


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
