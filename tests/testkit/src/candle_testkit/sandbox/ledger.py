"""The truth: what every market's rows really are, and what was asked over the wire."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.books import Levels, book, past_day
from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.deals import DealBook, Deals
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.market import CANDLE, Market, Rows
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.timeframes import TIMEFRAMES

DECIMALS: Final = (
    "open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume",
)  # fmt: skip
_EXACT: Final = 2**53


@dataclass(frozen=True)
class Request:
    """One request that came over the wire; ``at`` is the sandbox clock (UTC ms), ``elapsed`` real seconds since start.

    ``limit`` is what it was charged to; ``rows`` the number of candles really sent; ``fault`` the kind of fault that
    struck it; ``under_way`` how many of the exchange's requests were being answered as it came in, itself included.
    """

    number: int
    method: str
    path: str
    params: Mapping[str, str]
    weight: int
    status: int
    at: int
    elapsed: float
    address: str
    limit: str = ""
    rows: int | None = None
    fault: str | None = None
    under_way: int = 1


class Ledger:
    """Read by tests, written by the server. Safe to use from any thread."""

    def __init__(
        self, markets: Mapping[str, Market], clock: SandboxClock, stocks: Stocks, deals: Mapping[str, DealBook]
    ) -> None:
        self._markets, self._clock, self._stocks, self._deals = markets, clock, stocks, deals
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def rows(self, symbol: str, timeframe: str, start: int, end: int, *, include_open: bool = False) -> Rows:
        """Candles that open in ``[start, end)`` UTC ms, as a structured array of integers (``market.CANDLE``).

        Prices and volumes are in units of 1e-8. Closed candles only, by the sandbox clock, unless ``include_open``.
        A stock's are as traded, its intervals those of ``stocks.INTERVALS``.

        Raises:
            SandboxError: Unknown symbol or timeframe.
        """
        if symbol in self._stocks:
            return self._stocks.rows(symbol, timeframe, start, end, include_open=include_open)
        market = self._market(symbol)
        if timeframe not in TIMEFRAMES:
            raise SandboxError(f"timeframe {timeframe!r} is not one of {', '.join(TIMEFRAMES)}")
        now, grid = self._clock.now(), TIMEFRAMES[timeframe]
        first = grid.slot(max(start, market.config.listed_ms))
        last = min(end - 1, now)
        if last < start:
            return np.empty(0, dtype=CANDLE)
        rows = market.candles(timeframe, first, grid.slot(last) + 1, now)
        rows = rows[(rows["open_time"] >= start) & (rows["open_time"] < end)]
        return rows if include_open else rows[rows["close_time"] < now]

    def candles(
        self, symbol: str, timeframe: str, start: int, end: int, *, include_open: bool = False
    ) -> dict[str, NDArray[Any]]:
        """The same as columns; decimals as float64, each the float nearest to the text on the wire.

        Columns: open_time, close_time, trades (int64); open, high, low, close, volume, quote_volume,
        taker_buy_volume, taker_buy_quote_volume (float64).
        """
        rows = self.rows(symbol, timeframe, start, end, include_open=include_open)
        names = rows.dtype.names or ()
        return {name: _floats(rows[name]) if name in DECIMALS else rows[name].copy() for name in names}

    def trades(self, symbol: str, start: int, end: int) -> Deals:
        """Trades of ``[start, end)`` UTC ms up to now, oldest first, as a structured array (``deals.DEAL``).

        Raises:
            SandboxError: Unknown symbol.
        """
        self._market(symbol)
        return self._deals[symbol].between(start, min(end, self._clock.now()))

    def newest_trades(self, symbol: str, count: int) -> Deals:
        """The newest so many trades, as in :meth:`trades`."""
        self._market(symbol)
        return self._deals[symbol].newest(self._clock.now(), count, 0)

    def ticker(self, symbol: str) -> dict[str, int]:
        """The 24 hours before now, see ``books.past_day``; of a stock its last session, see ``Stocks.ticker``.

        Raises:
            SandboxError: Unknown symbol.
        """
        if symbol in self._stocks:
            return self._stocks.ticker(symbol)
        return past_day(self._market(symbol), self._clock.now())

    def book(self, symbol: str, depth: int) -> tuple[Levels, Levels]:
        """Bids and asks of now, best first, as structured arrays (``books.LEVEL``).

        Raises:
            SandboxError: Unknown symbol.
        """
        return book(self._market(symbol), self._clock.now(), depth)

    def _market(self, symbol: str) -> Market:
        if symbol not in self._markets:
            raise SandboxError(f"the sandbox has no market {symbol!r}; it has {len(self._markets)}")
        return self._markets[symbol]

    def record(self, **values: Any) -> None:
        """Write down one request; the server calls this."""
        with self._lock:
            self._requests.append(Request(number=len(self._requests), **values))

    def requests(self, path: str | None = None, **params: str) -> list[Request]:
        """Requests so far, in order; only those to ``path`` and with these parameters, when given."""
        with self._lock:
            everything = list(self._requests)
        return [
            one
            for one in everything
            if path in (None, one.path) and all(one.params.get(name) == value for name, value in params.items())
        ]

    def count(self, path: str | None = None, **params: str) -> int:
        """How many requests; see :meth:`requests`."""
        return len(self.requests(path, **params))

    def clear(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._requests.clear()


def _floats(units: NDArray[np.int64]) -> NDArray[np.float64]:
    floats: NDArray[np.float64] = units / float(UNITS)
    # Above 2**53 the integer itself would be rounded before the division: twice rounded is not nearest.
    for index in np.flatnonzero(np.abs(units) > _EXACT):
        floats[index] = int(units[index]) / UNITS
    return floats
