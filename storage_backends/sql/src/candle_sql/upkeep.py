"""Upkeep in steps that writers hardly notice."""

from typing import Final, NamedTuple

STEP: Final = 0.1
"""Seconds for which one step may keep writers out. What is left over is for the next one."""


class Step(NamedTuple):
    """What a step did: how much it changed, problems it found, and whether it stopped before the end."""

    changed: int = 0
    problems: tuple[str, ...] = ()
    more: bool = False
