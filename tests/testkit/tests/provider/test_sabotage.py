"""Every check of the provider contract catches the provider that is broken in just that way."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from candle_testkit.contracts.provider import ProviderContract

HERE = Path(__file__).parent


def sabotages(file: Path) -> Sequence[Any]:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Sequence[Any] = module.adopters()
    return found


FILES = (HERE / "sabotaged.py", HERE / "sabotaged_upbit.py", HERE / "sabotaged_stocks.py")
SABOTAGES = [(file, one) for file in FILES for one in sabotages(file)]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """File and class name → what the check it named said when it failed; "" where it passed."""
    report = tmp_path_factory.mktemp("sabotage") / "report.xml"
    nodes = [f"{file}::{one.__name__}::{one.check}" for file, one in SABOTAGES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *nodes]
    run = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    said: dict[tuple[str, str], str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        assert case.find("error") is None, f"a check must fail, not break: {ElementTree.tostring(case, 'unicode')}"
        failure = case.find("failure")
        _, file, name = case.attrib["classname"].rsplit(".", 2)
        said[file, name] = said.get((file, name), "") + (
            "" if failure is None else failure.attrib["message"] + (failure.text or "")
        )
    return said


@pytest.mark.parametrize(("file", "sabotage"), SABOTAGES, ids=lambda one: getattr(one, "__name__", None) or one.stem)
def test_check_bites(complaints: dict[tuple[str, str], str], file: Path, sabotage: Any) -> None:
    assert sabotage.complaint in complaints[file.stem, sabotage.__name__]


def test_every_check_is_shown_to_bite() -> None:
    checks = {name for name in dir(ProviderContract) if name.startswith("test_")}
    assert {sabotage.check.partition("[")[0] for _, sabotage in SABOTAGES} == checks
