"""What the packaging tests share: the distributions of the tree, and how another Python is run."""

import subprocess
from pathlib import Path
from typing import Final

from tests.distributions import ROOT, find_distributions

DISTRIBUTIONS: Final = find_distributions()
HOUSE: Final = [found for found in DISTRIBUTIONS if ROOT / "examples" not in found.folder.parents]
"""Without the examples, which stand for what a third party brings."""


def python(executable: str | Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    """Run a Python with these arguments; what it printed. A failure shows what it said on standard error."""
    done = subprocess.run([executable, *arguments], check=False, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
