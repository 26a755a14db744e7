from pathlib import Path

from candle_hookspecs import COLUMNS, Symbol
from candle_testkit.context import make_context
from candle_testkit.contracts.storage import StorageContract
from candle_testkit.memory import MemoryStorage


class TestMemory(StorageContract):
    def open(self, folder: Path) -> MemoryStorage:
        return MemoryStorage(MemoryStorage.Settings(), make_context(folder, "memory"))

    def stored(self, storage: MemoryStorage, symbol: Symbol) -> list[tuple[float | None, ...]]:
        rows = storage.series[symbol].rows
        return [(time, *(row.values.get(name) for name in COLUMNS[1:])) for time, row in rows.items()]
