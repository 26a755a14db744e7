"""Keeping: reading what is stored, taking it back, and the database itself."""

from collections.abc import Iterable, Sequence
from typing import Final

from candle_core.adjust import Adjust
from candle_core.api.base import Base
from candle_core.ranges import open_span
from candle_core.reading import read_adjusted
from candle_core.revisions import need_revisions
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    CandleBatch,
    Forget,
    LoadRead,
    MaintenanceReport,
    MaintenanceTask,
    Moment,
    StorageStatus,
    SymbolLike,
    to_ms,
)

_UPKEEP: Final = (
    MaintenanceTask.COMPACT,
    MaintenanceTask.VACUUM,
    MaintenanceTask.ANALYZE,
    MaintenanceTask.CHECKPOINT,
    MaintenanceTask.CHECK,
)
"""Every task, in the order in which each gains from the one before."""


class Keeping(Base):
    """Calls that ask nobody but the database."""

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

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
    ) -> CandleBatch:
        """What is stored, without asking anybody.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: first open time no longer wanted; None: to the last candle.
            count: most candles: the oldest from `start` on, or, without a start, the newest before `end`.
            columns: which optional columns to read besides the six of every candle; None: all.
            as_of: the candles as the answers given up to this moment had them, by the exchange's clock; those that no
                answer had given by then are not there. None: as they stand now.
            adjust: ``raw``: as traded. ``splits``: in the shares after the newest split that is known. ``all``: and
                with dividends reinvested.

        Raises:
            UnknownSymbolError: the database holds no such symbol. MissingHookError: `as_of`, and the database forgets
                what it replaces; `adjust`, and it keeps no splits and dividends.
        """
        if count is not None and count < 1:
            raise BadSpanError(f"a count of {count!r} is no range; give at least 1")
        if as_of is not None:
            need_revisions(self._kernel.storage(), "what was known then")
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        read = LoadRead(
            symbol=record.symbol,
            span=open_span(start, end),
            columns=None if columns is None else tuple(columns),
            limit=count or 0,
            newest_first=start is None and count is not None,
            as_of=None if as_of is None else to_ms(as_of),
        )
        return await read_adjusted(self._kernel.storage(), read, Adjust.of(adjust))

    # ── taking back ─────────────────────────────────────────────────────────────────────────────────────────────────

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
        """Take proof back, so that the next collection asks again.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: from this open time on; None: from the beginning.
            end: up to this open time, exclusive; None: to the end.
            candles: delete the candles of the range as well.

        Returns:
            How many candles were deleted.

        Raises:
            UnknownSymbolError: the database holds no such symbol.
        """
        record = await self._catalogue.known(self._catalogue.query(symbol, timeframe, exchange, tradetype))
        span = None if start is None and end is None else open_span(start, end)
        return await self._kernel.storage().forget(Forget(symbol=record.symbol, span=span, candles=candles))

    # ── the database itself ─────────────────────────────────────────────────────────────────────────────────────────

    async def status(self, store: str = "") -> StorageStatus:
        """How a database stands; one that is not there yet holds nothing, and is not made.

        Args:
            store: one of ``[stores]``; empty: that of the candles.

        Raises:
            StorageError: it is there, and cannot be read. ConfigError: no such store.
        """
        return await self._kernel.storage(store).status()

    async def maintain(
        self, tasks: Iterable[MaintenanceTask | str] = (), *, store: str = ""
    ) -> list[MaintenanceReport]:
        """Do upkeep, each task to its end, and behind everything that somebody waits for.

        Args:
            tasks: in this order; ``"analyze"`` is the same as `MaintenanceTask.ANALYZE`. Empty: all of them.
            store: one of ``[stores]``; empty: that of the candles.

        Returns:
            What each did, and the problems that a check found.

        Raises:
            BadInputError: no such task. StorageError: a task failed; those before it are done.
        """
        wanted = [_task(task) for task in tasks] or _UPKEEP
        return [await self._kernel.writer(store).maintain(task) for task in wanted]


def _task(task: MaintenanceTask | str) -> MaintenanceTask:
    try:
        return MaintenanceTask(task)
    except ValueError:
        raise BadInputError(f"no task {task!r}; there are {', '.join(MaintenanceTask)}") from None
