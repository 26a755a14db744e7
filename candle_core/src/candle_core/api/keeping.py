"""Keeping: reading what is stored, taking it back, and the database itself."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, Protocol

from candle_core.adjust import Adjust
from candle_core.api.base import Base
from candle_core.ranges import open_span
from candle_core.reading import AT_ONCE
from candle_core.resample import FILLS, View, read_candles
from candle_core.revisions import need_revisions
from candle_core.statistics import DAY
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    CandleBatch,
    CandleFrame,
    Forget,
    MaintenanceReport,
    MaintenanceTask,
    Moment,
    Statistics,
    StorageStatus,
    SymbolLike,
    SymbolQuery,
    SymbolRecord,
    to_datetime,
    to_ms,
)

_UPKEEP: Final = (
    MaintenanceTask.COMPACT,
    MaintenanceTask.VACUUM,
    MaintenanceTask.ANALYZE,
    MaintenanceTask.CHECKPOINT,
    MaintenanceTask.CHECK,
)
"""Every task, in this order because each gains from the one before."""


class _Reading(Protocol):
    async def __call__(self, query: SymbolQuery, *, record: SymbolRecord | None) -> CandleBatch: ...


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
        fill: str = "none",
    ) -> CandleBatch:
        """Read what is stored; no exchange is asked.

        A timeframe that is not stored is computed from finer ones that are. Each of its candles is made from the
        coarsest timeframe that knows the candle's whole slot: every part of it has a candle or is proven empty. Where
        none knows it all, there is no candle. Volumes and trades are summed in float64, as numpy and pandas do; extra
        columns are left out. Computed candles are never stored.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation, with any number: ``7m`` too.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time; None: from the first candle.
            end: end of the range, exclusive; None: to the last candle.
            count: at most so many candles: the oldest ones after `start` or, if there is no `start`, the newest ones
                before `end`.
            columns: which optional columns to read besides the six that every candle has; None: all.
            as_of: read the candles as they were known at this moment of the exchange's clock: later answers do not
                count. None: as they are known now.
            adjust: ``raw``: prices and volumes as they were traded. ``splits``: in the shares that there are since the
                newest known split. ``all``: the same, and with dividends reinvested.
            fill: ``none``; or ``flat``: a slot that is proven empty gets a candle with the close before it for every
                price, and volume 0. There is none before the market's first candle, and after a stretch of which
                nothing is known none until the next candle.

        Raises:
            UnknownSymbolError: the database holds neither this symbol nor the market in a finer timeframe.
            MissingHookError: `as_of` is given and the database does not keep what it replaces, or `adjust` is and it
                does not keep splits and dividends.
            PluginError: the plugin of the exchange, which knows where slots begin, is not installed.
            BadInputError: `count`, `adjust` or `fill` has a value that is not allowed, or a dividend is to be taken out
                and the close before it is not known.
        """
        read = self._reading(start, end, count, columns, as_of, adjust, fill)
        return await read(self._catalogue.query(symbol, timeframe, exchange, tradetype), record=None)

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
        """Read what is stored of several symbols, as one frame, long or wide.

        Args:
            symbols: each as in `load`; the frame calls them by the names that are used here.
            timeframe: as in `load`. All the other arguments are as there too, and hold for every symbol.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time.
            end: end of the range, exclusive.
            count: at most so many candles of each symbol.
            columns: which optional columns to read.
            as_of: the moment of which the knowledge is asked for.
            adjust: what to do with splits and dividends.
            fill: what to do with slots that are proven empty.

        Raises:
            BadInputError: no symbols, or one text instead of a list.
            CandleError: any error that `load` raises, for the first symbol that fails.
        """
        if isinstance(symbols, str) or not symbols:
            raise BadInputError(f"{symbols!r} is no list of symbols; write ['BTC/USDT', 'ETH/USDT']")
        read = self._reading(start, end, count, columns, as_of, adjust, fill)
        queries = {str(symbol): self._catalogue.query(symbol, timeframe, exchange, tradetype) for symbol in symbols}
        known = await self._catalogue.known_together(queries.values())
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(query: SymbolQuery) -> CandleBatch:
            async with turn:
                return await read(query, record=known.get(query))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(one(query)) for name, query in queries.items()}
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None  # the first to fail; the others were cancelled because of it
        return CandleFrame({name: task.result() for name, task in tasks.items()})

    def _reading(
        self,
        start: Moment | None,
        end: Moment | None,
        count: int | None,
        columns: Sequence[str] | None,
        as_of: Moment | None,
        adjust: str,
        fill: str,
    ) -> "_Reading":
        """What `load` does with a query, and with its record where that is known."""
        if count is not None and count < 1:
            raise BadSpanError(f"a count of {count!r} is no range; give at least 1")
        if fill not in FILLS:
            raise BadInputError(f"{fill!r} is no way to fill; there are {', '.join(FILLS)}")
        if as_of is not None:
            need_revisions(self._kernel.storage(), "what was known then")
        view = View(
            columns=None if columns is None else tuple(columns),
            as_of=None if as_of is None else to_ms(as_of),
            adjust=Adjust.of(adjust),
        )
        span, newest_first = open_span(start, end), start is None and count is not None
        return partial(
            read_candles,
            self._kernel, view=view, span=span, count=count, newest_first=newest_first, flat=fill == "flat",
        )  # fmt: skip

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
        """Take back the proof of a range, so that the next collection asks the exchange again.

        Args:
            symbol: see `Candles`.
            timeframe: ccxt's notation.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: from this open time on; None: from the beginning.
            end: end of the range, exclusive; None: to the end.
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
        """How large a database is, and what it holds. One that does not exist holds nothing, and is not created.

        Args:
            store: a name under ``[stores]``; empty: the database of the candles.

        Raises:
            StorageError: it exists and cannot be read.
            ConfigError: no such store.
        """
        return await self._kernel.storage(store).status()

    async def statistics(self, since: Moment | None = None) -> Statistics:
        """What exchanges were asked, and how they answered: calls, costs, rows, errors and latency.

        Args:
            since: count every process that uses this cache folder, from the beginning of that day (UTC) on. Days are
                kept for three months, and a running process adds its figures about once a minute. None: count this
                manager alone, since it was opened.
        """
        if since is None:
            return Statistics(since=to_datetime(self._kernel.opened), entries=self._kernel.statistics.told())
        start = to_ms(since) // DAY * DAY
        self._kernel.statistics.hand_on()
        return Statistics(since=to_datetime(start), entries=self._kernel.kept_statistics.read(start))

    async def maintain(
        self, tasks: Iterable[MaintenanceTask | str] = (), *, store: str = ""
    ) -> list[MaintenanceReport]:
        """Do upkeep of a database. Every task is done to its end, and gives way to writes that somebody waits for.

        Args:
            tasks: what to do, in this order; ``"analyze"`` is the same as `MaintenanceTask.ANALYZE`. Empty: all tasks.
            store: a name under ``[stores]``; empty: the database of the candles.

        Returns:
            What each task did, and the problems that a check found.

        Raises:
            BadInputError: no such task.
            StorageError: a task failed; those before it are done.
        """
        wanted = [_task(task) for task in tasks] or _UPKEEP
        return [await self._kernel.writer(store).maintain(task) for task in wanted]


def _task(task: MaintenanceTask | str) -> MaintenanceTask:
    try:
        return MaintenanceTask(task)
    except ValueError:
        raise BadInputError(f"no task {task!r}; there are {', '.join(MaintenanceTask)}") from None
