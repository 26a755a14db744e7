"""Orders to a running sandbox over HTTP, for tests whose sandbox lives in another process: ``/sandbox/…``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from candle_testkit.sandbox.clock import SandboxClock, to_ms
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.faults import Fault, FaultDesk
from candle_testkit.sandbox.ledger import Ledger

_Handler = Callable[[web.Request], Awaitable[Any]]


class Control:
    """Reads and changes clock, faults, limits and the request log; none of it is weighed or logged."""

    def __init__(self, clock: SandboxClock, faults: FaultDesk, ledger: Ledger, forgive: Callable[[], None]) -> None:
        self._clock, self._faults, self._ledger, self._forgive = clock, faults, ledger, forgive

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [
            web.get("/sandbox/clock", _json(self.clock)),
            web.post("/sandbox/clock", _json(self.set_clock)),
            web.get("/sandbox/faults", _json(self.faults)),
            web.post("/sandbox/faults", _json(self.add_faults)),
            web.delete("/sandbox/faults", _json(self.clear_faults)),
            web.get("/sandbox/requests", _json(self.requests)),
            web.delete("/sandbox/requests", _json(self.clear_requests)),
            web.get("/sandbox/candles", _json(self.candles)),
            web.delete("/sandbox/limits", _json(self.forgive)),
        ]

    async def clock(self, _: web.Request) -> Any:
        """``{"now": ms, "speed": x}``."""
        return {"now": self._clock.now(), "speed": self._clock.speed}

    async def set_clock(self, request: web.Request) -> Any:
        """``{"set": ms or ISO, "advance": ms, "speed": x}``, each optional."""
        order = await _order(request, {"set", "advance", "speed"})
        if "set" in order:
            self._clock.set(to_ms(order["set"]))
        if "advance" in order:
            self._clock.advance(_number(order, "advance"))
        if "speed" in order:
            self._clock.set_speed(_number(order, "speed"))
        return await self.clock(request)

    async def faults(self, _: web.Request) -> Any:
        """The scripted faults that are not spent."""
        return self._faults.waiting()

    async def add_faults(self, request: web.Request) -> Any:
        """A scripted fault ``{"kind": …, "times": …, …options}``, or ``{"rates": {kind: share}}``."""
        order = await _order(request, None)
        if "rates" in order:
            self._faults.rates(order["rates"], order.get("seed"))
        else:
            fault = Fault.from_mapping(order)
            self._faults.script(fault.kind, fault.times, fault.symbol, at=fault.at, path=fault.path, **fault.options)
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> Any:
        """No more faults."""
        self._faults.clear()
        return await self.faults(request)

    async def requests(self, request: web.Request) -> Any:
        """``{"count": n, "requests": […]}``; ``?path=`` selects."""
        chosen = self._ledger.requests(request.query.get("path"))
        return {"count": len(chosen), "requests": [asdict(one) for one in chosen]}

    async def clear_requests(self, request: web.Request) -> Any:
        """Forget the requests so far."""
        self._ledger.clear()
        return await self.requests(request)

    async def candles(self, request: web.Request) -> Any:
        """The truth as columns of integers; ``?symbol=&timeframe=&start=&end=``, decimals in units of 1e-8."""
        query = request.query
        try:
            start, end = int(query["start"]), int(query["end"])
            symbol, timeframe = query["symbol"], query["timeframe"]
        except (KeyError, ValueError) as error:
            raise SandboxError(f"give symbol, timeframe, start and end in ms; {error} is missing or wrong") from error
        rows = self._ledger.rows(symbol, timeframe, start, end, include_open=query.get("open") == "true")
        return {name: rows[name].tolist() for name in rows.dtype.names or ()}

    async def forgive(self, _: web.Request) -> Any:
        """Forget every weight counted and every ban."""
        self._forgive()
        return {}


def _json(handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except SandboxError as error:
            return web.json_response({"error": str(error)}, status=400)

    return answer


async def _order(request: web.Request, known: set[str] | None) -> dict[str, Any]:
    try:
        order = await request.json()
    except json.JSONDecodeError as error:
        raise SandboxError(f"the body is not JSON: {error}") from error
    if not isinstance(order, dict):
        raise SandboxError(f"the body must be a JSON object, not {order!r}")
    for name in order:
        if known is not None and name not in known:
            raise SandboxError(f"unknown key {name!r}; known are {', '.join(sorted(known))}")
    return order


def _number(order: dict[str, Any], name: str) -> Any:
    if isinstance(order[name], bool) or not isinstance(order[name], (int, float)):
        raise SandboxError(f"{name} {order[name]!r} is not a number")
    return order[name]
