"""How a wish for tickers, order books or trades is cut into calls, and what each of them weighs. Pure.

Weights: https://github.com/binance/binance-spot-api-docs, rest-api.md, "Market data endpoints".
"""

from dataclasses import replace
from typing import Final

from candle_hookspecs import Costs, FetchRequest, Kind

WEIGHT: Final = "weight"

TICKERS: Final = 20
"""Markets in one call for tickers. Up to here they weigh 2; from the next one on 40, and from the 101st 80."""
TICKERS_WEIGHT: Final = 2
EVERYTHING: Final = "everything"
"""The token of the call that names no market and is answered with all of them."""
EVERYTHING_WEIGHT: Final = 80

DEPTHS: Final = ((100, 5), (500, 25), (1000, 50), (5000, 250))
"""Levels on each side up to which a book has this weight."""
BOOK_LEVELS: Final = DEPTHS[0][0]
MOST_LEVELS: Final = DEPTHS[-1][0]

TRADES: Final = 1000
"""Trades in one answer; more are not refused but cut to this."""
TRADES_WEIGHT: Final = 4


def split(request: FetchRequest) -> list[FetchRequest]:
    """The calls for tickers, order books or trades."""
    if request.kind is Kind.TICKERS:
        return _tickers(request)
    if request.kind is Kind.ORDERBOOKS:
        levels = min(request.limit or BOOK_LEVELS, MOST_LEVELS)
        costs = book_costs(levels)
        return [replace(request, markets=(market,), limit=levels, costs=costs) for market in request.markets]
    return [replace(request, markets=(market,), costs={WEIGHT: TRADES_WEIGHT}) for market in request.markets]


def book_costs(levels: int) -> Costs:
    """What a book of so many levels on each side costs."""
    return {WEIGHT: next(weight for most, weight in DEPTHS if levels <= most)}


def _tickers(request: FetchRequest) -> list[FetchRequest]:
    """Twenty markets a call, as long as that weighs less than all markets at once.

    A hundred tickers weigh 10 in five calls and 40 in one. The five go out at once and take no longer, weight is what
    runs short first (the bound on the number of requests is ten times wider), so the weight decides. From 800 markets
    on one call for everything weighs no more, and cannot be refused for one that is unknown.
    """
    groups = -(-len(request.markets) // TICKERS)
    if groups * TICKERS_WEIGHT >= EVERYTHING_WEIGHT:
        return [replace(request, token=EVERYTHING, costs={WEIGHT: EVERYTHING_WEIGHT})]
    return [
        replace(request, markets=request.markets[start : start + TICKERS], costs={WEIGHT: TICKERS_WEIGHT})
        for start in range(0, len(request.markets), TICKERS)
    ]
