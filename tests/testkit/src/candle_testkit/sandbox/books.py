"""What a market is like this moment, told from the same history as its candles: the last price, 24 hours, the book."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.stretches import ABSENT
from candle_testkit.sandbox.synth import DAY, LEVEL_MS, draw

#: A level of an order book, in units of 1e-8.
LEVEL: Final = np.dtype([("price", np.int64), ("amount", np.int64)])
Levels = NDArray[np.void]

_SECOND_MS: Final = 1_000
_BEST_STEPS: Final = 1_000
_MOST_STEPS: Final = 1 << 16


def last_price(market: Market, now: int) -> int:
    """The last price, in units of 1e-8: now or, where trading has ended or is interrupted, before that."""
    return _price_in(market, now // _SECOND_MS)


@lru_cache(maxsize=1024)
def _price_in(market: Market, second: int) -> int:
    now = second * _SECOND_MS
    instant = market.stretches.present_before(now)
    if market.stretches.kind(now) != ABSENT:
        return market.price_at(now)
    return int(market.over(instant - instant % 1000, instant + 1)["close"][0])


def past_day(market: Market, now: int) -> dict[str, int]:
    """Twenty-four hours up to now, over whole seconds; decimals in units of 1e-8, `opened` in UTC ms.

    Keys: opened, last, open, high, low, volume, quote_volume, trades.
    """
    opened, last = max(now - LEVEL_MS[DAY], market.config.listed_ms), last_price(market, now)
    rows = market.over(opened, now)
    flat = {"open": last, "high": last, "low": last, "volume": 0, "quote_volume": 0, "trades": 0}
    figures = {name: int(rows[name][0]) for name in flat} if len(rows) else flat
    return {"opened": opened, "last": last, **figures}


def book(market: Market, now: int, depth: int) -> tuple[Levels, Levels]:
    """Bids, falling, and asks, rising: a level on every tick around the last price, never crossed."""
    last, tick = last_price(market, now), market.config.tick_units
    best = max(last - tick, tick)
    places = np.arange(depth, dtype=np.int64)
    sides = []
    for side, prices in enumerate((best - places * tick, last + tick + places * tick)):
        levels = np.empty(depth, LEVEL)
        dice = draw(market.synth.shape.key, 960 + side, prices + now // _SECOND_MS)
        steps = (dice % np.uint64(_MOST_STEPS)).astype(np.int64) + 1
        steps[:1] = _BEST_STEPS
        levels["price"], levels["amount"] = prices, steps * market.config.step_units
        sides.append(levels[prices > 0])
    return sides[0], sides[1]
