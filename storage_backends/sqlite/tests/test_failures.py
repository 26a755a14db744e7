"""What a user is told when the file cannot be had, and that nothing half-written stays."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from candle_hookspecs import (
    CandleError,
    LoadRead,
    Registration,
    SaveWrite,
    StorageCorruptError,
    StorageFullError,
    StorageSchemaError,
    StorageUnavailableError,
    SymbolQuery,
)
from candle_sqlite import SqliteStorage
from candle_testkit.contracts.storage.harness import BTC, SYMBOL, answer, candles, span

Opener = Callable[..., SqliteStorage]


def register(storage: SqliteStorage) -> object:
    return storage.candle_register([Registration(market=BTC, timeframes=("1m",))])


def look(storage: SqliteStorage) -> object:
    return storage.candle_symbols(SymbolQuery())


def test_a_missing_folder(open_storage: Opener, tmp_path: Path) -> None:
    storage = open_storage(path="no/such/candles.db")
    for ask in (register, look):
        with pytest.raises(StorageUnavailableError, match=r"no folder .*no/such.*create it") as caught:
            ask(storage)
        assert caught.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file(open_storage: Opener, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError, match="it is a folder"):
        register(open_storage(path=tmp_path))


@pytest.mark.parametrize("content", [b"open_time,open,high\n" * 300, b"\x00\xff" * 4096], ids=["text", "noise"])
def test_not_a_database(open_storage: Opener, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "candles.sqlite3").write_bytes(content)
    storage = open_storage()
    for ask in (register, look):
        with pytest.raises(StorageCorruptError, match=r"candles\.sqlite3.*\[storage\]"):
            ask(storage)
    assert (tmp_path / "candles.sqlite3").read_bytes() == content


def test_a_foreign_database(open_storage: Opener, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "candles.sqlite3")) as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    storage = open_storage()
    for ask in (register, look):
        with pytest.raises(StorageSchemaError, match=r"not a candle database.*invoices"):
            ask(storage)


def test_a_damaged_file(storage: SqliteStorage, open_storage: Opener) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(20_000))),)))
    storage.candle_close()
    path = Path(storage.place)
    with path.open("r+b") as file:
        file.seek(200_000)
        file.write(b"\xa5" * 400_000)
    with pytest.raises(StorageCorruptError, match=r"damaged.*restore"):
        open_storage().candle_load(LoadRead(symbol=SYMBOL))


def test_a_full_disk_stores_nothing_of_the_write(storage: SqliteStorage) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(100)), proven=span(0, 100)),)))
    with storage._connections.outside() as driver:
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        driver.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StorageFullError, match=r"candles\.sqlite3.*free space"):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(50_000)), at=2, proven=span(0, 50_000)),)))
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(100))
    with closing(sqlite3.connect(storage.place)) as anyone:
        assert anyone.execute("SELECT count(*) FROM coverage").fetchone() == (1,)
        assert anyone.execute("SELECT candle_count FROM symbols").fetchone() == (100,)
    with storage._connections.outside() as driver:
        driver.execute("PRAGMA max_page_count = 1000000")
    assert storage.candle_save(SaveWrite(answers=(answer(candles(range(200)), at=2),))).inserted == 100


def test_a_file_locked_by_another_program(storage: SqliteStorage, open_storage: Opener) -> None:
    impatient = open_storage(busy_timeout=0.05)
    with closing(sqlite3.connect(storage.place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailableError, match=r"locked by another program.*busy_timeout"):
            impatient.candle_save(SaveWrite(answers=(answer(candles([0])),)))
        assert len(impatient.candle_load(LoadRead(symbol=SYMBOL))) == 0, "reading goes on"
        other.execute("ROLLBACK")
    assert impatient.candle_save(SaveWrite(answers=(answer(candles([0])),))).inserted == 1


def test_an_error_in_the_middle_leaves_nothing(storage: SqliteStorage) -> None:
    with closing(sqlite3.connect(storage.place)) as anyone, anyone:
        anyone.execute(
            "CREATE TRIGGER stop BEFORE INSERT ON coverage BEGIN SELECT raise(ABORT, 'the last step fails'); END"
        )
    with pytest.raises(CandleError, match="the last step fails"):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(900)), proven=span(0, 900)),)))
    with closing(sqlite3.connect(storage.place)) as anyone, anyone:
        assert anyone.execute("SELECT count(*) FROM candles").fetchone() == (0,)
        anyone.execute("DROP TRIGGER stop")
    assert storage.candle_save(SaveWrite(answers=(answer(candles(range(900))),))).inserted == 900


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from candle_hookspecs import *
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import SYMBOL, answer, candles

if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
folder = Path(sys.argv[1])
storage = SqliteStorage(SqliteStorage.Settings(), make_context(folder, "sqlite"))
for work in (
    lambda: storage.candle_load(LoadRead(symbol=SYMBOL)),
    lambda: storage.candle_save(SaveWrite(answers=(answer(candles([0, 5]), at=2),))),
    lambda: storage.candle_load(LoadRead(symbol=SYMBOL)),
):
    try:
        print(repr(work()))
    except CandleError as error:
        print(type(error).__name__, error)
storage.candle_close()
"""


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "told"),
    [
        (0o444, 0o755, "StorageReadOnlyError"),
        (0o444, 0o777, "StorageReadOnlyError"),
        (0o666, 0o755, "StorageReadOnlyError"),
        (0o000, 0o755, "StorageUnavailableError"),
    ],
    ids=["nothing writable", "folder writable", "file writable", "not even readable"],
)
def test_permissions(file_mode: int, folder_mode: int, told: str, storage: SqliteStorage) -> None:
    """As another user, because permissions do not bind root."""
    storage.candle_save(SaveWrite(answers=(answer(candles(range(3))),)))
    storage.candle_close()
    folder = Path("/tmp") / f"candle-permissions-{os.getpid()}"  # tmp_path is closed to other users
    folder.mkdir()
    try:
        path = folder / "candles.sqlite3"
        shutil.copy(storage.place, path)
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(folder)], capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    first, save, again = done.stdout.splitlines()
    assert save.startswith(f"{told} '{path}'"), done.stdout
    if file_mode:
        assert "3 candles" in first
        assert again == first
    else:
        assert first.startswith(f"{told} '{path}'")


def test_a_candle_that_another_program_deleted(storage: SqliteStorage) -> None:
    """What it replaced is still there, so that nothing can be put in order."""
    for at in (3, 4):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(3), price=at), at=at),)))
    with closing(sqlite3.connect(storage.place)) as anyone, anyone:
        anyone.execute("DELETE FROM candles WHERE open_time = (SELECT min(open_time) FROM candles)")
    with pytest.raises(StorageCorruptError, match=r"2024-01-01T00:00:00Z.*another program.*forget"):
        storage.candle_save(SaveWrite(answers=(answer(candles(range(3), price=2), at=2),)))
