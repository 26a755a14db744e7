"""A server that is restarted, crashes, or throws its clients out in the middle of the work."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from candle_hookspecs import (
    LoadRead,
    MaintenanceTask,
    Operation,
    OperationType,
    Registration,
    SaveWrite,
    StorageUnavailableError,
)
from candle_postgres import PostgresStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, span
from storage_backends.postgres.tests.server import Server, create_database, running

PAGE = 300


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server that may be stopped."""
    with running() as server:
        yield server


@pytest.fixture
def address(own: Server) -> str:
    return create_database(own.url)


def open_at(url: str, tmp_path: Path, **settings: float) -> PostgresStorage:
    chosen = PostgresStorage.Settings.model_validate({"url": url, **settings})
    storage = PostgresStorage(chosen, make_context(tmp_path, "postgres"))
    storage.candle_register([Registration(market=BTC, timeframes=("1m",))])
    return storage


def save(storage: PostgresStorage, page: int) -> None:
    first, last = page * PAGE, (page + 1) * PAGE
    storage.candle_save(SaveWrite(answers=(answer(candles(range(first, last)), proven=span(first, last)),)))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stale_connections_are_noticed(own: Server, address: str, tmp_path: Path, mode: str) -> None:
    storage = open_at(address, tmp_path)
    threads = [threading.Thread(target=save, args=(storage, page)) for page in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.stop(mode)
    own.start()
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(6 * PAGE))
    own.stop(mode)
    own.start()
    save(storage, 6)
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == 7 * PAGE
    storage.candle_close()


@pytest.mark.slow
def test_a_collection_outlives_restarts(
    own: Server, address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = open_at(address, tmp_path)
    done, failures = threading.Event(), []

    def collect(first: int) -> None:
        page = first
        try:
            while not done.is_set():
                save(storage, page)
                pages.add(page)
                page += 3
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    pages: set[int] = set()
    threads = [threading.Thread(target=collect, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for mode in ("fast", "immediate", "immediate"):
        time.sleep(0.7)
        own.stop(mode)
        time.sleep(0.4)
        own.start()
    with psycopg.connect(own.url, autocommit=True) as owner:
        for _ in range(5):
            time.sleep(0.2)
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'candle-data-manager' AND pid <> pg_backend_pid()"
            )
    time.sleep(0.5)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    slots = sorted(slot for page in pages for slot in range(page * PAGE, (page + 1) * PAGE))
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(slots)
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    assert "trying again for 30 seconds" in caplog.text
    storage.candle_close()


def test_a_server_that_stays_away_is_an_error_that_names_it(own: Server, address: str, tmp_path: Path) -> None:
    storage = open_at(address, tmp_path, reconnect_timeout=0.8)
    own.stop()
    try:
        start = time.monotonic()
        with pytest.raises(StorageUnavailableError, match=r"waited for 0\.8 seconds") as caught:
            save(storage, 0)
        assert time.monotonic() - start >= 0.8
        assert storage.place in str(caught.value)
    finally:
        own.start()
    save(storage, 0)
    assert storage.candle_count(LoadRead(symbol=SYMBOL)) == PAGE
    storage.candle_close()


def test_an_operation_is_not_done_twice_over_a_stale_connection(own: Server, address: str, tmp_path: Path) -> None:
    with psycopg.connect(create_database(own.url)) as owner:
        owner.execute("CREATE TABLE ticks (id serial PRIMARY KEY, price float8)")
        mine = address.replace(address.split("/")[3].split("?", maxsplit=1)[0], owner.info.dbname)
    chosen = PostgresStorage.Settings(url=mine)
    storage = PostgresStorage(chosen, make_context(tmp_path, "postgres"))
    operation = Operation(table="ticks", type=OperationType.INSERT, rows=({"price": 1.5},))
    assert storage.candle_execute(operation) == 1
    own.stop("immediate")
    own.start()
    assert storage.candle_execute(operation) == 1
    with psycopg.connect(mine) as owner:
        assert owner.execute("SELECT price FROM ticks").fetchall() == [(1.5,), (1.5,)]
        assert owner.execute("SELECT to_regclass('candle_meta')").fetchone() == (None,), "no candle tables are made"
    storage.candle_close()
