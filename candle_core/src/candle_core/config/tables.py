"""Tables that belong to others, as they are written: secrets in them are looked up by whoever needs them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from candle_core.config.source import Keys
from candle_core.secrets import Confidential


class Values(Confidential, Mapping[str, Any]):
    """What stands in a table; never shown, because a key may stand there in clear."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class PluginTable:
    """One plugin's table: ``[storage]``, ``[providers.binance]``.

    Attributes:
        name: what the plugin stands under; plugin: the entry point that is meant.
        path: the table's keys in the file.
        values: as written, secrets not yet looked up; never printed.
    """

    name: str
    plugin: str
    path: Keys
    values: Values = field(default_factory=Values)

    @property
    def header(self) -> str:
        """``[providers.binance]``."""
        return f"[{'.'.join(self.path)}]"
