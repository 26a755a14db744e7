"""`Candles`: the async API that users call, and how it is opened."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from candle_core.api.collecting import Collecting
from candle_core.api.keeping import Keeping
from candle_core.api.looking import Looking
from candle_core.api.updating import Updating
from candle_core.api.warming import Warming
from candle_core.config import load_config
from candle_core.copying import CopyCallback, copy
from candle_core.kernel import Kernel
from candle_hookspecs import Clock, CopySummary, SymbolLike, SymbolQuery


@asynccontextmanager
async def open(
    config: str | Path | Mapping[str, Any] | None = None, *, clock: Clock | None = None
) -> AsyncIterator["Candles"]:
    """A candle manager, closed at the end of the block.

    Args:
        config: a TOML file, or its contents as a mapping; None: ``CANDLE_CONFIG``, else ``./candle.toml``, else
            defaults.
        clock: another clock than the machine's, for tests.

    Raises:
        ConfigError: the configuration is wrong. Plugins are loaded, and their errors raised, when first needed.
    """
    kernel = Kernel(load_config(config), clock)
    candles = Candles(kernel)
    try:
        await kernel.emit("manager.opened")
        yield candles
    finally:
        await candles.close()


class Candles(Looking, Collecting, Updating, Keeping, Warming):
    """Collects, keeps and reads candles. Made by `open`.

    Every method that takes a symbol takes a `Symbol`, its text form, or a market's name (``BTC/USDT``, ``BTCUSDT``)
    with `timeframe`, `exchange` and `tradetype` beside it; the last two have defaults under ``[defaults]``. Moments are
    timezone-aware datetimes, ISO 8601 texts (UTC where they name no offset) or UTC milliseconds. Ranges are half-open:
    a candle that opens at `end` is not in them. In names of exchanges and trade types case does not matter.
    """

    async def close(self) -> None:
        """Commit what was handed in, then close every plugin. `open` calls it."""
        await self._kernel.close()

    async def copy_to(
        self,
        target: "Candles | str | Path | Mapping[str, Any]",
        symbols: Sequence[SymbolLike] = (),
        *,
        exchange: str | None = None,
        tradetype: str | None = None,
        timeframe: str | None = None,
        progress_callback: CopyCallback | None = None,
    ) -> CopySummary:
        """Copy what is stored to another database: candles, what they replaced, and coverage.

        What the target already has is compared and not sent again, so an interrupted copy goes on where it stopped. In
        the end everything is compared. Memory use does not grow with the amount.

        Args:
            target: another open `Candles`, or the configuration of one, as `open` takes it.
            symbols: symbols, or names of markets; empty: all.
            exchange: only those of this exchange.
            tradetype: only those of this trade type.
            timeframe: only those of this timeframe.
            progress_callback: called after every 10,000 candles or so.

        Returns:
            What came of each symbol. One that failed, or of which the target has something else, stands there with its
            cause.

        Raises:
            BadInputError: both are the same database.
            UnknownSymbolError: a name means no stored symbol.
            ConfigError, PluginError, StorageError: a database cannot be opened.
        """
        query = SymbolQuery(exchange=exchange, tradetype=tradetype, timeframe=timeframe)
        async with _opened(target, self._kernel.clock) as other:
            return await copy(self._kernel, other._kernel, symbols, query, progress_callback)


@asynccontextmanager
async def _opened(target: "Candles | str | Path | Mapping[str, Any]", clock: Clock) -> AsyncIterator[Candles]:
    if isinstance(target, Candles):
        yield target
    else:
        async with open(target, clock=clock) as candles:
            yield candles
