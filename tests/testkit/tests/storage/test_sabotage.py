"""Each check bites: a storage wrong in one way fails the check that is meant for it, and an honest one none."""

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from candle_testkit.context import make_context
from candle_testkit.contracts.storage import StorageContract
from candle_testkit.memory import MemoryStorage

from . import (  # noqa: F401 - each enters its storages
    sabotaged_actions,
    sabotaged_candles,
    sabotaged_catalogue,
    sabotaged_execution,
    sabotaged_merging,
    sabotaged_proof,
    sabotaged_revisions,
    sabotaged_safety,
)
from .executing import ExecutingMemory
from .sabotage import SABOTAGED
from .test_memory import TestMemory as Honest

CHECKS = sorted(name for name in dir(StorageContract) if name.startswith("test_"))


def failures(storage: type[MemoryStorage], checks: list[str], folder: Path) -> dict[str, BaseException]:
    """Run checks against the storage, each on a fresh instance, without pytest around them."""

    class Adopter(Honest):
        stories = settings(Honest.stories, phases=[Phase.generate], database=None)

        def open(self, folder: Path) -> MemoryStorage:
            return storage(storage.Settings(), make_context(folder, "memory"))

        def script(self, storage: ExecutingMemory, sql: str) -> None:
            storage.tables.executescript(sql)

        def select(self, storage: ExecutingMemory, sql: str) -> list[tuple[object, ...]]:
            return storage.tables.execute(sql).fetchall()

    found: dict[str, BaseException] = {}
    for name in checks:
        own = folder / storage.__name__ / name
        own.mkdir(parents=True)
        adopter = Adopter()
        check = getattr(adopter, name)
        database = adopter.database(own)
        try:
            given = {"db": database, "tmp_path": own}
            check(**{name: given[name] for name in inspect.signature(check).parameters})
        except pytest.skip.Exception:
            pass
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever comes of it is a finding
            found[name] = error
        finally:
            database.close()
    return found


@pytest.mark.parametrize("storage", [MemoryStorage, ExecutingMemory])
def test_an_honest_storage_passes_every_check(storage: type[MemoryStorage], tmp_path: Path) -> None:
    assert failures(storage, CHECKS, tmp_path) == {}


@pytest.mark.parametrize("storage", SABOTAGED, ids=lambda storage: storage.__name__)
def test_a_wrong_storage_is_noticed(storage: type[MemoryStorage], tmp_path: Path) -> None:
    assert SABOTAGED[storage] in failures(storage, [SABOTAGED[storage]], tmp_path)


def test_every_check_has_a_storage_that_only_it_was_made_for() -> None:
    assert sorted(set(SABOTAGED.values())) == CHECKS


@pytest.mark.slow
def test_an_adopter_sees_the_check_by_name(tmp_path: Path) -> None:
    """The whole way, as a third party goes it: a file of its own, pytest in a process of its own."""
    module = textwrap.dedent("""
        from candle_hookspecs import COLUMNS
        from candle_testkit.context import make_context
        from candle_testkit.contracts.storage import StorageContract
        from candle_testkit.memory import MemoryStorage

        class Rounding(MemoryStorage):
            def candle_count(self, read):
                return super().candle_count(read) // 2 * 2

        class TestRounding(StorageContract):
            def open(self, folder):
                return Rounding(Rounding.Settings(), make_context(folder, "rounding"))

            def stored(self, storage, symbol):
                rows = storage.series[symbol].rows
                return [(time, *(row.values.get(name) for name in COLUMNS[1:])) for time, row in rows.items()]
    """)
    (tmp_path / "test_rounding.py").write_text(module)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "not random and not story",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert "test_rounding.py::TestRounding::test_count_agrees" in failed[0]
