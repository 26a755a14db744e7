"""What registration refuses, where pluggy would stay silent."""

import inspect
from typing import Any

import pytest

from candle_core.registry import HOOKS, Registered, new_manager, register
from candle_hookspecs import BrokenPluginError, ExtensionCapabilities, hookimpl


class Plugin:
    """Written for this contract."""

    capabilities = ExtensionCapabilities(contract=1)


class Misspelled(Plugin):
    @hookimpl
    def candle_fecth(self, request: Any) -> Any: ...


class NothingLikeIt(Plugin):
    @hookimpl
    def zebra(self) -> Any: ...


class Unmarked(Plugin):
    def candle_fetch(self, request: Any) -> Any: ...


class Defaulted(Plugin):
    @hookimpl
    def candle_fetch(self, request: Any = None) -> Any: ...


class DefaultedWrapper(Plugin):
    @hookimpl(wrapper=True)
    def candle_fetch(self, request: Any = None) -> Any:
        return (yield)


class Generator(Plugin):
    @hookimpl
    def candle_markets(self, query: Any) -> Any:
        yield from ()


class AsyncGenerator(Plugin):
    @hookimpl
    async def candle_markets(self, query: Any) -> Any:
        yield 1


class PureCoroutine(Plugin):
    @hookimpl
    async def candle_split(self, request: Any) -> Any: ...


class UnknownArgument(Plugin):
    @hookimpl
    def candle_fetch(self, wish: Any) -> Any: ...


class OldWrapper(Plugin):
    @hookimpl(hookwrapper=True)
    def candle_fetch(self, request: Any) -> Any:
        yield


class Unhashable(Plugin):
    __hash__ = None  # type: ignore[assignment]

    @hookimpl
    def candle_fetch(self, request: Any) -> Any: ...


class NoCapabilities:
    @hookimpl
    def candle_fetch(self, request: Any) -> Any: ...


class FromTheFuture(Plugin):
    capabilities = ExtensionCapabilities(contract=99)


class NotAFunction(Plugin):
    candle_fetch = 5


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (Misspelled, ["'candle_fecth'", "did you mean 'candle_fetch'"]),
        (NothingLikeIt, ["'zebra'", "candle_markets"]),
        (Unmarked, ["'candle_fetch'", "@hookimpl"]),
        (Defaulted, ["'candle_fetch'", "'request'", "default"]),
        (DefaultedWrapper, ["'candle_fetch'", "'request'", "default"]),
        (Generator, ["'candle_markets'", "generator"]),
        (AsyncGenerator, ["'candle_markets'", "generator"]),
        (PureCoroutine, ["'candle_split'", "pure"]),
        (UnknownArgument, ["wish"]),
        (OldWrapper, ["'candle_fetch'", "wrapper=True"]),
        (Unhashable, ["hashable"]),
        (NoCapabilities, ["contract None", "contract=1"]),
        (FromTheFuture, ["contract 99", "1"]),
        (NotAFunction, ["'candle_fetch'", "@hookimpl"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_refused(plugin: type, words: list[str]) -> None:
    with pytest.raises(BrokenPluginError) as caught:
        register(new_manager(), "example", plugin())
    assert [word for word in ("'example'", *words) if word not in str(caught.value)] == [], str(caught.value)


def test_what_was_refused_is_refused_again_for_the_same_reason() -> None:
    manager = new_manager()
    for _ in range(2):
        with pytest.raises(BrokenPluginError, match="wish"):
            register(manager, "example", UnknownArgument())


def test_a_name_is_taken_once() -> None:
    manager = new_manager()
    register(manager, "example", Plugin())
    with pytest.raises(BrokenPluginError, match="'example'"):
        register(manager, "example", Plugin())


class Whole(Plugin):
    """Every way to write a hook."""

    helper = 5

    @hookimpl
    async def candle_markets(self, query: Any) -> Any:
        return ["async"]

    @hookimpl
    def candle_fetch(self, request: Any) -> Any:
        return "thread"

    @hookimpl
    def candle_split(self, request: Any) -> Any:
        return ["pure"]

    @hookimpl
    def candle_close(self) -> None: ...

    @hookimpl(wrapper=True)
    def candle_decode(self, raw: Any) -> Any:
        return (yield)


async def test_every_io_hook_gives_an_awaitable_and_a_pure_one_its_value() -> None:
    registered = register(new_manager(), "example", Whole())
    hooks = vars(registered)
    assert isinstance(registered, Registered)
    assert sorted(hooks) == ["candle_close", "candle_decode", "candle_fetch", "candle_markets", "candle_split"]
    assert await hooks["candle_markets"]("query") == ["async"]
    assert await hooks["candle_fetch"]("request") == "thread"
    assert hooks["candle_split"]("request") == ["pure"]
    assert inspect.isgeneratorfunction(hooks["candle_decode"])


def test_the_hooks_are_those_of_the_contract() -> None:
    assert len(HOOKS) == 23
    assert all(hasattr(new_manager().hook, name) for name in HOOKS)
