"""Calls that several requests wait for: simultaneous wishes for one thing become one call."""

import asyncio
from collections.abc import Coroutine, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from candle_hookspecs import Priority

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Flight(Generic[_Key, _Value]):
    """One call under way, for one or more keys. It goes on while anybody waits for it."""

    def __init__(self, keys: tuple[_Key, ...], priority: Priority, task: "asyncio.Task[Mapping[_Key, _Value]]") -> None:
        self.keys = keys
        self.priority = priority
        self.task = task
        self.waiting = 0


class Flights(Generic[_Key, _Value]):
    """All calls under way."""

    def __init__(self) -> None:
        self._under_way: dict[_Key, Flight[_Key, _Value]] = {}

    def find(self, key: _Key, priority: Priority) -> Flight[_Key, _Value] | None:
        """The call that will answer the key; None: there is none, or a less urgent one, which may have to wait long."""
        flight = self._under_way.get(key)
        return flight if flight is not None and flight.priority <= priority else None

    def start(
        self, keys: Iterable[_Key], priority: Priority, call: Coroutine[Any, Any, Mapping[_Key, _Value]]
    ) -> Flight[_Key, _Value]:
        """Begin a call that answers all of these keys. Whoever does must `wait` for it, with no await between."""
        flight = Flight(tuple(keys), priority, asyncio.create_task(call))
        self._under_way |= dict.fromkeys(flight.keys, flight)
        flight.task.add_done_callback(lambda _: self._land(flight))
        return flight

    async def wait(self, flights: Iterable[Flight[_Key, _Value]]) -> dict[_Key, _Value]:
        """All of their answers. Who stops waiting ends only the calls for which nobody else waits.

        Raises:
            Whatever a call raised.
        """
        boarded = set(flights)
        for flight in boarded:
            flight.waiting += 1
        try:
            answers: dict[_Key, _Value] = {}
            if boarded:
                tasks = [flight.task for flight in boarded]
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    answers |= task.result()
            return answers
        finally:
            for flight in boarded:
                self._leave(flight)

    def _leave(self, flight: Flight[_Key, _Value]) -> None:
        flight.waiting -= 1
        if not flight.waiting and not flight.task.done():
            self._forget(flight)  # at once: nobody shall board what is being ended
            flight.task.cancel()

    def _land(self, flight: Flight[_Key, _Value]) -> None:
        self._forget(flight)
        if not flight.task.cancelled():
            flight.task.exception()  # asyncio complains of errors that nobody saw, as when all have left meanwhile

    def _forget(self, flight: Flight[_Key, _Value]) -> None:
        for key in flight.keys:
            if self._under_way.get(key) is flight:
                del self._under_way[key]
