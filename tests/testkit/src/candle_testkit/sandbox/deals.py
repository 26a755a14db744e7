"""The trades of a market, made of the minutes of its history.

A minute's trades are as many as its candle says, start at its opening price, end at its closing price, touch its high
and its low, and add up, each flow on its own, to its volume and quote volume, to the last unit. Where a minute has too
few trades for all of that, it keeps, as long as it can and in this order: the number, the volume, the quote volume, the
flows, the prices. A minute of one single trade has it at its average price, rounded down to a tick.

Candles of seconds divide the same minutes in a way of their own.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.market import Market, level_runs
from candle_testkit.sandbox.stretches import NORMAL
from candle_testkit.sandbox.synth import (
    CLOSE,
    DAY,
    HIGH,
    LEVEL_MS,
    LOW,
    MINUTE,
    OPEN,
    QUOTE,
    ROWS,
    TRADES,
    VOLUME,
    Ints,
    draw,
    fold,
)

#: A trade: its number, counted from the market's first; UTC ms; decimals in units of 1e-8.
DEAL: Final = np.dtype(
    [(name, np.int64) for name in ("number", "at", "price", "amount", "taker_is_buyer")]
)  # fmt: skip
Deals = NDArray[np.void]

_MINUTE_MS: Final = LEVEL_MS[MINUTE]
_FIRST_STEP: Final = 16
_LONGEST_STEP: Final = 200_000
_LEAST: Final = 2
"""Trades of a flow that are left to carry what the opening, the extremes and the close do not."""


class DealBook:
    """All trades of one market. Pure: what it answers depends on its arguments alone."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._synth = market.synth
        self._units = market.config.tick_units, market.config.step_units
        self._before = lru_cache(maxsize=65_536)(self._counted)

    def between(self, start: int, end: int) -> Deals:
        """Trades of ``[start, end)`` UTC ms, oldest first."""
        deals = self._minutes(start // _MINUTE_MS, -(-end // _MINUTE_MS))
        return deals[(deals["at"] >= start) & (deals["at"] < end)]

    def newest(self, end: int, count: int, since: int) -> Deals:
        """The newest ``count`` of ``[since, end)``, oldest first."""
        parts, wanted, step, stop = [], count, _FIRST_STEP, end
        since = max(since, self._market.config.listed_ms)
        while wanted > 0 and stop > since:
            start = max(since, (stop // _MINUTE_MS - step) * _MINUTE_MS)
            found = self.between(start, stop)
            parts.append(found[max(len(found) - wanted, 0) :])
            wanted, stop, step = wanted - len(found), start, min(step * 4, _LONGEST_STEP)
        return np.concatenate(parts[::-1]) if parts else np.empty(0, DEAL)

    def oldest(self, start: int, count: int, end: int) -> Deals:
        """The oldest ``count`` of ``[start, end)``."""
        parts, wanted, step = [], count, _FIRST_STEP
        start = max(start, self._market.config.listed_ms)
        while wanted > 0 and start < end:
            stop = min(end, (start // _MINUTE_MS + step) * _MINUTE_MS)
            found = self.between(start, stop)
            parts.append(found[:wanted])
            wanted, start, step = wanted - len(found), stop, min(step * 4, _LONGEST_STEP)
        return np.concatenate(parts) if parts else np.empty(0, DEAL)

    def from_number(self, number: int, count: int, end: int) -> Deals:
        """The oldest ``count`` before ``end`` whose number is at least ``number``."""
        low, high = self._market.config.listed_ms // _MINUTE_MS, end // _MINUTE_MS + 1
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if self._before(middle * _MINUTE_MS) <= number else (low, middle)
        # The minute that holds it may have others before it.
        found = self.oldest(
            low * _MINUTE_MS, count + self._before(high * _MINUTE_MS) - self._before(low * _MINUTE_MS), end
        )
        return found[found["number"] >= number][:count]

    # ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _counted(self, instant: int) -> int:
        """How many trades there were before an instant on a whole minute."""
        listed = self._market.config.listed_ms
        day = instant // LEVEL_MS[DAY] * LEVEL_MS[DAY]
        if day < instant and day > listed:
            return self._before(day) + self._count(day, instant)
        return self._count(listed, instant)

    def _count(self, start: int, end: int) -> int:
        total = 0
        for a, b, kind in self._market.stretches.pieces(start, end) if start < end else ():
            if kind == NORMAL:
                runs = level_runs(a, b)
                total += sum(int(self._synth.bars(level, i, j)[TRADES].sum()) for level, i, j in runs)
        return total

    # ── making ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _minutes(self, first: int, stop: int) -> Deals:
        first = max(first, self._market.config.listed_ms // _MINUTE_MS)
        if first >= stop:
            return np.empty(0, DEAL)
        numbers, bars = self._synth.traded(MINUTE, first, stop)
        starts, stretches = numbers * _MINUTE_MS, self._market.stretches
        segments = stretches.segments(starts)
        whole = segments == stretches.segments(starts + _MINUTE_MS - 1)
        there = np.flatnonzero(~whole | (stretches.kinds[segments] == NORMAL))
        before, parts = self._before(first * _MINUTE_MS), []
        for place in there.tolist():
            start, bar = int(starts[place]), bars[:, place : place + 1]
            parts += [self._made(bar, start, start + _MINUTE_MS, before)] if whole[place] else self._cut(start, before)
            before = int(parts[-1]["number"][-1]) + 1 if parts else before
        return np.concatenate(parts) if parts else np.empty(0, DEAL)

    def _cut(self, start: int, before: int) -> list[Deals]:
        """The trades of a minute that an edge of a stretch cuts: fewer than the undisturbed one has, or none."""
        parts = []
        for a, b, kind in self._market.stretches.pieces(start, start + _MINUTE_MS):
            if kind == NORMAL:
                bars = np.concatenate([self._synth.bars(level, i, j) for level, i, j in level_runs(a, b)], axis=1)
                bar = fold(bars, np.zeros(min(bars.shape[1], 1), dtype=np.int64))
                parts.append(self._made(bar, a, b, before))
                before += len(parts[-1])
        return [part for part in parts if len(part)]

    def _made(self, bar: Ints, start: int, end: int, before: int) -> Deals:
        count = int(bar[TRADES].sum()) if bar.shape == (ROWS, 1) else 0
        deals = np.empty(count, DEAL)
        if count:
            dice = draw(self._synth.shape.key, 950, before + np.arange(count))
            prices, amounts, buys = _divided([int(value) for value in bar[:, 0]], (dice >> np.uint64(40)).tolist())
            ticks, steps = self._units
            moments = (dice & np.uint64((1 << 40) - 1)).astype(np.int64) % (end - start)
            deals["number"], deals["at"] = before + np.arange(count), start + np.sort(moments)
            deals["price"], deals["amount"] = np.array(prices) * ticks, np.array(amounts) * steps
            deals["taker_is_buyer"] = buys
        return deals


def _divided(bar: list[int], dice: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Prices in ticks, amounts in steps and 1 for bought, of the trades that a bar is made of, in order.

    Args:
        bar: a column of `Synth.bars`.
        dice: a number for each trade.
    """
    opened, high, low, closed = (bar[row] for row in (OPEN, HIGH, LOW, CLOSE))
    counts, volumes, quotes = (bar[rows] for rows in (TRADES, VOLUME, QUOTE))
    flows = [[count, volume, quote] for count, volume, quote in zip(counts, volumes, quotes, strict=True)]
    mixed = 1 in counts and sum(counts) > 1
    if mixed:
        # One trade alone has no two prices to make up its flow: both flows are made up together.
        flows = [[sum(values) for values in zip(*flows, strict=True)]]
    special: dict[str, tuple[int, int, int]] = {}
    for name, price in (("high", high), ("low", low), ("open", opened), ("close", closed)):
        for number, flow in enumerate(flows):
            count, volume, quote = flow[0] - 1, flow[1] - 1, flow[2] - price
            if count >= _LEAST and low * volume <= quote <= high * volume:
                flow[:] = [count, volume, quote]
                special[name] = (price, 1, number)
                break
    body = [trade for number, flow in enumerate(flows) for trade in _spread(flow, number)]
    body = [one for _, one in sorted(zip(dice, body, strict=False), key=lambda pair: pair[0])]
    for name in ("high", "low"):
        if name in special:
            body.insert(dice[0] % (len(body) + 1), special[name])
    trades = [*([special["open"]] if "open" in special else []), *body]
    trades += [special["close"]] if "close" in special else []
    buys = [flow for _, _, flow in trades]
    if mixed:
        buys = [int(place < counts[1]) for place in range(len(trades))]
    return [price for price, _, _ in trades], [amount for _, amount, _ in trades], buys


def _spread(share: list[int], flow: int) -> list[tuple[int, int, int]]:
    """Trades of a count, a volume and a quote volume, at two neighbouring prices, that add up to just these.

    One alone has the lower price, and loses what is left of the quote volume.
    """
    count, volume, quote = share
    if not count:
        return []
    price, above = divmod(quote, volume)
    dear = min(max(1, count * above // volume), above, count - 1) if above else 0
    dear = max(dear, count - (volume - above)) if above and count > 1 else dear
    if not dear:
        return [(price, amount, flow) for amount in _parts(volume, count)]
    cheap = [(price, amount, flow) for amount in _parts(volume - above, count - dear)]
    return [*cheap, *((price + 1, amount, flow) for amount in _parts(above, dear))]


def _parts(total: int, count: int) -> list[int]:
    """A whole number in parts that rise slowly, each at least 1."""
    spare, weights = total - count, count * (count + 1) // 2
    edges = [spare * place * (place + 1) // 2 // weights for place in range(count + 1)]
    return [1 + after - before for before, after in pairwise(edges)]
