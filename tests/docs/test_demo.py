"""`make demo` does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", folder],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    assert "It ended with exit code 130." in done.stdout
    assert "candle: interrupted; at least " in done.stdout
    assert "\nAsked 0 times.\n" in done.stdout
    assert "= 175,680 minutes from 2020-08-01 to 2020-12-01" in done.stdout
    again = re.search(r"Asked (\d+) times in all; (\d+) of them", done.stdout)
    assert again
    assert int(again[2]) <= 40 < 500 < int(again[1])  # at most what was on its way when it was stopped
    assert sorted(file.name for file in folder.iterdir()) == ["candle.toml", "candles.sqlite3"]
