"""One exchange's class out of ccxt, without all the others.

Both of its packages import every exchange when they are imported: 230 ms and 67 MiB, where one of them takes 53 ms and
16 MiB. So while its module is loaded, empty packages stand in their place; they are taken away again, and who imports
ccxt later gets all of it as ever.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Final

from candle_hookspecs import ConfigError

_PACKAGES: Final = ("ccxt", "ccxt.async_support")
_NO_EXCHANGES: Final = ("__init__", "base")
_one_at_a_time: Final = Lock()


def known() -> list[str]:
    """The ids of the exchanges that the installed ccxt has."""
    return sorted(path.stem for path in (_root() / "async_support").glob("*.py") if path.stem not in _NO_EXCHANGES)


def load(exchange: str) -> type[Any]:
    """The asynchronous class of an exchange.

    Raises:
        ConfigError: ccxt has none of that name.
    """
    names = known()
    if exchange not in names:
        near = get_close_matches(exchange, names) or names
        raise ConfigError(f"ccxt knows no exchange {exchange!r}; it has {', '.join(near)}")
    module = f"ccxt.async_support.{exchange}"
    with _one_at_a_time:
        if not any(name in sys.modules for name in _PACKAGES):
            # If some version of ccxt does not bear it, all of it is imported.
            with suppress(ImportError, AttributeError), _empty_packages():
                return _class(module, exchange)
    return _class(module, exchange)


def _class(module: str, exchange: str) -> type[Any]:
    found: type[Any] = getattr(importlib.import_module(module), exchange)
    return found


@contextmanager
def _empty_packages() -> Iterator[None]:
    folders = [str(_root()), str(_root() / "async_support")]
    for name, folder in zip(_PACKAGES, folders, strict=True):
        package = ModuleType(name)
        package.__path__ = [folder]
        sys.modules[name] = package
    try:
        # What ccxt's own modules want of the package.
        package, errors = sys.modules["ccxt"], importlib.import_module("ccxt.base.errors")
        vars(package).update({name: getattr(errors, name) for name in errors.__all__})
        vars(package)["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange
        yield
    finally:
        for name in _PACKAGES:
            del sys.modules[name]


@cache
def _root() -> Path:
    spec = importlib.util.find_spec("ccxt")
    if spec is None or spec.origin is None:
        raise ConfigError("ccxt is not installed: pip install ccxt")
    return Path(spec.origin).parent
