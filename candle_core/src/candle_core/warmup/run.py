"""Warming up: exchanges side by side, each under its own limits and its own time, one failing alone."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from candle_core.directory import Listing
from candle_core.kernel import Kernel
from candle_core.pipeline import first_error
from candle_core.warmup.choice import chosen
from candle_hookspecs import (
    BadInputError,
    CandleError,
    ExchangeWarmup,
    TransientError,
    WarmupProgress,
    WarmupResult,
)

TIMEOUT: Final = 60.0
"""Seconds that an exchange is given."""

SOON: Final = 1_000
"""Milliseconds before a listing is not believed any more, in which a warm-up asks already. Else one that runs as often
as that, and once a moment late, would find it a moment too young the next time, and leave it to grow old."""

ProgressCallback = Callable[[WarmupProgress], object]

_log = logging.getLogger("candle.warmup")


async def warm_up(
    kernel: Kernel,
    exchanges: Iterable[str] = (),
    *,
    force: bool = False,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - each exchange's own, not that of the call
    callback: ProgressCallback | None = None,
) -> WarmupResult:
    """See `Candles.warm_up`."""
    given: object = timeout
    if not isinstance(given, int | float) or not given > 0:
        raise BadInputError(f"a timeout of {timeout!r} s lets no exchange answer; give seconds above 0")
    wanted = chosen(kernel.config, exchanges)
    began = time.perf_counter()
    _log.info("warm-up begins: %s", _exchanges(len(wanted)))
    done = 0

    async def one(name: str, accounts: tuple[str, ...]) -> ExchangeWarmup:
        nonlocal done
        found = await _warm(kernel, name, accounts, force=force, seconds=timeout)
        done += 1
        _tell(found)
        if callback is not None:
            callback(WarmupProgress(exchange=found, done=done, total=len(wanted)))
        return found

    # None of them raises what is an exchange's own; so an error is a defect or the callback's, and ends the others.
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name, accounts)) for name, accounts in wanted.items()]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    result = WarmupResult(exchanges=tuple(task.result() for task in tasks), seconds=time.perf_counter() - began)
    if result.failed:
        _log.warning("some exchanges failed; warmed up: %d/%d", len(result.refreshed), len(wanted))
    _log.info("warm-up ends: %.2f s, %d markets in all", result.seconds, result.total_markets)
    await kernel.emit(
        "warmup.finished",
        exchanges=len(wanted),
        failed=len(result.failed),
        markets=result.total_markets,
        seconds=result.seconds,
        causes=", ".join(f"{one.exchange}: {type(one.error).__name__}" for one in result.failed),
    )
    return result


async def _warm(kernel: Kernel, name: str, accounts: tuple[str, ...], *, force: bool, seconds: float) -> ExchangeWarmup:
    began = time.perf_counter()
    found: Listing | None = None
    error: CandleError | None
    try:
        async with asyncio.timeout(seconds):
            found = await _prepare(kernel, name, force=force)
            error = found.error
    except TimeoutError:
        error = TransientError(f"{name!r} did not answer within {seconds:g} s")
    except CandleError as failure:
        error = failure
    if error is not None:
        found = await kernel.directory.known(name)
    known = kernel.providers.get(name)
    return ExchangeWarmup(
        exchange=name,
        markets=0 if found is None else len(found.markets),
        cached=found is not None and not found.asked,
        age=None if found is None else max(0, kernel.clock.now() - found.at) / 1000,
        clock_offset=None if known is None else known.clock.offset,
        seconds=time.perf_counter() - began,
        accounts=accounts,
        error=error,
    )


async def _prepare(kernel: Kernel, name: str, *, force: bool) -> Listing:
    """What the first piece of work at an exchange needs: its session, clock, markets and calendar."""
    provider = kernel.provider(name)
    known = await kernel.directory.known(name)
    # What is not believed any more is asked for without insisting: who has just failed is given its pause.
    ends = None if known is None or not known.fresh else known.at + kernel.config.cache.ttl * 1000
    ends_soon = ends is not None and kernel.clock.now() > ends - SOON
    listing = await kernel.directory.listing(name, refresh=force or ends_soon)
    await kernel.directory.ensure_precision(listing)
    if provider.capabilities.timeframes:
        await provider.open_grid(provider.capabilities.timeframes[0])
    return listing


def _tell(found: ExchangeWarmup) -> None:
    markets = f"{found.markets} {'market' if found.markets == 1 else 'markets'}"
    if found.error is not None:
        stands_in = f"; {markets} of {found.age:.0f} s ago stand in" if found.stale else ""
        _log.error("%s failed: %s: %s%s", found.exchange, type(found.error).__name__, found.error, stands_in)
    elif found.cached:
        _log.info("%s is warm: %s of %.0f s ago", found.exchange, markets, found.age)
    else:
        _log.info("%s is warmed up: %s in %.2f s", found.exchange, markets, found.seconds)


def _exchanges(count: int) -> str:
    return f"{count} {'exchange' if count == 1 else 'exchanges'}"
