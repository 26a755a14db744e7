"""A calendar's table on disk: one small file, written whole or not at all."""

import contextlib
import logging
import re
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from candle_stocks.calendars.table import Table


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    """`days`: int32, little-endian. `kinds`: uint16, which of `hours` each day keeps."""

    name: str
    version: str
    exchange: str
    zone: str
    first: int
    stop: int
    hours: list[tuple[int, int, int, int]]
    days: bytes
    kinds: bytes


def path_of(folder: Path, name: str) -> Path:
    """Where the table of that calendar is kept."""
    return folder / f"calendar-{re.sub(r'[^A-Za-z0-9]+', '-', name)}.msgpack"


def load(path: Path, name: str, version: str, logger: logging.Logger) -> Table | None:
    """The table that was saved for this calendar by this version of its source; None if there is none to be used."""
    try:
        stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
        if (stored.name, stored.version) != (name, version):
            logger.info("%s holds %r of version %s; it is made anew", path, stored.name, stored.version)
            return None
        hours = np.array(stored.hours, np.int64).reshape(-1, 4)
        days = np.frombuffer(stored.days, "<i4").astype(np.int64)
        times = hours[np.frombuffer(stored.kinds, "<u2")]
        if len(days) != len(times):
            raise ValueError(f"{len(days)} days with {len(times)} hours")
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, IndexError) as error:
        logger.warning("%s cannot be used and is made anew: %s", path, error)
        return None
    return Table(stored.exchange, stored.zone, stored.first, stored.stop, days, times)


def save(path: Path, name: str, version: str, table: Table, logger: logging.Logger) -> None:
    """Put the table there in one step: others see the old file or the new one. A disk that refuses costs only time."""
    hours, kinds = np.unique(table.times, axis=0, return_inverse=True)
    stored = _Stored(
        name=name,
        version=version,
        exchange=table.exchange,
        zone=table.zone,
        first=table.first,
        stop=table.stop,
        hours=[tuple(row) for row in hours.tolist()],
        days=table.days.astype("<i4").tobytes(),
        kinds=kinds.astype("<u2").tobytes(),
    )
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".new", delete=False) as file:
            temporary = Path(file.name)
            file.write(msgspec.msgpack.encode(stored))
        temporary.replace(path)
    except OSError as error:
        logger.warning("the calendar %r cannot be kept as %s: %s", name, path, error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
