"""What stands in a record of counts, told by another clock, and as two places know it.

A limit's record has ``spent`` (the state of its counter), ``turn`` and ``waiting``; a pool's ``pause`` and ``offset``.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from candle_core.budget import counters

Record: TypeAlias = Mapping[str, Any] | None
"""None: nothing stored."""


def shifted(record: Record, ahead: int) -> Record:
    """The same, by a clock that is ahead of the one it was told by; milliseconds."""
    if record is None or ahead == 0:
        return record
    moved = dict(record)
    if "spent" in record:
        moved["spent"] = counters.shifted(record["spent"], ahead)
    if "waiting" in record:
        moved["waiting"] = {
            name: [priority, oldest + ahead, due + ahead] for name, (priority, oldest, due) in record["waiting"].items()
        }
    if "pause" in record:
        moved["pause"] = [moment + ahead for moment in record["pause"]]
    if "offset" in record:
        offset, heard = record["offset"]
        moved["offset"] = [offset - ahead, heard + ahead]
    return moved


def united(here: Record, there: Record) -> Record:
    """What either knows, so that nothing that was spent or forbidden is forgotten. Who waits is told by `here` alone.

    Uniting again what was united changes nothing.
    """
    if here is None or there is None:
        return there if here is None else here
    both = {**there, **here}
    if "spent" in here and "spent" in there:
        both["spent"] = counters.united(here["spent"], there["spent"])
    for name in ("pause", "offset"):
        if name in here and name in there:
            both[name] = max(here[name], there[name], key=lambda pair: int(pair[1]))
    return both
