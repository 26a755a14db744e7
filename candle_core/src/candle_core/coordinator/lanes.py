"""How many requests for candles may be under way at once, shared out to the collections that are at work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from candle_core.pipeline import Pipeline


class Lane:
    """The place of one collection that is at work.

    Attributes:
        pipeline: what works there, once it is made.
        waited: whether it was taken by others first.
    """

    def __init__(self, lanes: "Lanes", *, waited: bool) -> None:
        self.pipeline: Pipeline | None = None
        self.waited = waited
        self._lanes = lanes

    @property
    def taken(self) -> int:
        """Requests under way; at least one is kept for it, so that it never stands still."""
        return max(1, self.pipeline.under_way if self.pipeline else 0)

    def share(self) -> int:
        """Requests that it may have under way, so that all together keep to the bound."""
        return self._lanes.left_for(self)


class Lanes:
    """Shared by the collections of one request, or of several that follow one another.

    What one does not need another may take, and a place that is to be filled keeps a request free, so that whoever
    comes finds one.

    Args:
        most: requests under way at once.
        coming: collections that will ask for a place.
        places: how many of them may be at work at once; never more than `most`.
    """

    def __init__(self, most: int, coming: int, places: int | None = None) -> None:
        self.most = most
        self._coming = coming
        self._places = min(most, coming if places is None else places)
        self._free = asyncio.Semaphore(max(1, self._places))
        self._at_work: list[Lane] = []

    def dismiss(self, number: int) -> None:
        """So many collections will not come after all."""
        self._coming -= number

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Lane]:
        """Wait for a place, and take it."""
        waits = self._free.locked()
        async with self._free:
            lane = Lane(self, waited=waits)
            self._at_work.append(lane)
            self._coming -= 1
            try:
                yield lane
            finally:
                self._at_work.remove(lane)

    def left_for(self, lane: Lane) -> int:
        """See `Lane.share`."""
        others = sum(one.taken for one in self._at_work if one is not lane)
        kept = min(self._coming, self._places - len(self._at_work))
        return max(1, self.most - others - kept)
