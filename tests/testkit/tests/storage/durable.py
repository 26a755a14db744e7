"""A storage in one file, rewritten whole at every change, and one that remembers what it was told: both honest."""

import pickle
from collections.abc import Sequence
from dataclasses import replace

from candle_hookspecs import (
    Answer,
    CandleBatch,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    PluginContext,
    Registration,
    SaveReceipt,
    SaveWrite,
    SymbolRecord,
)
from candle_testkit.memory import MemoryStorage


class DurableMemory(MemoryStorage):
    """A write is there from the moment that its file takes the place of the one before."""

    capabilities = replace(MemoryStorage.capabilities, durable=True)

    def __init__(self, settings: MemoryStorage.Settings, context: PluginContext) -> None:
        super().__init__(settings, context)
        self.file = context.base_dir / "candles.pickle"
        self.registrations: list[Registration] = []
        if self.file.exists():
            self.registrations, self.series = pickle.loads(self.file.read_bytes())
            self.markets = {
                entry.market.symbol(frame): entry.market for entry in self.registrations for frame in entry.timeframes
            }

    def keep(self) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_bytes(pickle.dumps((self.registrations, self.series)))
        beside.replace(self.file)

    def candle_register(self, registrations: Sequence[Registration]) -> Sequence[SymbolRecord]:
        with self._lock:
            records = super().candle_register(registrations)
            self.registrations += registrations
            self.keep()
        return records

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        with self._lock:
            receipt = super().candle_save(write)
            self.keep()
        return receipt

    def candle_forget(self, forget: Forget) -> int:
        with self._lock:
            deleted = super().candle_forget(forget)
            self.keep()
        return deleted

    def candle_maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        with self._lock:
            report = super().candle_maintain(task)
            self.keep()
        return report


class RevisingMemory(MemoryStorage):
    """What was known at a moment is found by telling another storage the same again, but for what was said later."""

    capabilities = replace(MemoryStorage.capabilities, revisions=True)

    def __init__(self, settings: MemoryStorage.Settings, context: PluginContext) -> None:
        super().__init__(settings, context)
        self.told: list[Answer | Forget] = []

    def candle_save(self, write: SaveWrite) -> SaveReceipt:
        receipt = super().candle_save(write)
        self.told += write.answers
        return receipt

    def candle_forget(self, forget: Forget) -> int:
        self.told.append(forget)
        return super().candle_forget(forget)

    def candle_load(self, read: LoadRead) -> CandleBatch:
        if read.as_of is None:
            return super().candle_load(read)
        past = MemoryStorage(MemoryStorage.Settings(), self.context)
        past.candle_register([Registration(market=self.markets[read.symbol], timeframes=(read.symbol.timeframe,))])
        for one in self.told:
            if one.symbol != read.symbol:
                continue
            if isinstance(one, Forget):
                past.candle_forget(one)
            elif self.was_given(one, read.as_of):
                past.candle_save(SaveWrite(answers=(one,)))
        return past.candle_load(replace(read, as_of=None))

    def was_given(self, answer: Answer, moment: int) -> bool:
        return answer.answered_at <= moment
