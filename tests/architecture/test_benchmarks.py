"""That the benchmarks can be run at all; what they measure, `make bench` tells."""

import subprocess
import sys

from tests.distributions import ROOT


def test_every_benchmark_can_be_had() -> None:
    command = [sys.executable, "-m", "bench", "no-such"]  # whatever name is asked for, all of them are imported
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    named = done.stderr.partition("unknown: no-such; there are ")[2].strip()
    assert set(named.split(", ")) == {file.stem for file in (ROOT / "bench").glob("*.py")} - {
        "__init__",
        "__main__",
        "kept",
    }
