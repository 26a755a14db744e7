"""Binance spot's wire: routes, weights, headers, limits, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from candle_testkit.sandbox import info, tickers
from candle_testkit.sandbox.books import book
from candle_testkit.sandbox.faults import KLINES
from candle_testkit.sandbox.limits import Limits, Quota, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.serving import Answer, Exchange, Wire
from candle_testkit.sandbox.timeframes import INTERVALS
from candle_testkit.sandbox.wire import (
    Params,
    WireError,
    array_text,
    compact,
    decimal,
    invalid_symbol,
    rows_text,
)

_KLINES_PARAMS: Final = ("symbol", "interval", "startTime", "endTime", "timeZone", "limit")
_UTC: Final = ("0", "+0", "-0", "00", "0:00", "00:00", "+0:00", "+00:00", "-0:00", "-00:00")
_MICROSECONDS: Final = "microseconds"
_MINUTE_MS: Final = 60_000
_UNKNOWN: Final = (-1000, "An unknown error occurred while processing the request.")
_INTERNAL: Final = (-1001, "Internal error; unable to process your request. Please try again.")


@dataclass(frozen=True)
class Route:
    """One path: the parameters it knows, what it weighs, how it is answered."""

    known: tuple[str, ...]
    weigh: Callable[[Params], int]
    answer: Callable[[Exchange, Params, int, int], Answer]


def _ping(_: Exchange, __: Params, ___: int, ____: int) -> Answer:
    return Answer("{}")


def _time(_: Exchange, __: Params, now: int, scale: int) -> Answer:
    return Answer(f'{{"serverTime":{now * scale}}}')


def _info(exchange: Exchange, params: Params, now: int, scale: int) -> Answer:
    head, tail = info.exchange_info(params, exchange.markets, exchange.config.limits, now)
    return Answer(f"{head}{now * scale}{tail}")


def _klines(exchange: Exchange, params: Params, now: int, scale: int) -> Answer:
    market = _listed(exchange, params, now)
    timeframe = params.required("interval")
    if timeframe not in INTERVALS:
        raise WireError(-1120, "Invalid interval.")
    if (params.text("timeZone") or "0") not in _UTC:
        raise WireError(-1020, "This operation is not supported.")
    start, end, limit = params.instant("startTime"), params.instant("endTime"), params.limit(500, 1000)
    rows = market.page(timeframe, start, end, limit, now)
    form = _MICROSECONDS if scale > 1 else ""
    span = _span(rows, start, now if end is None else end, full=len(rows) == limit)
    return Answer(rows_text(rows, microseconds=scale > 1), rows, market.config.symbol, timeframe, span, form=form)


def _span(rows: Rows, start: int | None, last: int, *, full: bool) -> tuple[int, int]:
    """What a true answer tells about: from the anchor it started at to where the limit cut it off, if it did."""
    if not len(rows):
        return (0 if start is None else start), last
    if start is not None:
        return start, int(rows["close_time"][-1]) if full else max(last, int(rows["close_time"][-1]))
    return (int(rows["open_time"][0]) if full else 0), max(last, int(rows["close_time"][-1]))


def _depth(exchange: Exchange, params: Params, now: int, _: int) -> Answer:
    market = _listed(exchange, params, now)
    sides = book(market, now, params.limit(100, 5000))
    bids, asks = (
        [[decimal(price), decimal(amount)] for price, amount in levels[["price", "amount"]].tolist()]
        for levels in sides
    )
    return Answer(compact({"lastUpdateId": now, "bids": bids, "asks": asks}))


def _agg_trades(exchange: Exchange, params: Params, now: int, scale: int) -> Answer:
    deals = exchange.deals[_listed(exchange, params, now).config.symbol]
    number, start, end = params.number("fromId"), params.instant("startTime"), params.instant("endTime")
    limit = params.limit(500, 1000)
    if number is not None and (start is not None or end is not None):
        raise WireError(-1128, "Combination of optional parameters invalid.")
    stop = now if end is None else min(end + 1, now)
    if number is not None:
        found = deals.from_number(number, limit, now)
    elif start is not None:
        found = deals.oldest(start, limit, stop)
    else:
        found = deals.newest(stop, limit, 0)
    return Answer(array_text(_agg_trade(deal, scale) for deal in found.tolist()))


def _agg_trade(deal: tuple[int, ...], scale: int) -> str:
    """An aggregate of a single fill, so that both have one number."""
    number, at, price, amount, bought = deal
    return compact({
        "a": number, "p": decimal(price), "q": decimal(amount), "f": number, "l": number, "T": at * scale,
        "m": not bought, "M": True,
    })  # fmt: skip


def _listed(exchange: Exchange, params: Params, now: int) -> Market:
    market = exchange.markets[params.symbol(exchange.markets)]
    if market.config.listed_ms > now:
        raise invalid_symbol()
    return market


def _ticker(kind: str) -> Route:
    known = (*tickers.PARAMS, "type") if kind == "24hr" else tickers.PARAMS
    return Route(
        known,
        lambda params: tickers.weight(kind, params),
        lambda exchange, params, now, _: Answer(tickers.tickers(kind, params, exchange.markets, now)),
    )


def _depth_weight(limit: int) -> int:
    return next(weight for most, weight in ((100, 5), (500, 25), (1000, 50), (5000, 250)) if limit <= most)


ROUTES: Final[dict[str, Route]] = {
    "/api/v3/ping": Route((), lambda _: 1, _ping),
    "/api/v3/time": Route((), lambda _: 1, _time),
    "/api/v3/exchangeInfo": Route(info.PARAMS, lambda _: 20, _info),
    "/api/v3/depth": Route(("symbol", "limit"), lambda params: _depth_weight(params.limit(100, 5000)), _depth),
    "/api/v3/aggTrades": Route(("symbol", "fromId", "startTime", "endTime", "limit"), lambda _: 4, _agg_trades),
    KLINES: Route(_KLINES_PARAMS, lambda _: 2, _klines),
    **{f"/api/v3/ticker/{kind}": _ticker(kind) for kind in ("24hr", "price", "bookTicker")},
}


class BinanceSpot(Wire):
    """Answers every request under ``/api/v3``."""

    newest_first = False

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [web.get(path, self.handle, allow_head=False) for path in ROUTES]

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer and its weight; what is wrong with the request weighs 1 until its parameters are read."""
        route, weight = ROUTES[request.path], 1
        try:
            scale = _time_unit(request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND"))
            params = Params(request.query, route.known)
            weight = route.weigh(params)
            return route.answer(self.exchange, params, now, scale), weight
        except WireError as error:
            return Answer(error.body, status=error.status), weight

    def quota(self, request: web.Request) -> Quota:
        """One counter for all paths."""
        return Quota("weight", self.exchange.config.limits.weight, _MINUTE_MS)

    def candles_text(self, answer: Answer) -> str:
        """Rows as klines answers them."""
        assert answer.rows is not None
        return rows_text(answer.rows, microseconds=answer.form == _MICROSECONDS)

    def refusal(self, verdict: Verdict) -> Answer:
        """Code -1003, as 429 or 418."""
        return Answer(_refusal(verdict, self.exchange.config.limits).body, status=verdict.status)

    def failure(self, status: int) -> str:
        """Code -1000 for 500, -1001 for the others."""
        return WireError(*(_UNKNOWN if status == 500 else _INTERNAL)).body

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """The weight used and, with a refusal, the wait."""
        used = {"x-mbx-used-weight": str(verdict.used), "x-mbx-used-weight-1m": str(verdict.used)}
        return used if verdict.status == 200 else {**used, "Retry-After": str(verdict.retry_after)}


def _time_unit(text: str) -> int:
    scales = {"MILLISECOND": 1, "MICROSECOND": 1000}
    if text.upper() not in scales:
        raise WireError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    return scales[text.upper()]


def _refusal(verdict: Verdict, limits: Limits) -> WireError:
    if verdict.status == 418:
        message = (
            f"Way too much request weight used; IP banned until {verdict.until}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
    else:
        message = (
            f"Too much request weight used; current limit is {limits.weight or 6000} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
    return WireError(-1003, message, verdict.status)
