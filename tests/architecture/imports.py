"""What a source file imports, and which of it the house forbids. Reads the source; runs nothing."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.distributions import CONTRACT, KERNEL, Distribution

IMPORT_CALLS = {"import_module", "__import__"}


@dataclass(frozen=True)
class Import:
    """A top-level module named in a source file, wherever it stands: in a function, under TYPE_CHECKING, in a call."""

    module: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module!r}"


def imports_of(file: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        for name in _modules_named(node):
            yield Import(name.partition(".")[0], file, getattr(node, "lineno", 0))


def _modules_named(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(
            func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(module)), *_]
        ):
            return [module] if called in IMPORT_CALLS else []
    return []


def forbidden_imports(distributions: list[Distribution]) -> list[str]:
    """The three sentences: a plugin never imports the kernel, the kernel never a plugin, the contract neither."""
    kernel = {found.import_name for found in distributions if found.name == KERNEL}
    plugins = {found.import_name for found in distributions if found.is_plugin}
    return [
        str(imported)
        for found in distributions
        for file in found.sources
        for imported in imports_of(file)
        if imported.module in _forbidden_to(found, kernel, plugins)
    ]


def forbidden_dependencies(distributions: list[Distribution]) -> list[str]:
    """The same three sentences, about what the project files require."""
    kernel, plugins = {KERNEL}, {found.name for found in distributions if found.is_plugin}
    return [
        f"{found.name} requires {requirement}"
        for found in distributions
        for requirement in [*found.required, *found.optional]
        if canonicalize_name(requirement.name) in _forbidden_to(found, kernel, plugins)
    ]


def _forbidden_to(found: Distribution, kernel: set[str], plugins: set[str]) -> set[str]:
    if found.name == CONTRACT:
        return kernel | plugins
    return plugins if found.name == KERNEL else kernel


def undeclared_imports(found: Distribution, owners: dict[str, list[str]]) -> list[str]:
    """Imports that no line of the distribution's own `dependencies` or extras stands for.

    Args:
        found: the distribution to check.
        owners: top-level module → distributions that install it, as `importlib.metadata.packages_distributions` gives.
    """
    declared = {canonicalize_name(requirement.name) for requirement in [*found.required, *found.optional]}
    known = sys.stdlib_module_names | {found.import_name}
    return [
        str(imported)
        for file in found.sources
        for imported in imports_of(file)
        if imported.module not in known
        and declared.isdisjoint(canonicalize_name(owner) for owner in owners.get(imported.module, [imported.module]))
    ]


def idle_requirements(found: Distribution, owners: dict[str, list[str]]) -> list[str]:
    """Lines of `dependencies` that no import of the distribution needs."""
    modules = {imported.module for file in found.sources for imported in imports_of(file)}
    used = {canonicalize_name(owner) for module in modules for owner in owners.get(module, [module])}
    return [str(requirement) for requirement in found.required if canonicalize_name(requirement.name) not in used]
