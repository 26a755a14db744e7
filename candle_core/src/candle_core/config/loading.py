"""A whole configuration, from a file, a mapping, or nothing."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from candle_core.config.accounts import AccountState, AccountTable, read_accounts
from candle_core.config.sections import LOCAL_BUDGET, LOCAL_CACHES, Budgeting, Caching, Collecting, Defaults
from candle_core.config.source import Keys, Source
from candle_core.config.tables import PluginTable, Values
from candle_core.config.validation import validate, validate_settings
from candle_core.writer.config import BatchConfig
from candle_hookspecs import Account, ConfigError

ENVIRONMENT: Final = "CANDLE_CONFIG"
DEFAULT_FILE: Final = Path("candle.toml")
KNOWN: Final = (
    "accounts", "defaults", "collect", "batch", "cache", "budget", "storage", "stores", "providers", "extensions",
)  # fmt: skip

_Model = TypeVar("_Model", bound=BaseModel)
_Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. It holds no secret that was looked up, and cannot be pickled.

    Attributes:
        source: where it was read from.
        accounts: in the order of the file.
    """

    source: Source
    accounts: tuple[AccountTable, ...]
    defaults: Defaults
    collect: Collecting
    batch: BatchConfig
    cache: Caching
    budget: Budgeting
    storage: PluginTable
    stores: Mapping[str, PluginTable]
    providers: Mapping[str, PluginTable]
    extensions: Mapping[str, PluginTable]

    @property
    def file(self) -> Path | None:
        """Where it was read from; None: built-in defaults, or a mapping."""
        return self.source.file

    @property
    def base_dir(self) -> Path:
        """Where relative paths in it start."""
        return self.source.base_dir

    def provider(self, name: str) -> PluginTable:
        """The table of a provider; an empty one where the file has none, because a provider needs none."""
        return self.providers.get(name) or PluginTable(name, name, ("providers", name))

    def store(self, name: str) -> PluginTable:
        """The table of one of ``[stores]``, the databases that hold a user's own data.

        Raises:
            ConfigError: there is none of that name.
        """
        if name in self.stores:
            return self.stores[name]
        near = difflib.get_close_matches(name, self.stores, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f'write [stores.{name}] with backend = "sqlite" and a path'
        raise ConfigError(f"no store {name!r} in {str(self.file) if self.file else 'the configuration'!r}; {advice}")

    def used_extensions(self) -> list[PluginTable]:
        """The tables of all extensions; empty ones for those that only ``[cache]`` or ``[budget]`` name."""
        named = {self.cache.backend, self.budget.backend} - {*LOCAL_CACHES, LOCAL_BUDGET, *self.extensions}
        return [*self.extensions.values(), *(PluginTable(name, name, ("extensions", name)) for name in sorted(named))]

    def used_account(self, exchange: str) -> AccountTable | None:
        """The first active account of an exchange (lower case): several are one, as far as market data goes."""
        return next((one for one in self.accounts if one.active and one.exchange == exchange), None)

    def account(self, exchange: str) -> Account | None:
        """The same, with its keys looked up.

        Raises:
            ConfigError: one of them is not found.
        """
        used = self.used_account(exchange)
        return None if used is None else used.reveal(self.source)

    def check_accounts(self) -> list[AccountState]:
        """Where the keys of each account are kept, and whether they are found; no key is shown."""
        return [
            AccountState(
                one.name, one.exchange, one.active, one is self.used_account(one.exchange), one.check(self.source)
            )
            for one in self.accounts
        ]

    def settings(self, table: PluginTable, model: type[_Model]) -> _Model:
        """A plugin's table, with its secrets looked up, as the plugin's own `Settings`.

        Raises:
            ConfigError: with line, key and nearest valid key; the value only if it is no secret.
        """
        return validate_settings(model, table.values, table.path, self.source, table.name)


def load_config(source: str | Path | Mapping[str, Any] | None = None) -> Config:
    """Read a configuration.

    Args:
        source: a file; or its contents as a mapping; or None: the file that ``CANDLE_CONFIG`` names, else
            ``./candle.toml``,
            else built-in defaults (SQLite in ``./candles.sqlite3``).

    Raises:
        ConfigError: no such file, no TOML, an unknown key.
    """
    if isinstance(source, Mapping):
        return _config(dict(source), Source())
    named = source or os.environ.get(ENVIRONMENT)
    file = Path(named) if named else DEFAULT_FILE
    if not named and not file.exists():
        return _config({}, Source())
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark that TOML does not know
        tables = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read {str(file)!r}: {error}; `candle init` writes a new one") from error
    except UnicodeDecodeError as error:  # it holds the whole file
        raise ConfigError(f"cannot read {str(file)!r}: {error}; `candle init` writes a new one") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{str(file)!r} is not valid TOML: {error}") from None
    return _config(tables, Source(file, text))


def _config(tables: _Table, source: Source) -> Config:
    for key, value in tables.items():
        if key not in KNOWN:
            raise ConfigError(source.unknown_key(key, (), KNOWN))
        if key != "accounts" and not isinstance(value, dict):
            raise ConfigError(f"{source.place((key,))}: {key!r} is a table; write [{key}]")

    def section(model: type[_Model], key: str) -> _Model:
        return validate(model, tables.get(key, {}), (key,), source)

    return Config(
        source=source,
        accounts=tuple(read_accounts(tables.get("accounts", ()), source)),
        defaults=section(Defaults, "defaults"),
        collect=section(Collecting, "collect"),
        batch=section(BatchConfig, "batch"),
        cache=section(Caching, "cache"),
        budget=section(Budgeting, "budget"),
        storage=_storage_table(tables.get("storage", {}), ("storage",), source),
        stores={
            name: _storage_table(values, ("stores", name), source) for name, values in _tables(tables, "stores", source)
        },
        providers=_plugin_tables(tables, "providers", source),
        extensions=_plugin_tables(tables, "extensions", source),
    )


def _tables(tables: _Table, kind: str, source: Source) -> Iterable[tuple[str, _Table]]:
    for name, values in tables.get(kind, {}).items():
        if not isinstance(values, dict):
            raise ConfigError(f"{source.place((kind, name))}: {name!r} is a table; write [{kind}.{name}]")
        yield name, values


def _storage_table(values: _Table, path: Keys, source: Source) -> PluginTable:
    """``[storage]``, or a store: it stands under its own name."""
    backend = _name(values.get("backend", "sqlite"), (*path, "backend"), source)
    rest = {key: value for key, value in values.items() if key != "backend"}
    return PluginTable(path[-1] if len(path) > 1 else backend, backend, path, Values(rest))


def _plugin_tables(tables: _Table, kind: str, source: Source) -> dict[str, PluginTable]:
    found: dict[str, PluginTable] = {}
    for written, values in _tables(tables, kind, source):
        path, name = (kind, written), written.lower()
        if name in found:
            raise ConfigError(f"{source.place(path)}: there is another table {found[name].header}; unite them")
        rest = {key: value for key, value in values.items() if key != "plugin"}
        plugin = _name(values.get("plugin", name), (*path, "plugin"), source)
        found[name] = PluginTable(name, plugin, path, Values(rest))
    return found


def _name(value: Any, keys: Keys, source: Source) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{source.place(keys)}: {keys[-1]!r} is the name of a plugin, not {value!r}")
    return value
