"""Counts that machines share, and this machine's own for as long as those cannot be reached."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from candle_core.budget.records import Record, shifted, understood, united
from candle_core.budget.shared import BudgetNotSharedWarning, Records
from candle_core.secrets import REDACTOR
from candle_hookspecs import BudgetStore, CacheUnavailableError, StoreBusyError

PATIENCE: Final = 1.0
"""Seconds without an answer, in which nothing passes, before this machine counts for itself."""
PAUSE: Final = 0.1
"""Seconds between two attempts meanwhile: each may stop the event loop for a moment."""
RETRY: Final = 5.0
"""Seconds between two attempts from then on."""
SLOW: Final = 0.03
"""Seconds that a spend may stop the event loop; where each takes longer, for as long as patience lasts, it is as if
there was no answer."""

_log = logging.getLogger("candle")


class DistantStore:
    """A `BudgetStore` over two: what is shared with other machines, and what this machine's processes share.

    Where a key is counted at the other one of the two than before, what was known here is taken along. So a limit is
    never forgotten in the change; but machines that count apart may each use it up.

    Args:
        distant: where machines count; its moments are on its own clock.
        near: where this machine counts, if the other cannot be reached.
        timer: seconds, on a clock that never goes back.
    """

    def __init__(self, distant: BudgetStore, near: BudgetStore, timer: Callable[[], float] = time.monotonic) -> None:
        self._distant, self._near, self._timer = distant, near, timer
        self._known: dict[str, tuple[float, Record]] = {}
        """When a key was last counted at the distant one, and what that held then, by this machine's clock."""
        self._failing_since: float | None = None
        self._again = 0.0
        self._is_apart = False
        self._has_warned = False

    @property
    def ahead(self) -> int:
        """See `BudgetStore`. The moments of records are put on this machine's clock; what the exchange's is, is not."""
        return self._distant.ahead

    def close(self) -> None:
        """Close both."""
        self._distant.close()
        self._near.close()

    @contextmanager
    def transaction(self, *keys: str) -> Iterator[Records]:
        """See `BudgetStore`."""
        began = self._timer()
        if began >= self._again:
            try:
                with self._there(keys) as records:
                    yield records
            except StoreBusyError:  # that is an answer
                self._failing_since = None
                raise
            except CacheUnavailableError as error:
                self._again = self._timer() + PAUSE
                self._failed(str(error))
                raise StoreBusyError(str(error)) from error
            if (taken := self._timer() - began) > SLOW:
                self._failed(f"it takes {taken * 1000:.0f} ms for a spend, all of which wait for it")
            else:
                self._succeeded()
        elif self._is_apart:
            with self._here(keys) as records:
                yield records
        else:
            raise StoreBusyError("what machines share is not to be reached, and asked again in a moment")

    @contextmanager
    def _there(self, keys: tuple[str, ...]) -> Iterator[Records]:
        with self._distant.transaction(*keys) as theirs:
            ahead = self._distant.ahead
            records = {key: shifted(understood(record), -ahead) for key, record in theirs.items()}
            if doubtful := [key for key in keys if not self._is_fresh(key)]:
                with self._near.transaction(*doubtful) as ours:
                    records.update({key: united(records[key], ours[key]) for key in doubtful})
            yield records
            theirs.update({key: shifted(record, ahead) for key, record in records.items()})
        self._known.update({key: (self._timer(), record) for key, record in records.items()})

    def _is_fresh(self, key: str) -> bool:
        """Whether nobody on this machine can have counted apart since this process asked last."""
        return key in self._known and self._timer() - self._known[key][0] < PATIENCE

    @contextmanager
    def _here(self, keys: tuple[str, ...]) -> Iterator[Records]:
        with self._near.transaction(*keys) as records:
            for key in keys & self._known.keys():
                records[key] = united(records[key], self._known[key][1])
            yield records
        for key in keys:
            self._known.pop(key, None)

    def _succeeded(self) -> None:
        if self._is_apart:
            _log.info("limits are shared with other machines again")
        self._failing_since, self._is_apart = None, False

    def _failed(self, why: str) -> None:
        now = self._timer()
        if self._failing_since is None:
            self._failing_since = now
        if self._is_apart or now - self._failing_since >= PATIENCE:
            self._is_apart, self._again = True, now + RETRY
        if self._is_apart and not self._has_warned:
            self._has_warned = True
            why = REDACTOR.scrub(why)  # a store is a plugin's, and what it says comes straight to us
            warnings.warn(
                f"limits are not shared with other machines for now, this one counts for itself: {why}",
                BudgetNotSharedWarning,
                stacklevel=2,
            )
