"""The hooks' own documentation: complete, and it compiles."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

import pluggy
import pytest

from candle_hookspecs import PROJECT, PURE_HOOKS, CandleSpecs, specs

Hook = Callable[..., Any]
HOOKS: dict[str, Hook] = {name: getattr(CandleSpecs, name) for name in dir(CandleSpecs) if name.startswith("candle_")}
each_hook = pytest.mark.parametrize("name", HOOKS)

RETURNS_NOTHING = {"candle_close", "candle_event"}
CANNOT_FAIL_ON_PURPOSE = {
    "candle_calendar", "candle_register", "candle_symbols", "candle_count", "candle_maintain", "candle_event",
    "candle_cache", "candle_budget_store", "candle_run_jobs", "candle_close",
}  # fmt: skip


def sections(text: str) -> dict[str, str]:
    """Sections of a docstring in Google's style, each dedented; what precedes them stands under ``""``."""
    found, current = {"": ""}, ""
    for line in inspect.cleandoc(text).splitlines():
        if header := re.fullmatch(r"(Example|Returns|Raises|Args):", line):
            current = header[1]
            found[current] = ""
        else:
            found[current] += line + "\n"
    return {name: textwrap.dedent(body).strip("\n") for name, body in found.items()}


def parameters(hook: Hook) -> list[str]:
    return list(inspect.signature(hook).parameters)


def example(name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The function in a hook's example."""
    (definition,) = ast.parse(sections(HOOKS[name].__doc__ or "")["Example"]).body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    return definition


@each_hook
def test_the_example_is_a_whole_implementation(name: str) -> None:
    definition = example(name)
    assert definition.name == name
    assert [argument.arg for argument in definition.args.args] == parameters(HOOKS[name])
    assert not definition.args.defaults, "pluggy may never fill an argument with a default"
    assert [ast.unparse(mark) for mark in definition.decorator_list] == ["hookimpl"]
    assert not any(isinstance(node, ast.Constant) and node.value is ... for node in ast.walk(definition))
    if name not in RETURNS_NOTHING:
        assert any(isinstance(node, ast.Return) and node.value for node in ast.walk(definition))
    if name in PURE_HOOKS:
        assert isinstance(definition, ast.FunctionDef)


@each_hook
def test_says_what_it_does_and_raises(name: str) -> None:
    found = sections(HOOKS[name].__doc__ or "")
    assert found[""].splitlines()[0].rstrip().endswith("."), "the first line is a sentence"
    if name not in CANNOT_FAIL_ON_PURPOSE:
        assert "Error" in found["Raises"]
        unknown = [kind for kind in re.findall(r"\w+Error\b", found["Raises"]) if not hasattr(specs_errors(), kind)]
        assert unknown == []


def specs_errors() -> Any:
    import candle_hookspecs

    return candle_hookspecs


@each_hook
def test_is_fully_typed(name: str) -> None:
    signature = inspect.signature(HOOKS[name])
    assert signature.return_annotation is not signature.empty
    for parameter in list(signature.parameters.values())[1:]:
        assert parameter.annotation is not parameter.empty
        assert parameter.default is parameter.empty
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD


@each_hook
def test_one_answers_unless_all_are_told(name: str) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(CandleSpecs)
    options = manager.parse_hookspec_opts(CandleSpecs, name)
    assert options is not None
    assert options["firstresult"] is (name != "candle_event")


def code_blocks(text: str) -> list[str]:
    """Stretches of lines indented by four, as reStructuredText and Markdown show code."""
    blocks, current = [], list[str]()
    for line in [*inspect.cleandoc(text).splitlines(), "end"]:
        if line.startswith("    ") or (current and not line.strip()):
            current.append(line)
        elif current:
            blocks.append(textwrap.dedent("\n".join(current)).strip("\n"))
            current = []
    return blocks


def test_the_blocks_of_the_module_are_whole_programs() -> None:
    provider, wrapper = code_blocks(specs.__doc__ or "")
    assert "class ExampleProvider" in provider
    assert "class Timing" in wrapper
    scope: dict[str, Any] = {"__name__": "example"}
    for block in (provider, wrapper):
        exec(compile(block, "specs.py", "exec"), scope)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(CandleSpecs)
    manager.register(scope["Timing"]())
    manager.check_pending()
    (implementation,) = manager.hook.candle_fetch.get_hookimpls()
    assert implementation.wrapper


def test_pure_hooks_are_hooks() -> None:
    assert {"candle_split", "candle_decode", "candle_cache", "candle_budget_store"} == PURE_HOOKS
    assert set(HOOKS) > PURE_HOOKS


def test_the_hooks() -> None:
    assert set(HOOKS) == {
        "candle_markets", "candle_split", "candle_fetch", "candle_decode", "candle_warmup", "candle_calendar",
        "candle_register", "candle_symbols", "candle_save", "candle_load", "candle_count", "candle_coverage",
        "candle_forget", "candle_answers", "candle_actions", "candle_execute", "candle_maintain", "candle_status",
        "candle_event", "candle_cache", "candle_budget_store", "candle_run_jobs", "candle_close",
    }  # fmt: skip
