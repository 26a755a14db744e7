"""Registration: a plugin instance is looked over once, made uniform, and handed to pluggy.

Pluggy would stay silent where this refuses: a misspelled or unmarked hook, an argument with a default value (pluggy
may never pass it),
a generator (it would win with nothing in it), a coroutine where a plain function is needed.
"""

import asyncio
import difflib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pluggy

from candle_hookspecs import CONTRACT_VERSION, PROJECT, PURE_HOOKS, BrokenPluginError, CandleSpecs

_Method = Callable[..., Any]

HOOKS: Final = frozenset(name for name in dir(CandleSpecs) if name.startswith("candle_"))


class Registered:
    """What pluggy sees of a plugin: its hooks as attributes, every I/O hook awaitable."""

    def __init__(self, hooks: Mapping[str, _Method]) -> None:
        vars(self).update(hooks)


def new_manager() -> pluggy.PluginManager:
    """An empty plugin manager that knows the contract."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(CandleSpecs)
    return manager


def register(manager: pluggy.PluginManager, name: str, plugin: object) -> Registered:
    """Check a plugin instance and register it under its name.

    Raises:
        BrokenPluginError: it breaks the contract; the message names plugin, hook and remedy.
    """
    _check_contract(name, plugin)
    hooks = {hook: _uniform(name, hook, method, wrapper) for hook, method, wrapper in _marked(manager, name, plugin)}
    registered = Registered(hooks)
    try:
        manager.register(registered, name)
    except pluggy.PluginValidationError as error:
        raise BrokenPluginError(f"plugin {name!r}: {error}") from error
    except ValueError as error:
        raise BrokenPluginError(f"two plugins are called {name!r}") from error
    return registered


def _check_contract(name: str, plugin: object) -> None:
    try:
        hash(plugin)
    except TypeError:
        raise BrokenPluginError(
            f"plugin {name!r} ({type(plugin).__qualname__}) is not hashable; do not define __eq__ without __hash__"
        ) from None
    capabilities = getattr(plugin, "capabilities", None)
    contract = getattr(capabilities, "contract", None)
    if contract != CONTRACT_VERSION:
        raise BrokenPluginError(
            f"plugin {name!r} was written for contract {contract!r}, this kernel speaks {CONTRACT_VERSION!r}; "
            f"state `contract={CONTRACT_VERSION}` in its capabilities, or install a version that does"
        )


def _marked(manager: pluggy.PluginManager, name: str, plugin: object) -> Iterator[tuple[str, _Method, bool]]:
    """Name, bound method and whether it is a wrapper, of every hook the plugin implements."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None and not attribute.startswith("candle_"):
            continue
        if attribute not in HOOKS:
            near = difflib.get_close_matches(attribute, HOOKS, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"the hooks are {', '.join(sorted(HOOKS))}"
            raise BrokenPluginError(f"plugin {name!r}: there is no hook {attribute!r}; {advice}")
        if options is None:
            raise BrokenPluginError(f"plugin {name!r}: {attribute!r} is not marked; put @hookimpl above it")
        if options.get("hookwrapper"):
            raise BrokenPluginError(f"plugin {name!r}: {attribute!r}: write @hookimpl(wrapper=True) for a wrapper")
        yield attribute, getattr(plugin, attribute), bool(options.get("wrapper"))


def _uniform(name: str, hook: str, method: _Method, wrapper: bool) -> _Method:
    """The method as pluggy shall call it.

    An I/O hook gives an awaitable, a plain `def` by running in a worker thread.
    """
    where = f"plugin {name!r}: {hook!r}"
    parameters = inspect.signature(method).parameters.values()
    if defaulted := [parameter.name for parameter in parameters if parameter.default is not parameter.empty]:
        raise BrokenPluginError(f"{where}: argument {defaulted[0]!r} has a default value; pluggy may never fill it")
    if wrapper:
        return method
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        raise BrokenPluginError(f"{where} is a generator; return a list, or mark a wrapper with wrapper=True")
    if hook in PURE_HOOKS:
        if inspect.iscoroutinefunction(method):
            raise BrokenPluginError(f"{where} is pure; write it as a plain `def`")
        return method
    if inspect.iscoroutinefunction(method):
        return method

    @functools.wraps(method)
    async def in_thread(*arguments: object) -> object:
        return await asyncio.to_thread(method, *arguments)

    return in_thread
