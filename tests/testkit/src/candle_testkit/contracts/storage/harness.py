"""The stage of the storage suite: a storage, opened by the adopter, driven as the kernel drives it."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from candle_hookspecs import (
    Answer,
    CandleBatch,
    Coverage,
    CoverageQuery,
    CoverageState,
    Evidence,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Market,
    MarketStatus,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
    StorageCapabilities,
    StorageStatus,
    Symbol,
    SymbolQuery,
    SymbolRecord,
)

StoredRow: TypeAlias = tuple[int | float | None, ...]
"""A row as it stands in the database: the values of `COLUMNS`, None where unknown."""

MINUTE: Final = 60_000
START: Final = 1_704_067_200_000  # 2024-01-01
SOURCE: Final = "example:rest"


def market(base: str = "BTC", quote: str = "USDT", **options: Any) -> Market:
    """A market of the exchange EXAMPLE."""
    named = {"native_id": f"{base}{quote}", "ccxt_symbol": f"{base}/{quote}", "exchange": "EXAMPLE"}
    return Market(archetype="CRYPTO", tradetype="SPOT", base=base, quote=quote, **{**named, **options})


BTC: Final = market(
    status=MarketStatus.TRADING,
    price_tick=Decimal("0.01000000"),
    amount_step=Decimal("1E-8"),
    min_amount=Decimal("0.00001"),
    max_amount=Decimal("9000.00000000"),
    min_price=Decimal("0.01"),
    max_price=Decimal(1000000),
    min_notional=Decimal(5),
    listed=1_502_942_400_000,
    title="비트코인",
    extra={"permissions": 'SPOT,"MARGIN"', "note": "이름"},
)
SYMBOL: Final = BTC.symbol("1m")


def slot(index: int) -> int:
    """The open time of the n-th minute."""
    return START + index * MINUTE


def span(first: int, last: int) -> Span:
    """From the first slot up to, but without, the last."""
    return Span(slot(first), slot(last))


def candles(slots: Iterable[int], price: float = 100.0) -> CandleBatch:
    """Candles at these slots, all columns given; another price makes every column differ."""
    index = np.array(list(slots), dtype=np.int64)
    level = price + index / 7
    return CandleBatch(
        open_time=START + index * MINUTE,
        open=level,
        high=level + 2,
        low=level - 1,
        close=level + 1,
        volume=level / 3,
        quote_volume=level * 5,
        trades=index + int(price),
        taker_buy_volume=level / 9,
    )


def batch_of(columns: Mapping[str, ArrayLike]) -> CandleBatch:
    """A batch from columns by name."""
    return CandleBatch.from_columns(columns)


def fact(
    over: Span,
    at: int = 1,
    *,
    state: CoverageState = CoverageState.ANSWERED,
    evidence: Evidence = Evidence.ANCHORED,
    source: str = SOURCE,
) -> Coverage:
    """A fact of the source EXAMPLE."""
    return Coverage(over, state, evidence, source, at)


def answer(
    batch: CandleBatch,
    at: int = 1,
    *,
    rank: int = 0,
    proven: Span | None = None,
    facts: tuple[Coverage, ...] = (),
    symbol: Symbol = SYMBOL,
    source: str = SOURCE,
) -> Answer:
    """An answer given at the moment `at`, with a fact for `proven` besides `facts`."""
    own = (fact(proven, at, source=source),) if proven else ()
    return Answer(symbol=symbol, source=source, rank=rank, answered_at=at, batch=batch, coverage=(*own, *facts))


def rows_of(batch: CandleBatch) -> list[StoredRow]:
    """What should stand in the database for a batch whose values are all known."""
    return list(zip(*(column.tolist() for column in batch.columns().values()), strict=True))


class Database:
    """One storage under test. Hooks written `def` run in worker threads, as in the kernel; `async def` on one loop."""

    def __init__(
        self,
        opener: Callable[[], Any],
        reader: Callable[[Any, Symbol], Iterable[Sequence[Any]]],
        script: Callable[[Any, str], None] | None = None,
        select: Callable[[Any, str], Iterable[Sequence[Any]]] | None = None,
    ) -> None:
        self._opener, self._reader, self._script, self._select = opener, reader, script, select
        self._runner = asyncio.Runner()
        self.storage = opener()
        self.capabilities: StorageCapabilities = self.storage.capabilities

    def call(self, hook: str, *values: Any, on: Any = None) -> Any:
        """Call a hook of the storage, or of another one."""
        return self._runner.run(_adapted(getattr(on or self.storage, hook), *values))

    def together(self, *calls: tuple[str, Any]) -> list[Any]:
        """Call hooks at the same time; the results in the order given."""

        async def gather() -> list[Any]:
            return await asyncio.gather(*(_adapted(getattr(self.storage, hook), value) for hook, value in calls))

        return self._runner.run(gather())

    def open_another(self) -> Any:
        """A second instance on the same data, while the first is open. Close it with `let_go`."""
        return self._opener()

    def let_go(self, storage: Any) -> None:
        """Close an instance."""
        if close := getattr(storage, "candle_close", None):
            self._runner.run(_adapted(close))

    def reopen(self) -> None:
        """Close the storage and open it again."""
        self.let_go(self.storage)
        self.storage = self._opener()

    def close(self) -> None:
        """End."""
        self.let_go(self.storage)
        self._runner.close()

    # ── the hooks, in short ─────────────────────────────────────────────────────────────────────────────────────────

    def register(self, *timeframes: str, listed: Market = BTC) -> list[SymbolRecord]:
        """Make a market known in these timeframes."""
        registrations = [Registration(market=listed, timeframes=timeframes or ("1m",))]
        return list(self.call("candle_register", registrations))

    def save(self, *answers: Answer) -> SaveReceipt:
        """Save answers in one write."""
        receipt: SaveReceipt = self.call("candle_save", SaveWrite(answers=answers))
        return receipt

    def load(self, symbol: Symbol = SYMBOL, **options: Any) -> CandleBatch:
        """Load candles."""
        batch: CandleBatch = self.call("candle_load", LoadRead(symbol=symbol, **options))
        return batch

    def count(self, symbol: Symbol = SYMBOL, **options: Any) -> int:
        """Count candles."""
        return int(self.call("candle_count", LoadRead(symbol=symbol, **options)))

    def answers(self, symbol: Symbol = SYMBOL, **options: Any) -> list[Answer]:
        """Everything stored, as the answers it came from."""
        return list(self.call("candle_answers", LoadRead(symbol=symbol, **options)))

    def facts(self, symbol: Symbol = SYMBOL, **options: Any) -> list[Coverage]:
        """Read facts."""
        return list(self.call("candle_coverage", CoverageQuery(symbol=symbol, **options)))

    def forget(self, over: Span | None, *, with_candles: bool = False, symbol: Symbol = SYMBOL) -> int:
        """Take proof back."""
        return int(self.call("candle_forget", Forget(symbol=symbol, span=over, candles=with_candles)))

    def symbols(self, **options: Any) -> list[SymbolRecord]:
        """List symbols."""
        return list(self.call("candle_symbols", SymbolQuery(**options)))

    def maintain(self, task: MaintenanceTask) -> MaintenanceReport:
        """Do upkeep."""
        report: MaintenanceReport = self.call("candle_maintain", task)
        return report

    def status(self) -> StorageStatus:
        """How it stands."""
        status: StorageStatus = self.call("candle_status")
        return status

    def script(self, sql: str) -> None:
        """Run statements by the adopter's independent way in."""
        assert self._script, "this database was opened without a way to run SQL"
        self._script(self.storage, sql)

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Query by the adopter's independent way in."""
        assert self._select, "this database was opened without a way to run SQL"
        return [tuple(row) for row in self._select(self.storage, sql)]

    def stored(self, symbol: Symbol = SYMBOL) -> list[StoredRow]:
        """The rows by the adopter's independent way in, in time order."""
        return sorted((tuple(row) for row in self._reader(self.storage, symbol)), key=lambda row: row[0] or 0)


async def _adapted(hook: Callable[..., Any], *values: Any) -> Any:
    if inspect.iscoroutinefunction(hook):
        return await hook(*values)
    return await asyncio.to_thread(hook, *values)


class StorageHarness:
    """What an adopter gives, and the fixture that the checks use."""

    def open(self, folder: Path) -> Any:
        """A storage whose data, if it has files, lie in the folder. Called again, it opens the same data."""
        raise NotImplementedError(f"{type(self).__name__!r} must say how to open its storage: def open(self, folder)")

    def stored(self, storage: Any, symbol: Symbol) -> Iterable[Sequence[Any]]:
        """The candles of a registered symbol, not read by the storage: values of `COLUMNS`, None where unknown."""
        raise NotImplementedError(f"{type(self).__name__!r} must give an independent way in: def stored(self, ...)")

    def script(self, storage: Any, sql: str) -> None:
        """Run SQL statements in its database and commit them, not by the storage.

        Needed where `capabilities.executes`: the suite makes a user's tables with it.
        """
        raise NotImplementedError(f"{type(self).__name__!r} must say how to run SQL: def script(self, storage, sql)")

    def select(self, storage: Any, sql: str) -> Iterable[Sequence[Any]]:
        """The rows of a query, not run by the storage. Needed where `capabilities.executes`."""
        raise NotImplementedError(f"{type(self).__name__!r} must say how to query: def select(self, storage, sql)")

    def database(self, folder: Path) -> Database:
        """A storage opened in the folder, with `SYMBOL` registered. The caller closes it."""
        database = Database(lambda: self.open(folder), self.stored, self.script, self.select)
        database.register()
        return database
