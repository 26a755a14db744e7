"""The keeper within one process: what is fresh, what is stale, who asks, and what is told when asking fails."""

import asyncio
import functools
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from candle_core.cache import Keeper, Kept, LocalCache
from candle_hookspecs import (
    AuthenticationError,
    CandleError,
    MalformedAnswerError,
    RateLimitedError,
    TransientError,
)

KEY = "market:info:binance"
NOW = 1_700_000_000_123


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.milliseconds = NOW

    def now(self) -> int:
        return self.milliseconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the keeper waits by the machine's time: the kernel's may run fast")


class Timer:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Exchange:
    """Answers ``[1]``, ``[2]`` …, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: BaseException | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return b"[%d]" % self.asked


class House:
    """One cache, one exchange, and as many processes as wanted."""

    def __init__(self) -> None:
        self.clock, self.timer, self.exchange = Clock(), Timer(), Exchange()
        self.cache = LocalCache(self.timer)
        self.counted: list[tuple[str, bool]] = []

    def keeper(self, **given: Any) -> Keeper:
        async def count(key: str, hit: bool) -> None:
            self.counted.append((key, hit))

        return Keeper(self.cache, self.clock, ttl=60, keep=3600, count=count, **given)


@pytest.fixture
def house() -> House:
    return House()


async def test_an_answer_is_believed_for_its_time_and_asked_for_again_after_it(house: House) -> None:
    keeper = house.keeper()
    first = await keeper.obtain(KEY, house.exchange)
    house.clock.milliseconds = NOW + 59_999
    second = await keeper.obtain(KEY, house.exchange)
    house.clock.milliseconds = NOW + 60_000
    third = await keeper.obtain(KEY, house.exchange)
    assert first == Kept(b"[1]", NOW, fresh=True, asked=True)
    assert second == Kept(b"[1]", NOW, fresh=True, asked=False)
    assert third == Kept(b"[2]", NOW + 60_000, fresh=True, asked=True)
    assert house.counted == [(KEY, False), (KEY, True), (KEY, False)]


async def test_other_programs_can_read_what_is_kept(house: House) -> None:
    await house.keeper().put(KEY, '[{"symbol": "BTC/원"}]'.encode())
    kept = json.loads(await house.cache.get(KEY) or b"")
    assert kept["value"] == [{"symbol": "BTC/원"}]
    assert [datetime.fromisoformat(kept[name]).timestamp() * 1000 for name in ("stored_at", "fresh_until")] == [
        NOW,
        NOW + 60_000,
    ]
    assert kept["stored_at"] == "2023-11-14T22:13:20.123Z"


async def test_a_glance_asks_nobody_and_tells_fresh_from_stale(house: House) -> None:
    keeper = house.keeper()
    assert await keeper.peek(KEY) is None
    await keeper.put(KEY, b"{}")
    assert await keeper.peek(KEY) == Kept(b"{}", NOW, fresh=True)
    house.clock.milliseconds += 60_000
    assert await keeper.peek(KEY) == Kept(b"{}", NOW, fresh=False)
    house.timer.seconds = 3600
    assert await keeper.peek(KEY) is None
    assert house.counted == []


async def test_what_is_put_is_not_asked_for(house: House) -> None:
    keeper = house.keeper()
    await keeper.put(KEY, b"{}")
    assert await keeper.obtain(KEY, house.exchange) == Kept(b"{}", NOW, fresh=True)
    assert house.exchange.asked == 0


@pytest.mark.parametrize(
    "strange",
    [
        b"",
        b"\x80\x04K\x01.",
        b"5",
        b'{"value":1}',
        b'{"stored_at":"x","fresh_until":"y","value":1}',
        b'{"asking":5}',
        b'{"failed":["x"],"text":"t","by":"b","own":false}',
        b'{"failed":"CandleError","text":"t","by":7,"own":true}',
        b'{"failed":"CandleError","text":"t","by":"b","own":"no"}',
    ],
)
async def test_what_the_keeper_did_not_write_is_as_good_as_nothing(house: House, strange: bytes) -> None:
    await house.cache.set(KEY, strange, 60)
    await house.cache.set(f"lock:{KEY}", strange, 60)
    assert (await house.keeper().obtain(KEY, house.exchange)).value == b"[1]"


async def test_what_a_clock_far_ahead_was_answered_is_asked_for_again(house: House) -> None:
    keeper = house.keeper()
    house.clock.milliseconds = NOW + 60_000
    await keeper.put(KEY, b"{}")
    house.clock.milliseconds = NOW
    assert await keeper.peek(KEY) == Kept(b"{}", NOW + 60_000, fresh=True), "another machine's clock may be ahead"
    house.clock.milliseconds = NOW - 1
    assert await keeper.peek(KEY) == Kept(b"{}", NOW + 60_000, fresh=False)
    assert await keeper.obtain(KEY, house.exchange) == Kept(b"[1]", NOW - 1, fresh=True, asked=True)


async def test_many_who_want_one_answer_make_one_question(house: House) -> None:
    keepers = [house.keeper() for _ in range(5)]
    all_kept = await asyncio.gather(*(keeper.obtain(KEY, house.exchange) for keeper in keepers * 20))
    assert house.exchange.asked == 1
    assert {kept.value for kept in all_kept} == {b"[1]"}
    assert sum(kept.asked for kept in all_kept) == 1
    assert sorted(hit for _, hit in house.counted) == [False] + [True] * 99
    assert await house.cache.get(f"lock:{KEY}") is None


async def test_the_old_answer_stands_in_for_an_exchange_that_fails(house: House) -> None:
    keeper = house.keeper()
    await keeper.obtain(KEY, house.exchange)
    house.clock.milliseconds += 60_000
    house.exchange.error = TransientError("down")
    kept = await keeper.obtain(KEY, house.exchange)
    assert kept == Kept(b"[1]", NOW, fresh=False, asked=True, error=house.exchange.error)
    assert house.counted == [(KEY, False), (KEY, False)]


async def test_without_an_old_answer_the_error_is_the_answer(house: House) -> None:
    house.exchange.error = TransientError("down")
    with pytest.raises(TransientError, match="down"):
        await house.keeper().obtain(KEY, house.exchange)
    assert house.counted == [(KEY, False)]


@pytest.mark.parametrize("error", [TransientError("down"), MalformedAnswerError("html"), RateLimitedError("slowly")])
async def test_who_failed_is_not_asked_again_for_some_seconds_by_any_process(house: House, error: CandleError) -> None:
    house.exchange.error = error
    for keeper in (house.keeper(pause=10), house.keeper(), house.keeper()):
        with pytest.raises(type(error), match=str(error)):
            await keeper.obtain(KEY, house.exchange)
    assert house.exchange.asked == 1
    house.timer.seconds = 10
    house.exchange.error = None
    assert (await house.keeper().obtain(KEY, house.exchange)).value == b"[2]"


class BannedError(RateLimitedError):
    """One of a plugin's own, which no other process needs to know."""


@pytest.mark.parametrize("kind", [RateLimitedError, BannedError])
async def test_other_processes_hear_all_that_the_error_knew(house: House, kind: type[RateLimitedError]) -> None:
    house.exchange.error = kind("slowly", retry_after=7.5, banned=True)
    vars(house.exchange.error)["response"] = object()  # nothing that can be written down
    with pytest.raises(kind):
        await house.keeper().obtain(KEY, house.exchange)
    with pytest.raises(RateLimitedError, match=r"^slowly$") as heard:
        await house.keeper().obtain(KEY, house.exchange)
    assert type(heard.value) is RateLimitedError
    assert vars(heard.value) == {"retry_after": 7.5, "banned": True}
    assert house.exchange.asked == 1


@pytest.mark.parametrize(
    "more", [{"retry_after": "soon"}, {"exit_code": "never"}, {"args": 5, "add_note": None, "banned": []}]
)
async def test_what_somebody_else_wrote_into_a_lock_makes_no_odd_errors(house: House, more: dict[str, Any]) -> None:
    wrote = {"failed": "RateLimitedError", "text": "slowly", "by": "me", "own": False, "more": more}
    await house.cache.set(f"lock:{KEY}", json.dumps(wrote).encode(), 60)
    with pytest.raises(RateLimitedError, match=r"^slowly$") as heard:
        await house.keeper().obtain(KEY, house.exchange)
    assert vars(heard.value) == {"retry_after": None, "banned": False}


async def test_a_lock_in_which_somebody_wrote_what_nobody_can_read_is_taken_for_none(house: House) -> None:
    await house.cache.set(f"lock:{KEY}", b"[" * 100_000, 60)
    assert (await house.keeper().obtain(KEY, house.exchange)).value == b"[1]"


async def test_whose_key_is_wrong_is_told_so_for_some_seconds_and_others_ask_for_themselves(house: House) -> None:
    first, second = house.keeper(), house.keeper()
    house.exchange.error = AuthenticationError("401")
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="401"):
            await first.obtain(KEY, house.exchange)
    assert house.exchange.asked == 1
    house.exchange.error = None
    assert (await second.obtain(KEY, house.exchange)).asked


async def test_who_insists_asks_though_it_has_just_failed_or_is_fresh(house: House) -> None:
    keeper = house.keeper()
    house.exchange.error = TransientError("down")
    for number in (1, 2):
        with pytest.raises(TransientError):
            await keeper.obtain(KEY, house.exchange, refresh=True)
        assert house.exchange.asked == number
    house.exchange.error = None
    for number in (3, 4):
        house.clock.milliseconds += 1
        assert (await keeper.obtain(KEY, house.exchange, refresh=True)).value == b"[%d]" % number
    assert house.counted == []


async def test_those_who_insist_together_make_one_question(house: House) -> None:
    await house.keeper().put(KEY, b"{}")
    house.clock.milliseconds += 1
    keepers = [house.keeper() for _ in range(5)]
    calls = [keeper.obtain(KEY, house.exchange, refresh=True) for keeper in keepers * 2]
    assert {kept.value for kept in await asyncio.gather(*calls)} == {b"[1]"}
    house.exchange.error = TransientError("down")
    calls = [keeper.obtain(KEY, house.exchange, refresh=True) for keeper in keepers * 2]
    assert {(kept.value, str(kept.error)) for kept in await asyncio.gather(*calls)} == {(b"[1]", "down")}
    assert house.exchange.asked == 2


async def test_who_stops_waiting_ends_the_question_only_if_nobody_else_waits(house: House) -> None:
    keeper = house.keeper()
    house.exchange.open.clear()
    one, other = (asyncio.create_task(keeper.obtain(KEY, house.exchange)) for _ in range(2))
    await until(lambda: house.exchange.asked == 1)
    one.cancel()
    await asyncio.wait([one])
    house.exchange.open.set()
    assert (await other).value == b"[1]"


async def test_who_is_cancelled_leaves_no_lock(house: House) -> None:
    keeper = house.keeper()
    house.exchange.open.clear()
    task = asyncio.create_task(keeper.obtain(KEY, house.exchange))
    await until(lambda: house.exchange.asked == 1)
    assert await house.cache.get(f"lock:{KEY}") is not None
    task.cancel()
    await asyncio.wait([task])
    assert await house.cache.get(f"lock:{KEY}") is None


@pytest.mark.parametrize("refresh", [False, True])
async def test_who_comes_while_the_last_one_leaves_begins_anew(house: House, refresh: bool) -> None:
    """What is being ended takes a moment to tidy up; nobody else is to be cancelled with it."""
    keeper = house.keeper()
    house.exchange.open.clear()
    leaves = asyncio.create_task(keeper.obtain(KEY, house.exchange, refresh=refresh))
    await until(lambda: house.exchange.asked == 1)
    leaves.cancel()
    await asyncio.sleep(0)
    comes = asyncio.create_task(keeper.obtain(KEY, house.exchange, refresh=refresh))
    with pytest.raises(asyncio.CancelledError):
        await leaves
    also = asyncio.create_task(keeper.obtain(KEY, house.exchange, refresh=refresh))
    house.exchange.open.set()
    assert [(await one).value for one in (comes, also)] == [b"[2]"] * 2
    assert keeper._flights == {}


async def test_an_error_that_nobody_expects_is_raised_and_leaves_no_lock(house: House) -> None:
    house.exchange.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        await house.keeper().obtain(KEY, house.exchange)
    assert await house.cache.get(f"lock:{KEY}") is None


async def test_who_waits_too_long_for_another_process_takes_what_is_old(house: House) -> None:
    asking, waiting = house.keeper(), house.keeper(patience=0.05)
    await asking.put(KEY, b"{}")
    house.clock.milliseconds += 60_000
    house.exchange.open.clear()
    task = asyncio.create_task(asking.obtain(KEY, house.exchange))
    await until(lambda: house.exchange.asked == 1)
    kept = await waiting.obtain(KEY, house.exchange)
    assert (kept.value, kept.fresh, house.exchange.asked) == (b"{}", False, 1)
    assert isinstance(kept.error, TransientError)
    house.exchange.open.set()
    assert (await task).value == b"[1]"


async def test_who_was_answered_just_before_the_lock_was_taken_is_heard(house: House) -> None:
    class Overtaken(LocalCache):
        """Between the last look and the lock, somebody else is answered."""

        async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
            if house.exchange.asked == 0:
                await house.keeper().put(KEY, b"[9]")
                house.exchange.asked = 9
            return await super().swap(key, old, new, ttl)

    house.cache = Overtaken(house.timer)
    assert await house.keeper().obtain(KEY, house.exchange) == Kept(b"[9]", NOW, fresh=True)
    assert house.exchange.asked == 9
    assert await house.cache.get(f"lock:{KEY}") is None


async def test_who_has_waited_needs_no_lock(house: House) -> None:
    class Counting(LocalCache):
        locks = 0

        async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
            self.locks += old is None
            return await super().swap(key, old, new, ttl)

    house.cache = cache = Counting(house.timer)
    house.exchange.open.clear()
    first = asyncio.create_task(house.keeper().obtain(KEY, house.exchange))
    await until(lambda: house.exchange.asked == 1)
    others = [asyncio.create_task(house.keeper().obtain(KEY, house.exchange)) for _ in range(5)]
    await asyncio.sleep(0.03)
    house.exchange.open.set()
    await asyncio.gather(first, *others)
    assert cache.locks == 1


async def test_a_lease_ends_by_itself_even_if_it_was_never_renewed(house: House) -> None:
    house.exchange.open.clear()
    task = asyncio.create_task(house.keeper(lease=10).obtain(KEY, house.exchange))
    await until(lambda: house.exchange.asked == 1)
    lock = f"lock:{KEY}"
    house.timer.seconds = 9.9
    assert await house.cache.get(lock) is not None
    house.timer.seconds = 10
    assert await house.cache.get(lock) is None
    task.cancel()
    await asyncio.wait([task])


class CountingCache(LocalCache):
    """Counts how often a lease was renewed."""

    renewals = 0

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        self.renewals += old is not None and old == new
        return await super().swap(key, old, new, ttl)


async def test_the_lease_is_renewed_while_the_answer_is_awaited_but_not_for_ever(house: House) -> None:
    house.cache = cache = CountingCache(house.timer)
    asking, other = house.keeper(lease=3 / 64, longest=16 / 64), house.keeper()
    house.exchange.open.clear()
    first = asyncio.create_task(asking.obtain(KEY, house.exchange))
    await until(lambda: house.exchange.asked == 1)
    second = asyncio.create_task(other.obtain(KEY, house.exchange))
    for _ in range(5):
        await until(functools.partial(lambda before: cache.renewals > before, cache.renewals))
        house.timer.seconds += 2 / 64
    assert house.exchange.asked == 1, "without being renewed the lease would have run out three times"
    await until(lambda: cache.renewals == 16)
    await asyncio.sleep(8 / 64)  # as long as eight more would take
    assert cache.renewals == 16
    house.timer.seconds += 3 / 64
    await until(lambda: house.exchange.asked == 2)
    house.exchange.open.set()
    await asyncio.gather(first, second)


async def until(true: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not true():  # noqa: ASYNC110 # what is waited for happens in the code under test
            await asyncio.sleep(0.001)

    await asyncio.wait_for(wait(), 120)
