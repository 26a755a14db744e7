"""Candles from single trades. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_core.resample.slots import Slots
from candle_core.timeframes import Grid
from candle_hookspecs import BadInputError, CandleBatch, Floats, Ints, Span, Trade

_DIGITS: Final = 60
"""Enough for the sum of a year's products of 20-digit prices and amounts to be exact."""


def candles_from_trades(
    trades: Iterable[Trade], timeframe: str, *, anchor: int | None = None, span: Span | None = None
) -> CandleBatch:
    """The candles that trades make.

    Open and close are the first and the last trade by time, then by id (numbers by their value). Volumes are summed as
    decimals, without rounding, and are the floats nearest to these sums. A trade that comes twice, by its id, counts
    once.

    Args:
        trades: of one market, in any order.
        timeframe: ccxt's notation.
        anchor: UTC ms of any one opening, where slots do not begin as usual; see `Grid.of`.
        span: UTC ms; where all trades are given. Only slots that lie in it as a whole have a candle. None: every slot
            with a trade has one, the first and the last perhaps of a part of its trades.

    Returns:
        `taker_buy_volume` is NaN in a slot with a trade whose taker's side is not known, and None where none is.

    Raises:
        BadInputError: trades of several markets. UnknownTimeframeError: not a timeframe.
    """
    grid = Grid.of(timeframe, anchor)
    rows = _unique(trades)
    times = np.array([trade.at for trade in rows], np.int64)
    order = np.lexsort((_ranks([trade.id for trade in rows]), times))
    slots = grid.indices(times[order])
    if span is not None:
        inside = Slots(np.array([grid.index(span.start - 1) + 1]), np.array([grid.index(span.end)])).hold(slots)
        order, slots = order[inside], slots[inside]
    if not len(order):
        return CandleBatch.empty()
    first = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    last = np.append(first[1:], len(slots)) - 1
    chosen = [rows[row] for row in order.tolist()]
    prices = np.array([trade.price for trade in chosen], np.float64)
    amounts = [trade.amount for trade in chosen]
    with localcontext() as context:
        context.prec = _DIGITS
        quotes = [trade.price * trade.amount for trade in chosen]
        bought = [trade.amount if trade.taker_is_buyer else Decimal(0) for trade in chosen]
        volume, quote_volume, taker = (_sums(values, first) for values in (amounts, quotes, bought))
    sided = np.array([trade.taker_is_buyer is not None for trade in chosen])
    return CandleBatch(
        open_time=grid.opens(slots[first]),
        open=prices[first],
        high=np.maximum.reduceat(prices, first),
        low=np.minimum.reduceat(prices, first),
        close=prices[last],
        volume=volume,
        quote_volume=quote_volume,
        trades=last - first + 1,
        taker_buy_volume=np.where(np.logical_and.reduceat(sided, first), taker, np.nan) if sided.any() else None,
    )


def _unique(trades: Iterable[Trade]) -> list[Trade]:
    """Each trade once; those without an id cannot be told apart, so they all stay."""
    rows = list(trades)
    markets = {(trade.market.exchange, trade.market.tradetype, trade.market.native_id) for trade in rows}
    if len(markets) > 1:
        names = ", ".join(sorted(" ".join(market) for market in markets))
        raise BadInputError(f"trades of several markets make no candles: {names}; give those of one")
    named = {trade.id: trade for trade in rows if trade.id}
    return [*named.values(), *(trade for trade in rows if not trade.id)]


def _ranks(names: Sequence[str]) -> NDArray[Any]:
    """What ids are ordered by: as numbers if all are."""
    if all(name.isdecimal() for name in names):
        width = max(map(len, names), default=0)
        names = [name.zfill(width) for name in names]
    return np.array(names, np.str_)


def _sums(values: Sequence[Decimal], first: Ints) -> Floats:
    """Decimals, summed from each position to the next, as floats."""
    return np.asarray(np.add.reduceat(np.array(values, object), first).astype(np.float64))
