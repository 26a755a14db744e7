"""Calls that name markets: as many at once as the exchange takes, and fewer where it refuses one of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from candle_hookspecs import FetchRequest, ProviderCapabilities


def group(request: FetchRequest, capabilities: ProviderCapabilities) -> list[FetchRequest]:
    """The kernel's own `candle_split` of tickers, order books and trades: groups of markets, in the order given.

    Trades are not cut by time: how many there are is known from the first answer, which tells its `Page.rest`.
    """
    size, costs = capabilities.most_markets(request.kind), capabilities.cost(request.kind)
    return [
        replace(request, markets=request.markets[start : start + size], costs=costs)
        for start in range(0, len(request.markets), size)
    ]


def halves(request: FetchRequest, split: Callable[[FetchRequest], Sequence[FetchRequest]]) -> tuple[FetchRequest, ...]:
    """The calls to send instead of one that was refused because the exchange does not know one of its markets.

    One unknown market among n costs at most 2 * log2(n), rounded up, calls more; every other one gets its answer. None
    for a call with a single market: that market is the one.

    Args:
        request: the call that was refused.
        split: `candle_split` of the provider: a smaller call may cost less.
    """
    middle = len(request.markets) // 2
    parts = (request.markets[:middle], request.markets[middle:]) if middle else ()
    return tuple(call for part in parts for call in split(replace(request, markets=part, token="")))
