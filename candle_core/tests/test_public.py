"""What a user imports, and what importing costs nothing."""

import inspect
import typing

import pytest

import candle_core
from candle_core import blocking, manager
from candle_hookspecs import Candles as CandlesProtocol

NAMES = [
    "BatchConfig", "BatchDBManager", "BatchOperation", "CandleBatch", "CandleError", "CandleFrame", "Candles",
    "CollectionConfig", "CollectionPlan", "CollectionProgress", "CollectionSummary", "OperationType", "Priority",
    "SlotReport", "Symbol", "VerifyReport", "blocking", "candles_from_trades", "open",
]  # fmt: skip


def test_the_public_names() -> None:
    assert candle_core.__all__ == NAMES
    assert all(getattr(candle_core, name).__doc__ for name in NAMES)
    assert candle_core.open is manager.open
    assert candle_core.blocking is blocking


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'opne'"):
        candle_core.opne  # noqa: B018


def protocol_methods() -> list[str]:
    return [name for name, value in vars(CandlesProtocol).items() if inspect.isfunction(value) and name[0] != "_"]


def test_the_manager_is_what_the_contract_promises_extensions() -> None:
    for name in protocol_methods():
        kept = inspect.signature(getattr(manager.Candles, name)).parameters
        for promised in inspect.signature(getattr(CandlesProtocol, name)).parameters.values():
            assert promised.name in kept, name
            parameter = kept[promised.name]
            assert (parameter.kind, parameter.default) == (promised.kind, promised.default), (name, promised.name)


def test_the_blocking_twin_has_every_method_with_its_documentation() -> None:
    methods = {name for name, _ in inspect.getmembers(manager.Candles, inspect.isfunction)}
    public = {name for name in methods if not name.startswith("_")} - {"close"}
    twin = {name for name in vars(blocking.Candles) if not name.startswith("_")} - {"portal", "asynchronous"}
    assert twin == public
    for name in public:
        assert vars(blocking.Candles)[name].__doc__ == getattr(manager.Candles, name).__doc__


def test_public_methods_are_typed_and_documented() -> None:
    for name, method in inspect.getmembers(manager.Candles, inspect.isfunction):
        if not name.startswith("_"):
            assert method.__doc__, name
            hints = typing.get_type_hints(method)
            assert set(inspect.signature(method).parameters) - {"self"} <= set(hints), name
