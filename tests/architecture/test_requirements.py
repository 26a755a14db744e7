"""`docs/requirements.md` calls things *here*: they are, under the names it gives, and a test stands beside each."""

import importlib
import re
from typing import NamedTuple

import pytest

from tests.distributions import ROOT

STATE = re.compile(r"here|to come: admin panel|replaced: .+")
DOTTED = re.compile(r"`(candle_[a-z]+(?:\.\w+)+)`")
PATH = re.compile(r"`([\w./-]+)`")


class Row(NamedTuple):
    promise: str
    place: str
    test: str
    state: str


def traced() -> list[Row]:
    """The rows of all tables but the legend, whose cells are only two."""
    lines = (ROOT / "docs" / "requirements.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [Row(*cells) for cells in rows if len(cells) == 4 and cells[0] != "name or promise"]


def resolve(dotted: str) -> object:
    """The object of a dotted name; raises ImportError or AttributeError when there is none."""
    module, _, rest = dotted.partition(".")
    found: object = importlib.import_module(module)
    for part in rest.split("."):
        module = f"{module}.{part}"
        found = getattr(found, part) if hasattr(found, part) else importlib.import_module(module)
    return found


STANDING = [row for row in traced() if not row.state.startswith("to come")]


def test_every_row_has_four_cells_and_a_known_state() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text("utf-8")
    body = text[text.index("\n## 1. ") :]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    assert [line for line in lines if line.count("|") != 5] == []
    assert [row for row in traced() if not STATE.fullmatch(row.state)] == []
    assert len(traced()) == len(lines) - 2 * body.count("| name or promise |")


@pytest.mark.parametrize("row", STANDING, ids=lambda row: row.promise[:60])
def test_what_is_called_here_is_here(row: Row) -> None:
    for dotted in DOTTED.findall(row.place):
        resolve(dotted)
    for path in PATH.findall(row.test):
        assert (ROOT / path).exists(), f"{path!r} is no test"
    if row.state == "here":
        assert row.test, "nothing shows it"


@pytest.mark.parametrize("dotted", ["candle_hookspecs.requests.Kindly", "candle_hookspecs.nothing", "candle_none.x"])
def test_an_invented_name_is_found(dotted: str) -> None:
    with pytest.raises((ImportError, AttributeError)):
        resolve(dotted)
