"""How much of one limit is spent: counters whose whole state is a short list of numbers, so that a file can hold it."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from candle_hookspecs import Limit, Window

NAP: Final = 0.01
"""Seconds added to every wait, so that a window has surely turned over when it ends."""
AHEAD: Final = 5_000
"""Milliseconds. Two clocks on one machine are never so far apart; what stands further ahead was written by another
clock, and is forgotten."""
GRAIN: Final = 1e-9
"""What sums of fractions may be off by."""

_SECOND: Final = 1_000
_PIECES: Final = 64
"""Into so many pieces a sliding period is cut; what is spent within one piece is kept as one entry."""


class Now(NamedTuple):
    """One moment, UTC ms: on this machine's clock, and by the best estimate on the exchange's.

    Fixed windows turn by the exchange's clock. Sliding ones are measured by the machine's: an estimate that gets better
    jumps, and a jump would make a period too short.
    """

    local: int
    exchange: int

    def at(self, local: int) -> "Now":
        """Another moment of the machine's clock, by the same estimate."""
        return Now(local, self.exchange + local - self.local)


class Counter(Protocol):
    """How much of one limit is spent."""

    @property
    def state(self) -> list[float]:
        """Everything there is to know, to make an equal counter from."""
        ...

    def wait(self, cost: float, amount: float, now: Now) -> float:
        """Seconds until `cost` fits into `amount`; 0: it fits now."""
        ...

    def take(self, cost: float, now: Now, at: int | None = None) -> None:
        """Spend. `at`: when that was, on the machine's clock, if it is told late; what came since stays."""
        ...

    def hear(self, used: float, now: Now, told: int | None) -> None:
        """Take in how much the exchange says is spent in its running period.

        Only ever raises the count: what is under way is not in it yet. `told` is when the exchange said so, by its own
        clock and in whole seconds; None: just now.
        """
        ...


class FixedWindow:
    """A counter that starts anew at every multiple of its period.

    What is spent shortly before the turn may arrive after it, so it counts on both sides.

    Args:
        period: milliseconds. state: of another one; empty for a new one.
    """

    def __init__(self, period: int, state: Sequence[float] = ()) -> None:
        self._period = period
        self._margin = _margin(period)
        window, self._used, self._both = state or (0, 0.0, 0.0)
        self._window = int(window)

    @property
    def state(self) -> list[float]:
        """Number of the window, spent in it, and how much of that counts in the next one too."""
        return [self._window, self._used, self._both]

    def wait(self, cost: float, amount: float, now: Now) -> float:
        """Seconds until `cost` fits."""
        self._turn(now.exchange)
        if self._used + cost <= amount:
            return 0.0
        return ((self._window + 1) * self._period - now.exchange) / 1000 + NAP

    def take(self, cost: float, now: Now, at: int | None = None) -> None:
        """Spend."""
        self._turn(now.exchange)
        moment = now if at is None else now.at(at)
        latest = (moment.exchange + self._margin) // self._period
        if latest >= now.exchange // self._period:  # else its window is over
            self._used += cost
            if latest > self._window:
                self._both += cost

    def hear(self, used: float, now: Now, told: int | None) -> None:
        """Raise the count to what the exchange says."""
        moment = now.exchange if told is None else told
        if told is not None and self._period > _SECOND and told % self._period < self._margin:
            return  # counted before the turn and stamped after it, for all one knows
        self._turn(now.exchange)
        if moment // self._period >= self._window:
            self._turn(moment)
            self._used = max(self._used, used)

    def _turn(self, now: int) -> None:
        """Begin the window of this moment, unless somebody with a better clock has begun a later one."""
        window = now // self._period
        if window == self._window + 1:
            self._window, self._used, self._both = window, self._both, 0.0
        elif window > self._window or self._window * self._period > now + AHEAD:
            self._window, self._used, self._both = window, 0.0, 0.0


class SlidingWindow:
    """A counter of the last period, wherever it starts.

    Args:
        period: milliseconds. state: of another one; empty for a new one.
    """

    def __init__(self, period: int, state: Sequence[float] = ()) -> None:
        self._period = period
        self._margin = _margin(period)
        self._spent = [(int(moment), cost) for moment, cost in zip(state[::2], state[1::2], strict=True)]

    @property
    def state(self) -> list[float]:
        """Moment, amount, moment, amount, …, in order of time."""
        return [number for entry in self._spent for number in entry]

    def wait(self, cost: float, amount: float, now: Now) -> float:
        """Seconds until `cost` fits."""
        self._forget(now.local)
        excess = self._since(now.local - self._period + 1) + cost - amount - GRAIN
        if excess <= 0:
            return 0.0
        last = now.local
        for moment, spent in self._spent:
            if moment > now.local - self._period:
                last = moment
                excess -= spent
                if excess <= 0:
                    break
        return (last + self._period - now.local) / 1000 + NAP

    def take(self, cost: float, now: Now, at: int | None = None) -> None:
        """Spend."""
        self._forget(now.local)
        self._add(now.local if at is None else at, cost)

    def hear(self, used: float, now: Now, told: int | None) -> None:
        """Add what others must have spent.

        The exchange counts in windows of its own. Where it says when it counted, only what was spent here in that
        window is held against it, and what others spent is put where that window ended, if it has.
        """
        self._forget(now.local)
        since, until = now.local - self._period + 1, now.local
        if told is not None:
            since = told // self._period * self._period - (now.exchange - now.local)
            until = min(now.local, since + self._period)
            since -= self._margin
        others = used - self._since(since)
        if others > GRAIN and until > now.local - self._period:
            self._add(until, others)

    def _since(self, moment: int) -> float:
        return sum(cost for spent_at, cost in self._spent if spent_at >= moment)

    def _add(self, moment: int, cost: float) -> None:
        grain = max(1, self._period // _PIECES)
        if self._spent and self._spent[-1][0] // grain == moment // grain:
            last, spent = self._spent.pop()
            moment, cost = max(last, moment), spent + cost
        self._spent.append((moment, cost))
        self._spent.sort()

    def _forget(self, now: int) -> None:
        """Drop what no answer will speak of any more, and what another clock has written."""
        self._spent = [entry for entry in self._spent if now - 2 * self._period < entry[0] <= now + AHEAD]


def counter(limit: Limit, state: Sequence[float] = ()) -> Counter:
    """The counter of a limit, as it stands in `state`."""
    kind = FixedWindow if limit.window is Window.FIXED else SlidingWindow
    return kind(int(limit.period * 1000), state)


def shifted(state: Sequence[float], ahead: int) -> list[float]:
    """A counter's state by a local clock that is ahead of its own; milliseconds. Fixed windows are the exchange's."""
    if _is_fixed(state):
        return list(state)
    return [number if index % 2 else number + ahead for index, number in enumerate(state)]


def united(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """One state of what two counters of a limit, that began as one, have counted apart.

    Of a fixed window the larger count, for what both have in common is not known; of a sliding one everything spent.
    """
    if _is_fixed(one) and _is_fixed(other):
        if one[0] != other[0]:
            return list(one if one[0] > other[0] else other)
        return [max(pair) for pair in zip(one, other, strict=True)]
    spent = dict(zip(one[::2], one[1::2], strict=True))
    for moment, cost in zip(other[::2], other[1::2], strict=True):
        spent[moment] = max(cost, spent.get(moment, 0.0))
    return [number for entry in sorted(spent.items()) for number in entry]


def _is_fixed(state: Sequence[float]) -> bool:
    return len(state) % 2 == 1


def _margin(period: int) -> int:
    """Milliseconds by which nobody knows on which side of a turn a request lands.

    Its way takes time, and an exchange's clock is mostly told in whole seconds.
    """
    return min(_SECOND, period // 4)
