from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from candle_hookspecs import Registration
from candle_postgres import PostgresStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC
from storage_backends.postgres.tests.server import EMPTY, any_server, create_database, drop_database, in_use

Opener = Callable[..., PostgresStorage]
Databases = Callable[..., str]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server."""
    with any_server() as url:
        yield url


@pytest.fixture
def databases(server: str) -> Iterator[Databases]:
    """The URL of a database by any name; it is made when it is first asked for, and dropped after the test.

    Copies are dropped as soon as nobody is connected to them and another is wanted.
    """
    made: dict[object, str] = {}

    def database(name: object, template: str = EMPTY) -> str:
        if name not in made:
            for left in [one for one in made if template != EMPTY and not in_use(made[one])]:
                drop_database(server, made.pop(left))  # files so young were never written to the disk
            made[name] = create_database(server, template)
        return made[name]

    yield database
    for url in made.values():
        drop_database(server, url)


@pytest.fixture(scope="session")
def blueprint(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A template with all tables and nothing in them: to copy it takes a quarter of the time that making them does."""
    url = create_database(server)
    settings = PostgresStorage.Settings(url=SecretStr(url))
    storage = PostgresStorage(settings, make_context(tmp_path_factory.mktemp("blueprint"), "postgres"))
    with storage._write():
        pass
    storage.candle_close()
    yield urlsplit(url).path[1:]
    drop_database(server, url)


@pytest.fixture
def url(databases: Databases) -> str:
    """An empty database."""
    return databases("")


@pytest.fixture
def open_storage(url: str, tmp_path: Path) -> Iterator[Opener]:
    """Open the database of this test, with settings; closed in the end."""
    opened: list[PostgresStorage] = []

    def opener(**settings: Any) -> PostgresStorage:
        chosen = PostgresStorage.Settings(**{"url": url, **settings})
        storage = PostgresStorage(chosen, make_context(tmp_path, "postgres"))
        opened.append(storage)
        return storage

    yield opener
    for storage in opened:
        storage.candle_close()


@pytest.fixture
def storage(open_storage: Opener) -> PostgresStorage:
    """A storage with one symbol registered."""
    storage = open_storage()
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    return storage
