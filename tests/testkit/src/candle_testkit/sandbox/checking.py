"""How a table of the configuration becomes values: unknown keys and numbers that are none are named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from candle_testkit.sandbox.errors import SandboxError

#: Decimals have eight digits; every quantity is a whole number of these units.
UNITS: Final = 100_000_000


def checked(table: Mapping[str, Any], kind: type[Any], where: str) -> Mapping[str, Any]:
    """The table, when a dataclass has a field for every key of it."""
    known = [one.name for one in fields(kind) if one.init]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys are {', '.join(known)}"
            raise SandboxError(f"unknown key {key!r} in {where} of the sandbox configuration{hint}")
    return table


def decimal_of(text: str, name: str) -> Decimal:
    """A decimal that was written as text."""
    try:
        return Decimal(text)
    except (InvalidOperation, TypeError) as error:
        raise SandboxError(f"{name} {text!r} is not a decimal; write it as text, such as '0.01'") from error


def units_of(text: str, name: str) -> int:
    """A positive decimal in units of 1e-8."""
    units = decimal_of(text, name) * UNITS
    if units <= 0 or units != int(units):
        raise SandboxError(f"{name} {text!r} must be positive and have at most 8 decimals")
    return int(units)
