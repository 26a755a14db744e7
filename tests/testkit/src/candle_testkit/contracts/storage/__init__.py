"""What a storage must do.

Adopt it by saying how to open the storage and how to look into it without its help:

    class TestMine(StorageContract):
        def open(self, folder):
            return MyStorage(MyStorage.Settings(path=folder / "candles.db"), make_context(folder, "mine"))

        def stored(self, storage, symbol):
            return independent_rows(symbol)  # the values of COLUMNS, None where unknown

A storage that executes operations on a user's own tables also says how to run SQL without its help: `script`, `select`.

A durable storage is also killed, in another process, which opens it by what `opener` gives; that must be picklable.
Random stories (`machine.py`) run for some ten seconds; `stories = settings(StorageContract.stories, max_examples=500)`
in the class runs them longer.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from candle_testkit.contracts.storage.actions import ActionChecks
from candle_testkit.contracts.storage.candles import CandleChecks
from candle_testkit.contracts.storage.catalogue import CatalogueChecks
from candle_testkit.contracts.storage.execution import ExecutionChecks
from candle_testkit.contracts.storage.harness import Database, StorageHarness
from candle_testkit.contracts.storage.machine import StoryChecks
from candle_testkit.contracts.storage.merging import MergeChecks
from candle_testkit.contracts.storage.proof import ProofChecks
from candle_testkit.contracts.storage.random import RandomChecks
from candle_testkit.contracts.storage.revisions import RevisionChecks
from candle_testkit.contracts.storage.safety import SafetyChecks
from candle_testkit.contracts.storage.upkeep import UpkeepChecks

__all__ = ["Database", "StorageContract"]


class StorageContract(
    CatalogueChecks,
    CandleChecks,
    MergeChecks,
    ProofChecks,
    SafetyChecks,
    RandomChecks,
    RevisionChecks,
    ActionChecks,
    ExecutionChecks,
    UpkeepChecks,
    StoryChecks,
    StorageHarness,
):
    """Every check. Subclass it, and define `open` and `stored`."""

    @pytest.fixture
    def db(self, tmp_path: Path) -> Iterator[Database]:
        """A fresh storage with one symbol registered."""
        database = self.database(tmp_path)
        yield database
        database.close()
