"""What ccxt's methods read and write, as its source shows."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_SPEC: Final = find_spec("ccxt")
assert _SPEC is not None
assert _SPEC.origin is not None
ROOT: Final = Path(_SPEC.origin).parent

Methods = dict[str, str]

_CLASS: Final = re.compile(r"^class \w+\((\w+)", re.MULTILINE)
_METHOD: Final = re.compile(r"^    (?:async )?def (\w+)\(", re.MULTILINE)


def read_and_written(exchange: str, method: str) -> tuple[set[str], set[str]]:
    """The names of options, and of what else an exchange holds, in a method and in all that it calls of its own."""
    methods, met, left = _methods(exchange), set[str](), [method]
    read, written = set[str](), set[str]()
    while left:
        if (name := left.pop()) in met or name not in methods:
            continue
        met.add(name)
        for kind, what in _touched(ast.parse(f"class _:\n{methods[name]}")):
            if kind == "reads":
                read.add(what)
                left.append(what)
            else:
                written.add(what)
    return read, written


@cache
def _methods(exchange: str) -> Methods:
    """The text of those of a class and of those that it inherits; ccxt's own base is left out."""
    text = (ROOT / "async_support" / f"{exchange}.py").read_text("utf-8")
    (base,) = _CLASS.findall(text)
    inherited = {} if base == "Exchange" else _methods(base)
    found = list(_METHOD.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)]
    return inherited | {one[1]: text[one.start() : end] for one, end in zip(found, ends, strict=True)}


def _touched(method: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and node.args and _is_own(node.args[0], "options"):
            yield from (("reads", str(one.value)) for one in node.args[1:] if isinstance(one, ast.Constant))
        elif isinstance(node, ast.Subscript):
            yield from _written(node)
        elif isinstance(node, ast.Attribute) and _is_own(node, node.attr):
            yield "writes" if isinstance(node.ctx, ast.Store) else "reads", node.attr


def _written(node: ast.Subscript) -> Iterator[tuple[str, str]]:
    """The option that is set, or in which something is."""
    stored = isinstance(node.ctx, ast.Store)
    inner: ast.expr = node
    while isinstance(inner, ast.Subscript):
        if _is_own(inner.value, "options") and isinstance(inner.slice, ast.Constant):
            yield "writes" if stored else "reads", str(inner.slice.value)
        inner = inner.value


def _is_own(node: ast.expr, name: str) -> bool:
    """Whether it reads ``self.name``."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )
