"""Errors without the secrets that others put into them."""

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from candle_core.secrets.redactor import MASK, REDACTOR


def scrubbed(error: BaseException) -> BaseException:
    """The error, if neither it nor what led to it shows a secret; else a copy of it that shows none.

    A copy is of the same type, with its traceback, its attributes and scrubbed copies of what led to it. Where a type
    cannot be copied, something of the same name stands for it; for an error of ours, one of the contract's own.
    The original is not touched: whoever holds it may rely on its values.
    """
    errors = list(chain(error))
    if not any(map(_shows, errors)):
        return error
    copies = {id(one): _copy(one) for one in errors}
    for one in errors:
        copy = copies[id(one)]
        copy.__context__ = copies.get(id(one.__context__))
        copy.__cause__ = copies.get(id(one.__cause__))
        copy.__suppress_context__ = one.__suppress_context__
    return copies[id(error)]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it, each once."""
    seen, waiting = set(), [error]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [other for other in (one.__cause__, one.__context__, *inner) if other is not None]


def scrubbed_value(value: Any) -> Any:
    """What an error, an event or a log record carries, without secrets.

    What is neither text nor a container becomes text if it shows one.
    """
    if isinstance(value, str):
        return REDACTOR.scrub(value)
    if isinstance(value, bytes):
        return REDACTOR.scrub(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if not REDACTOR.finds(shown(value)):
        return value
    if type(value) in (list, tuple):
        return type(value)(map(scrubbed_item, (None, *value), value))  # one may be the name of the next
    if type(value) in (set, frozenset):
        return type(value)(map(scrubbed_value, value))
    if isinstance(value, Mapping):
        return {scrubbed_value(key): scrubbed_item(key, inner) for key, inner in value.items()}
    return REDACTOR.scrub(shown(value))


def scrubbed_item(name: Any, value: Any) -> Any:
    """The same of what goes by a name, which may tell that it is a signature."""
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    clean = scrubbed_value(value)
    if not isinstance(name, str):
        return clean
    if isinstance(clean, str):
        return REDACTOR.scrub(f"{name}: {clean}").removeprefix(REDACTOR.scrub(f"{name}: "))
    if isinstance(clean, bytes):
        return scrubbed_item(name, clean.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if type(clean) in (list, tuple) and all(isinstance(inner, str | bytes) for inner in clean):
        return type(clean)(scrubbed_item(name, inner) for inner in clean)
    return clean


def shown(value: Any) -> str:
    """How it would be shown; both ways, because either may tell more."""
    try:
        return f"{value}\n{value!r}"
    except Exception:  # noqa: BLE001 - what cannot be shown shows nothing
        return MASK


def _shows(error: BaseException) -> bool:
    return REDACTOR.finds(f"{shown(error)}\n{shown(vars(error))}")


def _copy(error: BaseException) -> BaseException:
    copy = _same(error)
    if copy is None or _shows(copy) or _said(copy) != REDACTOR.scrub(_said(error)):
        copy = _stand_in(error)
    copy.__traceback__ = error.__traceback__
    return copy


def _same(error: BaseException) -> BaseException | None:
    """One of the same type; None where that cannot be made without knowing the type."""
    kind = type(error)
    try:
        if isinstance(error, BaseExceptionGroup):
            copy: BaseException = kind(REDACTOR.scrub(error.message), [scrubbed(one) for one in error.exceptions])
        elif isinstance(kind.__init__, FunctionType):  # what it does with its arguments is its own affair
            copy = kind.__new__(kind)
            copy.args = scrubbed_value(error.args)
        else:
            copy = kind(*scrubbed_value(error.__reduce__()[1]))  # an OSError's file name is in no other place
        vars(copy).update(scrubbed_value(vars(error)))
    except Exception:  # noqa: BLE001 - a foreign type may refuse in any way
        return None
    return copy


def _stand_in(error: BaseException) -> BaseException:
    kind: type[BaseException] | None = next(
        (one for one in type(error).__mro__ if one.__module__ == "candle_hookspecs.errors"), None
    )
    if kind is None:
        kind = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    stand_in = kind.__new__(kind)
    stand_in.args = (scrubbed_value(_said(error)),)
    vars(stand_in).update(scrubbed_value(vars(error)))
    return stand_in


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - see `shown`
        return MASK
