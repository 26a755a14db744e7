"""Secrets in the tables of plugins: looked up before a table is checked, remembered once it is known what they are."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from candle_core.secrets.lookup import SecretSource
from candle_core.secrets.redactor import REDACTOR


def reveal(value: Any, find: Callable[[SecretSource], str]) -> Any:
    """The value with what was looked up in the place of every ``{ env = … }``, also within tables and lists."""
    if (source := SecretSource.read(value)) is not None:
        return find(source)
    if isinstance(value, Mapping):
        return {key: reveal(inner, find) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(inner, find) for inner in value]
    return value


def remember_settings(settings: BaseModel, looked_up: set[str]) -> None:
    """Remember what the settings declare secret, and what was looked up, unless it became a number or a path."""
    values = list(leaves(settings))
    harmless = {str(value) for value in values if isinstance(value, int | float | PurePath)}
    declared = [value.get_secret_value() for value in values if isinstance(value, SecretStr | SecretBytes)]
    REDACTOR.remember(*(looked_up - harmless), *declared)


def leaves(value: Any) -> Iterator[Any]:
    """Everything in settings that holds nothing else; defaults stand in a plugin's source, for everybody to read."""
    if isinstance(value, BaseModel):
        value = {name: inner for name, inner in vars(value).items() if name in value.model_fields_set}
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value
