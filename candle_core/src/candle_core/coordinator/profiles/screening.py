"""Screening: the newest so many candles of each market, newest first, no further back than it takes."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from candle_core.coordinator.coordinator import MarketDataCoordinator
from candle_core.coordinator.models import LargeCandleRequest, LargeCandleResponse, LargeTickerRequest, at_least_one
from candle_core.coordinator.records import Records
from candle_core.estimate import estimate_of
from candle_hookspecs import BadInputError, CandleBatch, CandleError, Ticker

Enough = Callable[[CandleBatch], bool]
"""Says whether what came of a market so far will do."""

Prefilter = Callable[[Ticker], bool]
"""Says by a market's last 24 hours whether its candles are wanted."""

WIDER: Final = 16
"""The next look reaches at most so many times as far back as the last one."""
MARGIN: Final = 1.25
"""It reaches so much further than it should have to, by the density seen so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """One market.

    Attributes:
        symbol: as it was asked for.
        candles: the newest `count`; fewer where there are no more, or where fewer were enough.
        error: why there are none; None: there are.
        requests: calls to the exchange for its history.
    """

    symbol: str
    candles: CandleBatch
    error: CandleError | None = None
    requests: int = 0


async def screen(
    coordinator: MarketDataCoordinator,
    request: LargeCandleRequest,
    *,
    prefilter: Prefilter | None = None,
    enough: Enough | None = None,
    max_slots: int = 1_000_000,
) -> AsyncGenerator[Screened, None]:
    """Markets one by one as their candles are there, those that cost least first.

    A market is looked at from its newest candle back until there are `request.count` of them, however far apart they
    lie: a plain request counts slots, and would have to reach as far back in every market as in the thinnest. Leave the
    loop (and close the generator, as `contextlib.aclosing` does) when enough was seen; what was not begun by then is
    never asked for.

    Args:
        coordinator: what to ask through.
        request: with a `count` of candles, and an `end` or none.
        prefilter: is given each market's ticker first, which costs a call for all of them or for many (see
            `get_ticker_data`); markets that it turns down are left out, and their candles never asked for. What the
            others are told stays the same. A market whose ticker cannot be had is handed out with that error.
        enough: ends the look at a market before there are `count` candles; it is given those that came, in time order,
            a page more of them each time. None: only the count does.
        max_slots: how far back to look at most.

    Raises:
        BadInputError: the request has no count, or a start; a `max_slots` below 1; with a `prefilter`: the exchange has
            no tickers. And what `get_candle_data` raises.
    """
    if request.count is None or request.start is not None:
        raise BadInputError("screening takes the newest candles: give a count, and no start")
    at_least_one("max_slots", max_slots)
    names: Sequence[str] = request.symbols
    failures: Mapping[str, CandleError] = {}
    if prefilter is not None:
        names, failures = await _prefiltered(coordinator, request, prefilter)
    found = await _find(coordinator, request, names)
    failures = {**failures, **{name: error for name, error in found.items() if isinstance(error, CandleError)}}
    for name, error in failures.items():
        yield Screened(symbol=name, candles=CandleBatch.empty(), error=error)
    lanes = asyncio.Semaphore(request.max_concurrency or coordinator.max_concurrency)

    async def look(name: str) -> Screened:
        async with lanes:
            return await _look_back(coordinator, request, name, enough, max_slots)

    tasks = [asyncio.create_task(look(name)) for name in await _cheapest_first(coordinator, request, found)]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _prefiltered(
    coordinator: MarketDataCoordinator, request: LargeCandleRequest, prefilter: Prefilter
) -> tuple[list[str], Mapping[str, CandleError]]:
    """The markets that pass, and why some have no ticker."""
    response = await coordinator.get_ticker_data(
        LargeTickerRequest(
            exchange=request.exchange, tradetype=request.tradetype, symbols=request.symbols,
            priority=request.priority, max_concurrency=request.max_concurrency,
        )
    )  # fmt: skip
    return [name for name, ticker in response.tickers.items() if prefilter(ticker)], response.failures


async def _look_back(
    coordinator: MarketDataCoordinator, request: LargeCandleRequest, name: str, enough: Enough | None, max_slots: int
) -> Screened:
    count, requests = request.count or 1, 0
    page = coordinator.candles.kernel.provider(request.exchange).capabilities.page_limit
    slots = min(count, max_slots) if enough is None else min(count, max_slots, page)
    while True:
        one = replace(request, symbols=(name,), count=slots, max_concurrency=1)
        response = await coordinator.get_candle_data(one)
        requests += response.report.requests
        if error := response.failures.get(name):
            return Screened(symbol=name, candles=CandleBatch.empty(), error=error, requests=requests)
        batch = response.candles[name]
        told_enough = enough is not None and len(batch) > 0 and enough(batch)
        if told_enough or len(batch) >= count or slots >= max_slots or _is_all(response, name):
            return Screened(symbol=name, candles=batch[-count:], requests=requests)
        if enough is not None and len(batch) * 2 > slots:
            slots = min(slots + page, max_slots)
            continue
        needed = math.ceil(MARGIN * slots * count / len(batch)) if len(batch) else slots * WIDER
        slots = min(max(needed, 2 * slots), slots * WIDER, max_slots)


def _is_all(response: LargeCandleResponse, name: str) -> bool:
    """Whether the range reaches back to where the market, or what the exchange tells of it, begins."""
    report = response.slots.get(name)
    return report is None or bool(report.not_listed or report.out_of_reach)


async def _find(coordinator: MarketDataCoordinator, request: LargeCandleRequest, names: Sequence[str]) -> Records:
    """All that are meant, by one listing at most; else each look would ask for its own."""
    if not names:
        return {}
    return await coordinator.records(replace(request, symbols=names), (request.timeframe,), coverage=True)


async def _cheapest_first(coordinator: MarketDataCoordinator, request: LargeCandleRequest, found: Records) -> list[str]:
    """What is stored before what is partly stored, and that before what is not known at all."""
    costs: dict[str, float] = {}
    for name, records in found.items():
        if isinstance(records, CandleError):
            continue
        (record,) = records
        costs[name] = math.inf
        if record.coverage:
            kernel = coordinator.candles.kernel
            costs[name] = (await estimate_of(kernel, record, request.timeframe, request.bounds)).requests
    return sorted(costs, key=costs.__getitem__)
