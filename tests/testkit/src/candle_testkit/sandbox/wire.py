"""What all of Binance spot's routes share: parameters, error bodies, decimals and rows as text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any, Final

import numpy as np
from multidict import MultiMapping

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.market import Rows

_SYMBOL_RANGE: Final = "^[A-Z0-9-_.]{1,20}$"
_SYMBOLS_RANGE: Final = '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$'
_NUMBER_RANGE: Final = "^[0-9]{1,20}$"
# Above this an instant must have been given in microseconds: as milliseconds it would lie in the year 5138.
_MICROSECONDS_FROM: Final = 10**14

_ROW: Final = '[%d,"%d.%08d","%d.%08d","%d.%08d","%d.%08d","%d.%08d",%d,"%d.%08d",%d,"%d.%08d","%d.%08d","0"]'
_ROW_FIELDS: Final = 19


class WireError(Exception):
    """An answer that is an error: HTTP status, Binance's code and its message."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

    @property
    def body(self) -> str:
        """The JSON body."""
        return json.dumps({"code": self.code, "msg": self.message}, separators=(",", ":"))


def invalid_symbol() -> WireError:
    """The answer for a symbol the exchange does not have."""
    return WireError(-1121, "Invalid symbol.")


class Params:
    """The query string of one request, read with Binance's own complaints.

    Raises:
        WireError: -1101 duplicates, -1104 unknown parameters, -1105 empty ones.
    """

    def __init__(self, query: MultiMapping[str], known: Collection[str]) -> None:
        names = list(query)
        if len(set(names)) < len(names):
            raise WireError(-1101, "Duplicate values for a parameter detected.")
        read = sum(name in known for name in names)
        if read < len(names):
            message = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(names)}'."
            raise WireError(-1104, message)
        for name, value in query.items():
            if not value:
                raise WireError(-1105, f"Parameter '{name}' was empty.")
        self._values = dict(query)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        """As it was sent."""
        return self._values.get(name)

    def required(self, name: str) -> str:
        """As it was sent; -1102 when it was not."""
        if name not in self._values:
            raise WireError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return self._values[name]

    def symbol(self, markets: Collection[str]) -> str:
        """The mandatory ``symbol``, which must be one of ``markets``."""
        symbol = self.required("symbol")
        if symbol not in markets:
            _legal("symbol", symbol, _SYMBOL_RANGE)
            raise invalid_symbol()
        return symbol

    def symbols(self, markets: Collection[str]) -> list[str] | None:
        """``symbol`` or ``symbols`` as a list; None when neither was sent."""
        if "symbol" in self and "symbols" in self:
            raise WireError(-1128, "Combination of optional parameters invalid.")
        if "symbol" in self:
            return [self.symbol(markets)]
        text = self.text("symbols")
        if text is None:
            return None
        try:
            names = json.loads(text)
        except json.JSONDecodeError:
            names = None
        if names is None or " " in text or not isinstance(names, list) or any(name not in markets for name in names):
            _legal("symbols", text, _SYMBOLS_RANGE)
            raise invalid_symbol()
        if len(set(names)) < len(names):
            raise WireError(-1151, "Symbol is present multiple times in the list.")
        return names

    def number(self, name: str) -> int | None:
        """A whole number; -1100 when it is none."""
        text = self.text(name)
        if text is None:
            return None
        _legal(name, text, _NUMBER_RANGE)
        return int(text)

    def instant(self, name: str) -> int | None:
        """An instant in UTC ms, sent in milliseconds or microseconds."""
        number = self.number(name)
        return number // 1000 if number is not None and number >= _MICROSECONDS_FROM else number

    def limit(self, default: int, most: int) -> int:
        """``limit``, silently at most ``most``; -1130 below 1."""
        limit = self.number("limit")
        if limit is None:
            return default
        if limit < 1:
            raise WireError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, most)

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        text = self.text(name)
        if text is None:
            return default
        if text not in ("true", "false"):
            raise WireError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return text == "true"


def _legal(name: str, text: str, legal: str) -> None:
    # The exchange prints "9-_." inside the brackets, where Python would read the hyphen as a range.
    if not re.fullmatch(legal.replace("-_.", "_.-"), text):
        raise WireError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def decimal(units: int) -> str:
    """A quantity in units of 1e-8 as the wire writes it: eight digits behind the point."""
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // UNITS}.{abs(units) % UNITS:08d}"


def rows_text(rows: Rows, *, microseconds: bool = False) -> str:
    """Candles as the JSON array of 12-element rows that klines answers."""
    scale, late = (1000, 999) if microseconds else (1, 0)
    fields = np.empty((len(rows), _ROW_FIELDS), dtype=np.int64)
    fields[:, 0] = rows["open_time"] * scale
    for column, name in enumerate(("open", "high", "low", "close", "volume")):
        _place(fields, 1 + 2 * column, rows[name])
    fields[:, 11] = rows["close_time"] * scale + late
    _place(fields, 12, rows["quote_volume"])
    fields[:, 14] = rows["trades"]
    _place(fields, 15, rows["taker_buy_volume"])
    _place(fields, 17, rows["taker_buy_quote_volume"])
    return "[" + ",".join([_ROW] * len(rows)) % tuple(fields.ravel().tolist()) + "]"


def _place(fields: np.ndarray[Any, Any], column: int, units: np.ndarray[Any, Any]) -> None:
    np.floor_divide(units, UNITS, out=fields[:, column])
    np.subtract(units, fields[:, column] * UNITS, out=fields[:, column + 1])


def array_text(objects: Iterable[str]) -> str:
    """JSON texts as one JSON array."""
    return "[" + ",".join(objects) + "]"


def compact(value: Any) -> str:
    """JSON without spaces, UTF-8 as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
