"""Binance spot's wire: routes, weights, headers, limits, errors."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from aiohttp import web

from candle_testkit.sandbox import info, tickers
from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.config import SandboxConfig
from candle_testkit.sandbox.faults import KLINES, Fault, FaultDesk
from candle_testkit.sandbox.ledger import Ledger
from candle_testkit.sandbox.limits import Limits, Meter, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.strike import HTML, strike_rows, strike_text
from candle_testkit.sandbox.timeframes import TIMEFRAMES
from candle_testkit.sandbox.wire import Params, WireError, invalid_symbol, rows_text

_KLINES_PARAMS: Final = ("symbol", "interval", "startTime", "endTime", "timeZone", "limit")
_UTC: Final = ("0", "+0", "-0", "00", "0:00", "00:00", "+0:00", "+00:00", "-0:00", "-00:00")
_HTML_STATUSES: Final = (403, 502, 503, 504)
_UNKNOWN: Final = (-1000, "An unknown error occurred while processing the request.")
_INTERNAL: Final = (-1001, "Internal error; unable to process your request. Please try again.")


@dataclass
class Exchange:
    """What every route needs: the markets and the state of the running sandbox."""

    config: SandboxConfig
    markets: Mapping[str, Market]
    clock: SandboxClock
    meter: Meter
    faults: FaultDesk
    ledger: Ledger
    started: float


@dataclass
class Answer:
    """A body on its way out; klines keep their rows, so that a fault can change them."""

    text: str = ""
    rows: Rows | None = None
    symbol: str | None = None
    timeframe: str = ""
    span: tuple[int, int] | None = None
    status: int = 200
    html: bool = False


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
    market = exchange.markets[params.symbol(exchange.markets)]
    timeframe = params.required("interval")
    if market.config.listed_ms > now:
        raise invalid_symbol()
    if timeframe not in TIMEFRAMES:
        raise WireError(-1120, "Invalid interval.")
    if (params.text("timeZone") or "0") not in _UTC:
        raise WireError(-1020, "This operation is not supported.")
    start, end, limit = params.instant("startTime"), params.instant("endTime"), params.limit(500, 1000)
    rows = market.page(timeframe, start, end, limit, now)
    span = _span(rows, start, now if end is None else end, full=len(rows) == limit)
    return Answer(rows_text(rows, microseconds=scale > 1), rows, market.config.symbol, timeframe, span)


def _span(rows: Rows, start: int | None, last: int, *, full: bool) -> tuple[int, int]:
    """What a true answer tells about: from the anchor it started at to where the limit cut it off, if it did."""
    if not len(rows):
        return (0 if start is None else start), last
    if start is not None:
        return start, int(rows["close_time"][-1]) if full else max(last, int(rows["close_time"][-1]))
    return (int(rows["open_time"][0]) if full else 0), max(last, int(rows["close_time"][-1]))


def _ticker(kind: str) -> Route:
    known = (*tickers.PARAMS, "type") if kind == "24hr" else tickers.PARAMS
    return Route(
        known,
        lambda params: tickers.weight(kind, params),
        lambda exchange, params, now, _: Answer(tickers.tickers(kind, params, exchange.markets, now)),
    )


ROUTES: Final[dict[str, Route]] = {
    "/api/v3/ping": Route((), lambda _: 1, _ping),
    "/api/v3/time": Route((), lambda _: 1, _time),
    "/api/v3/exchangeInfo": Route(info.PARAMS, lambda _: 20, _info),
    KLINES: Route(_KLINES_PARAMS, lambda _: 2, _klines),
    **{f"/api/v3/ticker/{kind}": _ticker(kind) for kind in ("24hr", "price", "bookTicker")},
}


class BinanceSpot:
    """Answers every request under ``/api/v3``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [web.get(path, self.handle, allow_head=False) for path in ROUTES]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request: weigh, refuse or answer, let a fault strike, write it down."""
        exchange, route = self._exchange, ROUTES[request.path]
        if exchange.config.latency_ms:
            await asyncio.sleep(exchange.config.latency_ms / 1000)
        now, weight, answer = exchange.clock.now(), 1, Answer()
        try:
            scale = _time_unit(request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND"))
            params = Params(request.query, route.known)
            weight = route.weigh(params)
            answer = route.answer(exchange, params, now, scale)
        except WireError as error:
            answer = Answer(error.body, status=error.status)
            scale = 1
        address = request.remote or ""
        verdict = exchange.meter.charge(address, weight, now)
        fault: Fault | None = None
        if verdict.status == 200:
            fault = exchange.faults.pick(request.path, answer.symbol or request.query.get("symbol"), answer.span)
        if fault is not None:
            verdict = await self._strike(fault, answer, address, verdict, now, scale)
        if verdict.status != 200:
            answer = Answer(_refusal(verdict, exchange.config.limits).body, status=verdict.status)
        exchange.ledger.record(
            method=request.method, path=request.path, params=dict(request.query), weight=weight,
            status=0 if fault and fault.kind == "reset" else answer.status, at=now,
            elapsed=time.monotonic() - exchange.started, address=address,
            rows=None if answer.rows is None else len(answer.rows), fault=fault.kind if fault else None,
        )  # fmt: skip
        if fault and fault.kind == "reset" and request.transport is not None:
            request.transport.abort()
        return self._response(request, answer, verdict)

    async def _strike(
        self, fault: Fault, answer: Answer, address: str, verdict: Verdict, now: int, scale: int
    ) -> Verdict:
        """Let a fault change the answer, in place, or the verdict."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.options["seconds"])
        elif fault.kind in ("rate_limited", "banned"):
            status, seconds = (418 if fault.kind == "banned" else 429), fault.options["retry_after"]
            if fault.options["persist"]:
                self._exchange.meter.refuse(address, status, seconds, now)
            return Verdict(status, verdict.used, seconds, now + seconds * 1000)
        elif fault.kind in ("html", "status"):
            answer.status, answer.rows = fault.options["status"], None
            answer.html = fault.kind == "html" or answer.status in _HTML_STATUSES
            error = WireError(*(_UNKNOWN if answer.status == 500 else _INTERNAL))
            answer.text = HTML.format(f"{answer.status} sandbox") if answer.html else error.body
        elif answer.rows is not None and answer.symbol is not None:
            market = self._exchange.markets[answer.symbol]
            answer.rows = strike_rows(fault, answer.rows, market, answer.timeframe, now)
            answer.text = strike_text(fault, rows_text(answer.rows, microseconds=scale > 1))
        else:
            answer.text = strike_text(fault, answer.text) if fault.kind == "truncated" else answer.text
        return verdict

    def _response(self, request: web.Request, answer: Answer, verdict: Verdict) -> web.Response:
        body = answer.text.encode()
        headers = {
            "Content-Type": "text/html" if answer.html else "application/json;charset=UTF-8",
            "Date": formatdate(self._exchange.clock.now() / 1000, usegmt=True),
            "x-mbx-used-weight": str(verdict.used),
            "x-mbx-used-weight-1m": str(verdict.used),
        }
        if verdict.status != 200:
            headers["Retry-After"] = str(verdict.retry_after)
        if self._exchange.config.gzip and len(body) > 256 and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = zlib.compress(body, 1, 31)
            headers["Content-Encoding"], headers["Vary"] = "gzip", "Accept-Encoding"
        return web.Response(body=body, status=answer.status, headers=headers)


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
