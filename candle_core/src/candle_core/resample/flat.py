"""Flat candles where it is proven that nothing was traded. Pure."""

import numpy as np

from candle_core.resample.slots import Slots
from candle_core.timeframes import Grid
from candle_hookspecs import CandleBatch


def fill_flat(
    batch: CandleBatch, grid: Grid, answered: Slots, first: int, behind: int, before: CandleBatch
) -> CandleBatch:
    """Give each slot without a candle a flat one.

    All four prices are the close before, volumes and trades are 0. Only a slot that is answered gets one, and only if
    every slot from it back to that close is: behind a stretch that nobody knows, the last price is not known either.

    Args:
        batch: the candles of these slots.
        grid: theirs.
        answered: the slots of which it is known, while the market was traded, which candle they have.
        first: number of the first of these slots.
        behind: number of the first that is no longer one.
        before: the last candle that opens earlier, if there is one.
    """
    if not len(batch) and not len(before):
        return batch
    real = grid.indices(np.concatenate([before.open_time, batch.open_time]))
    closes = np.concatenate([before.close, batch.close])
    slots = np.arange(first, behind)
    slots = slots[answered.hold(slots)]
    source = np.searchsorted(real, slots, "right") - 1  # the last candle up to the slot, or in it
    slots, source = slots[source >= 0], source[source >= 0]
    near = answered.before(slots + 1) - answered.before(real[source] + 1) == slots - real[source]
    empty = near & (real[source] != slots)
    slots, close = slots[empty], closes[source[empty]]
    if not len(slots):
        return batch
    like, nothing = (batch if len(batch) else before), np.zeros(len(slots))
    flat = CandleBatch(
        open_time=grid.opens(slots),
        open=close,
        high=close,
        low=close,
        close=close,
        volume=nothing,
        quote_volume=None if like.quote_volume is None else nothing,
        trades=None if like.trades is None else nothing.astype(np.int64),
        taker_buy_volume=None if like.taker_buy_volume is None else nothing,
    )
    return CandleBatch.concat([batch, flat])
