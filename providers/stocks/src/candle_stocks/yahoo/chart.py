"""The chart of one ticker: its form, and which of its rows are candles. Pure.

``GET /v8/finance/chart/{ticker}?period1=…&period2=…&interval=…&events=…`` answers with columns beside a list of
seconds, each the opening of its candle, but for what is still moving: the last trade may stand at the end as a row of
its own, at the second it happened (``regularMarketTime``), without volume, or as a second row of the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from candle_hookspecs import Floats, Ints, MalformedAnswerError, iso
from candle_stocks.scale import Split
from candle_stocks.yahoo.errors import beginning

_DAY: Final = 86_400
_PRICES: Final = ("open", "high", "low", "close")
_COLUMNS: Final = (*_PRICES, "volume")


class _Period(msgspec.Struct):
    start: int
    end: int


class Meta(msgspec.Struct, rename="camel"):
    """What is told of the ticker itself. Times in seconds, `gmtoffset` too."""

    symbol: str
    exchange_name: str
    instrument_type: str = ""
    currency: str | None = None
    first_trade_date: int | None = None
    regular_market_time: int | None = None
    gmtoffset: int = 0
    long_name: str | None = None
    short_name: str | None = None
    data_granularity: str = ""
    trading_periods: list[list[_Period]] | dict[str, list[list[_Period]]] | None = None


class _Quote(msgspec.Struct):
    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []


class _Indicators(msgspec.Struct):
    quote: list[_Quote]


class _Paid(msgspec.Struct):
    date: int
    amount: float


class _Split(msgspec.Struct):
    date: int
    numerator: float
    denominator: float


class _Events(msgspec.Struct, rename="camel"):
    dividends: dict[str, _Paid] = {}
    capital_gains: dict[str, _Paid] = {}
    splits: dict[str, _Split] = {}


class _Result(msgspec.Struct):
    meta: Meta
    indicators: _Indicators
    timestamp: list[int] = []
    events: _Events = msgspec.field(default_factory=_Events)


class _Chart(msgspec.Struct):
    result: list[_Result]


class _Body(msgspec.Struct):
    chart: _Chart


_decoder: Final = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Chart:
    """Rows that are candles, as Yahoo writes them, and what happened to the shares.

    Attributes:
        open_time: UTC ms, rising. columns: open, high, low, close in today's shares, and volume.
        splits, dividends: those of the range asked for; of a dividend the moment (UTC ms) and the amount for each of
            today's shares.
    """

    meta: Meta
    open_time: Ints
    columns: dict[str, Floats]
    splits: tuple[Split, ...]
    dividends: tuple[tuple[int, float], ...]


def parse(body: bytes, interval: str | None = None, start: int | None = None) -> Chart:
    """The chart in the body of an answer.

    Rows of nothing but nulls, live ones, those of a day that is not over, and intraday those outside regular hours are
    left out.

    Args:
        body: as it came, unpacked.
        interval: the one that was asked for; None: whichever it is.
        start: from when on it was asked for, UTC ms; None: it is not known.

    Raises:
        MalformedAnswerError: another form, interval or range, columns of different lengths, a row that lacks a part, or
            times that do not rise.
    """
    result = _result_of(body)
    told = result.meta.data_granularity
    if interval not in (None, told):
        raise MalformedAnswerError(f"asked for {interval!r}, Yahoo answered {told!r}")
    seconds, columns = _rows(result)
    if start is not None:
        _check_start(seconds, result.meta, start)
    kept = _settled(seconds, columns["volume"], result.meta, told)
    return Chart(
        result.meta,
        seconds[kept] * 1000,
        {name: column[kept] for name, column in columns.items()},
        tuple(Split(one.date * 1000, one.numerator, one.denominator) for one in result.events.splits.values()),
        tuple(_dividends(result.events)),
    )


def meta_of(body: bytes) -> Meta:
    """What an answer tells of the ticker, whatever its rows.

    Raises:
        MalformedAnswerError: it is no chart.
    """
    return _result_of(body).meta


def body_of(raw: Any) -> bytes:
    """The body of a chart that somebody holds: as it came, as text, or parsed.

    Raises:
        MalformedAnswerError: nothing that JSON could tell.
    """
    if isinstance(raw, bytes):
        return raw
    try:
        return raw.encode() if isinstance(raw, str) else msgspec.json.encode(raw)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedAnswerError(f"not a chart, but a {type(raw).__name__}: {error}") from error


def _check_start(seconds: Ints, meta: Meta, start: int) -> None:
    """Rows of long before are the answer to another question. The last trade is told wherever one asks from."""
    early = seconds[(seconds < start // 1000 - _DAY) & (seconds != (meta.regular_market_time or 0))]
    if len(early):
        raise MalformedAnswerError(f"asked from {iso(start)} on, Yahoo answered from {iso(int(early[0]) * 1000)} on")


def _result_of(body: bytes) -> _Result:
    try:
        (result,) = _decoder.decode(body).chart.result
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedAnswerError(f"not a chart: {error}; the answer begins {beginning(body)}") from error
    return result


def _rows(result: _Result) -> tuple[Ints, dict[str, Floats]]:
    """Seconds and columns of the rows that are not empty."""
    seconds = np.array(result.timestamp, np.int64)
    (quote,) = result.indicators.quote or [_Quote()]
    # None becomes NaN; a NaN on the wire is no JSON.
    columns = {name: np.array(getattr(quote, name), np.float64) for name in _COLUMNS}
    if lengths := {name: len(column) for name, column in columns.items() if len(column) != len(seconds)}:
        raise MalformedAnswerError(f"{len(seconds)} times came with columns of other lengths: {lengths!r}")
    lacking = np.isnan(np.stack([columns[name] for name in _COLUMNS]))
    partly = lacking[:4].any(axis=0) & ~lacking[:4].all(axis=0)
    if partly.any():
        raise MalformedAnswerError(f"the candle of {iso(int(seconds[partly][0]) * 1000)} lacks a price")
    if (np.diff(seconds) < 0).any():
        raise MalformedAnswerError("the times of the chart do not rise")
    kept = ~lacking[0]
    columns["volume"] = np.nan_to_num(columns["volume"])
    return seconds[kept], {name: column[kept] for name, column in columns.items()}


def _settled(seconds: Ints, volume: Floats, meta: Meta, interval: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are candles, and not the last trade told live."""
    kept = np.ones(len(seconds), bool)
    if not len(seconds):
        return kept
    live = seconds[-1] == meta.regular_market_time
    if interval == "1d":
        if live:
            # Its day is not over; another row of it, if there is one, is not final either.
            days = (seconds + meta.gmtoffset) // _DAY
            kept &= days != days[-1]
        return kept
    if live:
        kept &= (seconds != seconds[-1]) | (volume != 0)
    if meta.trading_periods is not None:
        kept &= _inside(seconds, _regular(meta.trading_periods))
    return kept


def _regular(told: list[list[_Period]] | dict[str, list[list[_Period]]]) -> list[_Period]:
    days = told.get("regular", []) if isinstance(told, dict) else told
    return [period for day in days for period in day]


def _inside(seconds: Ints, periods: list[_Period]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which moments lie in one of the periods, which are in order."""
    starts = np.array([period.start for period in periods], np.int64)
    ends = np.array([period.end for period in periods] or [0], np.int64)
    place = np.searchsorted(starts, seconds, "right") - 1
    return (place >= 0) & (seconds < ends[place])


def _dividends(events: _Events) -> Iterable[tuple[int, float]]:
    """What was paid, a fund's gains with its dividend of the same day."""
    paid: dict[int, float] = {}
    for one in (*events.dividends.values(), *events.capital_gains.values()):
        if one.amount > 0:
            paid[one.date * 1000] = paid.get(one.date * 1000, 0.0) + one.amount
    return sorted(paid.items())
