"""Yahoo: routes, the cookie and the crumb that goes with it, refusals. Whatever its host, a path is served here."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from aiohttp import web

from candle_testkit.sandbox.faults import YAHOO_CHART, Fault
from candle_testkit.sandbox.limits import Quota, Verdict
from candle_testkit.sandbox.serving import Answer, Exchange, Wire
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.strike import HTML, Pages
from candle_testkit.sandbox.strike import strike_text as strike_rows_text
from candle_testkit.sandbox.wire import compact
from candle_testkit.sandbox.yahoo_chart import ChartAnswer, chart_rows, chart_text
from candle_testkit.sandbox.yahoo_quotes import quote_fields, quotes_text
from candle_testkit.sandbox.yahoo_request import YahooError, not_found, read
from candle_testkit.sandbox.yahoo_screener import body_of, screen

YAHOO: Final = "YAHOO"
_SCREENER: Final = "/v1/finance/screener"
_CRUMB: Final = "/v1/test/getcrumb"
_QUOTE: Final = "/v7/finance/quote"
_SUMMARY: Final = "/v10/finance/quoteSummary/"
_COOKIE: Final = "A3"
_TOO_MANY: Final = "Edge: Too Many Requests"
# What came with the request that is being answered; aiohttp lets only coroutines read it.
_BODY: Final[ContextVar[bytes]] = ContextVar("body")
_COLUMNS: Final = ("", "open", "high", "low", "close", "volume")
_PHRASES: Final = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}
_CONSENT: Final = (
    '<html><body><form method="post" action="/v2/collectConsent"><input type="hidden" name="csrfToken" value="{0}"/>'
    '<input type="hidden" name="sessionId" value="{0}"/></form></body></html>'
)


class Yahoo(Wire):
    """Answers what yfinance asks of fc, guce, consent, query1 and query2, told apart by their paths."""

    newest_first = False

    def __init__(self, exchange: Exchange, stocks: Stocks) -> None:
        super().__init__(exchange)
        self._stocks = stocks
        self._numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        named = [YAHOO_CHART + "{symbol}", _SUMMARY + "{symbol}"]
        gets = ["/", "/consent", "/copyConsent", _CRUMB, _QUOTE, *named]
        return [
            *(web.get(path, self.handle, allow_head=False) for path in gets),
            *(web.post(path, self.handle) for path in (_SCREENER, "/v2/collectConsent")),
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """As for every wire, once the body is read."""
        _BODY.set(await request.read())
        return await super().handle(request)

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer; every request weighs 1."""
        plain: dict[str, Callable[[web.Request, int], Answer]] = {
            "/": self._cookie, "/consent": self._consent, "/v2/collectConsent": self._consent,
            "/copyConsent": self._cookie, _CRUMB: self._crumb, _SCREENER: self._screen, _QUOTE: self._quotes,
        }  # fmt: skip
        symbol = request.match_info.get("symbol")
        answer = plain.get(request.path, self._chart if request.path.startswith(YAHOO_CHART) else self._summary)
        try:
            return answer(request, now), 1
        except YahooError as error:
            return Answer(error.body, status=error.status, symbol=symbol), 1

    def quota(self, request: web.Request) -> Quota:
        """One counter for all paths."""
        return Quota("yahoo", self.exchange.config.limits.yahoo, 60_000)

    def refusal(self, verdict: Verdict) -> Answer:
        """Always 429 and a line of text; who is banned reads the same for longer."""
        return Answer(_TOO_MANY, status=429, html=True)

    def failure(self, status: int) -> str:
        """An error in the service's own form; 401 is the crumb's."""
        description = "Invalid Crumb" if status == 401 else _PHRASES.get(status, "Error")
        return YahooError(status, _PHRASES.get(status, "Error"), description, "finance").body

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """Nothing is told of limits."""
        return {}

    def params(self, request: web.Request) -> dict[str, str]:
        """The query and, of a search, its page."""
        told = dict(request.query)
        if request.path == _SCREENER:
            try:
                body = body_of(_BODY.get())
            except YahooError:
                return told
            told |= {name: str(body[name]) for name in ("offset", "size", "count") if body.get(name) is not None}
        return told

    def pages(self, symbol: str) -> Pages:
        """The stock that answers to this ticker."""
        return self._stocks.known_as(symbol, self.exchange.clock.now()) or self._stocks[symbol]

    def candles_text(self, answer: Answer) -> str:
        """A chart."""
        assert isinstance(answer, ChartAnswer)
        return chart_text(answer, answer.symbol or "", self.exchange.clock.now())

    def strike_text(self, fault: Fault, text: str) -> str:
        """Columns take the place of rows: one is shorter than the others, or has an element of another kind."""
        if fault.kind not in ("nan", "wrong_shape") or fault.options.get("shape") == "object":
            return strike_rows_text(fault, text)
        body = json.loads(text)
        result = body["chart"]["result"][0]
        columns = result["indicators"]["quote"][0]
        if "timestamp" not in result:
            return text
        if fault.kind == "nan":
            name, row = _COLUMNS[fault.options["column"]], fault.options["row"]
            (columns[name] if name else result["timestamp"])[row] = "NaN"
        elif fault.options["shape"] == "short_row":
            columns["close"].pop()
        else:
            columns["close"][-1] = None
        return compact(body)

    # ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chart(self, request: web.Request, now: int) -> Answer:
        config, symbol = self.exchange.config.yahoo, request.match_info["symbol"].upper()
        if config.chart_crumb:
            self._check_crumb(request)
        stock = self._stocks.known_as(symbol, now)
        if stock is None:
            raise not_found()
        asked = read(request.query, stock, now)
        rows = chart_rows(stock, asked, now, config)
        span = asked.start, asked.end - 1
        answer = ChartAnswer("", rows, symbol, asked.interval, span, stock=stock, request=asked)
        answer.text = self.candles_text(answer)
        return answer

    def _cookie(self, request: web.Request, now: int) -> Answer:
        # Who has one keeps it, and with it the crumb.
        value = request.cookies.get(_COOKIE) or f"d=sandbox{next(self._numbers)}&S=AQAAA"
        status = 404 if request.path == "/" else 200
        text = HTML.format("404 Not Found") if status == 404 else ""
        # Without a domain: that of the real one is not this machine's, and clients would throw it away.
        header = f"{_COOKIE}={value}; Max-Age=31557600; Path=/; HttpOnly"
        return Answer(text, status=status, html=True, headers={"Set-Cookie": header})

    def _consent(self, request: web.Request, now: int) -> Answer:
        return Answer(_CONSENT.format(f"3_cc-session_{next(self._numbers)}"), html=True)

    def _crumb(self, request: web.Request, now: int) -> Answer:
        crumb = _crumb_of(request)
        if crumb is None:
            raise YahooError(401, "Unauthorized", "Invalid Cookie", "finance")
        return Answer(crumb, headers={"Content-Type": "text/plain;charset=utf-8"})

    def _screen(self, request: web.Request, now: int) -> Answer:
        self._check_crumb(request)
        return Answer(screen(self._stocks, body_of(_BODY.get()), now))

    def _quotes(self, request: web.Request, now: int) -> Answer:
        self._check_crumb(request)
        return Answer(quotes_text(self._stocks, request.query.get("symbols", ""), now))

    def _summary(self, request: web.Request, now: int) -> Answer:
        self._check_crumb(request)
        symbol = request.match_info["symbol"].upper()
        stock = self._stocks.known_as(symbol, now)
        if stock is None:
            raise YahooError(404, "Not Found", f"Quote not found for symbol: {symbol}", "quoteSummary")
        told = quote_fields(stock, now)
        kept = {name: told[name] for name in ("exchange", "quoteType", "symbol", "shortName", "longName")}
        kept |= {"timeZoneFullName": told["exchangeTimezoneName"], "firstTradeDateEpochUtc": stock.opened // 1000}
        return Answer(compact({"quoteSummary": {"result": [{"quoteType": kept}], "error": None}}), symbol=symbol)

    @staticmethod
    def _check_crumb(request: web.Request) -> None:
        crumb = _crumb_of(request)
        if crumb is None:
            raise YahooError(401, "Unauthorized", "Invalid Cookie", "finance")
        if request.query.get("crumb") != crumb:
            raise YahooError(401, "Unauthorized", "Invalid Crumb", "finance")


def _crumb_of(request: web.Request) -> str | None:
    """The crumb that belongs to a cookie: eleven characters, dots and slashes among them."""
    cookie = request.cookies.get(_COOKIE)
    if not cookie:
        return None
    return base64.b64encode(hashlib.sha256(cookie.encode()).digest(), b"./").decode()[:11]
