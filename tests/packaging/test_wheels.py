"""Wheels of every distribution, installed into an environment that has never seen this tree, find each other."""

import email
import json
import sys
import zipfile
from configparser import ConfigParser
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.distributions import ROOT, Distribution
from tests.packaging.environments import DISTRIBUTIONS, HOUSE, python

each_distribution = pytest.mark.parametrize("found", DISTRIBUTIONS, ids=lambda found: found.name)

LOAD_EVERYTHING = """
import json
from importlib.metadata import entry_points
groups = ["candle.providers", "candle.families", "candle.storage", "candle.extensions", "candle.commands"]
points = [point for group in groups for point in entry_points(group=group)]
print(json.dumps([[p.dist.name, p.dist.version, p.group, p.name, type(p.load()).__name__ != "module"] for p in points]))
"""


def metadata_of(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def normal(requirements: list[Requirement]) -> set[tuple[str, str]]:
    return {(canonicalize_name(one.name), str(one.specifier)) for one in requirements}


@each_distribution
def test_a_wheel_holds_the_package_and_its_licence(found: Distribution, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[found.name]) as wheel:
        names = set(wheel.namelist())
        source = found.folder / "src"
        files = {file.relative_to(source) for file in source.rglob("*") if file.is_file()}
        caches = {file for file in files if any(part[0] == "." or part == "__pycache__" for part in file.parts)}
        expected = {file.as_posix() for file in files - caches}
        assert f"{found.import_name}/py.typed" in expected
        assert {name for name in names if ".dist-info/" not in name} == expected
        (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()
        assert metadata_of(wheel)["License-Expression"] == "MIT"


@each_distribution
def test_a_wheel_states_its_entry_points_and_requirements(found: Distribution, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[found.name]) as wheel:
        stated = ConfigParser(delimiters="=")
        stated.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their case
        for name in wheel.namelist():
            if name.endswith(".dist-info/entry_points.txt"):
                stated.read_string(wheel.read(name).decode())
        assert {group: dict(stated[group]) for group in stated.sections()} == found.entry_points
        required = [Requirement(line) for line in metadata_of(wheel).get_all("Requires-Dist", [])]
        assert normal([one for one in required if one.marker is None]) == normal(found.required)


def test_the_environment_is_consistent_and_knows_nothing_of_the_tree(clean_python: Path, tmp_path: Path) -> None:
    assert "No broken requirements" in python(sys.executable, "-m", "pip", "--python", clean_python, "check")
    for found in HOUSE:
        where = python(clean_python, "-c", f"import {found.import_name} as it; print(it.__file__)", cwd=tmp_path)
        assert ROOT not in Path(where.strip()).parents


def test_every_entry_point_loads(clean_python: Path, tmp_path: Path) -> None:
    told = json.loads(python(clean_python, "-c", LOAD_EVERYTHING, cwd=tmp_path))
    expected = [
        [found.name, found.project["version"], group, name, True]
        for found in HOUSE
        for group, points in found.entry_points.items()
        if group.startswith("candle.")
        for name in points
    ]
    assert sorted(told) == sorted(expected)
    assert len(expected) >= 4


def test_candle_lists_what_was_installed(clean_python: Path, tmp_path: Path) -> None:
    command = clean_python.with_name("candle")
    told = json.loads(python(command, "plugins", "--json", cwd=tmp_path))
    listed = {(row["distribution"], row["version"], row["name"]) for row in told["plugins"]}
    versions = {found.name: found.project["version"] for found in HOUSE}
    for distribution, name in [
        ("candle-binance", "binance"),
        ("candle-sqlite", "sqlite"),
        ("candle-testkit", "memory"),
        ("candle-testkit", "sandbox"),
    ]:
        assert (distribution, versions[distribution], name) in listed
