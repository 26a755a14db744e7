"""Upkeep on time, while a database is open and written to."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from candle_core.writer.writer import Writer
from candle_hookspecs import CandleError, MaintenanceTask

_log: Final = logging.getLogger("candle.writer")


class Schedule:
    """Calls a writer's `maintain` at intervals; what nothing was written to since the last time is left alone."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        config = writer.config
        self._intervals = {
            MaintenanceTask.CHECKPOINT: config.checkpoint_interval_seconds,
            MaintenanceTask.ANALYZE: config.analyze_interval_seconds,
            MaintenanceTask.COMPACT: config.compact_interval_seconds,
            MaintenanceTask.VACUUM: config.vacuum_interval_seconds,
        }
        self._seen = dict.fromkeys(self._intervals, 0)  # transactions at the last time
        self._timers: dict[MaintenanceTask, asyncio.TimerHandle] = {}
        self._running: dict[MaintenanceTask, asyncio.Task[None]] = {}
        self.last: dict[MaintenanceTask, datetime] = {}
        """When a task was last done, by the machine's clock."""

    @property
    def tasks(self) -> tuple[MaintenanceTask, ...]:
        """What is done on time."""
        return tuple(self._intervals)

    def start(self) -> None:
        """Set the timers. They keep nothing alive."""
        for task in self._intervals:
            self._set(task)

    async def stop(self) -> None:
        """Let what is under way end, and begin nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._running:
            await asyncio.wait(self._running.values())

    def hasten(self, task: MaintenanceTask) -> None:
        """Begin a task now, and set its timer anew; one that is under way is enough."""
        self._timers[task].cancel()
        self._begin(task)

    def _set(self, task: MaintenanceTask) -> None:
        self._timers[task] = asyncio.get_running_loop().call_later(self._intervals[task], self._begin, task)

    def _begin(self, task: MaintenanceTask) -> None:
        self._set(task)
        written = self._writer.totals.works
        if written == self._seen[task] or task in self._running:
            return
        self._seen[task] = written
        running = self._running[task] = asyncio.create_task(self._run(task), name=f"candle-{task.value}")
        running.add_done_callback(lambda _: self._running.pop(task))

    async def _run(self, task: MaintenanceTask) -> None:
        try:
            report = await self._writer.maintain(task)
        except CandleError as error:  # a plugin's own mistakes, too
            _log.warning("%s was not done: %s", task.value, error)
        else:
            self.last[task] = datetime.now(UTC)
            _log.debug("%s: %d changed in %.1f s", task.value, report.changed, report.seconds)
