"""What may be added to the kernel, and what every plugin may have."""

from collections.abc import Sequence
from typing import Protocol

from candle_hookspecs.extensions import BudgetStore, Cache, Event, Job, JobResult
from candle_hookspecs.markers import hookspec


class ExtensionSpecs(Protocol):
    """What may be added to the kernel, and what every plugin may have."""

    @hookspec
    def candle_event(self, event: Event) -> None:
        """Hear what happened. Every extension is told; one that raises is logged and harms nobody.

        Example:
            @hookimpl
            async def candle_event(self, event):
                self.counters[event.name] += 1
        """
        ...

    @hookspec(firstresult=True)
    def candle_cache(self, name: str) -> Cache | None:
        """Give the cache that ``[cache] backend`` names, or None if that is another's. Pure.

        It connects to nothing before it is first used.

        Example:
            @hookimpl
            def candle_cache(self, name):
                return RedisCache(self.settings.url) if name == self.context.name else None
        """
        ...

    @hookspec(firstresult=True)
    def candle_budget_store(self, name: str) -> BudgetStore | None:
        """Give the store that ``[budget] backend`` names, or None if that is another's. Pure.

        It connects to nothing before it is first used.

        Example:
            @hookimpl
            def candle_budget_store(self, name):
                return RedisBudgetStore(self.settings.url) if name == self.context.name else None
        """
        ...

    @hookspec(firstresult=True)
    def candle_run_jobs(self, jobs: Sequence[Job]) -> Sequence[JobResult]:
        """Run jobs somewhere else (many machines) and report each; a failed job is a result with an error.

        Example:
            @hookimpl
            async def candle_run_jobs(self, jobs):
                futures = self.cluster.map(run_job, jobs)
                return await self.cluster.gather(futures)
        """
        ...

    @hookspec(firstresult=True)
    def candle_close(self) -> None:
        """Let go of sessions, connections and files. Called once, also after an error. Optional.

        Example:
            @hookimpl
            async def candle_close(self):
                await self._session.close()
        """
        ...
