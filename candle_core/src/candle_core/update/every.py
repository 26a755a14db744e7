"""Updating again and again: each exchange on its own, whenever candles of a timeframe become final there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from candle_core.clock import doze_until
from candle_core.collect import DATE_RESOLUTION
from candle_core.kernel import Kernel
from candle_core.pipeline import first_error
from candle_core.provider import Provider
from candle_core.timeframes import Grid
from candle_core.update.schedule import Beats
from candle_hookspecs import ProviderError, UpdateResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What came of one run.

    Attributes:
        result: the account, or why the exchange as a whole could not be asked.
        ended, following: this run's end and the next one's beginning, UTC ms on the exchange's clock.
        missed: beats that passed during the run, and are left out.
    """

    exchange: str
    result: UpdateResult | ProviderError
    ended: int
    following: int
    missed: int


async def update_every(
    kernel: Kernel,
    timeframe: str,
    exchanges: Iterable[str],
    run: Callable[[str], Awaitable[UpdateResult]],
    tell: Callable[[Turn], object],
) -> NoReturn:
    """Run at once, and then whenever a candle of the timeframe has become final, until cancelled.

    Final is a candle a provider's `settle` after its close, on the exchange's clock. A run that lasts longer than the
    period is followed by the next beat, not by those it missed. An exchange that does not answer is asked again at the
    next beat, and holds up no other.

    Args:
        kernel: whose providers are asked.
        timeframe: ccxt's notation; on an exchange's own grid where it has it.
        exchanges: each is run by itself.
        run: updates one exchange.
        tell: called with what came of each run.

    Raises:
        CandleError: anything but an exchange's failure. PluginError: an exchange has no plugin.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for exchange in exchanges:
                group.create_task(_keep(kernel, timeframe, exchange, run, tell))
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    raise AssertionError("updating ends by an error alone")


async def _keep(
    kernel: Kernel,
    timeframe: str,
    exchange: str,
    run: Callable[[str], Awaitable[UpdateResult]],
    tell: Callable[[Turn], object],
) -> NoReturn:
    provider = kernel.provider(exchange)
    clock, beats = provider.clock, await _beats(provider, timeframe)
    while True:
        began = kernel.clock.now()
        result: UpdateResult | ProviderError
        try:
            result = await run(exchange)
        except ProviderError as error:
            result = error
        # Where it began is told from its end: by then the exchange's clock is known.
        ended = clock.now()
        missed = beats.between(ended - (kernel.clock.now() - began), ended)
        following = beats.after(ended)
        tell(Turn(exchange=exchange, result=result, ended=ended, following=following, missed=missed))
        del result  # a long list, not to be held until the next one is there
        if not await doze_until(following, clock.local, clock.now):
            clock.forget()  # the run begins at once, and asks what time it is


async def _beats(provider: Provider, timeframe: str) -> Beats:
    known = timeframe in provider.capabilities.timeframes
    grid = await provider.open_grid(timeframe) if known else Grid.of(timeframe)
    # As late as a run believes it: the exchange's clock may be known by whole seconds only.
    return Beats(grid, provider.capabilities.settle + DATE_RESOLUTION)
