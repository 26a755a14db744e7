"""The distributions of a workspace, as found on disk: a new plugin folder is held to every rule from its first day."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

CONTRACT = "candle-hookspecs"
KERNEL = "candle-core"


@dataclass(frozen=True)
class Distribution:
    """One folder with a `pyproject.toml` that has a `[project]` table."""

    folder: Path

    @cached_property
    def project(self) -> dict[str, Any]:
        table: dict[str, Any] = tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))["project"]
        return table

    @property
    def name(self) -> str:
        return canonicalize_name(self.project["name"])

    @property
    def import_name(self) -> str:
        return self.name.replace("-", "_")

    @property
    def is_plugin(self) -> bool:
        return self.name not in {CONTRACT, KERNEL}

    @property
    def entry_points(self) -> dict[str, dict[str, str]]:
        """Group → name → object, scripts included, as a wheel states them."""
        groups: dict[str, dict[str, str]] = dict(self.project.get("entry-points", {}))
        if "scripts" in self.project:
            groups["console_scripts"] = self.project["scripts"]
        return groups

    @property
    def required(self) -> list[Requirement]:
        return [Requirement(line) for line in self.project.get("dependencies", [])]

    @property
    def optional(self) -> list[Requirement]:
        extras = self.project.get("optional-dependencies", {})
        return [Requirement(line) for lines in extras.values() for line in lines]

    @property
    def sources(self) -> list[Path]:
        return sorted((self.folder / "src").rglob("*.py"))


def find_distributions(root: Path = ROOT) -> list[Distribution]:
    """Every distribution below `root`, by name; environments, builds and hidden folders are passed over."""
    return sorted((Distribution(folder) for folder in _project_folders(root)), key=lambda found: found.name)


def _project_folders(root: Path) -> Iterator[Path]:
    for file in root.rglob("pyproject.toml"):
        parts = file.relative_to(root).parts[:-1]
        if any(part.startswith(".") or part in {"build", "dist"} for part in parts):
            continue
        if "project" in tomllib.loads(file.read_text("utf-8")):
            yield file.parent
