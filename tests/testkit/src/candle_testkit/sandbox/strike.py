"""How a fault changes an answer of candles: its rows first, then their text."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import numpy as np

from candle_testkit.sandbox.faults import Fault
from candle_testkit.sandbox.market import Rows
from candle_testkit.sandbox.synth import draw

HTML: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)


class Pages(Protocol):
    """What tells rows beside those that were asked for; see ``Market.page``."""

    def page(
        self, timeframe: str, start: int | None, end: int | None, limit: int, now: int, /, *, reach: int = 0
    ) -> Rows:
        """At most ``limit`` rows."""


def strike_rows(
    fault: Fault, rows: Rows, market: Pages, timeframe: str, now: int, *, newest_first: bool = False
) -> Rows:
    """The rows that are sent in place of the true ones; unchanged for kinds that do not concern rows."""
    if fault.kind == "lying_empty":
        return rows[:0]
    if fault.kind == "other_range":
        return _elsewhere(rows, market, timeframe, now, after=newest_first)
    changes: dict[str, Callable[[Fault, Rows], Rows]] = {
        "one_row": _one_row, "short": _short, "duplicates": _duplicates, "reordered": _reordered,
        "stale_open": partial(_stale, now=now),
    }  # fmt: skip
    change = changes.get(fault.kind)
    return rows if change is None or not len(rows) else change(fault, rows)


def strike_text(fault: Fault, text: str) -> str:
    """The text that is sent in place of the true JSON; unchanged for kinds that do not concern it."""
    if fault.kind == "truncated":
        return text[: int(len(text) * fault.options["keep"])]
    if fault.kind == "wrong_shape" and fault.options["shape"] == "object":
        return json.dumps({"rows": json.loads(text)})
    if fault.kind not in ("nan", "wrong_shape"):
        return text
    rows = json.loads(text)
    if not rows:
        return text
    last = rows[-1]
    if fault.kind == "nan":
        row = rows[fault.options["row"]]
        row[_place(row, fault.options["column"])] = "NaN"
    elif fault.options["shape"] == "short_row":
        rows[-1] = last[:4] if isinstance(last, list) else dict(list(last.items())[:4])
    else:
        last[_place(last, 4)] = None
    return json.dumps(rows)


def _place(row: list[Any] | dict[str, Any], number: int) -> Any:
    """Where the element of that number stands in a row, be it a list or an object."""
    return number if isinstance(row, list) else list(row)[number]


def _one_row(fault: Fault, rows: Rows) -> Rows:
    return rows[:1] if fault.options["keep"] == "first" else rows[-1:]


def _short(fault: Fault, rows: Rows) -> Rows:
    dropped = fault.options["rows"]
    return rows[dropped:] if fault.options["side"] == "first" else rows[: max(len(rows) - dropped, 0)]


def _duplicates(fault: Fault, rows: Rows) -> Rows:
    times = np.ones(len(rows), dtype=np.int64)
    times[: fault.options["rows"]] = 2
    return np.repeat(rows, times)


def _reordered(_: Fault, rows: Rows) -> Rows:
    shuffled = rows[np.argsort(draw(1, 901, rows["open_time"]))]
    return rows[::-1] if np.array_equal(shuffled, rows) else shuffled


def _elsewhere(rows: Rows, market: Pages, timeframe: str, now: int, *, after: bool) -> Rows:
    """As many rows from the other side of the end that the answer counts from; where there are none, from the far side.

    Rows from beyond the far end are what an exchange answers rightly when everything between is absent.
    """
    if not len(rows):
        return market.page(timeframe, None, None, 10, now)
    earlier = market.page(timeframe, None, int(rows["open_time"][0]) - 1, len(rows), now)
    later = market.page(timeframe, int(rows["close_time"][-1]) + 1, None, len(rows), now)
    first, second = (later, earlier) if after else (earlier, later)
    return first if len(first) else second


def _stale(fault: Fault, rows: Rows, now: int) -> Rows:
    """One closed row as it stood before its last trades were booked: the one that holds ``at``, else the last."""
    closed = rows["close_time"] < now
    held = np.flatnonzero(closed & (rows["open_time"] <= fault.at) if fault.at is not None else closed)
    if not len(held):
        return rows
    at = int(held[-1])
    stale = rows.copy()
    stale["close"][at] = stale["open"][at]
    for name in ("volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume"):
        stale[name][at] //= 2
    return stale
