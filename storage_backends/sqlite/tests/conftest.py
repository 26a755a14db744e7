from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from candle_hookspecs import Registration
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC

Opener = Callable[..., SqliteStorage]


@pytest.fixture
def open_storage(tmp_path: Path) -> Iterator[Opener]:
    """Open the file of this test, with settings; closed in the end."""
    opened: list[SqliteStorage] = []

    def opener(**settings: Any) -> SqliteStorage:
        storage = SqliteStorage(SqliteStorage.Settings(**settings), make_context(tmp_path, "sqlite"))
        opened.append(storage)
        return storage

    yield opener
    for storage in opened:
        storage.candle_close()


@pytest.fixture
def storage(open_storage: Opener) -> SqliteStorage:
    """A storage with one symbol registered."""
    storage = open_storage()
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    return storage
