"""The surroundings of a plugin under test: a real clock, a gate that lets everything pass and remembers it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from candle_hookspecs import BudgetGate, Clock, Costs, LimitFeedback, PluginContext, Priority


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


@dataclass
class OpenGate:
    """A budget without limits. It remembers what a plugin spent, reported and paused, for a test to look at."""

    spent: list[dict[str, float]] = field(default_factory=list)
    observed: list[LimitFeedback] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)

    async def spend(self, costs: Costs, priority: Priority = Priority.NORMAL) -> None:
        """Let it pass at once."""
        self.spent.append(dict(costs))

    @asynccontextmanager
    async def under_way(self, costs: Costs, priority: Priority = Priority.NORMAL) -> AsyncIterator[None]:
        """Let it pass at once."""
        await self.spend(costs, priority)
        yield

    @contextmanager
    def under_way_blocking(self, costs: Costs, priority: Priority = Priority.NORMAL) -> Iterator[None]:
        """Let it pass at once."""
        self.spent.append(dict(costs))
        yield

    def observe(self, feedback: LimitFeedback) -> None:
        """Remember it."""
        self.observed.append(feedback)

    def pause(self, seconds: float) -> None:
        """Remember it; nothing waits."""
        self.paused.append(seconds)


def make_context(
    tmp_path: Path, name: str = "plugin", *, clock: Clock | None = None, budget: BudgetGate | None = None
) -> PluginContext:
    """What the kernel would hand to a plugin called `name`, working in `tmp_path`."""
    return PluginContext(
        name=name,
        clock=clock or SystemClock(),
        base_dir=tmp_path,
        cache_dir=tmp_path / "cache" / name,
        logger=logging.getLogger(f"candle.{name}"),
        budget=budget or OpenGate(),
    )
