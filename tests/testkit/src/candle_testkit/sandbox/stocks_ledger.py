"""The truth about all stocks of a sandbox, for tests: nothing of it goes through the wire's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from numpy.typing import NDArray

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.market import Rows
from candle_testkit.sandbox.stocks import Stock

_PRICES: Final = ("open", "high", "low", "close")
SCALES: Final = ("traded", "split", "full")
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Session:
    """One session, UTC ms. Without a lunch break ``lunch`` and ``afternoon`` are both the close."""

    open: int
    lunch: int
    afternoon: int
    close: int


class Stocks:
    """Every stock, found by its ticker or by one that it had. Safe to use from any thread."""

    def __init__(self, stocks: Iterable[Stock], clock: SandboxClock) -> None:
        self._clock = clock
        self._by_name: dict[str, list[Stock]] = {}
        self._all = list(stocks)
        for stock in self._all:
            for name in (stock.config.symbol, *(name for name, _ in stock.config.former)):
                self._by_name.setdefault(name, []).append(stock)
        finals = [stock.config.symbol for stock in self._all]
        if len(set(finals)) < len(finals):
            raise SandboxError("two stocks of the sandbox have the same symbol")

    def __iter__(self) -> Iterator[Stock]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._by_name

    def __getitem__(self, symbol: str) -> Stock:
        """The stock that has this ticker in the end or, if there is none, that once had it.

        Raises:
            SandboxError: Nothing ever had it.
        """
        if symbol not in self._by_name:
            raise SandboxError(f"the sandbox has no stock {symbol!r}; it has {len(self._all)}")
        named = self._by_name[symbol]
        return next((stock for stock in named if stock.config.symbol == symbol), named[0])

    def known_as(self, symbol: str, now: int) -> Stock | None:
        """The stock that answers to a ticker at ``now``."""
        return next((stock for stock in self._by_name.get(symbol, ()) if stock.symbol_at(now) == symbol), None)

    def rows(self, symbol: str, interval: str, start: int, end: int, *, include_open: bool = False) -> Rows:
        """Bars that open in ``[start, end)`` UTC ms, as traded, in units of 1e-8; closed ones unless told otherwise."""
        now = self._clock.now()
        rows = self[symbol].rows(interval, start, end, now)
        return rows if include_open else rows[rows["close_time"] < now]

    def candles(
        self, symbol: str, interval: str, start: int, end: int, *, scale: str = "traded", include_open: bool = False
    ) -> dict[str, NDArray[Any]]:
        """The same as columns: open_time, close_time (int64); open, high, low, close, volume (float64).

        ``scale``: ``traded`` as it was told that day; ``split`` in the shares of now; ``full`` with dividends taken
        out as well. A volume knows no dividends.

        Raises:
            SandboxError: Unknown symbol, interval or scale.
        """
        if scale not in SCALES:
            raise SandboxError(f"scale {scale!r} is not one of {', '.join(SCALES)}")
        rows, now = self.rows(symbol, interval, start, end, include_open=include_open), self._clock.now()
        columns: dict[str, NDArray[Any]] = {name: rows[name].copy() for name in ("open_time", "close_time")}
        columns |= {name: rows[name] / UNITS for name in (*_PRICES, "volume")}
        actions = self[symbol].actions
        if scale != "traded":
            factors = actions.split_factors(rows["close_time"], now)
            columns["volume"] /= factors
            if scale == "full":
                factors = factors * actions.dividend_factors(rows["close_time"], now)
            for name in _PRICES:
                columns[name] *= factors
        return columns

    def ticker(self, symbol: str) -> dict[str, int]:
        """The last session so far; prices and volume in units of 1e-8, `opened` and `at`, of the last trade, in UTC ms.

        Keys: opened, at, last, open, high, low, volume, trades, bid, ask. Without a bid or an ask these are 0.

        Raises:
            SandboxError: Unknown symbol, or it has not traded in the last twenty days.
        """
        now = self._clock.now()
        rows = self.rows(symbol, "1d", now - 20 * _DAY_MS, now + 1, include_open=True)
        if not len(rows):
            raise SandboxError(f"{symbol!r} has not traded in the twenty days before {now}")
        bid, ask = self[symbol].spread(now)
        session = rows[-1]
        told = {name: int(session[name]) for name in ("open", "high", "low", "volume", "trades")}
        at = min(now, int(session["close_time"]) + 1)
        last = int(session["close"])
        return {"opened": int(session["open_time"]), "at": at, "last": last, **told, "bid": bid, "ask": ask}

    def splits(self, symbol: str, start: int, end: int) -> list[tuple[int, Fraction]]:
        """Open of the first session after each, and new shares for one; those that have happened."""
        actions = self[symbol].actions.between(start, end, self._clock.now())
        return [(action.at, action.split.factor) for action in actions if action.split]

    def dividends(self, symbol: str, start: int, end: int) -> list[tuple[int, Fraction]]:
        """Open of the first session without each, and what was paid for a share as it then was."""
        actions = self[symbol].actions.between(start, end, self._clock.now())
        return [(action.at, Fraction(action.dividend.amount)) for action in actions if action.dividend]

    def sessions(self, symbol: str, start: int, end: int) -> list[Session]:
        """Its sessions that overlap ``[start, end)``, whether it traded in them or not."""
        stock = self[symbol]
        part = stock.place.sessions.part(*stock.numbers(start, end))
        edges = zip(part.opens, part.lunch, part.afternoon, part.closes, strict=True)
        return [Session(*(int(edge) for edge in one)) for one in edges]
