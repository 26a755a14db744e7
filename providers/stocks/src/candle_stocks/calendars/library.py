"""What `exchange_calendars` knows. It takes 0.3 s and 100 MiB to import, so that happens when nothing else helps."""

import logging
import threading
import warnings
from datetime import date
from difflib import get_close_matches
from importlib import metadata
from typing import Any, Final

import numpy as np

from candle_hookspecs import ConfigError, Ints, PluginError
from candle_stocks.calendars.table import Table, day_number, day_of

EARLIEST: Final = day_number(date(1900, 1, 1))
LATEST: Final = day_number(date(2200, 1, 1))
"""Days that pandas, which counts nanoseconds, can hold with some room."""

_MARGIN: Final = 31
"""Days built beyond the end and thrown away.

XKRX (4.13.2) lets every year begin an hour late, on 2000-01-03 too, which was none of its sessions: the hour then falls
upon the last session of all, whichever that is.
"""

_NOT_A_TIME: Final = np.iinfo(np.int64).min
_ABSENT: Final = "the calendars come from exchange_calendars, which cannot be imported; pip install exchange_calendars"
_lock: Final = threading.Lock()  # filters of warnings belong to the whole process


def version() -> str:
    """The installed version; nothing is imported.

    Raises:
        PluginError: there is none.
    """
    try:
        return metadata.version("exchange_calendars")
    except metadata.PackageNotFoundError:
        raise PluginError(_ABSENT) from None


def build(name: str, first: int, stop: int, logger: logging.Logger) -> Table:
    """The sessions of the days ``first <= day < stop`` (since 1970-01-01) that the calendar knows of.

    Args:
        name: as the library has it, or an alias.
        first: at least `EARLIEST`.
        stop: at most `LATEST`.
        logger: learns where the calendar ends before `stop`.

    Raises:
        ConfigError: there is no calendar of that name. PluginError: the library cannot be imported, or fails.
    """
    try:
        import exchange_calendars as library  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise PluginError(_ABSENT) from error
    if name not in (names := library.get_calendar_names()):
        near = get_close_matches(name.upper(), names, cutoff=0.5) or names
        raise ConfigError(f"there is no calendar {name!r}; did you mean {', '.join(map(repr, near))}?")
    with _lock, warnings.catch_warnings():
        # What the library does that its own libraries will not have for long.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(exchange_calendars|pandas)\.")
        try:
            calendar = _make(library, name, first, stop + _MARGIN)
        except Exception as error:  # ASEX, XBEL, XBSE, XCYS and XTAE of 4.13.2 do not bear pandas 3.1
            raise PluginError(
                f"the calendar {name!r} cannot be computed by exchange_calendars {version()} with pandas "
                f"{metadata.version('pandas')}; other versions of them may be able to"
            ) from error
    zone = str(calendar.tz)
    days: Ints = calendar.sessions.values.astype("datetime64[D]").astype(np.int64)
    if len(days) and day_of(int(days[-1])).year < day_of(stop - 1).year:
        logger.info(
            "the calendar %r of exchange_calendars %s ends with %s", name, version(), day_of(int(days[-1])).isoformat()
        )
    within = (days >= first) & (days < stop)
    columns = [_local(calendar, column, days) for column in ("open", "break_start", "break_end", "close")]
    return Table(library.resolve_alias(name), zone, first, stop, days[within], np.stack(columns, axis=1)[within])


def _make(library: Any, name: str, first: int, stop: int) -> Any:
    start, end = day_of(first), day_of(stop - 1)
    try:
        return library.get_calendar(name, start=start, end=end)
    except ValueError:  # beyond its bounds, which only a calendar can tell
        usual = library.get_calendar(name)
        lower, upper = usual.bound_min(), usual.bound_max()
        start = start if lower is None else max(start, lower.date())
        end = end if upper is None else min(end, upper.date())
        return type(usual)(start=start, end=end) if start < end else usual


def _local(calendar: Any, column: str, days: Ints) -> Ints:
    """Seconds after each day's midnight by the local clock; 0 where there is no such time."""
    local = calendar.schedule[column].dt.tz_convert(calendar.tz).dt.tz_localize(None)
    seconds = local.to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(seconds == _NOT_A_TIME, 0, seconds - days * 86_400)
