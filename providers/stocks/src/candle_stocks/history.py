"""Candles and actions as they were, from a chart in today's shares. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np

from candle_hookspecs import Action, ActionKind, CandleBatch
from candle_stocks.scale import Split, paid, shares, traded_prices, traded_volume
from candle_stocks.yahoo.chart import Chart

_PRICES = ("open", "high", "low", "close")


def candles(chart: Chart, splits: Sequence[Split]) -> CandleBatch:
    """Candles in prices and volumes of their day.

    Args:
        chart: as Yahoo tells it.
        splits: every split between its first candle and the moment of the answer.
    """
    new, old = shares(chart.open_time, splits)
    prices = {name: traded_prices(chart.columns[name], new, old) for name in _PRICES}
    return CandleBatch.from_columns({
        "open_time": chart.open_time, **prices, "volume": traded_volume(chart.columns["volume"], new, old),
    })  # fmt: skip


def actions(days: Chart) -> tuple[Action, ...]:
    """Splits and dividends of a chart of days that runs up to the moment of its answer.

    The close before a dividend is that of the last day before it, in shares of the dividend's day; None where the chart
    begins with that day.
    """
    return tuple(sorted((*_splits(days), *_dividends(days))))


def _splits(days: Chart) -> Iterator[Action]:
    for split in days.splits:
        yield Action(split.at, ActionKind.SPLIT, split.new / split.old)


def _dividends(days: Chart) -> Iterator[Action]:
    for at, amount in days.dividends:
        place = int(np.searchsorted(days.open_time, at)) - 1
        close = _close(days, place, at) if place >= 0 else None
        yield Action(at, ActionKind.DIVIDEND, paid(amount, at, days.splits), close)


def _close(days: Chart, place: int, at: int) -> float:
    new, old = shares(np.array([at], np.int64), days.splits)
    return float(traded_prices(days.columns["close"][place : place + 1], new, old)[0])
