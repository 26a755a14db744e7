"""Deterministic prices out of nothing: a seed, a grid and counter-based hashing.

A market's history is a tree. A day is computed from its number alone; its 24 hours, their 60 minutes and
their 60 seconds are each *split* from the bar above, so that the children's first open, highest high, lowest
low, last close and every sum are the parent's own, to the last unit. Any bar therefore costs a handful of
hashes wherever in history it lies, nothing is stored, and every timeframe tells the same story.

Everything is ``int64``: prices in ticks, volumes in steps, quote volumes in ticks times steps. Decimals are
made at the very edge. The only floating point is correctly rounded arithmetic (no ``exp``), so a seed
gives the same market on every machine.

Invariants that hold for every bar at every level (the tests check them):

* ``1 <= low <= open, close <= high``, and a bar opens where the bar before it closed;
* no trades means a flat bar without volume, and volume is never below the number of trades;
* both flows (taker sold, taker bought) trade at an average price between low and high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

DAY: Final = 0
HOUR: Final = 1
MINUTE: Final = 2
SECOND: Final = 3
LEVEL_MS: Final = (86_400_000, 3_600_000, 60_000, 1_000)
CHILDREN: Final = (0, 24, 60, 60)

# Rows of the 2-D array of bars (10, n). The last six come in pairs: taker sold, taker bought.
OPEN, HIGH, LOW, CLOSE = range(4)
TRADES, VOLUME, QUOTE = slice(4, 6), slice(6, 8), slice(8, 10)
ROWS: Final = 10

_OCTAVES: Final = 12
_OCTAVE_WEIGHTS: Final = np.array([[round(16 * 2 ** (octave / 2))] for octave in range(_OCTAVES)])
_SWING: Final = 0.006 / (16 * 32768)
_NUDGE: Final = 1.0 + 1e-9


@dataclass(frozen=True)
class Shape:
    """What makes one market differ from another: ``price`` in ticks, ``volume`` in steps a day, ``trades`` a day.

    One trade a day is one exactly; more of them come and go.
    """

    key: int
    price: int
    volume: int
    trades: int


def mix(values: Hashes) -> Hashes:
    """Finalise counters into hashes (splitmix64; Steele, Lea, Flood, "Fast splittable PRNGs", OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def draw(key: int, salt: int, counters: Ints) -> Hashes:
    """One 64-bit hash per counter, independent for each ``(key, salt)``."""
    stream = (key + (salt + 1) * 0xD1B54A32D192ED03) & 0xFFFF_FFFF_FFFF_FFFF
    start = mix(np.array([stream], dtype=np.uint64))
    return mix(start + counters.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _bits(hashes: Hashes, shift: int, width: int) -> Ints:
    return ((hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.int64)


def _shares(total: Ints, weights: Ints) -> Ints:
    """Split ``total (...)`` by ``weights (..., n)`` into whole shares ``(..., n)`` that sum to it exactly."""
    reached = np.cumsum(weights, axis=-1)
    edges = total[..., None] * reached // np.maximum(reached[..., -1:], 1)
    return np.diff(edges, axis=-1, prepend=0)


class Synth:
    """The undisturbed history of one market (no listing date, no holes): ``bars(level, first, stop)``."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def bars(self, level: int, first: int, stop: int) -> Ints:
        """Bars ``first <= i < stop`` of a level as int64 ``(10, n)``; bar ``i`` opens at ``i * LEVEL_MS[level]``."""
        if level == DAY:
            return self._days(np.arange(first, stop, dtype=np.int64))
        fan = CHILDREN[level]
        parent, parents_stop = first // fan, -(-stop // fan)
        parents = self.bars(level - 1, parent, parents_stop)
        children = _split(parents, self.shape, level, np.arange(parent, parents_stop, dtype=np.int64))
        return children[:, first - parent * fan : stop - parent * fan]

    def at(self, level: int, numbers: Ints) -> Ints:
        """The bars of these numbers as ``(10, n)``; they ascend, may lie apart, and cost by how many they are."""
        if level == DAY:
            # A day closes where the next one opens: those between have to be there.
            first, stop = (int(numbers[0]), int(numbers[-1]) + 1) if len(numbers) else (0, 0)
            return self.bars(DAY, first, stop)[:, numbers - first]
        fan = CHILDREN[level]
        parents, places = np.unique(numbers // fan, return_inverse=True)
        children = _split(self.at(level - 1, parents), self.shape, level, parents)
        return children[:, places * fan + numbers % fan]

    def traded(self, level: int, first: int, stop: int) -> tuple[Ints, Ints]:
        """Only those of `bars` that traded, with their numbers; what it costs goes by them, not by the stretch."""
        if level == DAY:
            numbers, bars = np.arange(first, stop, dtype=np.int64), self.bars(DAY, first, stop)
        else:
            fan = CHILDREN[level]
            parents, known = self.traded(level - 1, first // fan, -(-stop // fan))
            numbers = (parents[:, None] * fan + np.arange(fan)).ravel()
            bars = _split(known, self.shape, level, parents)
        there = (bars[TRADES].sum(axis=0) > 0) & (numbers >= first) & (numbers < stop)
        return numbers[there], bars[:, there]

    def price_at(self, instant: int) -> int:
        """Price in ticks at the opening of the second that holds ``instant`` (UTC ms)."""
        second = instant // LEVEL_MS[SECOND]
        return int(self.bars(SECOND, second, second + 1)[OPEN, 0])

    def _day_prices(self, days: Ints) -> Ints:
        """Opening prices: value noise in octaves of 1 … 2048 days, weighted like a random walk."""
        octaves = np.arange(_OCTAVES)[:, None]
        cells = days >> octaves
        offsets = days - (cells << octaves)
        lattice = np.stack((cells, cells + 1)) * _OCTAVES + octaves
        left, right = _bits(draw(self.shape.key, 0, lattice), 8, 16) - 32768
        waves = (left * ((1 << octaves) - offsets) + right * offsets) >> octaves
        wave = (waves * _OCTAVE_WEIGHTS).sum(axis=0)
        swing = np.clip(wave * _SWING, -0.9, 0.9)
        # (1 + x) / (1 - x) is the Padé approximant of exp(2x): a positive price without a platform's exp().
        prices: Ints = np.rint(self.shape.price * ((1.0 + swing) / (1.0 - swing))).astype(np.int64)
        return np.maximum(prices, 1)

    def _days(self, days: Ints) -> Ints:
        bars = np.empty((ROWS, len(days)), dtype=np.int64)
        if not len(days):
            return bars
        prices = self._day_prices(np.append(days, days[-1] + 1))
        opens, closes = prices[:-1], prices[1:]
        wick = draw(self.shape.key, 100, days)
        bars[OPEN], bars[CLOSE] = opens, closes
        bars[HIGH] = np.maximum(opens, closes) + opens * (_bits(wick, 0, 10) + 64) // 40_000
        bars[LOW] = np.maximum(np.minimum(opens, closes) - opens * (_bits(wick, 10, 10) + 64) // 40_000, 1)
        room = bars[HIGH] - bars[LOW]
        middle = (opens + closes) // 2 + room * (_bits(wick, 20, 8) - 128) // 1024
        lone = _bits(wick, 30, 1) if self.shape.trades == 1 else None
        for flow in (0, 1):
            dice = draw(self.shape.key, 101 + flow, days)
            trades = np.maximum(self.shape.trades * (_bits(dice, 0, 10) + 512) // 2048, 1)
            volume = self.shape.volume * (_bits(dice, 10, 10) + 256) // 1536 + trades
            average = np.clip(middle + room * (_bits(dice, 20, 8) - 128) // 16384, bars[LOW], bars[HIGH])
            quote = volume * average + np.where(average < bars[HIGH], _bits(dice, 28, 32) % volume, 0)
            happened = 1 if lone is None else lone == flow
            for part, amount in ((TRADES, trades), (VOLUME, volume), (QUOTE, quote)):
                bars[part][flow] = amount * happened
        return bars


def _split(parents: Ints, shape: Shape, level: int, places: Ints) -> Ints:
    """Split bars ``(10, p)``, numbered ``places``, into the ``(10, p * n)`` bars of the next level, exactly."""
    fan, count = CHILDREN[level], parents.shape[1]
    numbers = places[:, None] * fan + np.arange(fan, dtype=np.int64)
    sizes, moves = draw(shape.key, 200 + level, numbers), draw(shape.key, 300 + level, numbers)
    # Shares of one would all go to the last child; a lone trade of the day falls anywhere.
    lot = (_bits(sizes[:, :1], 0, 12) % fan == np.arange(fan)) if shape.trades == 1 else None
    trades = np.empty((2, count, fan), dtype=np.int64)
    volumes = np.empty_like(trades)
    for flow in (0, 1):
        traded, sized = _bits(sizes, 24 * flow, 12), _bits(sizes, 24 * flow + 12, 12)
        weights = (traded * traded >> 12) + 1 if lot is None else lot.astype(np.int64)
        trades[flow] = _shares(parents[TRADES][flow], weights)
        spare = parents[VOLUME][flow] - parents[TRADES][flow]
        volumes[flow] = trades[flow] + _shares(spare, ((sized * sized >> 12) + 1) * (trades[flow] > 0))
    active = (trades[0] + trades[1]) > 0
    opens, highs, lows, closes = _paths(parents, moves, active, volumes[0] + volumes[1])
    _widen(parents, highs, lows, active, volumes)
    children = np.empty((ROWS, count * fan), dtype=np.int64)
    for row, column in ((OPEN, opens), (HIGH, highs), (LOW, lows), (CLOSE, closes)):
        children[row] = column.ravel()
    children[TRADES] = trades.reshape(2, -1)
    children[VOLUME] = volumes.reshape(2, -1)
    children[QUOTE] = _quotes(parents[QUOTE], highs * volumes, lows * volumes).reshape(2, -1)
    return children


def _paths(parents: Ints, moves: Hashes, active: NDArray[np.bool_], volume: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """A bridge from the parent's open to its close inside its range; only children that trade move.

    The bridge is bent by a parabola so that its volume-weighted mean comes near the parent's average price.
    """
    opened, high, low, closed = (parents[row][:, None] for row in (OPEN, HIGH, LOW, CLOSE))
    walked = np.cumsum(active, axis=1, dtype=np.int64)
    steps = np.cumsum(np.where(active, _bits(moves, 0, 16) - 32768, 0), axis=1)
    length = np.maximum(walked[:, -1:], 1)
    bridge = steps * length - steps[:, -1:] * walked
    peak = np.maximum(np.abs(bridge).max(axis=1, keepdims=True), 1)
    reach = (high - low) * (64 + _bits(moves[:, :1], 40, 7)) >> 8
    ends = opened + (closed - opened) * walked // length + bridge * reach // peak
    total = np.maximum(volume.sum(axis=1), 1)
    average = parents[QUOTE].sum(axis=0) // total - (np.clip(ends, low, high) * volume).sum(axis=1) // total
    bend = np.where(active.any(axis=1), average, 0)[:, None]
    ends = np.clip(ends + bend * 6 * walked * (length - walked) // (length * length), low, high)
    opens = np.concatenate((opened, ends[:, :-1]), axis=1)
    wick = (high - low) >> 4
    tops = np.minimum(np.maximum(opens, ends) + (wick * _bits(moves, 16, 8) >> 8), high)
    feet = np.maximum(np.minimum(opens, ends) - (wick * _bits(moves, 24, 8) >> 8), low)
    highs, lows = np.where(active, tops, opens), np.where(active, feet, opens)
    every = np.arange(len(highs))
    highs[every, np.where(active, highs, -1).argmax(axis=1)] = high[:, 0]
    lows[every, np.where(active, lows, np.iinfo(np.int64).max).argmin(axis=1)] = low[:, 0]
    return opens, highs, lows, ends


def _widen(parents: Ints, highs: Ints, lows: Ints, active: NDArray[np.bool_], volumes: Ints) -> None:
    """Lengthen wicks, in place, just far enough that the parent's quote volume fits between them."""
    quote, volume = parents[QUOTE], parents[VOLUME]
    for limit, wicks, sign in ((parents[HIGH], highs, 1), (parents[LOW], lows, -1)):
        reached = (wicks * volumes).sum(axis=2)
        lacking = np.maximum((quote - reached) * sign, 0)
        room = np.maximum((limit * volume - reached) * sign, 1)
        share = (lacking / room).max(axis=0)
        gap = np.where(active, (limit[:, None] - wicks) * sign, 0)
        # Rounded up, so that whole ticks never leave the quote volume a unit short of its room.
        longer = np.minimum(np.ceil(gap * (share * _NUDGE)[:, None]).astype(np.int64), gap)
        np.add(wicks, sign * longer, out=wicks)


def _quotes(total: Ints, most: Ints, least: Ints) -> Ints:
    """Quote volumes ``(2, p, n)`` between ``least`` and ``most`` that sum to ``total (2, p)`` exactly."""
    floor, room = least.sum(axis=2), (most - least).sum(axis=2)
    share = (total - floor) / np.maximum(room, 1) * (1.0 - 1e-12)
    quotes: Ints = least + np.floor((most - least) * share[..., None]).astype(np.int64)
    left = total - quotes.sum(axis=2)
    spare = most - quotes
    before = np.cumsum(spare, axis=2) - spare
    quotes += np.clip(left[..., None] - before, 0, spare)
    return quotes


def fold(bars: Ints, starts: Ints) -> Ints:
    """Fold bars ``(10, n)`` into one bar per group; group ``k`` runs from ``starts[k]`` to the next start."""
    if not len(starts):
        return np.empty((ROWS, 0), dtype=np.int64)
    folded = np.empty((ROWS, len(starts)), dtype=np.int64)
    folded[OPEN] = bars[OPEN, starts]
    folded[HIGH] = np.maximum.reduceat(bars[HIGH], starts)
    folded[LOW] = np.minimum.reduceat(bars[LOW], starts)
    folded[CLOSE] = bars[CLOSE, np.append(starts[1:], bars.shape[1]) - 1]
    folded[4:] = np.add.reduceat(bars[4:], starts, axis=1)
    return folded
