"""What a collection would cost, before anything is fetched."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from candle_core.collect import horizon
from candle_core.coverage import Known, count_slots, slot_ranges
from candle_core.kernel import Kernel
from candle_core.pipeline import Pipeline, read_facts
from candle_core.plan import Window, WorkList
from candle_core.provider import Provider
from candle_core.ranges import Bounds
from candle_core.spans import Spans
from candle_core.symbols import Catalogue
from candle_core.timeframes import Grid
from candle_hookspecs import (
    Anchor,
    CollectionPlan,
    Coverage,
    FetchRequest,
    Market,
    Span,
    Spending,
    Symbol,
    SymbolQuery,
    SymbolRecord,
    to_datetime,
)

_BREATH: Final = 1_000
"""Windows after which others get their turn: years of seconds are hundreds of thousands."""


async def estimate(kernel: Kernel, query: SymbolQuery, bounds: Bounds, *, refetch: bool = False) -> CollectionPlan:
    """Plan a collection without carrying it out. No history is asked for, and nothing is written.

    Raises:
        UnknownMarketError, UnknownTimeframeError, ProviderError: see `Catalogue.look_up`.
    """
    found = await Catalogue(kernel).look_up(query)
    assert query.timeframe is not None
    return await estimate_of(kernel, found, query.timeframe, bounds, refetch=refetch)


async def estimate_of(
    kernel: Kernel, found: SymbolRecord | Market, timeframe: str, bounds: Bounds, *, refetch: bool = False
) -> CollectionPlan:
    """`estimate` of what is looked up already; if facts came with it, by these, and the database is not asked.

    Raises:
        ProviderError: the exchange did not tell the time.
    """
    record = found if isinstance(found, SymbolRecord) else None
    market = found.market if isinstance(found, SymbolRecord) else found
    symbol = market.symbol(timeframe)
    provider = kernel.provider(symbol.exchange)
    grid = await provider.open_grid(symbol.timeframe)

    async def look(span: Span) -> Known:
        facts: Sequence[Coverage] = ()
        if record is not None and not refetch:
            facts = await read_facts(kernel, record, span) if record.coverage is None else record.coverage
        return Known.of(facts, Pipeline.sources(provider))

    span = bounds.closed
    known = None if span is None else await look(span)
    if span is None or known is None or known.lacking(span, grid):
        span = bounds.span(grid, await horizon(kernel, provider, grid))
    if span is None:
        now = to_datetime(kernel.clock.now())
        return CollectionPlan(symbol=symbol, time_range=(now, now), wanted=0, already_covered=0, asked=0)
    known = known or await look(span)
    return await _plan(symbol, market, provider, grid, span, known.covered & Spans((span,)))


async def _plan(
    symbol: Symbol, market: Market, provider: Provider, grid: Grid, span: Span, covered: Spans
) -> CollectionPlan:
    """Take every window off the work-list, as a collection does whose windows are each answered in full."""
    wish = FetchRequest(markets=(market,), timeframe=symbol.timeframe, span=span)
    capabilities = provider.capabilities
    work = WorkList(wish, covered, grid, capabilities, provider.hooks.split)
    missing = work.missing()
    wanted, asked = grid.count(span), count_slots(missing, grid)
    requests, costs = 0, dict.fromkeys(capabilities.cost(wish.kind), 0.0)
    for number in itertools.count(1):
        if (window := work.take()) is None:
            break
        needed = _needed(window, grid)
        requests += needed
        for name, cost in window.request.costs.items():
            costs[name] = costs.get(name, 0.0) + cost * needed
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return CollectionPlan(
        symbol=symbol,
        time_range=(to_datetime(span.start), to_datetime(span.end)),
        wanted=wanted,
        already_covered=wanted - asked,
        asked=asked,
        missing=slot_ranges(missing, grid),
        requests=requests,
        spending=tuple(Spending(limit, costs[limit.name]) for limit in capabilities.limits if limit.name in costs),
    )


def _needed(window: Window, grid: Grid) -> int:
    """Requests for a window. One counted from its end leaves open what it wants before its first slot: one more."""
    span = window.span
    return 2 if window.request.anchor is Anchor.END and grid.ceil(span.start) != span.start else 1


def together(plans: Iterable[CollectionPlan]) -> tuple[Spending, ...]:
    """What plans that share their limits spend together, limit by limit."""
    costs: dict[str, Spending] = {}
    for one in (spending for plan in plans for spending in plan.spending):
        before = costs.get(one.limit.name)
        costs[one.limit.name] = Spending(one.limit, one.cost + (before.cost if before else 0))
    return tuple(costs.values())
