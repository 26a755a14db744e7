"""All benchmarks one after another, their tables to standard output: ``make bench``."""

import sys
from collections.abc import Callable

from bench import (
    budget,
    collect,
    coordinator,
    counting,
    decode,
    every,
    machines,
    modes,
    parallel,
    postgres,
    profiles,
    storage,
    stored,
    symbols,
    update,
    warmup,
    writer,
)

MEASURES: dict[str, Callable[[], None]] = {
    "storage": storage.run,
    "postgres": postgres.run,
    "symbols": symbols.run,
    "stored": stored.run,
    "decode": decode.run,
    "collect": collect.run,
    "modes": modes.run,
    "parallel": parallel.run,
    "coordinator": coordinator.run,
    "profiles": profiles.run,
    "budget": budget.run,
    "machines": machines.run,
    "counting": counting.run,
    "warmup": warmup.run,
    "writer": writer.run,
    "update": update.run,
    "every": every.run,
}


def main(names: list[str]) -> int:
    """Run those named, or all; 1 if one of them misses its bar, but only after the others have run."""
    if unknown := [name for name in names if name not in MEASURES]:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    missed: list[str] = []
    for name in names or MEASURES:
        print(f"── {name} {'─' * (76 - len(name))}\n")
        try:
            MEASURES[name]()
        except SystemExit as below:
            missed.append(str(below))
        print()
    for verdict in missed:
        print(f"MISSED: {verdict}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
