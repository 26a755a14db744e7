"""Entry points → plugin classes.

Reading what is installed imports nothing; a class is imported when it is asked for.
"""

import difflib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any, Final

from candle_hookspecs import (
    COMMANDS_GROUP,
    EXTENSIONS_GROUP,
    FAMILIES_GROUP,
    PROVIDERS_GROUP,
    STORAGE_GROUP,
    BrokenPluginError,
    DuplicatePluginError,
    MissingPluginError,
)


class PluginKind(StrEnum):
    """What a plugin adds."""

    PROVIDER = "provider"
    STORAGE = "storage"
    EXTENSION = "extension"
    COMMAND = "command"


_GROUPS: Final = {
    PROVIDERS_GROUP: PluginKind.PROVIDER,
    STORAGE_GROUP: PluginKind.STORAGE,
    EXTENSIONS_GROUP: PluginKind.EXTENSION,
    COMMANDS_GROUP: PluginKind.COMMAND,
}


@dataclass(frozen=True, slots=True, order=True)
class InstalledPlugin:
    """An entry point of an installed distribution.

    Attributes:
        family: a provider for many exchanges, none of which has this name.
    """

    kind: PluginKind
    name: str
    distribution: str
    version: str
    value: str
    family: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.distribution} {self.version} ({self.value})"

    def load(self) -> Any:
        """The object the entry point names.

        Raises:
            BrokenPluginError: importing it failed; the cause is chained.
        """
        try:
            return EntryPoint(self.name, self.value, "").load()
        except Exception as error:
            raise BrokenPluginError(
                f"{self} cannot be imported: {type(error).__name__}: {error}; "
                f"reinstall it with `pip install --force-reinstall {self.distribution}`"
            ) from error


@cache
def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """Every plugin of every installed distribution, sorted. Reads metadata only.

    Of one distribution that stands on the path twice, the first copy counts, as it does for `import`.
    """
    found: dict[str, list[InstalledPlugin]] = {}
    for distribution in distributions():
        points = [point for point in distribution.entry_points if point.group in _GROUPS]
        if points and (name := _name(distribution)) and (key := re.sub(r"[-_.]+", "-", name).lower()) not in found:
            families = distribution.entry_points.select(group=FAMILIES_GROUP).names
            found[key] = [
                InstalledPlugin(
                    kind := _GROUPS[point.group],
                    point.name,
                    name,
                    distribution.version,
                    point.value,
                    kind is PluginKind.PROVIDER and point.name in families,
                )
                for point in points
            ]
    return tuple(sorted(itertools.chain.from_iterable(found.values())))


def _name(distribution: Distribution) -> str:
    """Its name; empty for a folder that lost its metadata."""
    try:
        return distribution.name or ""
    except FileNotFoundError:  # so says `importlib_metadata`, which takes Python's place once somebody imports it
        return ""


def find_plugin(kind: PluginKind, name: str, installed: Iterable[InstalledPlugin] | None = None) -> InstalledPlugin:
    """The one installed plugin of that kind and name.

    Raises:
        MissingPluginError: none; with what to do. DuplicatePluginError: two distributions claim the name.
    """
    plugins = [plugin for plugin in (installed_plugins() if installed is None else installed) if plugin.kind is kind]
    claims = [plugin for plugin in plugins if plugin.name == name]
    if len(claims) > 1:
        raise DuplicatePluginError(
            f"{kind} {name!r} is claimed by {' and by '.join(f'{p.distribution} {p.version}' for p in claims)}; "
            f"uninstall all but one"
        )
    if not claims:
        names = sorted({plugin.name for plugin in plugins})
        by_ccxt = f'`plugin = "ccxt"` under [providers.{name}] asks any exchange that ccxt knows, by candle-ccxt'
        an_exchange = kind is PluginKind.PROVIDER and name != "ccxt"
        if near := difflib.get_close_matches(name, names, n=1):  # what is misspelled is not to be installed
            remedy = f"did you mean {near[0]!r}?{f' Else {by_ccxt}' if an_exchange else ''}"
            raise MissingPluginError(f"no {kind} {name!r} is installed; {remedy}")
        remedy = f"`pip install candle-{name}` gets one, if somebody wrote it"
        if an_exchange:
            remedy += f"; {by_ccxt}; stock exchanges come with candle-stocks"
        raise MissingPluginError(f"no {kind} {name!r} is installed (installed: {', '.join(names) or 'none'}); {remedy}")
    return claims[0]
