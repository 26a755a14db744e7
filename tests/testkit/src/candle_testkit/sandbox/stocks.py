"""One stock as it truly traded: minutes, days, weeks and months in the shares of then, session by session."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.market import CANDLE, Rows
from candle_testkit.sandbox.stocks_actions import Actions, actions_of
from candle_testkit.sandbox.stocks_config import StockConfig, day_number
from candle_testkit.sandbox.stocks_sessions import MINUTE_MS, Sessions
from candle_testkit.sandbox.synth import (
    CLOSE,
    HIGH,
    HOUR,
    LEVEL_MS,
    LOW,
    MINUTE,
    OPEN,
    SECOND,
    TRADES,
    VOLUME,
    Ints,
    Shape,
    Synth,
    draw,
    fold,
)  # fmt: skip

#: Minutes of the intraday intervals, under Yahoo's names.
MINUTES: Final = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "90m": 90, "1h": 60}
#: All intervals; a week begins on Monday, a quarter in January, April, July and October.
INTERVALS: Final = (*MINUTES, "1d", "1wk", "1mo", "3mo")
_ALIASES: Final = {"1w": "1wk", "1M": "1mo"}
_UNIT: Final = 100_000_000
_CHUNK: Final = 256
_DAY_MS: Final = 86_400_000
_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Piece:
    """A stretch of every session: arrays of starts and ends (UTC ms). Bars are counted from its start."""

    starts: Ints
    ends: Ints
    counted: bool = True


class Stock:
    """The truth about one stock. Every method is pure: what it answers depends on its arguments alone.

    Rows are those of ``market.CANDLE`` in units of 1e-8, in prices as traded: no later split or dividend is in them.
    A week or month that a split falls into is told in the shares at its end. A bar without a trade does not exist.
    """

    def __init__(self, config: StockConfig, seed: int) -> None:
        self.config, self.place = config, config.venue_of.place
        sessions = self.place.sessions
        key = seed & 0xFFFF_FFFF
        for letter in config.symbol.encode():
            key = int(draw(key, 7, np.array([letter]))[0])
        # The synthesis goes round the clock; a session sees its part of the day.
        part = _DAY_MS / float(np.median(sessions.closes - sessions.opens - sessions.afternoon + sessions.lunch))
        volume, trades = round(config.volume * part), max(round(config.trades * part), 2)
        self.synth = Synth(Shape(key, config.price_ticks, volume, trades))
        self.first = int(np.searchsorted(sessions.days, day_number(config.listed)))
        self.stop = len(sessions)
        if config.delisted is not None:
            self.stop = int(np.searchsorted(sessions.days, day_number(config.delisted)))
        if self.first >= self.stop:
            raise SandboxError(f"{config.symbol}: no session between listed {config.listed!r} and delisted")
        self.actions = Actions(actions_of(config, sessions), self._close_before)
        self._idle = np.array(config.idle_spans, dtype=np.int64).reshape(-1, 2)
        self._whole = lru_cache(maxsize=64)(self._whole_days)

    @property
    def opened(self) -> int:
        """The open of the first session, UTC ms."""
        return int(self.place.sessions.opens[self.first])

    @property
    def ended(self) -> int | None:
        """Midnight after the last session, UTC ms; None while it trades."""
        return None if self.config.delisted is None else self.place.midnight(day_number(self.config.delisted))

    def symbol_at(self, now: int) -> str | None:
        """The ticker under which it is known; None before it is listed and after it is delisted."""
        if now < self.opened or (self.ended is not None and now >= self.ended):
            return None
        return next((name for name, day in self.config.former if now < self.place.midnight(day_number(day))),
                    self.config.symbol)  # fmt: skip

    def rows(
        self, interval: str, start: int, end: int, now: int, *, extended: bool = False, tail: bool = False
    ) -> Rows:
        """Every row that opens in ``[start, end)`` UTC ms and exists at ``now``, the unfinished one included.

        ``interval`` is one of ``INTERVALS``, or the house's ``1w`` and ``1M``. Intraday and without volume, there is
        with ``extended`` also what trades before and after the session, with ``tail`` what does after a half day's.

        Raises:
            SandboxError: Unknown interval.
        """
        interval = _ALIASES.get(interval, interval)
        if interval not in INTERVALS:
            raise SandboxError(f"interval {interval!r} is not one of {', '.join(INTERVALS)}")
        end = min(end, now + 1)
        if interval in MINUTES:
            rows = self._intraday(MINUTES[interval] * MINUTE_MS, start, end, now, extended=extended, tail=tail)
        elif interval == "1d":
            rows = self._days(*self._numbers(start, end), now)
        else:
            first, stop = self._numbers(start - 100 * _DAY_MS, end + 100 * _DAY_MS)
            rows = self._periods(self._days(first, stop, now), interval)
        return rows[(rows["open_time"] >= start) & (rows["open_time"] < end)]

    def page(self, interval: str, start: int | None, end: int | None, limit: int, now: int, *, reach: int = 0) -> Rows:
        """At most ``limit`` rows: the first from ``start`` on or, without it, the last up to ``end``."""
        span = (limit + 8) * (MINUTES.get(interval, 1440) * 8 * MINUTE_MS) + 10 * _DAY_MS
        if start is not None:
            return self.rows(interval, start, min(start + span, now), now)[:limit]
        last = now if end is None else min(end, now)
        return self.rows(interval, max(last - span, reach), last + 1, now)[-limit:]

    def pieces(self, sessions: Sessions, *, extended: bool = False, tail: bool = False) -> list[Piece]:
        """The stretches that trade."""
        pieces = [Piece(sessions.opens, sessions.lunch), Piece(sessions.afternoon, sessions.closes)]
        before, after = (minutes * MINUTE_MS for minutes in self.place.extended)
        if extended:
            pieces.append(Piece(sessions.opens - before, sessions.opens, counted=False))
            pieces.append(Piece(sessions.closes, sessions.closes + after, counted=False))
        elif tail:
            pieces.append(Piece(sessions.closes, sessions.full_close, counted=False))
        return pieces

    def numbers(self, start: int, end: int) -> tuple[int, int]:
        """Numbers ``first, stop`` of its sessions that overlap ``[start, end)``."""
        first, stop = self.place.between(start, end)
        return max(first, self.first), min(stop, self.stop)

    def day(self, number: int, now: int) -> Rows:
        """The day of the session of that number, up to ``now``; none when nothing traded."""
        session = self.place.sessions.part(number, number + 1)
        times = np.concatenate([_ranges(piece.starts, piece.ends, MINUTE_MS) for piece in self.pieces(session)])
        bars, _ = self._minutes(times[times <= now], now)
        bar = fold(bars, np.zeros(min(bars.shape[1], 1), dtype=np.int64))
        return self._rows(bar, session.opens[: bar.shape[1]], session.closes[: bar.shape[1]])

    def session_at(self, now: int) -> int | None:
        """The number of the session that is under way."""
        sessions = self.place.sessions
        number = int(np.searchsorted(sessions.opens, now, side="right")) - 1
        return number if self.first <= number < self.stop and now < sessions.closes[number] else None

    def spread(self, now: int) -> tuple[int, int]:
        """The best bid and ask, a tick below and above the last price, in units of 1e-8; 0 where there is none.

        There is none while no session is under way, or nothing has traded in it.
        """
        number = self.session_at(now)
        if number is None or not len(rows := self.day(number, now)):
            return 0, 0
        last, tick = int(rows["close"][0]), self.config.tick_units
        return last - tick, last + tick

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _numbers(self, start: int, end: int) -> tuple[int, int]:
        first, stop = self.numbers(start, end)
        return first, max(first, stop)

    def _intraday(self, size: int, start: int, end: int, now: int, *, extended: bool, tail: bool) -> Rows:
        # Half a day around: what trades before and after a session belongs to it.
        sessions = self.place.sessions.part(*self._numbers(start - _DAY_MS // 2, end + _DAY_MS // 2))
        pieces = self.pieces(sessions, extended=extended, tail=tail)
        minutes = [_ranges(piece.starts, piece.ends, MINUTE_MS) for piece in pieces]
        owners = [np.repeat(piece.starts, (piece.ends - piece.starts) // MINUTE_MS) for piece in pieces]
        limits = [np.repeat(piece.ends, (piece.ends - piece.starts) // MINUTE_MS) for piece in pieces]
        counted = [np.full(len(one), piece.counted) for one, piece in zip(minutes, pieces, strict=True)]
        times, anchors, lasts, kept = (np.concatenate(part) for part in (minutes, owners, limits, counted))
        opens = anchors + (times - anchors) // size * size
        wanted = (opens >= start) & (opens < end) & (times <= now)
        order = np.flatnonzero(wanted)[np.argsort(times[wanted])]
        times, opens, lasts, kept = times[order], opens[order], lasts[order], kept[order]
        bars, there = self._minutes(times, now)
        opens, lasts = opens[there], lasts[there]
        bars[VOLUME] *= kept[there]
        stamps, starts = np.unique(opens, return_index=True)
        ends = np.minimum(stamps + size, lasts[starts])
        return self._rows(fold(bars, starts), stamps, ends)

    def _minutes(self, times: Ints, now: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Bars of those minutes that traded, and which they are; the last may be unfinished."""
        bars = self.synth.at(MINUTE, times // MINUTE_MS)
        if len(times) and times[-1] + MINUTE_MS > now:
            second = LEVEL_MS[SECOND]
            so_far = self.synth.at(SECOND, np.arange(times[-1] // second, now // second))
            bars[:, -1:] = fold(so_far, np.zeros(1, dtype=np.int64)) if so_far.shape[1] else 0
        there = bars[TRADES].sum(axis=0) > 0
        for start, end in self._idle:
            there &= (times < start) | (times >= end)
        return bars[:, there], there

    def _days(self, first: int, stop: int, now: int) -> Rows:
        """Days of the sessions ``first <= number < stop``; the unfinished one as far as it has come."""
        parts = []
        for chunk in range(first // _CHUNK, -(-stop // _CHUNK)):
            numbers, rows = self._whole(chunk)
            parts.append(rows[(numbers >= first) & (numbers < stop) & (rows["close_time"] < now)])
        closes, opens = self.place.sessions.closes, self.place.sessions.opens
        unfinished = range(max(first, int(np.searchsorted(closes, now, side="right"))), stop)
        parts += [self.day(number, now) for number in unfinished if opens[number] <= now]
        return np.concatenate(parts) if parts else np.empty(0, dtype=CANDLE)

    def _whole_days(self, chunk: int) -> tuple[Ints, Rows]:
        """Numbers and rows of a chunk of sessions: whole hours where there are, minutes at the edges."""
        first, stop = max(chunk * _CHUNK, self.first), min((chunk + 1) * _CHUNK, self.stop)
        numbers = np.arange(first, stop)
        if first >= stop:
            return numbers, np.empty(0, dtype=CANDLE)
        sessions = self.place.sessions.part(first, stop)
        hours, minutes = [], []
        for piece in self.pieces(sessions):
            hour = LEVEL_MS[HOUR]
            early = np.minimum(-(-piece.starts // hour) * hour, piece.ends)
            late = np.maximum(piece.ends // hour * hour, early)
            hours.append(_ranges(early, late, hour))
            minutes += [_ranges(piece.starts, early, MINUTE_MS), _ranges(late, piece.ends, MINUTE_MS)]
        whole, parts = np.sort(np.concatenate(hours)), np.sort(np.concatenate(minutes))
        bars = [self.synth.at(HOUR, whole // LEVEL_MS[HOUR]), self.synth.at(MINUTE, parts // MINUTE_MS)]
        times, together = np.concatenate((whole, parts)), np.concatenate(bars, axis=1)
        traded = np.flatnonzero(together[TRADES].sum(axis=0) > 0)
        order = traded[np.argsort(times[traded])]
        owners, starts = np.unique(np.searchsorted(sessions.opens, times[order], side="right") - 1, return_index=True)
        rows = self._rows(fold(together[:, order], starts), sessions.opens[owners], sessions.closes[owners])
        numbers = numbers[owners]
        for start, end in self._idle:
            numbers, rows = self._without(numbers, rows, *self._numbers(int(start), int(end)))
        return numbers, rows

    def _without(self, numbers: Ints, rows: Rows, first: int, stop: int) -> tuple[Ints, Rows]:
        """Sessions ``first <= number < stop`` told anew, minute by minute: something in them did not trade."""
        for number in numbers[(numbers >= first) & (numbers < stop)]:
            at = np.flatnonzero(numbers == number)[0]
            told = self.day(int(number), int(self.place.sessions.closes[number]))
            rows = np.concatenate((rows[:at], told, rows[at + 1 :]))
            numbers = numbers if len(told) else np.delete(numbers, at)
        return numbers, rows

    def _periods(self, days: Rows, interval: str) -> Rows:
        """Days folded into weeks, months or quarters, each in the shares at its last day."""
        if not len(days):
            return days
        local = self.place.sessions.days[np.searchsorted(self.place.sessions.opens, days["open_time"])]
        keys = _period_days(local, interval)
        firsts, starts = np.unique(keys, return_index=True)
        lasts = np.append(starts[1:], len(days)) - 1
        numerators, denominators = self.actions.shares(days["open_time"])
        owner = np.searchsorted(firsts, keys)
        # One share of the day is `more / fewer` shares of its period's last day.
        more = numerators * denominators[lasts][owner]
        fewer = denominators * numerators[lasts][owner]
        scaled = days.copy()
        for name in _PRICES:
            scaled[name] = (2 * days[name] * fewer + more) // (2 * more)
        scaled["volume"] = days["volume"] // fewer * more
        rows = scaled[starts]
        rows["high"] = np.maximum.reduceat(scaled["high"], starts)
        rows["low"] = np.minimum.reduceat(scaled["low"], starts)
        rows["close"] = scaled["close"][lasts]
        for name in ("volume", "trades"):
            rows[name] = np.add.reduceat(scaled[name], starts)
        rows["open_time"] = [self.place.midnight(int(day)) for day in firsts]
        nexts = _period_days(firsts + {"1wk": 7, "1mo": 32, "3mo": 94}[interval], interval)
        rows["close_time"] = [self.place.midnight(int(day)) - 1 for day in nexts]
        return rows

    def _rows(self, bars: Ints, opens: Ints, ends: Ints) -> Rows:
        """Bars of the synthesis, which knows the shares of the end, as rows in the shares of then."""
        numerators, denominators = self.actions.shares(opens)
        rows = np.zeros(bars.shape[1], dtype=CANDLE)
        rows["open_time"], rows["close_time"] = opens, ends - 1
        for name, row in zip(_PRICES, (OPEN, HIGH, LOW, CLOSE), strict=True):
            ticks = (2 * bars[row] * numerators + denominators) // (2 * denominators)
            rows[name] = np.maximum(ticks, 1) * self.config.tick_units
        rows["trades"] = bars[TRADES].sum(axis=0)
        rows["volume"] = bars[VOLUME].sum(axis=0) * _UNIT
        return rows

    def _close_before(self, instant: int) -> int:
        number = int(np.searchsorted(self.place.sessions.opens, instant))
        rows = self._days(max(self.first, number - 10), max(number, self.first), instant)
        return int(rows["close"][-1]) if len(rows) else 0


def _period_days(days: Ints, interval: str) -> Ints:
    """The first day of the week, month or quarter that holds each day; days count since 1970-01-01, a Thursday."""
    if interval == "1wk":
        return days - (days + 3) % 7
    months = days.astype("M8[D]").astype("M8[M]").astype(np.int64)
    size = 1 if interval == "1mo" else 3
    first: Ints = (months // size * size).astype("M8[M]").astype("M8[D]").astype(np.int64)
    return first


def _ranges(starts: Ints, ends: Ints, step: int) -> Ints:
    """``start, start + step, …`` below each end, one range behind the other."""
    sizes = (ends - starts) // step
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before * step, sizes) + np.arange(int(sizes.sum())) * step
