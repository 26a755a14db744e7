"""Contract suites, a storage in memory and a sandbox exchange, for authors of plugins.

Each name is imported when it is first asked for: a storage's tests need no sandbox, and the sandbox needs no pytest.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from candle_testkit.context import OpenGate, SystemClock, make_context
    from candle_testkit.contracts.provider import ProviderContract
    from candle_testkit.contracts.storage import StorageContract
    from candle_testkit.memory import MemoryStorage

__all__ = ["MemoryStorage", "OpenGate", "ProviderContract", "StorageContract", "SystemClock", "make_context"]

_HOMES = {
    "MemoryStorage": "memory",
    "OpenGate": "context",
    "ProviderContract": "contracts.provider",
    "StorageContract": "contracts.storage",
    "SystemClock": "context",
    "make_context": "context",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
