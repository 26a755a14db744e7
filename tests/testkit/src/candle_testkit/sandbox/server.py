"""The sandbox itself: a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from candle_testkit.sandbox.binance import BinanceSpot
from candle_testkit.sandbox.clock import SandboxClock
from candle_testkit.sandbox.config import BINANCE, KRAKEN, OKX, UPBIT, SandboxConfig
from candle_testkit.sandbox.control import Control
from candle_testkit.sandbox.deals import DealBook
from candle_testkit.sandbox.defaults import default_markets
from candle_testkit.sandbox.errors import SandboxError
from candle_testkit.sandbox.faults import FaultDesk
from candle_testkit.sandbox.kraken import Kraken
from candle_testkit.sandbox.ledger import Ledger
from candle_testkit.sandbox.limits import Meter
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.naver import NAVER, Naver
from candle_testkit.sandbox.okx import Okx
from candle_testkit.sandbox.other_markets import default_other_markets
from candle_testkit.sandbox.serving import Exchange, Wire
from candle_testkit.sandbox.stocks import Stock
from candle_testkit.sandbox.stocks_defaults import default_stocks
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.strike import HTML
from candle_testkit.sandbox.traded import TradedMarket
from candle_testkit.sandbox.upbit import Upbit
from candle_testkit.sandbox.upbit_markets import default_upbit_markets
from candle_testkit.sandbox.yahoo import YAHOO, Yahoo

_START_SECONDS = 10.0
_KINDS: Final[dict[str, type[Market]]] = {BINANCE: Market, UPBIT: TradedMarket, KRAKEN: Market, OKX: Market}
_WIRES: Final[dict[str, type[Wire]]] = {BINANCE: BinanceSpot, UPBIT: Upbit, KRAKEN: Kraken, OKX: Okx}


class Sandbox:
    """An exchange to test against. ``with Sandbox() as sandbox: … sandbox.url``.

    As a context manager it serves from a thread with an event loop of its own, so that synchronous and asyncio
    tests use it alike; :meth:`serve` runs it in the caller's loop.

    Attributes:
        config: What it was made of.
        clock: The exchange's clock; may be set and advanced at any time.
        markets: The markets by symbol.
        stocks: The stocks and all that is true of them, in any scale.
        faults: The faults to come; ``faults.script("lying_empty", times=2)``.
        ledger: The truth, and the requests so far.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        chosen = self.config.markets
        others = [*default_upbit_markets(), *default_other_markets()]
        configs = [*default_markets(chosen), *others] if isinstance(chosen, int) else list(chosen)
        self.markets = {one.symbol: _KINDS[one.exchange](one, self.config.seed) for one in configs}
        if len(self.markets) < len(configs):
            raise SandboxError("two markets of the sandbox have the same symbol")
        self.clock = SandboxClock(self.config.clock, self.config.speed)
        self.faults = FaultDesk(self.config.faults)
        listed = self.config.stocks
        stocks = default_stocks(listed) if isinstance(listed, int) else listed
        self.stocks = Stocks((Stock(one, self.config.seed) for one in stocks), self.clock)
        self._deals = {symbol: DealBook(market) for symbol, market in self.markets.items()}
        self.ledger = Ledger(self.markets, self.clock, self.stocks, self._deals)
        self._meters = {name: Meter(self.config.limits) for name in (*_KINDS, YAHOO, NAVER)}
        self._url: str | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT`` of the running server.

        Raises:
            SandboxError: It is not running.
        """
        if self._url is None:
            raise SandboxError("the sandbox is not running; use it as a context manager or call start()")
        return self._url

    def forgive(self) -> None:
        """Forget everything counted and every ban."""
        for meter in self._meters.values():
            meter.forgive()

    def application(self) -> web.Application:
        """The routes, for a server of one's own."""
        started, application = time.monotonic(), web.Application()
        for name, wire in _WIRES.items():
            markets = {symbol: market for symbol, market in self.markets.items() if market.config.exchange == name}
            exchange = Exchange(
                self.config, markets, self.clock, self._meters[name], self.faults, self.ledger, started, self._deals
            )
            application.add_routes(wire(exchange).routes())
        for source, told in ((YAHOO, Yahoo), (NAVER, Naver)):
            exchange = Exchange(self.config, {}, self.clock, self._meters[source], self.faults, self.ledger, started)
            application.add_routes(told(exchange, self.stocks).routes())
        application.add_routes(Control(self.clock, self.faults, self.ledger, self.forgive).routes())
        application.router.add_route("*", "/{path:.*}", _not_found)
        return application

    async def serve(self, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve in the running loop until ``stop`` is set; ``ready`` is called with the URL.

        Raises:
            SandboxError: The port cannot be had.
        """
        family = socket.AF_INET6 if ":" in self.config.host else socket.AF_INET
        try:
            door = socket.create_server((self.config.host, self.config.port), family=family)
        except OSError as error:
            raise SandboxError(f"cannot listen on {self.config.host}:{self.config.port}: {error.strerror}") from error
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.SockSite(runner, door).start()
            host, port = door.getsockname()[:2]
            self._url = f"http://{host}:{port}"
            ready(self._url)
            await stop.wait()
        finally:
            self._url = None
            asyncio.get_running_loop().remove_reader(door)
            for _ in range(3):  # rounds until the runner knows of those who came in just before, and lets them out
                await asyncio.sleep(0)
            await runner.cleanup()

    def start(self) -> Self:
        """Serve from a thread; returns once requests are answered.

        Raises:
            SandboxError: It runs already, or the port cannot be had.
        """
        if self._thread is not None:
            raise SandboxError(f"the sandbox runs already at {self._url}")
        started = threading.Event()
        failure: list[SandboxError] = []

        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            try:
                await self.serve(lambda _: started.set(), self._stop)
            except SandboxError as error:
                failure.append(error)
                started.set()

        self._thread = threading.Thread(target=lambda: asyncio.run(main()), name="candle-sandbox", daemon=True)
        self._thread.start()
        if not started.wait(_START_SECONDS):
            raise SandboxError(f"the sandbox did not start within {_START_SECONDS} s")
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """End the thread and close every connection; harmless when it does not run."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


async def _not_found(_: web.Request) -> web.Response:
    return web.Response(text=HTML.format("404 Not Found"), status=404, content_type="text/html")
