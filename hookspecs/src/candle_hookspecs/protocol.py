"""The kernel as an extension sees it, without importing it."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from candle_hookspecs.candles import CandleBatch
from candle_hookspecs.frames import CandleFrame
from candle_hookspecs.requests import MarketQuery
from candle_hookspecs.results import (
    CollectionConfig,
    CollectionPlan,
    CollectionProgress,
    CollectionSummary,
    CopyProgress,
    CopySummary,
    ImportSummary,
    Revision,
    SlotReport,
    StreamingConfig,
    StreamingMeta,
    SymbolSummary,
    UpdateProgress,
    UpdateResult,
    VerifyReport,
    WarmupProgress,
    WarmupResult,
)
from candle_hookspecs.statistics import Statistics
from candle_hookspecs.storage import MaintenanceReport, MaintenanceTask, StorageStatus, SymbolQuery
from candle_hookspecs.symbols import Market, MarketStatus, Symbol

Moment: TypeAlias = datetime | str | int
"""A timezone-aware datetime, an ISO 8601 text (UTC where it names no offset), or UTC milliseconds."""

SymbolLike: TypeAlias = Symbol | str
"""A `Symbol`, its text form, or a market's name (``BTC/USDT``, ``BTCUSDT``), which needs exchange, tradetype and
timeframe beside it.
"""

Number: TypeAlias = Decimal | str | int | float
"""A number, exactly as it is written; a float is the shortest decimal that reads as it, so that 0.1 is one tenth."""


class MarketPrecision(Protocol):
    """What a market takes. Prices and worth are in its quote, amounts in its base; every result is exact."""

    @property
    def market(self) -> Market:
        """Whose limits these are."""
        ...

    def tick(self, price: Number, at: Moment | None = None) -> Decimal | None:
        """The smallest step of a price at a moment; None: not known."""
        ...

    def price(self, value: Number, rounding: str = ROUND_HALF_UP, at: Moment | None = None) -> Decimal:
        """The nearest price that the market takes."""
        ...

    def amount(self, value: Number, rounding: str = ROUND_DOWN) -> Decimal:
        """The nearest amount that the market takes."""
        ...

    def notional(self, price: Number, amount: Number) -> Decimal:
        """What an order is worth."""
        ...

    def check(
        self, price: Number | None = None, amount: Number | None = None, at: Moment | None = None
    ) -> tuple[str, ...]:
        """What the market would refuse of an order, in words."""
        ...

    def require(self, price: Number | None = None, amount: Number | None = None, at: Moment | None = None) -> None:
        """Refuse an order that the market would refuse."""
        ...


class Candles(Protocol):
    """What `candle_core.open` gives. Ranges are half-open; every method may raise a `CandleError`."""

    async def markets(
        self, exchange: str, tradetype: str | None = None, *, query: MarketQuery | None = None
    ) -> Sequence[Market]:
        """What the exchange lists now."""
        ...

    async def precision(
        self, symbol: SymbolLike, *, exchange: str | None = None, tradetype: str | None = None
    ) -> MarketPrecision:
        """How a market wants prices and amounts, and what it takes at all."""
        ...

    async def symbols(
        self,
        query: SymbolQuery | None = None,
        *,
        archetype: str | None = None,
        exchange: str | None = None,
        tradetype: str | None = None,
        base: str | None = None,
        quote: str | None = None,
        timeframe: str | None = None,
        status: MarketStatus | str | None = None,
        name: str | None = None,
        statistics: bool | None = None,
        coverage: bool | None = None,
    ) -> Sequence[SymbolSummary]:
        """What the database knows, by one query of it."""
        ...

    async def plan_collection(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        refetch: bool = False,
    ) -> CollectionPlan:
        """What a collection would ask for, and what that costs; no history is asked for."""
        ...

    async def collect_candles_only(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        refetch: bool = False,
        progress_callback: Callable[[CollectionProgress], object] | None = None,
    ) -> CollectionSummary:
        """Fetch what is missing and commit it; hand back a summary only."""
        ...

    async def get_candles(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        config: CollectionConfig | None = None,
    ) -> CandleBatch:
        """Fetch what is missing, commit it, and hand back the whole range."""
        ...

    def stream_candles(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        to: Moment | None = None,
        count: int | None = None,
        config: StreamingConfig | None = None,
    ) -> AsyncGenerator[tuple[CandleBatch, StreamingMeta], None]:
        """Fetch what is missing and yield the range in time order, chunk by chunk, while it is being collected."""
        ...

    async def active_update(
        self,
        archetype: str,
        exchange: str,
        tradetype: str,
        *,
        timeframes: Sequence[str] | None = None,
        base: str | None = None,
        quote: str | None = None,
        status: MarketStatus | None = MarketStatus.TRADING,
        count: int | None = None,
        start: Moment | None = None,
        buffer_size: int = 100_000,
        progress_callback: Callable[[UpdateProgress], object] | None = None,
    ) -> UpdateResult:
        """List an exchange's markets, register them, and collect everything that is missing."""
        ...

    async def passive_update(
        self,
        archetype: str | None = None,
        exchange: str | None = None,
        tradetype: str | None = None,
        base: str | None = None,
        quote: str | None = None,
        timeframe: str | None = None,
        buffer_size: int | None = None,
        *,
        mend: bool = True,
        progress_callback: Callable[[UpdateProgress], object] | None = None,
    ) -> UpdateResult:
        """Bring every registered symbol that matches from where it stands to the last closed candle."""
        ...

    async def import_candles(
        self,
        file: str | PathLike[str],
        symbol: SymbolLike | None = None,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        offline: bool = False,
        progress_callback: Callable[[int, int | None], object] | None = None,
    ) -> ImportSummary:
        """Store the candles of a CSV, Parquet or Feather file."""
        ...

    async def load(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        columns: Sequence[str] | None = None,
        as_of: Moment | None = None,
        adjust: str = "raw",
        fill: str = "none",
    ) -> CandleBatch:
        """What is stored, was known at a moment, or can be made of what is, without asking anybody."""
        ...

    async def load_many(
        self,
        symbols: Sequence[SymbolLike],
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        count: int | None = None,
        columns: Sequence[str] | None = None,
        as_of: Moment | None = None,
        adjust: str = "raw",
        fill: str = "none",
    ) -> CandleFrame:
        """The same of several symbols, as one frame."""
        ...

    async def slots(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment,
        end: Moment,
    ) -> SlotReport:
        """Where every grid slot of a range stands."""
        ...

    async def verify(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> VerifyReport:
        """Look at every stored candle, and at what of the history is missing."""
        ...

    def revisions(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> AsyncGenerator[Revision, None]:
        """How later answers changed stored candles."""
        ...

    async def forget(
        self,
        symbol: SymbolLike,
        timeframe: str | None = None,
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        candles: bool = False,
    ) -> int:
        """Take proof back, and the candles too if `candles`; how many were deleted."""
        ...

    async def status(self, store: str = "") -> StorageStatus:
        """How a database stands."""
        ...

    async def statistics(self, since: Moment | None = None) -> Statistics:
        """What exchanges were asked: by this manager, or since a day by every process that uses the cache folder."""
        ...

    async def warm_up(
        self,
        exchanges: Iterable[str] = (),
        *,
        force: bool = False,
        timeout: float = 60.0,  # noqa: ASYNC109 - each exchange's own, not that of the call
        progress_callback: Callable[[WarmupProgress], object] | None = None,
    ) -> WarmupResult:
        """Ask exchanges for their markets, precision and clock, so that the first piece of work need not."""
        ...

    async def maintain(
        self, tasks: Iterable[MaintenanceTask | str] = (), *, store: str = ""
    ) -> list[MaintenanceReport]:
        """Do upkeep, each task to its end; empty: all of them."""
        ...

    async def copy_to(
        self,
        target: str | Path | Mapping[str, Any],
        symbols: Sequence[SymbolLike] = (),
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        timeframe: str | None = None,
        progress_callback: Callable[[CopyProgress], object] | None = None,
    ) -> CopySummary:
        """Bring what is stored to another database, and compare all of it there."""
        ...
