"""`__all__` says what a package offers: all of it, nothing else. Its order is held by ruff (RUF022)."""

import __future__

import importlib
from types import ModuleType

import pytest

PACKAGES = ["candle_core", "candle_hookspecs", "candle_testkit"]


def public_names(module: ModuleType) -> set[str]:
    """Names that `from module import *` would give without `__all__`, submodules and future statements left out."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType | __future__._Feature)
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_all_names_the_public_names(name: str) -> None:
    module = importlib.import_module(name)
    offered: list[str] = module.__all__
    missing = [one for one in offered if not hasattr(module, one)]  # asking also resolves names that load lazily
    assert missing == []
    assert len(offered) == len(set(offered))
    public = {one for one in offered if not one.startswith("_")}
    assert public_names(module) == {one for one in public if not isinstance(getattr(module, one), ModuleType)}


def test_a_forgotten_and_an_invented_name_are_found() -> None:
    module = ModuleType("candle_example")
    module.__dict__.update(offered=1, _private=2, submodule=ModuleType("x"), annotations=__future__.annotations)
    assert public_names(module) == {"offered"}
