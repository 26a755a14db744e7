"""The arrows of import, over every distribution found on disk, and proof that the checker sees what it should."""

import importlib.metadata
from pathlib import Path

import pytest

from tests.architecture.imports import forbidden_dependencies, forbidden_imports, idle_requirements, undeclared_imports
from tests.distributions import CONTRACT, KERNEL, ROOT, Distribution, find_distributions

DISTRIBUTIONS = find_distributions()
each_distribution = pytest.mark.parametrize("found", DISTRIBUTIONS, ids=lambda found: found.name)


def test_the_workspace_is_found() -> None:
    names = {found.name for found in DISTRIBUTIONS}
    assert {CONTRACT, KERNEL, "candle-binance", "candle-sql", "candle-sqlite", "candle-testkit"} <= names
    assert all(found.sources for found in DISTRIBUTIONS)


def test_nobody_imports_against_the_arrows() -> None:
    assert forbidden_imports(DISTRIBUTIONS) == []


def test_nobody_depends_against_the_arrows() -> None:
    assert forbidden_dependencies(DISTRIBUTIONS) == []


def test_the_contract_depends_on_three_libraries_only() -> None:
    (contract,) = [found for found in DISTRIBUTIONS if found.name == CONTRACT]
    assert {requirement.name for requirement in contract.required} == {"pluggy", "pydantic", "numpy"}


@each_distribution
def test_what_is_imported_is_declared_and_nothing_else(found: Distribution) -> None:
    owners = {name: list(found_in) for name, found_in in importlib.metadata.packages_distributions().items()}
    assert undeclared_imports(found, owners) == []
    assert idle_requirements(found, owners) == []


@each_distribution
def test_distributions_of_the_house_accept_each_others_present_version(found: Distribution) -> None:
    versions = {other.name: other.project["version"] for other in DISTRIBUTIONS}
    for requirement in found.required:
        if requirement.name in versions:
            assert requirement.specifier.contains(versions[requirement.name]), f"{found.name} requires {requirement}"
            assert {clause.operator for clause in requirement.specifier} == {">=", "<"}, f"{requirement} is not bounded"


@each_distribution
def test_every_distribution_has_the_same_frame(found: Distribution) -> None:
    assert (found.folder / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")
    assert (found.folder / "README.md").read_text("utf-8").startswith(f"# {found.project['name']}\n")
    assert (found.folder / "src" / found.import_name / "py.typed").is_file()
    assert found.project["requires-python"] == ">=3.11"


# The checker bites: a small workspace with one bad line in it.

AGAINST_THE_ARROWS = {
    "plugin imports the kernel": ("candle-kraken", "import candle_core"),
    "plugin imports a part of the kernel": ("candle-kraken", "from candle_core.plan import Plan"),
    "plugin under another name": ("candle-kraken", "import os, candle_core.plan as p"),
    "plugin inside a function": ("candle-kraken", "def late():\n    from candle_core import open\n"),
    "plugin for types only": ("candle-kraken", "import typing\nif typing.TYPE_CHECKING:\n    import candle_core\n"),
    "plugin by name": ("candle-kraken", "import importlib\nimportlib.import_module('candle_core.plan')"),
    "kernel imports a plugin": (KERNEL, "from candle_kraken.provider import Kraken"),
    "kernel by name": (KERNEL, "__import__('candle_kraken')"),
    "contract imports the kernel": (CONTRACT, "import candle_core"),
    "contract imports a plugin": (CONTRACT, "import candle_kraken"),
}


def write_distribution(root: Path, name: str, source: str, dependencies: str = "") -> None:
    folder = root / "somewhere" / name
    package = folder / "src" / name.replace("-", "_")
    package.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\ndependencies = [{dependencies}]\n', "utf-8")
    (package / "module.py").write_text(source, "utf-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_distribution(tmp_path, CONTRACT, "import numpy\n", '"numpy"')
    write_distribution(tmp_path, KERNEL, "import candle_hookspecs\nfrom . import module\n", f'"{CONTRACT}"')
    write_distribution(tmp_path, "candle-kraken", "from candle_hookspecs import Page\n", f'"{CONTRACT}"')
    return tmp_path


def test_a_good_workspace_passes(workspace: Path) -> None:
    found = find_distributions(workspace)
    assert [one.name for one in found] == [KERNEL, CONTRACT, "candle-kraken"]
    assert forbidden_imports(found) == []
    assert forbidden_dependencies(found) == []


@pytest.mark.parametrize(("name", "source"), AGAINST_THE_ARROWS.values(), ids=AGAINST_THE_ARROWS.keys())
def test_a_bad_import_is_found(workspace: Path, name: str, source: str) -> None:
    write_distribution(workspace, name, source, '"candle-hookspecs"')
    (sentence,) = forbidden_imports(find_distributions(workspace))
    assert f"{name.replace('-', '_')}/module.py:{source.count(chr(10), 0, source.index('candle_')) + 1} " in sentence


@pytest.mark.parametrize(
    ("name", "dependency"),
    [("candle-kraken", KERNEL), ("candle-kraken", "Candle_Core>=0.1"), (KERNEL, "candle-kraken"), (CONTRACT, KERNEL)],
)
def test_a_bad_dependency_is_found(workspace: Path, name: str, dependency: str) -> None:
    write_distribution(workspace, name, "", f'"{dependency}"')
    assert forbidden_dependencies(find_distributions(workspace)) == [f"{name} requires {dependency}"]


def test_talking_about_a_module_is_no_import(workspace: Path) -> None:
    write_distribution(
        workspace, "candle-kraken", '"""import candle_core"""\nNAME = "candle_core"\nimport candle_corexx\n'
    )
    assert forbidden_imports(find_distributions(workspace)) == []


def test_an_undeclared_import_is_found(workspace: Path) -> None:
    write_distribution(workspace, "candle-kraken", "import os\nimport yaml\nimport numpy\n", '"numpy"')
    (kraken,) = [found for found in find_distributions(workspace) if found.name == "candle-kraken"]
    (sentence,) = undeclared_imports(kraken, {"yaml": ["PyYAML"], "numpy": ["numpy"]})
    assert sentence.endswith("module.py:2 imports 'yaml'")
    write_distribution(workspace, "candle-kraken", "import yaml\n", '"pyyaml>=6"')
    (kraken,) = [found for found in find_distributions(workspace) if found.name == "candle-kraken"]
    assert undeclared_imports(kraken, {"yaml": ["PyYAML"]}) == []


def test_an_idle_requirement_is_found(workspace: Path) -> None:
    write_distribution(workspace, "candle-kraken", "import yaml\n", '"PyYAML>=6", "numpy>=1"')
    (kraken,) = [found for found in find_distributions(workspace) if found.name == "candle-kraken"]
    assert idle_requirements(kraken, {"yaml": ["PyYAML"], "numpy": ["numpy"]}) == ["numpy>=1"]
