"""The keeper of what exchanges answered.

An answer is believed for a while, asked for by one of all who want it, and kept longer than it is believed, for the day
when the exchange does not answer.

Who asks holds ``lock:{key}`` in the cache. The lock is a lease, renewed while the answer is awaited; who dies loses it.
Where asking failed, its error stands in the place of the lock for some seconds, so that those who waited hear of it
and do not ask in turn.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from candle_core.cache.failsafe import FailsafeCache
from candle_core.cache.marks import Asking, Failed, mark_of, pack, unpack
from candle_hookspecs import Cache, CandleError, Clock, TransientError

LEASE: Final = 10.0
"""Seconds after which somebody else asks, where the one who did has died."""
LONGEST: Final = 120.0
"""Seconds for which one who lives may keep others from asking."""
PATIENCE: Final = 15.0
"""Seconds to wait for somebody else's answer where there is an old one."""
PAUSE: Final = 10.0
"""Seconds for which an exchange that failed is not asked again."""
SKEW: Final = 60.0
"""Seconds by which the clock of who asked may be ahead. What was answered later than that, was so by a wrong clock, and
might be believed for years."""
_POLL: Final = (0.02, 0.5)
"""Seconds between two looks at somebody else's lock: at first, and at most."""

Ask = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer.

    Attributes:
        value: JSON.
        at: when the exchange was asked for it, UTC ms; it is no older.
        fresh: whether it is still believed; if not, it stands in for an exchange that did not answer.
        asked: whether the exchange was asked for it by this very call.
        error: why there is nothing newer, where something newer was wanted.
    """

    value: bytes
    at: int
    fresh: bool
    asked: bool = False
    error: CandleError | None = None


@dataclass(slots=True)
class _Flight:
    """One search for an answer, which several calls of this process wait for."""

    name: tuple[str, bool]
    task: "asyncio.Task[Kept]"
    waiting: int = 0


class Keeper:
    """Answers by their keys, in a cache that may be shared. For one event loop.

    Args:
        cache: where they are; see `FailsafeCache` for what happens while it is away.
        clock: says when answers were given and whether they are fresh.
        ttl: seconds for which an answer is believed.
        keep: seconds for which it is kept.
        count: told of each key that was wanted, and whether the answer cost no question; see `obtain`.
        lease, longest, patience, pause: as `LEASE` and so on; by the cache's and the machine's time.
    """

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        *,
        ttl: float,
        keep: float,
        count: Callable[[str, bool], Awaitable[None]] | None = None,
        lease: float = LEASE,
        longest: float = LONGEST,
        patience: float = PATIENCE,
        pause: float = PAUSE,
    ) -> None:
        self._cache = FailsafeCache(cache)
        self._clock = clock
        self._ttl = ttl
        self._keep = max(keep, ttl)
        self._count = count
        self._lease = lease
        self._longest = longest
        self._patience = patience
        self._pause = pause
        self._process = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._flights: dict[tuple[str, bool], _Flight] = {}

    async def peek(self, key: str) -> Kept | None:
        """What is there, fresh or stale; nobody is asked."""
        packed = await self._cache.get(key)
        if packed is None or (found := unpack(packed)) is None:
            return None
        now = self._clock.now()
        return Kept(found.value, found.at, fresh=found.at - SKEW * 1000 <= now < found.until)

    async def put(self, key: str, value: bytes) -> None:
        """Keep an answer that came another way.

        Args:
            key: e.g. ``market:info:binance``.
            value: JSON.
        """
        await self._put(key, value, self._clock.now())

    async def obtain(self, key: str, ask: Ask, *, refresh: bool = False) -> Kept:
        """The answer, if need be from the exchange.

        It counts as a hit where it is fresh and this call did not have to ask, also if it had to wait for somebody
        who did; as a miss otherwise; with `refresh` as neither.

        Args:
            key: e.g. ``market:info:binance``.
            ask: asks the exchange and gives its answer, JSON. Called at most once.
            refresh: ask even if there is a fresh answer, or asking has just failed. Who finds others asking already
                takes their answer.

        Raises:
            CandleError: what `ask` raised, here or at whoever asked for all, where nothing older is kept.
        """
        try:
            kept = await self._obtain(key, ask, refresh)
        except CandleError:
            if self._count is not None and not refresh:
                await self._count(key, False)
            raise
        if self._count is not None and not refresh:
            await self._count(key, kept.error is None and not kept.asked)
        return kept

    async def _obtain(self, key: str, ask: Ask, refresh: bool) -> Kept:
        there = await self.peek(key)
        if there is not None and there.fresh and not refresh:
            return there
        flight = self._flights.get((key, True)) or self._flights.get((key, refresh))
        if flight is not None:
            return replace(await self._board(flight), asked=False)
        return await self._board(self._start((key, refresh), self._search(key, ask, refresh, there)))

    # ── in this process ──────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, name: tuple[str, bool], search: Coroutine[Any, Any, Kept]) -> _Flight:
        flight = self._flights[name] = _Flight(name, asyncio.create_task(search))
        flight.task.add_done_callback(lambda _: self._forget(flight))
        return flight

    def _forget(self, flight: _Flight) -> None:
        if self._flights.get(flight.name) is flight:
            del self._flights[flight.name]

    async def _board(self, flight: _Flight) -> Kept:
        """Wait for it. It goes on while anybody does; the last one to leave ends it, and sees that it tidies up."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(flight)  # at once: nobody shall board what is being ended
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)

    # ── between processes ────────────────────────────────────────────────────────────────────────────────────────────

    async def _search(self, key: str, ask: Ask, refresh: bool, there: Kept | None) -> Kept:
        """Ask, or wait for whoever does."""
        lock, began = f"lock:{key}", asyncio.get_running_loop().time()
        mine = Asking(f"{self._process}-{secrets.token_hex(4)}")
        before = found = await self._cache.get(lock)
        pause, longest_pause = _POLL
        while True:
            mark = mark_of(found)
            # With `refresh`, a failure counts only if it came after the wish.
            if isinstance(mark, Failed) and mark.holds_for(self._process) and not (refresh and found == before):
                return _stand_in(there, mark.error())
            if not isinstance(mark, Asking):
                if (news := await self._news(key, refresh, there)) is not None:
                    return news
                if await self._cache.swap(lock, found, mine.to_json(), self._lease):
                    return await self._ask(key, ask, refresh, there, lock, mine)
            elif there is not None and asyncio.get_running_loop().time() - began >= self._patience:
                return _stand_in(there, TransientError(f"{key!r}: another process is asking and has no answer yet"))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, longest_pause)
            found = await self._cache.get(lock)

    async def _ask(self, key: str, ask: Ask, refresh: bool, there: Kept | None, lock: str, mine: Asking) -> Kept:
        """Ask, as the only one."""
        left: bytes | None = None
        holding = asyncio.create_task(self._hold(lock, mine.to_json()))
        try:
            # Somebody may have asked, and been answered, between the last look and the lock.
            news = await self._news(key, refresh, there)
            if news is not None:
                return news
            began = self._clock.now()
            return replace(await self._put(key, await ask(), began), asked=True)
        except CandleError as error:
            left = Failed.of(error, mine.asking).to_json()
            return replace(_stand_in(there, error), asked=True)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            await self._cache.swap(lock, mine.to_json(), left, self._pause)

    async def _hold(self, lock: str, mine: bytes) -> None:
        """Renew the lease, as long as it is not for too long."""
        step = self._lease / 3
        for _ in range(int(self._longest / step)):
            await asyncio.sleep(step)
            if not await self._cache.swap(lock, mine, mine, self._lease):
                return

    async def _news(self, key: str, refresh: bool, there: Kept | None) -> Kept | None:
        """What somebody else was answered meanwhile, if it is what is wanted."""
        kept = await self.peek(key)
        if kept is None or not kept.fresh or (refresh and there is not None and kept.at == there.at):
            return None
        return kept

    async def _put(self, key: str, value: bytes, at: int) -> Kept:
        until = at + round(self._ttl * 1000)
        await self._cache.set(key, pack(value, at, until), self._keep)
        return Kept(value, at, fresh=self._clock.now() < until)


def _stand_in(there: Kept | None, error: CandleError) -> Kept:
    """What was there already, with the reason why there is nothing newer; the reason itself if nothing was."""
    if there is None:
        raise error
    return replace(there, error=error)
