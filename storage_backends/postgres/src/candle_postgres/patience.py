"""Trying again: while the server is away, and where another transaction was in the way."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from candle_hookspecs import StorageUnavailableError
from candle_postgres.connections import Connections
from candle_postgres.failures import CollisionError, ServerGoneError

_T = TypeVar("_T")

_PAUSES: Final = (0.0, 0.1, 0.2, 0.5, 1.0)  # seconds before each new attempt; the last one for all that follow
_COLLISIONS: Final = 20
_STEP: Final = 0.02  # seconds


class Patience:
    """Runs work in transactions of its own, again if need be. For any number of threads.

    A server that was never met is not waited for: its address may be wrong, and the user wants to know.
    """

    def __init__(self, connections: Connections, place: str, seconds: float, logger: logging.Logger) -> None:
        self._connections, self._place, self._seconds, self._logger = connections, place, seconds, logger
        self._met = False

    def __call__(self, work: Callable[..., _T], *values: Any, twice: bool = True) -> _T:
        """Do the work.

        Args:
            work: what to do.
            *values: what to give to it.
            twice: it may be done again though the first time may have been committed unheard.

        Raises:
            StorageUnavailableError: the server stayed away.
            StorageError: what the work raised.
        """
        gone, collisions, since = 0, 0, 0.0
        while True:
            try:
                done = work(*values)
            except CollisionError:
                collisions += 1
                if collisions > _COLLISIONS:
                    raise
                time.sleep(random.uniform(0, _STEP * collisions))
            except ServerGoneError as error:
                self._connections.doubt()
                since = since or time.monotonic()
                if not self._met or not twice:
                    raise
                if time.monotonic() - since >= self._seconds:
                    raise StorageUnavailableError(f"{error}; it was waited for {self._seconds:g} seconds") from error
                if not gone:
                    self._logger.warning("%s is away; trying again for %g seconds", self._place, self._seconds)
                time.sleep(_PAUSES[min(gone, len(_PAUSES) - 1)])
                gone += 1
            else:
                self._met = True
                return done
