"""Caches that are each wrong in one way, with the check that must notice."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from candle_hookspecs import CacheUnavailableError

from .honest import HonestCache, House

SABOTAGED: dict[type[HonestCache], str] = {}
"""Each cache and the check meant to notice it."""


def noticed_by(check: str) -> Callable[[type[HonestCache]], type[HonestCache]]:
    def enter(sabotaged: type[HonestCache]) -> type[HonestCache]:
        SABOTAGED[sabotaged] = f"test_{check}"
        return sabotaged

    return enter


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("what_was_put_comes_back")
class TakesNothingForAbsent(HonestCache):
    def peek(self, key: str) -> bytes | None:
        return super().peek(key) or None


@noticed_by("what_was_put_comes_back")
class KeepsText(HonestCache):
    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        super().put(key, None if value is None else value.decode(errors="replace").encode(), ttl)


@noticed_by("what_was_put_comes_back")
class MakesNumbersOfDigits(HonestCache):
    def peek(self, key: str) -> bytes | None:
        found = super().peek(key)
        return int(found) if found is not None and found.isdigit() else found  # type: ignore[return-value] # so it is


@noticed_by("a_large_value_comes_back_whole")
class CutsAtAMegabyte(HonestCache):
    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        super().put(key, None if value is None else value[:1_048_576], ttl)


@noticed_by("what_is_not_there_is_none")
class ComplainsOfTheAbsent(HonestCache):
    async def delete(self, key: str) -> None:
        del self.house.values[key]


@noticed_by("what_is_not_there_is_none")
class ForgetsNothing(HonestCache):
    async def delete(self, key: str) -> None:
        """Later."""


@noticed_by("a_later_value_replaces_an_earlier_one_and_its_time")
class KeepsTheFirstTime(HonestCache):
    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        until = self.house.values.get(key, (b"", self.now() + ttl))[1]
        super().put(key, value, until - self.now())


@noticed_by("a_later_value_replaces_an_earlier_one_and_its_time")
class KeepsTheFirstValue(HonestCache):
    async def set(self, key: str, value: bytes, ttl: float) -> None:
        if self.peek(key) is None:
            self.put(key, value, ttl)


@noticed_by("a_value_expires_when_its_time_is_over_and_not_before")
class KeepsForEver(HonestCache):
    def now(self) -> float:
        return 0.0


@noticed_by("a_value_expires_when_its_time_is_over_and_not_before")
class CountsWholeSeconds(HonestCache):
    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        super().put(key, value, max(1, int(ttl)))


@noticed_by("a_value_expires_when_its_time_is_over_and_not_before")
class TakesSecondsForMilliseconds(HonestCache):
    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        super().put(key, value, ttl / 10_000)


@noticed_by("a_key_is_but_a_name")
class IgnoresCase(HonestCache):
    def peek(self, key: str) -> bytes | None:
        return super().peek(key.lower())

    def put(self, key: str, value: bytes | None, ttl: float) -> None:
        super().put(key.lower(), value, ttl)


@noticed_by("a_key_is_but_a_name")
class DeletesByPattern(HonestCache):
    async def delete(self, key: str) -> None:
        for other in list(self.house.values):
            if other == key or (key.endswith("%") and other.startswith(key[:-1])):
                del self.house.values[other]


@noticed_by("calls_at_one_time_get_their_own_answers")
class AnswersOutOfOrder(HonestCache):
    """As if all calls shared one line, and the answers got mixed up."""

    asked = ""

    async def get(self, key: str) -> bytes | None:
        self.asked = key
        await asyncio.sleep(0)
        return self.peek(self.asked)


@noticed_by("a_call_that_is_given_up_disturbs_no_other")
class LeavesAnswersBehind(HonestCache):
    """The answer to a call that was given up is taken for the next one's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.line: list[bytes | None] = []

    async def get(self, key: str) -> bytes | None:
        self.line.append(self.peek(key))
        await asyncio.sleep(0.001)
        return self.line.pop(0)


# ── swap ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("swap_does_nothing_unless_the_old_value_is_there")
class SwapsWhateverIsThere(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        done = self.peek(key) == old
        self.put(key, new, ttl)
        return done


@noticed_by("swap_does_nothing_unless_the_old_value_is_there")
class TakesEmptyForNothing(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        return await super().swap(key, old, new, ttl) if (self.peek(key) or None) == (old or None) else False

    def peek(self, key: str) -> bytes | None:
        return super().peek(key) or None


@noticed_by("swap_does_nothing_unless_the_old_value_is_there")
class AlwaysSaysDone(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        await super().swap(key, old, new, ttl)
        return True


@noticed_by("what_is_swapped_in_has_its_own_time")
class LeasesForEver(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        return await super().swap(key, old, new, 1e9)


@noticed_by("what_is_swapped_in_has_its_own_time")
class RenewsForNobody(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        return self.peek(key) == old if old == new else await super().swap(key, old, new, ttl)


@noticed_by("what_is_swapped_in_has_its_own_time")
class RenewsForAnybody(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        done = await super().swap(key, old, new, ttl)
        if not done:
            self.put(key, self.peek(key), ttl)
        return done


@noticed_by("to_swap_what_has_expired_is_to_swap_nothing")
class SwapsTheExpired(HonestCache):
    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        if self.house.values.get(key, (None,))[0] != old:
            return False
        self.put(key, new, ttl)
        return True


@noticed_by("of_many_who_swap_one_wins")
class LooksBeforeItSwaps(HonestCache):
    """Between the look and the swap, others look as well."""

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        there = await self.get(key)
        await asyncio.sleep(0)
        if there != old:
            return False
        await (self.delete(key) if new is None else self.set(key, new, ttl))
        return True


@noticed_by("nothing_is_lost_between_reading_and_swapping")
class SwapsWhenThereIsSomething(HonestCache):
    """Right for a lock that is free or not; wrong for a value that somebody else has changed."""

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        await self.reach()
        if (self.peek(key) is None) != (old is None):
            return False
        self.put(key, new, ttl)
        return True


# ── several caches ───────────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("two_who_share_see_the_same")
class RemembersWhatItRead(HonestCache):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: dict[str, bytes | None] = {}

    async def get(self, key: str) -> bytes | None:
        if key not in self.read:
            self.read[key] = self.peek(key)
        return self.read[key]

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self.read[key] = value
        self.put(key, value, ttl)


@noticed_by("two_who_share_see_the_same")
class SharesNothing(HonestCache):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.house = House()


@noticed_by("of_two_who_share_one_wins")
class LocksForItself(HonestCache):
    """In one process as it should be; not between two."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lock = asyncio.Lock()

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float) -> bool:
        async with self.lock:
            there = await self.get(key)
            await asyncio.sleep(0)
            if there != old:
                return False
            await (self.delete(key) if new is None else self.set(key, new, ttl))
            return True


# ── an end, and an outage ────────────────────────────────────────────────────────────────────────────────────────────


@noticed_by("a_closed_cache_works_or_says_that_it_is_unavailable")
class ClosesOnce(HonestCache):
    closed = False

    async def close(self) -> None:
        self.closed = True

    async def reach(self) -> None:
        if self.closed:
            raise RuntimeError("closed")
        await super().reach()


@noticed_by("a_closed_cache_works_or_says_that_it_is_unavailable")
class EmptiesTheHouse(HonestCache):
    async def close(self) -> None:
        self.house.values.clear()


@noticed_by("a_cache_that_is_away_says_so_and_comes_back")
class RaisesWhatItMet(HonestCache):
    async def reach(self) -> None:
        if self.house.away:
            raise ConnectionRefusedError("away")
        await super().reach()


@noticed_by("a_cache_that_is_away_says_so_and_comes_back")
class TakesAwayForEmpty(HonestCache):
    async def get(self, key: str) -> bytes | None:
        return None if self.house.away else await super().get(key)


@noticed_by("a_cache_that_is_away_says_so_and_comes_back")
class NeverComesBack(HonestCache):
    gone = False

    async def reach(self) -> None:
        self.gone = self.gone or self.house.away
        if self.gone:
            raise CacheUnavailableError("gone")
        await super().reach()
