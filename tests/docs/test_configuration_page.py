"""`docs/configuration.md` names every table, key and default of candle.toml, and nothing else."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from candle_core.config import accounts, loading, sections
from candle_core.writer import BatchConfig
from tests.distributions import ROOT, Distribution, find_distributions

PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
GROUPS = ("candle.providers", "candle.storage", "candle.extensions")
OWN: dict[str, type[BaseModel]] = {
    "accounts": accounts._Written,
    "batch": BatchConfig,
    "budget": sections.Budgeting,
    "cache": sections.Caching,
    "collect": sections.Collecting,
    "defaults": sections.Defaults,
}
"""The kernel's own tables; the others hold what plugins declare."""
PLUGINS = [
    found
    for found in find_distributions()
    if set(GROUPS) & set(found.entry_points) and ROOT / "examples" not in found.folder.parents
]


def told(heading: str) -> dict[str, str]:
    """Key → default, of the table below a heading."""
    (part,) = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `([\w.]+)` \| (.+?) \| .+ \|$", part, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "each once"
    return dict(rows)


def declared(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, str]]:
    """The same of a model, with the keys of tables within it."""
    for name, field in model.model_fields.items():
        key = above + (field.alias or name)
        yield key, _default(field)
        for inner in _models(field.annotation):
            yield from declared(inner, f"{key}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "-"
    plain = value.get_secret_value() if isinstance(value, SecretStr) else to_jsonable_python(value)
    return f"`{json.dumps(plain.rstrip('/') if isinstance(plain, str) else plain)}`"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def settings(distribution: Distribution) -> type[BaseModel]:
    """What all plugins of a distribution let stand in their tables."""
    values = {value for group in GROUPS for value in distribution.entry_points.get(group, {}).values()}
    models: set[type[BaseModel]] = {EntryPoint("", value, "").load().Settings for value in values}
    (model,) = models
    return model


def test_every_table_stands_there() -> None:
    headings = re.findall(r"^## `\[+(\w+)[\w.]*\]+`$", PAGE, re.MULTILINE)
    assert sorted(headings) == sorted(loading.KNOWN)
    assert set(OWN) == set(loading.KNOWN) - {"storage", "stores", "providers", "extensions"}
    plugins = re.findall(r"^### .*: `(candle-\w+)`$", PAGE, re.MULTILINE)
    assert sorted(plugins) == [found.name for found in PLUGINS]


@pytest.mark.parametrize("table", OWN)
def test_a_table_of_the_kernel(table: str) -> None:
    heading = f"## `[[{table}]]`" if table == "accounts" else f"## `[{table}]`"
    assert told(heading) == dict(declared(OWN[table]))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda found: found.name)
def test_the_table_of_a_plugin(plugin: Distribution) -> None:
    (heading,) = re.findall(rf"^### .*: `{plugin.name}`$", PAGE, re.MULTILINE)
    assert told(heading) == dict(declared(settings(plugin)))


def test_the_environment() -> None:
    sources = (ROOT / "candle_core" / "src").rglob("*.py")
    read = {name for source in sources for name in re.findall(r"\bCANDLE_[A-Z_]+", source.read_text("utf-8"))}
    assert set(re.findall(r"^\| `(CANDLE_\w+)` \|", PAGE, re.MULTILINE)) == read


def test_a_key_that_is_new_is_found() -> None:
    class Inner(BaseModel):
        day: str

    class Table(BaseModel):
        size: float = 2
        url: SecretStr = SecretStr("a")
        days: tuple[Inner, ...] = ()

    assert dict(declared(Table)) == {"size": "`2`", "url": '`"a"`', "days": "`[]`", "days.day": "required"}
