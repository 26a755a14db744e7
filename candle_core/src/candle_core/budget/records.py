"""What stands in a record of counts, told by another clock, and as two places know it.

A limit's record has ``spent`` (the state of its counter), ``away`` (process → when it was last heard, and what of its
requests is under way), ``turn`` and ``waiting``; a pool's ``pause`` and ``offset``.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeGuard

from candle_core.budget import counters

Record: TypeAlias = Mapping[str, Any] | None
"""None: nothing stored."""

FOREIGN: Final[Mapping[str, Any]] = {"foreign": True}
"""In place of a record that another version has written in a shape of its own."""

_MOST: Final = 1e15
"""No moment and no amount is as large."""


def understood(value: object) -> Record:
    """What was stored, if all that is read of it has the shape that is written here; else `FOREIGN`."""
    if value is None or (isinstance(value, dict) and all(_fits(name, part) for name, part in value.items())):
        return value
    return FOREIGN


def is_foreign(record: Record) -> bool:
    """Whether it is there, and cannot be read."""
    return record is not None and "foreign" in record


def _fits(name: str, part: object) -> bool:
    match name:
        case "spent":
            return _are_numbers(part) and (len(part) % 2 == 0 or len(part) == 3)
        case "turn":
            return _are_numbers([part])
        case "pause" | "offset":
            return _are_numbers(part) and len(part) == 2
        case "away" | "waiting":
            size = 2 if name == "away" else 3
            return isinstance(part, dict) and all(_are_numbers(one) and len(one) == size for one in part.values())
    return True


def _are_numbers(part: object) -> TypeGuard[list[float]]:
    return isinstance(part, list) and all(isinstance(one, int | float) and abs(one) < _MOST for one in part)


def shifted(record: Record, ahead: int) -> Record:
    """The same, by a clock that is ahead of the one it was told by; milliseconds."""
    if record is None or ahead == 0:
        return record
    moved = dict(record)
    if "spent" in record:
        moved["spent"] = counters.shifted(record["spent"], ahead)
    if "away" in record:
        moved["away"] = {name: [seen + ahead, cost] for name, (seen, cost) in record["away"].items()}
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
    if "away" in here and "away" in there:
        both["away"] = dict(sorted((*there["away"].items(), *here["away"].items()), key=lambda one: int(one[1][0])))
    for name in ("pause", "offset"):
        if name in here and name in there:
            both[name] = max(here[name], there[name], key=lambda pair: int(pair[1]))
    return both
