"""Every check of the contract for tickers, books and trades catches the provider that is broken in just that way."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from candle_testkit.contracts.market_data import MarketDataContract

from .test_sabotage import sabotages

FILE = Path(__file__).parent / "sabotaged_market_data.py"
SABOTAGES = sabotages(FILE)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Class name → what the check it named said when it failed; "" where it passed."""
    report = tmp_path_factory.mktemp("sabotage") / "report.xml"
    nodes = [f"{FILE}::{one.__name__}::{one.check}" for one in SABOTAGES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *nodes]
    run = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    said: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        assert case.find("error") is None, f"a check must fail, not break: {ElementTree.tostring(case, 'unicode')}"
        failure = case.find("failure")
        name = case.attrib["classname"].rpartition(".")[2]
        said[name] = "" if failure is None else failure.attrib["message"] + (failure.text or "")
    return said


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda one: str(one.__name__))
def test_check_bites(complaints: dict[str, str], sabotage: Any) -> None:
    assert sabotage.complaint in complaints[sabotage.__name__]


def test_every_check_is_shown_to_bite() -> None:
    checks = {name for name in vars(MarketDataContract) if name.startswith("test_")}
    assert {sabotage.check.partition("[")[0] for sabotage in SABOTAGES} == checks
