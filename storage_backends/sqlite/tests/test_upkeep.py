"""Upkeep in steps: who is kept out, and for how much; and what is told of the file."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from candle_hookspecs import (
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    SaveWrite,
    StorageStatus,
)
from candle_sql.upkeep import STEP
from candle_sqlite import SqliteStorage
from candle_testkit.contracts.storage.harness import SYMBOL, answer, candles, fact, span

Opener = Callable[..., SqliteStorage]


@pytest.fixture
def other(storage: SqliteStorage) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection to the file, which waits for nobody."""
    with closing(sqlite3.connect(storage.place, timeout=0, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step stops at the first opportunity."""
    monkeypatch.setattr("candle_sqlite.upkeep.STEP", 0)
    monkeypatch.setattr("candle_sql.storage.STEP", 0)


def steps(storage: SqliteStorage, task: MaintenanceTask) -> Iterator[MaintenanceReport]:
    """The steps of a task, one at a time, to its end."""
    while True:
        report = storage.candle_maintain(task)
        yield report
        if not report.more:
            return


def free_pages(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages)


def test_a_step_is_a_tenth_of_a_second() -> None:
    assert STEP == 0.1


@pytest.mark.usefixtures("impatient")
def test_a_writer_commits_between_the_steps_of_a_vacuum(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(80_000))),)))
    storage.candle_forget(Forget(symbol=SYMBOL, candles=True))
    other.execute("CREATE TABLE mine (number INTEGER)")
    before = free_pages(other)
    given = []
    for number, report in enumerate(steps(storage, MaintenanceTask.VACUUM)):
        given.append(report.changed)
        other.execute("INSERT INTO mine VALUES (?)", (number,))  # would fail at once were the file kept locked
    assert before > 1_000
    assert len(given) > 1
    assert max(given) <= 1_000
    assert sum(given) in (before, before + 1)  # the writer may take a page, or free one
    assert free_pages(other) == 0
    assert other.execute("SELECT count(*) FROM mine").fetchone() == (len(given),)


def test_a_file_that_cannot_be_vacuumed_in_place_is_left_alone(open_storage: Opener, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mine.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE mine (text TEXT)")
        connection.executemany("INSERT INTO mine VALUES (?)", [("x" * 9_000,)] * 20)
        connection.execute("DELETE FROM mine")
        assert free_pages(connection) > 10
    report = open_storage(path="mine.sqlite3").candle_maintain(MaintenanceTask.VACUUM)
    assert (report.changed, report.more) == (0, False)


@pytest.mark.usefixtures("impatient")
def test_a_writer_commits_between_the_steps_of_a_compaction(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    given = tuple(fact(span(first, first + 1), 1 + first) for first in range(3_000))
    storage.candle_save(SaveWrite(answers=(answer(candles([]), facts=given),)))
    other.execute("CREATE TABLE mine (number INTEGER)")
    reports = []
    for number, report in enumerate(steps(storage, MaintenanceTask.COMPACT)):
        reports.append(report)
        other.execute("INSERT INTO mine VALUES (?)", (number,))
    assert len(reports) > 3
    assert sum(report.changed for report in reports) == 2_999
    stored = other.execute("SELECT span_start, span_end, answered_at FROM coverage").fetchall()
    assert stored == [(span(0, 1).start, span(0, 3_000).end, 1)]


def test_compaction_leaves_what_was_taken_back_meanwhile(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a group is forgotten between reading and writing: nothing that was forgotten is proven again."""
    given = tuple(fact(span(first, first + 1), 1 + first) for first in range(4))
    storage.candle_save(SaveWrite(answers=(answer(candles([]), facts=given),)))
    read = storage._bundles

    def read_and_forget(symbol_id: int, older_than: int) -> object:
        found = read(symbol_id, older_than)
        if not forgotten:
            forgotten.append(storage.candle_forget(Forget(symbol=SYMBOL, span=span(1, 2))))
        return found

    forgotten: list[int] = []
    monkeypatch.setattr(storage, "_bundles", read_and_forget)
    assert storage.candle_maintain(MaintenanceTask.COMPACT).changed == 1
    with closing(sqlite3.connect(storage.place)) as anyone:
        stored = anyone.execute("SELECT span_start, span_end FROM coverage ORDER BY span_start").fetchall()
    assert stored == [(one.start, one.end) for one in (span(0, 1), span(2, 4))]


def test_a_checkpoint_waits_for_nobody(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    """While one reads an old state and one writes, what can be taken in is taken in, and the log stays."""
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM candles").fetchone()
    storage.candle_save(SaveWrite(answers=(answer(candles(range(5_000))),)))
    with closing(sqlite3.connect(storage.place, timeout=0, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        report = storage.candle_maintain(MaintenanceTask.CHECKPOINT)
        assert (report.more, report.problems) == (False, ())
        writer.execute("COMMIT")
    assert log_of(storage).stat().st_size > 0
    other.execute("COMMIT")
    assert storage.candle_maintain(MaintenanceTask.CHECKPOINT).changed > 50
    assert log_of(storage).stat().st_size == 0, "nobody is at work, and the log was not cut"
    assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(5_000))


def test_a_checkpoint_runs_beside_a_write(storage: SqliteStorage) -> None:
    """Upkeep of the log takes no turn among this process's writers."""
    with storage._connections.write():
        done = threading.Thread(target=storage.candle_maintain, args=(MaintenanceTask.CHECKPOINT,))
        done.start()
        done.join(120)
        assert not done.is_alive(), "the checkpoint waits for the writer"


def test_a_check_runs_beside_a_write(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(100))),)))
    other.execute("BEGIN IMMEDIATE")
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    other.execute("ROLLBACK")


def test_analysis_looks_at_what_has_grown(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(2_000))),)))
    assert storage.candle_maintain(MaintenanceTask.ANALYZE).changed > 0

    def known() -> int:
        (text,) = other.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = 'candles'").fetchone()
        return int(text.split()[0])

    first = known()
    assert 500 < first < 8_000, "an estimate of 2,000"
    storage.candle_save(SaveWrite(answers=(answer(candles(range(2_000, 2_100))),)))
    storage.candle_maintain(MaintenanceTask.ANALYZE)
    assert known() == first, "what hardly grew was analysed again"
    storage.candle_save(SaveWrite(answers=(answer(candles(range(2_100, 200_000))),)))
    storage.candle_maintain(MaintenanceTask.ANALYZE)
    assert known() > 20 * first


@pytest.mark.usefixtures("impatient")
def test_analysis_goes_on_where_it_stopped(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(100)), proven=span(0, 100)),)))
    names = ["a", 'b"; --', "[c] %s :d"]
    for table, index in zip(map(quoted, names), map(quoted, "xyz"), strict=True):
        other.execute(f"CREATE TABLE {table} (x INTEGER)")
        other.execute(f"CREATE INDEX {index} ON {table} (x)")
        other.executemany(f"INSERT INTO {table} VALUES (?)", [(number,) for number in range(100)])
    for _ in range(30):
        storage.candle_maintain(MaintenanceTask.ANALYZE)
    known = {name for (name,) in other.execute("SELECT tbl FROM sqlite_stat1")}
    assert known >= {*names, "candles", "coverage"}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_status_of_a_users_own_file(open_storage: Opener, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mine.sqlite3")) as connection:
        connection.execute("CREATE TABLE symbols (name TEXT PRIMARY KEY)")
    users = open_storage(path="mine.sqlite3")
    status = users.candle_status()
    assert (status.schema, status.symbols, status.candles, status.facts) == (0, 0, 0, 0)
    assert status.size == sum(path.stat().st_size for path in Path(users.place).parent.iterdir())


def test_status_of_a_file(storage: SqliteStorage, other: sqlite3.Connection) -> None:
    storage.candle_save(SaveWrite(answers=(answer(candles(range(20_000))),)))
    storage.candle_forget(Forget(symbol=SYMBOL, span=span(0, 15_000), candles=True))
    status = storage.candle_status()
    sizes = {
        path.name.removeprefix("candles.sqlite3"): path.stat().st_size for path in log_of(storage).parent.iterdir()
    }
    assert sizes["-wal"] > 0
    assert status.size == sum(sizes.values())
    assert dict(status.details) == {
        "wal_bytes": sizes["-wal"],
        "free_pages": free_pages(other),
        "page_size": other.execute("PRAGMA page_size").fetchone()[0],
        "sqlite": other.execute("SELECT sqlite_version()").fetchone()[0],
    }
    assert status.place == storage.place


def test_status_of_nothing_makes_no_file(open_storage: Opener, tmp_path: Path) -> None:
    storage = open_storage()
    assert storage.candle_status() == StorageStatus(place=str(tmp_path / "candles.sqlite3"))
    assert list(tmp_path.iterdir()) == []


def log_of(storage: SqliteStorage) -> Path:
    return Path(storage.place + "-wal")
