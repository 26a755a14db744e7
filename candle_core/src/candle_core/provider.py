"""A provider in use: its hooks, and what the kernel keeps for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from candle_core.budget import Budget
from candle_core.clock import ExchangeClock
from candle_core.dispatch import ProviderHooks
from candle_core.sessions import SessionGrid
from candle_core.statistics import Collector
from candle_core.timeframes import Grid
from candle_hookspecs import (
    Clock,
    Market,
    MarketQuery,
    ProviderCapabilities,
    Session,
    Span,
    Symbol,
    UnknownTimeframeError,
    WarmupScope,
)

_YEAR: Final = 366 * 86_400_000


class Emit(Protocol):
    """Tells every extension what happened."""

    async def __call__(self, name: str, symbol: Symbol | None = None, **data: int | float | str) -> None:
        """See `Kernel.emit`."""
        ...


@dataclass(slots=True)
class Provider:
    """A provider in use: its hooks, and what the kernel keeps for it.

    Attributes:
        name: lower case.
        budget: the gate that its requests pass.
        clock: the exchange's. local: the kernel's, to wait on.
        statistics: counts what it is asked. emit: tells extensions what happens.
    """

    name: str
    hooks: ProviderHooks
    capabilities: ProviderCapabilities
    budget: Budget
    clock: ExchangeClock
    local: Clock
    statistics: Collector
    emit: Emit
    warm: asyncio.Lock = field(default_factory=asyncio.Lock)
    sessions: Sequence[Session] | None = None
    grids: dict[str, Grid] = field(default_factory=dict)

    async def open_grid(self, timeframe: str) -> Grid:
        """The same as `grid`, once the exchange's calendar is known; it is asked for once.

        Raises:
            UnknownTimeframeError: it has no such timeframe. PluginError: the calendar.
        """
        async with self.warm:
            if self.sessions is None:
                around = Span(0, self.clock.now() + _YEAR)
                self.sessions = await self.hooks.calendar(around) or ()
        return self.grid(timeframe)

    def grid(self, timeframe: str) -> Grid:
        """The grid of a timeframe that this exchange has, by its calendar, if that was asked for.

        Raises:
            UnknownTimeframeError: it has not.
        """
        if timeframe not in self.capabilities.timeframes:
            raise UnknownTimeframeError(
                f"{self.name!r} has no timeframe {timeframe!r}; it has {', '.join(self.capabilities.timeframes)}"
            )
        if not self.sessions:
            return Grid.of(timeframe, self.capabilities.grid.get(timeframe))
        if timeframe not in self.grids:
            self.grids[timeframe] = SessionGrid(timeframe, self.sessions)
        return self.grids[timeframe]

    async def warm_up(self) -> None:
        """Learn the exchange's clock, unless it was heard of late."""
        async with self.warm:
            if not self.clock.is_known and (info := await self.hooks.warmup(WarmupScope())) and info.server_time:
                self.clock.observe(info.server_time, info.local_time)

    async def list_markets(self) -> Sequence[Market]:
        """All markets as the exchange lists them now, with whatever else its session needs; its clock is heard too.

        Raises:
            ProviderError: it did not answer.
        """
        info = await self.hooks.warmup(WarmupScope(markets=True))
        if info is not None and info.server_time:
            self.clock.observe(info.server_time, info.local_time)
        return info.markets if info is not None and info.markets else await self.hooks.markets(MarketQuery())
