"""Yahoo's chart as text: prices in the shares of now with the noise of float32, live rows, events, meta."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.market import Rows
from candle_testkit.sandbox.serving import Answer
from candle_testkit.sandbox.stocks import MINUTES, Stock
from candle_testkit.sandbox.stocks_config import YahooConfig
from candle_testkit.sandbox.stocks_sessions import MINUTE_MS, Sessions
from candle_testkit.sandbox.wire import compact
from candle_testkit.sandbox.yahoo_request import RANGES, ChartRequest

_PRICES: Final = ("open", "high", "low", "close")
_DAY_MS: Final = 86_400_000
_SHORTLY: Final = 0.999


@dataclass(kw_only=True)
class ChartAnswer(Answer):
    """Rows in prices as traded; the text is made of them, so that a fault can change them before."""

    stock: Stock
    request: ChartRequest


@dataclass(frozen=True)
class Quote:
    """The last session that has begun: its day so far, and the last trade of its regular hours (UTC ms)."""

    day: Rows
    at: int

    @property
    def price(self) -> int:
        """The last price, in units of 1e-8 and shares of now."""
        return int(self.day["close"][-1])


def quote(stock: Stock, now: int) -> Quote | None:
    """The last known price; None before the first trade."""
    first, stop = stock.numbers(now - 20 * _DAY_MS, now + 1)
    opens = stock.place.sessions.opens
    for number in range(min(stop, int(np.searchsorted(opens, now, side="right"))) - 1, first - 1, -1):
        day = stock.day(number, now)
        if len(day):
            return Quote(day, min(now, int(day["close_time"][0]) + 1) // 1000 * 1000)
    return None


def chart_rows(stock: Stock, request: ChartRequest, now: int, how: YahooConfig) -> Rows:
    """The rows of an answer, as traded: those of the truth, and in the last session what is told of it live."""
    if request.intraday:
        rows = stock.rows(
            request.interval, request.start, request.end, now, extended=request.extended, tail=how.half_day_tail
        )
    else:
        rows = stock.rows(request.interval, request.start, request.end, now)
    last = quote(stock, now)
    if how.live == "merged" or last is None or request.end <= last.day["open_time"][0]:
        return rows
    opened = int(last.day["open_time"][0])
    # From midnight on, yesterday is history.
    if now >= stock.place.midnight(stock.place.day(opened) + 1):
        return rows
    live = last.day.copy()
    live["open_time"] = last.at
    if request.interval == "1d":
        return _live_day(rows, live, opened, how)
    if request.intraday:
        for name in _PRICES:
            live[name] = last.price
        live["volume"] = live["trades"] = 0
    else:
        rows = stock.rows(request.interval, request.start, request.end, opened - 1)
    return np.concatenate((rows, live))


def _live_day(rows: Rows, live: Rows, opened: int, how: YahooConfig) -> Rows:
    if not len(rows) or rows["open_time"][-1] != opened:
        return rows
    if how.live == "separate":
        return np.concatenate((rows[:-1], live))
    rows = rows.copy()
    rows["volume"][-1] = int(rows["volume"][-1] / UNITS * _SHORTLY) * UNITS
    return np.concatenate((rows, live))


def chart_text(answer: ChartAnswer, symbol: str, now: int) -> str:
    """The body."""
    stock, request, rows = answer.stock, answer.request, answer.rows
    assert rows is not None
    stamps = rows["open_time"] // 1000
    ends = np.minimum(rows["close_time"], now)
    factors = stock.actions.split_factors(ends, now)
    columns = {name: _widened(rows[name] / UNITS * factors) for name in _PRICES}
    volumes = np.rint(rows["volume"] / UNITS / factors).astype(np.int64)
    told: dict[str, Any] = {name: columns[name].tolist() for name in _PRICES}
    told["volume"] = volumes.tolist()
    adjusted = _widened(rows["close"] / UNITS * factors * stock.actions.dividend_factors(ends, now)).tolist()
    times = stamps.tolist()
    nulls = [stamp for stamp in _null_stamps(stock, request, now) if stamp not in set(times)] if len(rows) else []
    for stamp in nulls:
        place = int(np.searchsorted(np.array(times), stamp))
        times.insert(place, stamp)
        for values in (*told.values(), adjusted):
            values.insert(place, None)
    indicators: dict[str, Any] = {"quote": [told if times else {}]}
    if not request.intraday:
        indicators["adjclose"] = [{"adjclose": adjusted} if times else {}]
    result: dict[str, Any] = {"meta": _meta(stock, request, symbol, now)}
    if times:
        result["timestamp"] = times
    if events := _events(stock, request, now):
        result["events"] = events
    return compact({"chart": {"result": [{**result, "indicators": indicators}], "error": None}})


def _widened(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prices are kept as float32 there, and written as the doubles that these are."""
    return prices.astype(np.float32).astype(np.float64)


def _null_stamps(stock: Stock, request: ChartRequest, now: int) -> list[int]:
    """Seconds at which the answer has a row of nulls: bars of up to a day that lie inside such a stretch."""
    stamps: list[int] = []
    for start, end in stock.config.null_spans if request.intraday or request.interval == "1d" else ():
        low, high = max(start, request.start), min(request.end, now + 1)
        sessions = stock.place.sessions.part(*stock.numbers(start, end))
        stamps += [at // 1000 for at, over in _grid(stock, sessions, request) if low <= at < high and over <= end]
    return stamps


def _grid(stock: Stock, sessions: Sessions, request: ChartRequest) -> Iterator[tuple[int, int]]:
    """Where bars open and end, whether they traded or not."""
    if not request.intraday:
        yield from zip(sessions.opens.tolist(), sessions.closes.tolist(), strict=True)
        return
    size = MINUTES[request.interval] * MINUTE_MS
    for piece in stock.pieces(sessions):
        for start, end in zip(piece.starts.tolist(), piece.ends.tolist(), strict=True):
            yield from ((at, min(at + size, end)) for at in range(start, end, size))


def _events(stock: Stock, request: ChartRequest, now: int) -> dict[str, Any]:
    told: dict[str, dict[str, Any]] = {}
    for action in stock.actions.between(request.start, request.end, now):
        at = action.at // 1000
        if action.split and "splits" in request.events:
            new, old = action.split.parts
            split = {"date": at, "numerator": float(new), "denominator": float(old), "splitRatio": action.split.ratio}
            told.setdefault("splits", {})[str(at)] = split
        elif action.dividend and "dividends" in request.events:
            amount = round(stock.actions.amount(action, now), 6)
            told.setdefault("dividends", {})[str(at)] = {"amount": amount, "date": at}
    return told


def _meta(stock: Stock, request: ChartRequest, symbol: str, now: int) -> dict[str, Any]:
    config, venue, place = stock.config, stock.config.venue_of, stock.place
    offset, zone = place.offset(now)
    meta: dict[str, Any] = {
        "currency": venue.currency, "symbol": symbol, "exchangeName": config.venue, "fullExchangeName": venue.name,
        "instrumentType": config.kind, "firstTradeDate": stock.opened // 1000, "regularMarketTime": None,
        "hasPrePostMarketData": any(place.extended), "gmtoffset": offset, "timezone": zone,
        "exchangeTimezoneName": place.zone,
    }  # fmt: skip
    last = quote(stock, now)
    if last is not None:
        year = _in_shares_of_now(stock, stock.rows("1d", now - 365 * _DAY_MS, now + 1, now), now)
        today = {name: float(last.day[name][0]) / UNITS for name in (*_PRICES, "volume")}
        meta |= {
            "regularMarketTime": last.at // 1000, "regularMarketPrice": today["close"],
            "fiftyTwoWeekHigh": float(year["high"].max()), "fiftyTwoWeekLow": float(year["low"].min()),
            "regularMarketDayHigh": today["high"], "regularMarketDayLow": today["low"],
            "regularMarketVolume": int(today["volume"]),
        }  # fmt: skip
    meta |= {"longName": config.name or config.symbol, "shortName": config.name or config.symbol}
    before = stock.rows("1d", request.start - 15 * _DAY_MS, request.start, now)
    if len(before):
        meta["chartPreviousClose"] = float(_in_shares_of_now(stock, before, now)["close"][-1])
        if request.intraday:
            meta |= {"previousClose": meta["chartPreviousClose"], "scale": 3}
    meta["priceHint"] = 2
    number = place.between(now, now + 30 * _DAY_MS)[0]
    meta["currentTradingPeriod"] = {name: spans[0] for name, spans in _periods(stock, number, number + 1).items()}
    if request.intraday:
        every = _periods(stock, *stock.numbers(request.start, min(request.end, now + 1)))
        told = {name: [[span] for span in spans] for name, spans in every.items()}
        meta["tradingPeriods"] = told if request.extended else told["regular"]
    meta |= {"dataGranularity": request.interval, "range": request.range, "validRanges": list(RANGES)}
    return meta


def _in_shares_of_now(stock: Stock, rows: Rows, now: int) -> dict[str, NDArray[np.float64]]:
    factors = stock.actions.split_factors(np.minimum(rows["close_time"], now), now)
    return {name: np.round(rows[name] / UNITS * factors, 3) for name in _PRICES}


def _periods(stock: Stock, first: int, stop: int) -> dict[str, list[dict[str, Any]]]:
    """What of each session is before, in and after regular hours."""
    before, after = (minutes * MINUTE_MS for minutes in stock.place.extended)
    spans: dict[str, list[dict[str, Any]]] = {"pre": [], "regular": [], "post": []}
    sessions = stock.place.sessions.part(first, max(first, stop))
    for opened, closed in zip(sessions.opens.tolist(), sessions.closes.tolist(), strict=True):
        offset, zone = stock.place.offset(opened)
        edges = {"pre": (opened - before, opened), "regular": (opened, closed), "post": (closed, closed + after)}
        for name, (start, end) in edges.items():
            spans[name].append({"timezone": zone, "start": start // 1000, "end": end // 1000, "gmtoffset": offset})
    return spans
