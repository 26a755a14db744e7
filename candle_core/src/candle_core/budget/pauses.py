"""Pauses that an exchange demands: what this process was told of them, and what others have written down."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from candle_core.budget.counters import AHEAD, NAP
from candle_core.budget.reading import Reader
from candle_core.budget.shared import Records
from candle_core.budget.tally import POLL
from candle_hookspecs import BudgetStore, Clock, RateLimitedError, StoreBusyError

LONGEST_PAUSE: Final = 900.0
"""Seconds. A longer ban is reported to everybody who waits or comes, instead of being waited for."""


class Pauses:
    """Those of one provider.

    Args:
        local: the clock to sleep on.
        store, reader: where they are written down, and who reads it.
    """

    def __init__(self, local: Clock, store: BudgetStore, reader: Reader) -> None:
        self._local, self._store, self._reader = local, store, reader
        self._own: Mapping[str, Any] = {}

    def begin(self, seconds: float, pools: set[str]) -> None:
        """Let nothing of the pools pass for so long."""
        now = self._local.now()
        self._own = {"pause": [now, max(_until(self._own, now), now + int(seconds * 1000))]}
        self._tell(pools, now)

    def left(self, records: Records, now: int) -> float:
        """Seconds.

        Raises:
            RateLimitedError: too many to wait for.
        """
        until = max(_until(record, now) for record in (self._own, *records.values()))
        pause = max(0, until - now) / 1000
        if pause > LONGEST_PAUSE:
            raise RateLimitedError(f"the exchange wants a pause of another {pause:.0f} s", retry_after=pause)
        return pause

    async def outlast(self, pool: str) -> None:
        """Wait until none is on.

        Raises:
            RateLimitedError: one is too long to wait for.
        """
        while True:
            try:
                with self._store.transaction(pool) as records:
                    self._reader.heed_foreign([pool], records, self._local.now())
                    wait = self.left(records, self._local.now())
            except StoreBusyError:
                wait = POLL
            if wait == 0:
                return
            await self._local.sleep(wait + NAP)

    def _tell(self, pools: set[str], now: int) -> None:
        """Write it down for everybody; if somebody else is writing, in a moment."""
        try:
            with self._store.transaction(*pools) as records:
                self._reader.heed_foreign(pools, records, now)
                for pool, record in records.items():
                    until = max(_until(self._own, now), _until(record, now))
                    records[pool] = {**(record or {}), "pause": [now, until]}
        except StoreBusyError:
            asyncio.get_running_loop().call_later(POLL, self._tell, pools, now)


def _until(record: Mapping[str, Any] | None, now: int) -> int:
    """Until when a pool's record says to pause; a pause that another clock has written does not count."""
    since, until = (record or {}).get("pause", (0, 0))
    return int(until) if since <= now + AHEAD else 0
