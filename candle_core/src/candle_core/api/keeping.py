"""Keeping: reading what is stored, taking it back, and the database itself."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from candle_core.adjust import Adjust
from candle_core.api.base import Base
from candle_core.ranges import open_span
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
"""Every task, in the order in which each gains from the one before."""

_AT_ONCE: Final = 4
"""Symbols read at once; a database reads little faster for more."""


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
        """What is stored, without asking anybody.

        A timeframe that is not registered is made of finer ones that are, each candle of the coarsest in which all of
        its slot is proven or filled; where none knows all of it, there is no candle. Volumes and trades are summed in
        float64 as numpy and pandas do it; extra columns are left out. What is made is never stored.

        Args:
            symbol: see the class.
            timeframe: ccxt's notation; any count, such as ``7m``.
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
            fill: ``none``, or ``flat``: a slot that is proven empty, behind the market's first candle, has one whose
                prices are the close before and whose volumes are 0. Behind a stretch that nobody knows that begins
                again with the next candle.

        Raises:
            UnknownSymbolError: the database holds no such symbol, nor a finer one. MissingHookError: `as_of`, and the
                database forgets what it replaces; `adjust`, and it keeps no splits and dividends. PluginError: the
                exchange's plugin, which knows where slots begin, is not installed.
        """
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
        query = self._catalogue.query(symbol, timeframe, exchange, tradetype)
        span, newest_first = open_span(start, end), start is None and count is not None
        return await read_candles(
            self._kernel, query, view, span, count=count, newest_first=newest_first, flat=fill == "flat"
        )

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
        """What is stored of several symbols, as one frame, long or wide.

        Args:
            symbols: each as in `load`; the frame calls them by the names that are used here.
            timeframe: as in `load`, and so are the other arguments; they hold for every symbol.
            exchange: e.g. ``BINANCE``.
            tradetype: e.g. ``SPOT``.
            start: first open time.
            end: first open time no longer wanted.
            count: most candles of each symbol.
            columns: which optional columns to read.
            as_of: as it was known then.
            adjust: splits and dividends.
            fill: flat candles.

        Raises:
            BadInputError: no symbols, or one text in place of a list. And what `load` raises, for the first symbol
                that fails.
        """
        if isinstance(symbols, str) or not symbols:
            raise BadInputError(f"{symbols!r} is no list of symbols; write ['BTC/USDT', 'ETH/USDT']")
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(symbol: SymbolLike) -> CandleBatch:
            async with turn:
                return await self.load(
                    symbol, timeframe, exchange=exchange, tradetype=tradetype, start=start, end=end, count=count,
                    columns=columns, as_of=as_of, adjust=adjust, fill=fill,
                )  # fmt: skip

        names = {str(symbol): symbol for symbol in symbols}
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(one(symbol)) for name, symbol in names.items()}
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None  # the first to fail; the others were cancelled because of it
        return CandleFrame({name: task.result() for name, task in tasks.items()})

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

    async def statistics(self, since: Moment | None = None) -> Statistics:
        """What exchanges were asked, and how they answered: calls, costs, rows, errors and latency.

        Args:
            since: of every process that uses this cache folder, from the beginning of that day (UTC) on; days are kept
                for three months, and what runs tells its share about once a minute. None: of this manager alone, since
                it was opened.
        """
        if since is None:
            return Statistics(since=to_datetime(self._kernel.opened), entries=self._kernel.statistics.told())
        start = to_ms(since) // DAY * DAY
        self._kernel.statistics.hand_on()
        return Statistics(since=to_datetime(start), entries=self._kernel.kept_statistics.read(start))

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
