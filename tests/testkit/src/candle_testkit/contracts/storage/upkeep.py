# ruff: noqa: D102 - a check is called what it checks
"""Checks of `candle_maintain` in steps, and of `candle_status`."""

from pathlib import Path
from typing import Final

from candle_hookspecs import MaintenanceTask, StorageStatus
from candle_testkit.contracts.storage.harness import (
    BTC,
    Database,
    StorageHarness,
    answer,
    candles,
    fact,
    rows_of,
    span,
)

STEPS: Final = 1_000


class UpkeepChecks(StorageHarness):
    """Upkeep while others write, and what is told of the whole."""

    def test_every_task_ends_while_others_write(self, db: Database) -> None:
        """Whatever a task leaves for the next call, writes between the calls are kept, and it comes to its end."""
        db.save(answer(candles(range(12_000)), facts=tuple(fact(span(at, at + 1), 1 + at) for at in range(1_200))))
        db.forget(span(2_000, 12_000), with_candles=True)
        kept = 2_000
        for task in MaintenanceTask:
            for _ in range(STEPS):
                report = db.maintain(task)
                assert report.problems == ()
                assert db.save(answer(candles([kept]), at=kept)).inserted == 1
                kept += 1
                if not report.more:
                    break
            else:
                raise AssertionError(f"{task.value!r} has more to do after {STEPS} steps")
        assert db.stored() == rows_of(candles(range(kept)))
        assert [one.span for one in db.facts()] == [span(0, 1_200)]

    def test_status_counts_what_is_stored(self, db: Database) -> None:
        assert (db.status().symbols, db.status().candles, db.status().facts) == (1, 0, 0)
        db.register("1h", "1d")
        db.save(answer(candles(range(700)), proven=span(0, 700)))
        db.save(answer(candles(range(5), price=2), at=2, proven=span(0, 5), symbol=BTC.symbol("1h")))
        db.forget(span(100, 200), with_candles=True)
        status = db.status()
        assert (status.symbols, status.candles, status.facts) == (3, 605, 3)
        assert status.schema > 0
        assert status.place
        assert status.size is None or status.size > 605 * 6
        assert db.count() == 600

    def test_status_counts_revisions(self, db: Database) -> None:
        db.save(answer(candles(range(10)), at=1))
        assert db.status().revisions == 0
        db.save(answer(candles(range(4), price=2), at=2))
        assert db.status().revisions == (4 if db.capabilities.revisions else 0)

    def test_a_storage_that_was_never_written_holds_nothing(self, db: Database, tmp_path: Path) -> None:
        folder = tmp_path / "fresh"
        folder.mkdir()
        fresh = self.open(folder)
        try:
            for task in MaintenanceTask:
                report = db.call("candle_maintain", task, on=fresh)
                assert (report.task, report.changed, report.problems, report.more) == (task, 0, (), False)
            status: StorageStatus = db.call("candle_status", on=fresh)
        finally:
            db.let_go(fresh)
        assert (status.schema, status.symbols, status.candles, status.facts, status.revisions) == (0, 0, 0, 0, 0)
        assert status.place
