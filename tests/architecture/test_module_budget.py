"""What the command line loads before anybody has asked for an exchange or a database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.distributions import find_distributions

# Runs the command in this process, then tells standard error which modules that took.
PROBE = """
import json, sys
sys.argv = ["candle", *sys.argv[1:]]
code = 0
try:
    {statement}
except SystemExit as stop:
    code = stop.code or 0
sys.stdout.flush()
json.dump(dict(code=code, modules=sorted({{name.partition(".")[0] for name in sys.modules}})), sys.stderr)
"""

HEAVY = {"aiohttp", "ccxt", "hypothesis", "msgspec", "pandas", "polars", "pyarrow", "pytest", "sqlalchemy"}
PLUGINS = {found.import_name for found in find_distributions() if found.is_plugin}


class Outcome(NamedTuple):
    code: int
    modules: set[str]
    output: str


def run(folder: Path, *arguments: str, statement: str = "from candle_core.cli import main; main()") -> Outcome:
    """One command in a fresh interpreter, in a folder without a candle.toml."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CANDLE_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told = json.loads(done.stderr.splitlines()[-1])
    return Outcome(told["code"], set(told["modules"]), done.stdout)


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"]], ids=" ".join)
def test_no_plugin_and_nothing_heavy_is_loaded(tmp_path: Path, arguments: list[str]) -> None:
    outcome = run(tmp_path, *arguments)
    assert outcome.code == 0
    assert "candle_core" in outcome.modules
    assert outcome.modules & (HEAVY | PLUGINS) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_who_has_not_chosen_a_command_does_not_wait_for_the_contract(tmp_path: Path, arguments: list[str]) -> None:
    modules = run(tmp_path, *arguments).modules
    assert "candle_core" in modules
    assert modules & {"candle_hookspecs", "numpy", "pydantic"} == set()


def test_help_and_plugins_speak(tmp_path: Path) -> None:
    assert "collect" in run(tmp_path, "--help").output
    assert "candle-binance" in run(tmp_path, "plugins").output


def test_the_probe_sees_what_is_loaded(tmp_path: Path) -> None:
    outcome = run(tmp_path, statement="import sqlalchemy.orm; sys.exit(3)")
    assert "sqlalchemy" in outcome.modules & HEAVY
    assert outcome.code == 3
