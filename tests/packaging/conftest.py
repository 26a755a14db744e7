"""Wheels of every distribution, and one environment that has never seen this tree; both are made once."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distributions import ROOT
from tests.packaging.environments import DISTRIBUTIONS, HOUSE, python


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Distribution name → its wheel, built by the backend that its own project file names."""
    folder = tmp_path_factory.mktemp("wheels")
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    python(sys.executable, "-m", "pip", "wheel", *options, *[found.folder for found in DISTRIBUTIONS])
    built = {file.name.partition("-")[0].replace("_", "-"): file for file in folder.glob("*.whl")}
    assert built.keys() == {found.name for found in DISTRIBUTIONS}
    return built


@pytest.fixture(scope="session")
def clean_python(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of a new environment with the wheels in it; what they depend on comes from the package registry."""
    folder = tmp_path_factory.mktemp("clean") / "env"
    house = [wheels[one.name] for one in HOUSE]
    python(sys.executable, "-m", "venv", "--without-pip", folder)
    found = folder / "bin" / "python"
    options: list[str | Path] = ["-qq", "--no-compile", "--constraint", ROOT / "constraints.txt"]
    python(sys.executable, "-m", "pip", "--python", found, "install", *options, *house)
    yield found
    shutil.rmtree(folder)  # hundreds of megabytes that pytest would keep for three runs
