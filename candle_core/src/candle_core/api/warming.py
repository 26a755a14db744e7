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
        """Ask exchanges for their markets, precision and clock, so that the first piece of work need not.

        They are asked side by side, each under its own limits, and one that fails leaves the others alone. What is kept
        in the cache and still believed (``[cache] ttl``) is not asked for again; nothing is asked then, not even for
        the clock.

        Args:
            exchanges: names, in any case; none: those of the active accounts, once each, else those that have a table
                under ``[providers]``, else ``[defaults] exchange``.
            force: ask also where what is kept is still believed.
            timeout: seconds that each exchange is given.
            progress_callback: called as each exchange ends.

        Returns:
            What became of each exchange. One that failed stands there with its error, and what was kept before goes on
            to answer for it.

        Raises:
            ConfigError: nothing says which exchanges are meant. BadInputError: a timeout that lets nobody answer.
        """
        return await warm_up(self._kernel, exchanges, force=force, timeout=timeout, callback=progress_callback)
