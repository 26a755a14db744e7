"""Calls that several wait for, whatever the order in which they come, give up and end."""

import asyncio
import gc
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.coordinator.flights import Flight, Flights
from candle_hookspecs import Priority

Step = tuple[str, int, frozenset[int]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "give up", "end"]), st.integers(0, 9), st.frozensets(st.integers(0, 5), min_size=1)
        ),
        max_size=25,
    )
)
def test_everybody_gets_every_answer_and_no_key_is_asked_for_twice_at_once(steps: list[Step]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[Step]) -> None:
    flights: Flights[int, str] = Flights()
    begun: list[tuple[frozenset[int], asyncio.Event]] = []
    under_way: set[int] = set()
    waiting: list[tuple[frozenset[int], asyncio.Task[dict[int, str]]]] = []

    async def call(keys: frozenset[int], go: asyncio.Event) -> dict[int, str]:
        assert not under_way & keys, "asked for twice at once"
        under_way.update(keys)
        try:
            await go.wait()
            return {key: f"{key}!" for key in keys}
        finally:
            under_way.difference_update(keys)

    async def ask(keys: frozenset[int]) -> dict[int, str]:
        boarded: list[Flight[int, str]] = [found for key in keys if (found := flights.find(key, Priority.NORMAL))]
        missing = frozenset(key for key in keys if flights.find(key, Priority.NORMAL) is None)
        if missing:
            go = asyncio.Event()
            begun.append((missing, go))
            boarded.append(flights.start(missing, Priority.NORMAL, call(missing, go)))
        return await flights.wait(boarded)

    for what, number, keys in steps:
        if what == "ask":
            waiting.append((keys, asyncio.create_task(ask(keys))))
        elif what == "give up" and waiting:
            _, task = waiting.pop(number % len(waiting))
            task.cancel()
            await asyncio.wait([task])
        elif what == "end" and begun:
            begun[number % len(begun)][1].set()
        for _ in range(5):
            await asyncio.sleep(0)
    wanted = frozenset[int]().union(*(keys for keys, task in waiting if not task.done()))
    assert wanted <= {key for key in range(6) if flights.find(key, Priority.LOW)} | _answered(begun)
    for _, go in begun:
        go.set()
    for keys, task in waiting:
        answers = await task
        assert {key: answers[key] for key in keys} == {key: f"{key}!" for key in keys}
    await asyncio.sleep(0)
    assert all(flights.find(key, Priority.LOW) is None for key in range(6)), "nothing is left under way"
    assert under_way == set()


def _answered(begun: list[tuple[frozenset[int], asyncio.Event]]) -> set[int]:
    return {key for keys, go in begun if go.is_set() for key in keys}


async def test_an_error_reaches_everybody_who_waits_and_ends_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    flights: Flights[str, int] = Flights()
    ended = asyncio.Event()

    async def broken(_: Any) -> dict[str, int]:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def endless() -> dict[str, int]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    both = [flights.start(key, Priority.LOW, broken(key)) for key in "ab"]
    rest = flights.start("c", Priority.LOW, endless())
    first, second = await asyncio.gather(flights.wait([*both, rest]), flights.wait(both[:1]), return_exceptions=True)
    assert [str(one) for one in (first, second)] == ["broken", "broken"]
    await asyncio.wait_for(ended.wait(), 120)
    with caplog.at_level(logging.ERROR):
        del both, rest, first, second
    assert caplog.records == []


async def test_asyncio_does_not_complain_of_an_error_after_everybody_left() -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    flights: Flights[str, int] = Flights()

    async def broken() -> dict[str, int]:
        raise ValueError("first")

    async def stubborn() -> dict[str, int]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("second") from None
        return {}

    with pytest.raises(ValueError, match="first"):
        await flights.wait([flights.start("a", Priority.LOW, broken()), flights.start("b", Priority.LOW, stubborn())])
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    assert told == []
