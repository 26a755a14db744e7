"""Where a configuration was read from: messages name its file and line."""

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from candle_core.secrets import Confidential

Keys: TypeAlias = tuple[str, ...]
"""The way to a value: ``("providers", "binance", "timeout")``; in a list of tables the number follows its name."""


class Source(Confidential):
    """The text of a file, in which a key may stand in clear.

    Args:
        file: its path; None: built-in defaults, or a mapping that a program gives.
        text: what stands in it.
    """

    __slots__ = ("base_dir", "file", "text")

    def __init__(self, file: Path | None = None, text: str = "") -> None:
        self.file = file
        self.text = text
        self.base_dir = file.resolve().parent if file else Path.cwd()

    def place(self, keys: Keys) -> str:
        """``'candle.toml', line 3``."""
        line = _line_of(self.text, keys)
        return (f"{str(self.file)!r}" if self.file else "the configuration") + (f", line {line}" if line else "")

    def unknown_key(self, key: str, table: Keys, valid: Iterable[str]) -> str:
        """What to say of a key that nobody knows: the nearest one that is valid in this table."""
        near = difflib.get_close_matches(key, list(valid), n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(sorted(valid)) or 'nothing'}"
        return f"{self.place((*table, key))}: unknown key {key!r}; {advice}"


def _line_of(text: str, keys: Keys) -> int | None:
    """The line on which a key or table stands.

    Tomllib keeps no positions. None where the file writes it in an unusual way.
    """
    found: dict[Keys, int] = {}
    for written, number in _written(text):
        found.setdefault(written, number)
    return (
        found.get(keys)
        or found.get(keys[:-1])
        or next((number for written, number in found.items() if written[: len(keys)] == keys), None)
    )


def _written(text: str) -> Iterator[tuple[Keys, int]]:
    """Every table and key with its line."""
    table: Keys = ()
    lengths: dict[Keys, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[{1,2})\s*([^\]]+?)\s*\]{1,2}", line):
            *above, last = (part.strip().strip("\"'") for part in header[2].split("."))
            table = ()
            for part in above:
                table = _entered((*table, part), lengths)
            table = (*table, last)
            if header[1] == "[[":
                lengths[table] = lengths.get(table, 0) + 1
            table = _entered(table, lengths)
            yield table, number
        elif key := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            yield (*table, *(part.strip("\"'") for part in key[1].split("."))), number


def _entered(table: Keys, lengths: dict[Keys, int]) -> Keys:
    """The table itself; of a list of tables its last one."""
    return (*table, str(lengths[table] - 1)) if table in lengths else table
