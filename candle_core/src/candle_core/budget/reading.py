"""What everybody who shares a pool should know: the exchange's time, and that another version has written there."""

import warnings
from collections.abc import Iterable
from typing import Final

from candle_core.budget.counters import Now
from candle_core.budget.records import is_foreign
from candle_core.budget.shared import CACHE_DIR, BudgetNotSharedWarning, Records
from candle_core.clock import ExchangeClock
from candle_hookspecs import BudgetStore, Clock

BELIEVED: Final = 600_000
"""Milliseconds for which another process's idea of the exchange's clock is believed."""
UNREAD: Final = 60_000
"""Milliseconds of pause where nobody can read whether there is one."""


class Reader:
    """Reads the records of one provider.

    Args:
        local: the clock to sleep on. clock: the exchange's, as this process knows it.
        store: where the records are.
    """

    def __init__(self, local: Clock, clock: ExchangeClock, store: BudgetStore) -> None:
        self._local, self._clock, self._store = local, clock, store
        self._unread: set[str] = set()

    def now(self, pools: Iterable[str], records: Records) -> Now:
        """The time here and, by the best estimate of anybody who shares the pools, at the exchange."""
        local, own = self._local.now(), self._clock.offset
        self.heed_foreign(pools, records, local)
        best = own
        for pool in pools:
            record = records[pool] or {}
            offset, heard = record.get("offset", (None, 0))
            fresh = offset is not None and abs(local - heard) < BELIEVED
            if own is not None and (not fresh or own > offset or (own == offset and local - heard > BELIEVED / 2)):
                records[pool] = {**record, "offset": [own, local]}
            elif fresh:
                best = offset if best is None else max(best, offset)
        # Who knows nothing of the exchange's clock goes by the one that is common to all, so that windows are too.
        return Now(local, local + (self._store.ahead if best is None else best))

    def heed_foreign(self, pools: Iterable[str], records: Records, local: int) -> None:
        """Where nobody can read whether a pause is on, take it that one is, for a while."""
        for pool in pools:
            if is_foreign(records[pool]):
                self.warn_if_foreign(pool, records)
                records[pool] = {"pause": [local, local + UNREAD]}

    def warn_if_foreign(self, key: str, records: Records) -> None:
        """Say once of a record that it cannot be read."""
        if is_foreign(records[key]) and key not in self._unread:
            self._unread.add(key)
            warnings.warn(
                f"what is counted under {key!r} cannot be read: another version of Candle wrote it. It is taken to be"
                " used up, and counted anew. If both versions are to run at once, update the older one, or give one of"
                f" them a folder of its own in the environment variable {CACHE_DIR}",
                BudgetNotSharedWarning,
                stacklevel=2,
            )
