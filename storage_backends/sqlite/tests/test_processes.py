"""Several processes, and processes that are killed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from candle_hookspecs import CoverageQuery, LoadRead, MaintenanceTask, SaveWrite, SymbolQuery
from candle_sql import MIGRATIONS
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from candle_testkit.contracts.storage.harness import SYMBOL, answer, candles, span
from storage_backends.sql.tests.older import write_older
from storage_backends.sql.tests.processes import OPEN_AND_SAVE, Stored, Writers, kill_at_any_moment

OPENING = """
from candle_sqlite import SqliteStorage
storage = SqliteStorage(SqliteStorage.Settings(), make_context(Path(where), "sqlite"))
"""


def reopen(folder: Path) -> SqliteStorage:
    return SqliteStorage(SqliteStorage.Settings(), make_context(folder, "sqlite"))


@pytest.mark.slow
def test_processes_that_open_a_new_file_together(tmp_path: Path) -> None:
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        Writers(OPENING, folder).together(OPEN_AND_SAVE, 4)
        storage = reopen(folder)
        assert storage.candle_load(LoadRead(symbol=SYMBOL)) == candles(range(2_000))
        assert len(storage.candle_coverage(CoverageQuery(symbol=SYMBOL))) == 20
        assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
        storage.candle_close()


@pytest.mark.slow
def test_processes_that_open_a_file_of_an_older_version_together(tmp_path: Path) -> None:
    write_older(1, tmp_path)
    Writers(OPENING, tmp_path).together(OPEN_AND_SAVE, 4)
    storage = reopen(tmp_path)
    assert storage.candle_status().schema == MIGRATIONS[-1].version
    assert len(storage.candle_symbols(SymbolQuery(name="btcusdt"))) == 5
    assert storage.candle_load(LoadRead(symbol=SYMBOL)).open_time.tolist() == candles(range(2_000)).open_time.tolist()
    assert storage.candle_maintain(MaintenanceTask.CHECK).problems == ()
    storage.candle_close()


@pytest.mark.slow
def test_a_process_killed_at_any_moment(tmp_path: Path) -> None:
    def look() -> Stored:
        with closing(sqlite3.connect(tmp_path / "candles.sqlite3")) as anyone:
            assert anyone.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            times = [time for (time,) in anyone.execute("SELECT open_time FROM candles ORDER BY open_time")]
            facts = anyone.execute("SELECT span_start, span_end FROM coverage ORDER BY span_start").fetchall()
            (counted,) = anyone.execute("SELECT candle_count FROM symbols").fetchone()
        return Stored(times, facts, counted)

    kill_at_any_moment(Writers(OPENING, tmp_path), look)
    storage = reopen(tmp_path)
    again = tuple(answer(candles(range(n, n + 700)), proven=span(n, n + 700)) for n in (0, 700))
    assert storage.candle_save(SaveWrite(answers=again)).unchanged == 1_400
    storage.candle_close()
