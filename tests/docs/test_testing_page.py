"""What `docs/testing.md` shows of adopting a suite are tests that run."""

import re

import pytest

from tests.distributions import ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADOPTED = [
    "examples/candle-example/tests/test_contract.py",
    "storage_backends/sqlite/tests/test_contract.py",
    "candle_core/tests/cache/test_contract.py",
]


@pytest.mark.parametrize(("block", "file"), [*zip(BLOCKS, ADOPTED, strict=True)], ids=ADOPTED)
def test_the_page_shows_a_test_that_runs(block: str, file: str) -> None:
    assert block in (ROOT / file).read_text("utf-8")
