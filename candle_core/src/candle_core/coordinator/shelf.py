"""Where answers are remembered for a moment, and calls under way are shared. Nothing of it is ever stored."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from candle_core.cache import MemoryCache
from candle_core.coordinator.flights import Flights
from candle_hookspecs import CandleError, Priority

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

Answers = Mapping[_Key, _Value | CandleError]
Call = tuple[Collection[_Key], Callable[[], Awaitable[Answers[_Key, _Value]]]]
"""The keys that a call answers, and the call, not begun yet."""


@dataclass(frozen=True, slots=True)
class Found(Generic[_Key, _Value]):
    """What came of each key; which were remembered, and which came with somebody else's call."""

    answers: Answers[_Key, _Value]
    hits: Collection[_Key]
    joined: Collection[_Key]


class Shelf(Generic[_Key, _Value]):
    """Values of one sort by their keys.

    Args:
        memory: where they are remembered.
        ttl: seconds for which they are, and beyond which they are too old for who does not say.
    """

    def __init__(self, memory: MemoryCache[_Key, _Value], ttl: float) -> None:
        self.memory = memory
        self._ttl = ttl
        self._flights: Flights[_Key, _Value | CandleError] = Flights()

    async def obtain(
        self,
        keys: Sequence[_Key],
        begin: Callable[[Sequence[_Key]], Sequence[Call[_Key, _Value]]],
        *,
        priority: Priority = Priority.NORMAL,
        max_age: float | None = None,
    ) -> Found[_Key, _Value]:
        """The value, or the error, of each key.

        Args:
            keys: each once.
            begin: the calls that answer keys which are neither remembered nor under way.
            priority: a call that is less urgent is not waited for.
            max_age: seconds; None: `ttl`. What somebody else wants kept for longer is no newer for that.
        """
        age = self._ttl if max_age is None else max_age
        answers: dict[_Key, _Value | CandleError] = {}
        shared, missing = {}, []
        for key in keys:
            if (value := self.memory.get(key, age)) is not None:
                answers[key] = value
            elif flight := self._flights.find(key, priority):
                shared[key] = flight
            else:
                missing.append(key)
        hits = frozenset(answers)
        ttl = max(self._ttl, age)
        calls = begin(missing) if missing else ()
        own = [self._flights.start(group, priority, self._remember(call, ttl)) for group, call in calls]
        came = await self._flights.wait([*shared.values(), *own])
        answers |= {key: came[key] for key in (*shared, *missing)}
        return Found(answers, hits, shared.keys())

    async def _remember(
        self, call: Callable[[], Awaitable[Answers[_Key, _Value]]], ttl: float
    ) -> Answers[_Key, _Value]:
        answers = await call()
        for key, value in answers.items():
            if not isinstance(value, CandleError):
                self.memory.set(key, value, ttl)
        return answers
