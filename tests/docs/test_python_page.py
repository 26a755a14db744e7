"""`docs/python.md` tells of everything that a manager does, and the documentation of every public name."""

import inspect
import re

import candle_core
from candle_core import manager
from tests.distributions import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")


def test_every_method_stands_in_the_tables_once() -> None:
    (part,) = re.findall(r"^## Everything it does\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    cells = re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    methods = {name for name, _ in inspect.getmembers(manager.Candles, inspect.isfunction) if name[0] != "_"}
    assert sorted(named) == sorted(methods - {"close"})  # `open` closes


def test_every_public_name_is_told() -> None:
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md") if page.name != "requirements.md")
    told = set(re.findall(r"\w+", pages))
    assert [name for name in candle_core.__all__ if name not in told] == []
