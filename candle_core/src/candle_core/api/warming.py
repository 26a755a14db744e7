"""Warming up: what is asked of exchanges before it is needed."""

from collections.abc import Iterable

from candle_core.api.base import Base
from candle_core.warmup.run import TIMEOUT, ProgressCallback, warm_up
from candle_hookspecs import WarmupResult


class Warming(Base):
    """Calls that ask ahead."""

    async def warm_up(
        self,
        exchanges: Iterable[str] = (),
        *,
        force: bool = False,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - each exchange's own, not that of the call
        progress_callback: ProgressCallback | None = None,
    ) -> WarmupResult:
        """Ask exchanges for their markets, precision and clock now, so that later work need not wait for that.

        They are asked at the same time, each under its own limits, and one that fails does not disturb the others. An
        exchange whose cached listing is still fresh (``[cache] ttl``) is not asked at all, not even for its clock.

        Args:
            exchanges: names, in upper or lower case. None given: the exchanges of the active accounts, each once; or
                else those that have a table under ``[providers]``; or else ``[defaults] exchange``.
            force: ask also where the cached listing is still fresh.
            timeout: seconds that each exchange is given.
            progress_callback: called whenever an exchange is done.

        Returns:
            What came of each exchange. One that failed stands there with its error; its last cached listing is still
            used.

        Raises:
            ConfigError: nothing says which exchanges are meant.
            BadInputError: a timeout in which no exchange could answer.
        """
        return await warm_up(self._kernel, exchanges, force=force, timeout=timeout, callback=progress_callback)
