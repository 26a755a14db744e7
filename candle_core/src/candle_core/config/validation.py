"""From a table to a model. Errors name line, key and the nearest valid key; the value only if it is no secret."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from candle_core.config.source import Keys, Source
from candle_core.secrets import REDACTOR, SecretSource, leaves, remember_settings, reveal
from candle_hookspecs import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def validate(model: type[_Model], written: Mapping[str, Any], keys: Keys, source: Source) -> _Model:
    """A table of the kernel's own as this model; no secret stands in one.

    Args:
        model: what it must be.
        written: the table.
        keys: the way to it.
        source: where it stands.

    Raises:
        ConfigError: with every problem.
    """
    return check(model, written, _looked_up(written, keys, source, keys[-1], set()), keys, source)


def validate_settings(model: type[_Model], written: Mapping[str, Any], keys: Keys, source: Source, name: str) -> _Model:
    """A plugin's table as its own settings, with what ``{ env = … }`` and its like point to.

    Args:
        model: what it must be.
        written: the table.
        keys: the way to it.
        source: where it stands.
        name: whose entries in a keyring are meant, if none is said.

    Raises:
        ConfigError: also where a secret is not found.
    """
    found: set[str] = set()
    values = _looked_up(written, keys, source, name, found)
    try:
        settings = check(model, written, values, keys, source)
    except ConfigError as error:
        REDACTOR.remember(*found, *_declared(model, written))
        message = REDACTOR.scrub(str(error))
    else:
        remember_settings(settings, found)
        return settings
    raise ConfigError(message)


def _looked_up(written: Mapping[str, Any], keys: Keys, source: Source, name: str, found: set[str]) -> dict[str, Any]:
    """The table with secrets in the place of their sources; what was found is added to `found`."""

    def revealed(key: str, value: Any) -> Any:
        def find(secret: SecretSource) -> str:
            found.add(value := look_up(secret, (*keys, key), source, name))
            return value

        return reveal(value, find)

    return {key: revealed(key, value) for key, value in written.items()}


def look_up(secret: SecretSource, keys: Keys, source: Source, name: str) -> str:
    """A secret.

    Raises:
        ConfigError: it is not found; the message names the line.
    """
    try:
        return secret.find(source.base_dir, name)
    except ConfigError as error:
        raise ConfigError(f"{source.place(keys)}: {error}") from error.__cause__


def check(
    model: type[_Model], written: Mapping[str, Any], values: Mapping[str, Any], keys: Keys, source: Source
) -> _Model:
    """Values as a model; messages show what was written.

    Raises:
        ConfigError: with every problem.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(detail, model, written, keys, source) for detail in error.errors(include_url=False)]
    # It is no cause of this one: pydantic's own error shows the input, which may be a secret.
    raise ConfigError("; ".join(problems))


def _problem(
    detail: Mapping[str, Any], model: type[BaseModel], written: Mapping[str, Any], table: Keys, source: Source
) -> str:
    keys = tuple(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return source.unknown_key(keys[-1], (*table, *keys[:-1]), _fields(model, keys[:-1]))
    shown = f" (it is {written[keys[0]]!r})" if _may_be_shown(model, keys, written) else ""
    name = ".".join(keys) or ".".join(table)
    message = detail["msg"].removeprefix("Value error, ")
    return f"{source.place((*table, *keys))}: {name!r}: {message}{shown}"


def _fields(model: type[BaseModel], keys: Keys) -> tuple[str, ...]:
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


def _may_be_shown(model: type[BaseModel], keys: Keys, values: Mapping[str, Any]) -> bool:
    """Only a plain value that stands where no secret may stand; tables and lists may hold one."""
    if len(keys) != 1 or keys[0] not in model.model_fields or keys[0] not in values:
        return False
    return isinstance(values[keys[0]], str | int | float) and not _secret(model.model_fields[keys[0]].annotation)


def _declared(model: type[BaseModel], written: Mapping[str, Any]) -> Iterator[str]:
    """What is written where a secret may stand: a plugin's own validation may repeat it in its message."""
    for key, value in written.items():
        if key in model.model_fields and _secret(model.model_fields[key].annotation):
            yield from (text for text in leaves(value) if isinstance(text, str))


def _secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_secret(inner.annotation) for inner in annotation.model_fields.values())
    return annotation in (SecretStr, SecretBytes) or any(map(_secret, get_args(annotation)))
