"""The sessions of one exchange: from disk if they are there, else from the library, then corrected."""

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

from candle_hookspecs import Session, Span
from candle_stocks.calendars import cache, library
from candle_stocks.calendars.corrections import Correction, corrected, known
from candle_stocks.calendars.table import Table, day_number, day_of, days_around

_log: Final = logging.getLogger("candle.stocks")


class Calendar:
    """When an exchange trades. It reads files and may compute for a second or two: call it from a worker thread.

    Args:
        name: as in `exchange_calendars`: ``XNYS``, ``XKRX``.
        cache_dir: where the sessions are kept between runs; it is made when it is first needed.
        corrections: in their order, over those that are built in.
        logger: learns of files that cannot be used.
    """

    def __init__(
        self, name: str, cache_dir: Path, corrections: Sequence[Correction] = (), logger: logging.Logger = _log
    ) -> None:
        self._name = name
        self._path = cache.path_of(cache_dir, name)
        self._corrections = tuple(corrections)
        self._logger = logger
        self._held: Table | None = None

    def sessions(self, span: Span) -> list[Session]:
        """The sessions that touch the span, in time order, as far as the library knows the past and the future.

        Raises:
            ConfigError: no calendar of that name, or corrections that leave no sound session.
            PluginError: the library cannot be imported.
        """
        return self._answering(*days_around(span)).sessions(span)

    @property
    def zone(self) -> str:
        """The exchange's IANA time zone. Raises as `sessions` does."""
        if self._held is not None:
            return self._held.zone
        kept = cache.load(self._path, self._name, library.version(), self._logger)
        return (kept or self._answering(0, 1)).zone

    def _answering(self, first: int, stop: int) -> Table:
        """The corrected table that answers for the days ``first <= day < stop``."""
        first = min(max(first, library.EARLIEST), library.LATEST - 1)
        stop = min(max(stop, first + 1), library.LATEST)
        if self._held is None or not self._held.covers(first, stop):
            table = self._uncorrected(first, stop)
            self._held = corrected(table, (*known(table.exchange), *self._corrections))
        return self._held

    def _uncorrected(self, first: int, stop: int) -> Table:
        version = library.version()
        kept = cache.load(self._path, self._name, version, self._logger)
        if kept is not None and kept.covers(first, stop):
            return kept
        if kept is not None:
            first, stop = min(first, kept.first), max(stop, kept.stop)
        # Whole years and one more, so that a span that ends a little later every day does not ask anew every day.
        first, stop = _new_year(first, 0), min(_new_year(stop, 2), library.LATEST)
        table = library.build(self._name, first, stop, self._logger)
        cache.save(self._path, self._name, version, table, self._logger)
        return table


def _new_year(day: int, years: int) -> int:
    return day_number(date(day_of(day).year + years, 1, 1))
