"""candle.toml → settings. Errors name the line and the nearest valid key; secrets are never shown."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretBytes,
    SecretStr,
    ValidationError,
    field_validator,
)

from candle_core.timeframes import parse_timeframe
from candle_core.writer.config import BatchConfig
from candle_hookspecs import ConfigError

ENVIRONMENT: Final = "CANDLE_CONFIG"
DEFAULT_FILE: Final = Path("candle.toml")
LOCAL_CACHES: Final = ("memory",)
"""Caches that need no extension."""
LOCAL_BUDGET: Final = "file"
"""The budget's store that needs none."""

_Model = TypeVar("_Model", bound=BaseModel)
_Table = dict[str, Any]


class Defaults(BaseModel):
    """``[defaults]``: what a call may leave out.

    Attributes:
        exchange, tradetype: of a market that is given by its name.
        timeframes: in which an active update keeps each market.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: str | None = None
    tradetype: str | None = None
    timeframes: tuple[str, ...] = Field(default=("1d",), min_length=1)

    @field_validator("timeframes")
    @classmethod
    def _are_timeframes(cls, timeframes: tuple[str, ...]) -> tuple[str, ...]:
        for timeframe in timeframes:
            parse_timeframe(timeframe)
        return timeframes


class Collecting(BaseModel):
    """``[collect]``: how history is fetched.

    Attributes:
        concurrency: most requests of one symbol under way at once; None: as many as the provider says pay.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: PositiveInt | None = None


class Caching(BaseModel):
    """``[cache]``: where listings and precisions are remembered.

    Attributes:
        backend: ``memory`` (this process), or an extension that offers a cache (``redis``).
        ttl: seconds for which a listing is believed.
        keep: seconds for which one that is older still stands in for an exchange that does not answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str = "memory"
    ttl: PositiveFloat = 6 * 3_600.0
    keep: PositiveFloat = 7 * 86_400.0


class Budgeting(BaseModel):
    """``[budget]``: who shares the counts of limits.

    Attributes:
        backend: ``file`` (all processes of this machine), or an extension that offers a store (``redis``: all machines
            behind one address).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str = "file"


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
    path: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def header(self) -> str:
        """``[providers.binance]``."""
        return f"[{'.'.join(self.path)}]"


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration.

    Attributes:
        file: where it was read from; None: built-in defaults.
        base_dir: where relative paths in it start.
    """

    file: Path | None
    base_dir: Path
    defaults: Defaults
    collect: Collecting
    batch: BatchConfig
    cache: Caching
    budget: Budgeting
    storage: PluginTable
    stores: Mapping[str, PluginTable]
    providers: Mapping[str, PluginTable]
    extensions: Mapping[str, PluginTable]
    text: str = field(default="", repr=False)

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

    def settings(self, table: PluginTable, model: type[_Model]) -> _Model:
        """A plugin's table, with its secrets looked up, as the plugin's own `Settings`.

        Raises:
            ConfigError: with line, key and nearest valid key; the value only if it is no secret.
        """
        return _validate(model, table.values, table.path, self.file, self.text)


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
        return _config(dict(source), None, Path.cwd(), "")
    named = source or os.environ.get(ENVIRONMENT)
    file = Path(named) if named else DEFAULT_FILE
    if not named and not file.exists():
        return _config({}, None, Path.cwd(), "")
    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {str(file)!r}: {error}; `candle init` writes a new one") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{str(file)!r} is not valid TOML: {error}") from None
    return _config(tables, file, file.resolve().parent, text)


def _config(tables: _Table, file: Path | None, base_dir: Path, text: str) -> Config:
    known = ("defaults", "collect", "batch", "cache", "budget", "storage", "stores", "providers", "extensions")
    for key, value in tables.items():
        if key not in known:
            raise ConfigError(_unknown_key(key, (), known, file, text))
        if not isinstance(value, dict):
            raise ConfigError(f"{_place((key,), file, text)}: {key!r} is a table; write [{key}]")
    return Config(
        file=file,
        base_dir=base_dir,
        defaults=_validate(Defaults, tables.get("defaults", {}), ("defaults",), file, text),
        collect=_validate(Collecting, tables.get("collect", {}), ("collect",), file, text),
        batch=_validate(BatchConfig, tables.get("batch", {}), ("batch",), file, text),
        cache=_validate(Caching, tables.get("cache", {}), ("cache",), file, text),
        budget=_validate(Budgeting, tables.get("budget", {}), ("budget",), file, text),
        storage=_storage_table(tables.get("storage", {}), ("storage",), file, text),
        stores={
            name: _storage_table(values, ("stores", name), file, text)
            for name, values in _tables(tables, "stores", file, text)
        },
        providers={name.lower(): table for name, table in _plugin_tables(tables, "providers", file, text)},
        extensions=dict(_plugin_tables(tables, "extensions", file, text)),
        text=text,
    )


def _tables(tables: _Table, kind: str, file: Path | None, text: str) -> Iterable[tuple[str, _Table]]:
    for name, values in tables.get(kind, {}).items():
        if not isinstance(values, dict):
            raise ConfigError(f"{_place((kind, name), file, text)}: {name!r} is a table; write [{kind}.{name}]")
        yield name, values


def _storage_table(values: _Table, path: tuple[str, ...], file: Path | None, text: str) -> PluginTable:
    """``[storage]``, or a store: it stands under its own name."""
    backend = _name(values.get("backend", "sqlite"), (*path, "backend"), file, text)
    rest = {key: value for key, value in values.items() if key != "backend"}
    return PluginTable(path[-1] if len(path) > 1 else backend, backend, path, rest)


def _plugin_tables(tables: _Table, kind: str, file: Path | None, text: str) -> Iterable[tuple[str, PluginTable]]:
    for name, values in _tables(tables, kind, file, text):
        rest = {key: value for key, value in values.items() if key != "plugin"}
        plugin = _name(values.get("plugin", name.lower()), (kind, name, "plugin"), file, text)
        yield name, PluginTable(name.lower(), plugin, (kind, name), rest)


def _name(value: Any, path: tuple[str, ...], file: Path | None, text: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{_place(path, file, text)}: {path[-1]!r} is the name of a plugin, not {value!r}")
    return value


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reveal(value: Any, place: str, base_dir: Path) -> Any:
    """Replace ``{env = "NAME"}`` and ``{file = "path"}`` by what they point to; paths start at the TOML's folder."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"env"}:
        if str(value["env"]) not in os.environ:
            raise ConfigError(f"{place}: the environment variable {value['env']!r} is not set")
        return os.environ[value["env"]]
    if value.keys() == {"file"}:
        try:
            return (base_dir / Path(str(value["file"])).expanduser()).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{place}: cannot read the file {value['file']!r}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{place}: the file {value['file']!r} is no text in UTF-8") from None
    return {key: _reveal(inner, place, base_dir) for key, inner in value.items()}


# ── validation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _validate(
    model: type[_Model], values: Mapping[str, Any], path: tuple[str, ...], file: Path | None, text: str
) -> _Model:
    base_dir = file.resolve().parent if file else Path.cwd()
    revealed = {key: _reveal(value, _place((*path, key), file, text), base_dir) for key, value in values.items()}
    try:
        return model.model_validate(revealed)
    except ValidationError as error:
        # The cause is cut off on purpose: pydantic's own error shows the input, which may be a secret.
        problems = [_problem(detail, model, values, path, file, text) for detail in error.errors(include_url=False)]
        raise ConfigError("; ".join(problems)) from None


def _problem(
    detail: Mapping[str, Any],
    model: type[BaseModel],
    values: Mapping[str, Any],
    path: tuple[str, ...],
    file: Path | None,
    text: str,
) -> str:
    keys = tuple(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _unknown_key(keys[-1], (*path, *keys[:-1]), _fields(model, keys[:-1]), file, text)
    shown = f" (it is {values[keys[0]]!r})" if _may_be_shown(model, keys, values) else ""
    name = ".".join(keys) or ".".join(path)
    return f"{_place((*path, *keys), file, text)}: {name!r}: {detail['msg']}{shown}"


def _fields(model: type[BaseModel], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that are valid in a table inside a plugin's table, or in one of a list of tables."""
    for key in keys:
        if key.isdecimal():
            continue  # which one of a list
        inner = _model_in(model.model_fields[key].annotation) if key in model.model_fields else None
        if inner is None:
            return ()
        model = inner
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, by itself or within a list, a tuple, an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _may_be_shown(model: type[BaseModel], keys: tuple[str, ...], values: Mapping[str, Any]) -> bool:
    """Only a plain value that stands where no secret may stand; tables and lists may hold one."""
    if len(keys) != 1 or keys[0] not in model.model_fields or keys[0] not in values:
        return False
    return isinstance(values[keys[0]], str | int | float) and not _secret(model.model_fields[keys[0]].annotation)


def _secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_secret(inner.annotation) for inner in annotation.model_fields.values())
    return annotation in (SecretStr, SecretBytes) or any(map(_secret, get_args(annotation)))


def _unknown_key(key: str, path: tuple[str, ...], valid: Iterable[str], file: Path | None, text: str) -> str:
    near = difflib.get_close_matches(key, list(valid), n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(sorted(valid)) or 'nothing'}"
    return f"{_place((*path, key), file, text)}: unknown key {key!r}; {advice}"


def _place(path: tuple[str, ...], file: Path | None, text: str) -> str:
    line = _line_of(text, path)
    return (f"{str(file)!r}" if file else "the configuration") + (f", line {line}" if line else "")


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line on which a key or table stands.

    Tomllib keeps no positions. None where the file writes it in an unusual way.
    """
    table: tuple[str, ...] = ()
    found: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            found.setdefault(table, number)
        elif key := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            inner = tuple(part.strip("\"'") for part in key[1].split("."))
            found.setdefault((*table, *inner), number)
    return (
        found.get(path)
        or found.get(path[:-1])
        or next((n for keys, n in found.items() if keys[: len(path)] == path), None)
    )
