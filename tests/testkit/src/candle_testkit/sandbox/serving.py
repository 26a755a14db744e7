"""What every wire of the sandbox does with a request: weigh, answer, let a fault strike, write down, send."""

from __future__ import annotations

import asyncio
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import ClassVar, Final

from aiohttp import web

from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.config import SandboxConfig
from candle_testkit.sandbox.deals import DealBook
from candle_testkit.sandbox.faults import Fault, FaultDesk
from candle_testkit.sandbox.ledger import Ledger
from candle_testkit.sandbox.limits import Meter, Quota, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.strike import HTML, Pages, strike_rows, strike_text

_HTML_STATUSES: Final = (403, 502, 503, 504)


@dataclass
class Exchange:
    """What every route needs: the markets of one exchange and the state of the running sandbox."""

    config: SandboxConfig
    markets: Mapping[str, Market]
    clock: SandboxClock
    meter: Meter
    faults: FaultDesk
    ledger: Ledger
    started: float
    deals: Mapping[str, DealBook] = field(default_factory=dict)


@dataclass
class Answer:
    """A body on its way out.

    Candles keep their rows, oldest first, so that a fault can change them, and the form of them that was asked for.
    """

    text: str = ""
    rows: Rows | None = None
    symbol: str | None = None
    timeframe: str = ""
    span: tuple[int, int] | None = None
    status: int = 200
    html: bool = False
    form: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Wire(ABC):
    """One exchange's way of speaking. A subclass says what is its own; what a request goes through is here."""

    newest_first: ClassVar[bool]

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._under_way = 0

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """For the application's router; `handle` answers them all."""

    @abstractmethod
    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer, and what it weighs."""

    @abstractmethod
    def quota(self, request: web.Request) -> Quota:
        """The counter that the request is charged to."""

    @abstractmethod
    def candles_text(self, answer: Answer) -> str:
        """The body of an answer's rows."""

    @abstractmethod
    def refusal(self, verdict: Verdict) -> Answer:
        """What one reads who asked too much."""

    @abstractmethod
    def failure(self, status: int) -> str:
        """The body that comes with a status, where it is no web page."""

    @abstractmethod
    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """What the headers say of the limits."""

    def pages(self, symbol: str) -> Pages:
        """Where further rows of a symbol come from."""
        return self.exchange.markets[symbol]

    def params(self, request: web.Request) -> dict[str, str]:
        """What the ledger keeps of a request."""
        return dict(request.query)

    def strike_text(self, fault: Fault, text: str) -> str:
        """The body of candles that is sent in place of the true one."""
        return strike_text(fault, text)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, from latency to the last byte."""
        self._under_way += 1
        try:
            return await self._handle(request, self._under_way)
        finally:
            self._under_way -= 1

    async def _handle(self, request: web.Request, under_way: int) -> web.StreamResponse:
        exchange = self.exchange
        if exchange.config.latency_ms:
            await asyncio.sleep(exchange.config.latency_ms / 1000)
        now, quota = exchange.clock.now(), self.quota(request)
        answer, weight = self.ask(request, now)
        address = request.remote or ""
        verdict = exchange.meter.charge(address, quota, weight, now)
        fault: Fault | None = None
        if verdict.status == 200:
            symbol = answer.symbol or request.query.get("symbol") or request.query.get("market")
            fault = exchange.faults.pick(request.path, symbol, answer.span)
        if fault is not None:
            verdict = await self._strike(fault, answer, address, verdict, now)
        if verdict.status != 200:
            answer = self.refusal(verdict)
        exchange.ledger.record(
            method=request.method, path=request.path, params=self.params(request), weight=weight,
            status=0 if fault and fault.kind == "reset" else answer.status, at=now,
            elapsed=time.monotonic() - exchange.started, address=address, limit=quota.name,
            rows=None if answer.rows is None else len(answer.rows), fault=fault.kind if fault else None,
            under_way=under_way,
        )  # fmt: skip
        if fault and fault.kind == "reset" and request.transport is not None:
            request.transport.abort()
        return self._response(request, answer, self.headers(verdict, quota))

    async def _strike(self, fault: Fault, answer: Answer, address: str, verdict: Verdict, now: int) -> Verdict:
        """Let a fault change the answer, in place, or the verdict."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.options["seconds"])
        elif fault.kind in ("rate_limited", "banned"):
            status, seconds = (418 if fault.kind == "banned" else 429), fault.options["retry_after"]
            if fault.options["persist"]:
                self.exchange.meter.refuse(address, status, seconds, now)
            return Verdict(status, verdict.used, seconds, now + seconds * 1000)
        elif fault.kind in ("html", "status"):
            answer.status, answer.rows = fault.options["status"], None
            answer.html = fault.kind == "html" or answer.status in _HTML_STATUSES
            answer.text = HTML.format(f"{answer.status} sandbox") if answer.html else self.failure(answer.status)
        elif answer.rows is not None and answer.symbol is not None:
            pages = self.pages(answer.symbol)
            answer.rows = strike_rows(fault, answer.rows, pages, answer.timeframe, now, newest_first=self.newest_first)
            answer.text = self.strike_text(fault, self.candles_text(answer))
        else:
            answer.text = strike_text(fault, answer.text) if fault.kind == "truncated" else answer.text
        return verdict

    def _response(self, request: web.Request, answer: Answer, of_limits: Mapping[str, str]) -> web.Response:
        body = answer.text.encode()
        headers = {
            "Content-Type": "text/html" if answer.html else "application/json;charset=UTF-8",
            "Date": formatdate(self.exchange.clock.now() / 1000, usegmt=True),
            **of_limits,
            **answer.headers,
        }
        if self.exchange.config.gzip and len(body) > 256 and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = zlib.compress(body, 1, 31)
            headers["Content-Encoding"], headers["Vary"] = "gzip", "Accept-Encoding"
        return web.Response(body=body, status=answer.status, headers=headers)
