"""OKX: cursors. Rows lie between ``before`` and ``after``, both left out, the newest of them first.

Forms of requests and answers: https://www.okx.com/docs-v5/en, "Market Data", and the comments of ccxt's class for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from candle_testkit.sandbox import okx_state as state
from candle_testkit.sandbox.faults import OKX_CANDLES, OKX_HISTORY, Fault
from candle_testkit.sandbox.limits import Quota, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.serving import Answer, Wire
from candle_testkit.sandbox.strike import strike_text
from candle_testkit.sandbox.wire import compact, decimal

BARS: Final = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "2H": "2h", "4H": "4h",
    "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d", "1Wutc": "1w", "1Mutc": "1M",
}  # fmt: skip
"""Without ``utc`` the longer ones open by the clock of Hong Kong; those are not here."""
LIMIT: Final = 300
RECENT: Final = 1_440
"""So many of the newest are told by ``candles``; what is older, by ``history-candles``."""

_INSTRUMENTS: Final = "/api/v5/public/instruments"
_TIME: Final = "/api/v5/public/time"
_TICKERS: Final = "/api/v5/market/tickers"
_TICKER: Final = "/api/v5/market/ticker"
_BOOKS: Final = "/api/v5/market/books"
_TRADES: Final = "/api/v5/market/trades"
_OLDER_TRADES: Final = "/api/v5/market/history-trades"
_PATHS: Final = (
    _INSTRUMENTS, _TIME, OKX_CANDLES, OKX_HISTORY, _TICKERS, _TICKER, _BOOKS, _TRADES, _OLDER_TRADES,
)  # fmt: skip
_UNKNOWN: Final = ("51001", "Instrument ID doesn't exist.")


class Okx(Wire):
    """Answers every request under ``/api/v5``."""

    newest_first = True

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [web.get(path, self.handle, allow_head=False) for path in _PATHS]

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer; every request weighs 1."""
        if request.path == _TIME:
            return Answer(_data([{"ts": str(now)}])), 1
        if request.path in (_INSTRUMENTS, _TICKERS):
            listed = self._of_kind(request.query.get("instType", ""), now)
            if request.path == _INSTRUMENTS:
                return Answer(_data([state.instrument(market) for market in listed])), 1
            return Answer(_data([state.ticker(market, now) for market in listed])), 1
        if request.path in (OKX_CANDLES, OKX_HISTORY):
            return self._candles(request.query, now, recent=request.path == OKX_CANDLES), 1
        return self._present(request.path, request.query, now), 1

    def quota(self, request: web.Request) -> Quota:
        """Each path has its own, counted and never refused."""
        return Quota(request.path.rpartition("/")[2], None, 2_000)

    def candles_text(self, answer: Answer) -> str:
        """Rows of text, newest first."""
        assert answer.rows is not None
        now = self.exchange.clock.now()
        market = self.exchange.markets[answer.symbol or ""]
        return _data([_row(market, row, now) for row in answer.rows[::-1]])

    def strike_text(self, fault: Fault, text: str) -> str:
        """A fault concerns the rows inside; a cut, all of it."""
        if fault.kind == "truncated":
            return strike_text(fault, text)
        told = json.loads(text)
        told["data"] = json.loads(strike_text(fault, json.dumps(told["data"])))
        return compact(told)

    def refusal(self, verdict: Verdict) -> Answer:
        """Code 50011."""
        return Answer(_error("50011", "Too Many Requests"), status=verdict.status)

    def failure(self, status: int) -> str:
        """An error in the exchange's own form."""
        return _error("50001", "Service temporarily unavailable. Try again later")

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """Nothing of limits."""
        return {}

    def _of_kind(self, kind: str, now: int) -> list[Market]:
        return [one for one in self.exchange.markets.values() if _live(one, now) and state.kind_of(one) == kind]

    def _present(self, path: str, query: Mapping[str, str], now: int) -> Answer:
        """A ticker, a book or trades of one market."""
        market = self.exchange.markets.get(query.get("instId", ""))
        if market is None or not _live(market, now):
            return Answer(_error(*_UNKNOWN))
        deals = self.exchange.deals[market.config.symbol]
        try:
            if path == _TICKER:
                return Answer(_data([state.ticker(market, now)]))
            if path == _BOOKS:
                return Answer(_data([state.books(market, now, query)]))
            told = state.newest_trades if path == _TRADES else state.older_trades
            return Answer(_data(told(market, deals, now, query)))
        except ValueError:
            return Answer(_error("51000", "Parameter error"), status=400)

    def _candles(self, query: Mapping[str, str], now: int, *, recent: bool) -> Answer:
        market, timeframe = self.exchange.markets.get(query.get("instId", "")), BARS.get(query.get("bar", "1m"))
        if market is None or not _live(market, now):
            return Answer(_error(*_UNKNOWN))
        given = {name: query[name] for name in ("before", "after", "limit") if name in query}
        if timeframe is None or not all(value.isdecimal() for value in given.values()):
            return Answer(_error("51000", "Parameter bar error"), status=400)
        count = min(int(given.get("limit", "100")), LIMIT)
        last = int(given["after"]) - 1 if "after" in given else now
        rows = market.page(timeframe, None, last, count, now)
        kept = rows[rows["open_time"] > int(given.get("before", "-1"))]
        if recent:
            newest = market.page(timeframe, None, None, RECENT, now)
            kept = kept[kept["open_time"] >= newest["open_time"][0]] if len(newest) else kept[:0]
        start = int(rows["open_time"][0]) if len(rows) == count else 0
        answer = Answer(
            "", kept, market.config.symbol, timeframe, (max(start, int(given.get("before", "-1")) + 1), last)
        )
        answer.text = self.candles_text(answer)
        return answer


def _live(market: Market, now: int) -> bool:
    config = market.config
    return config.listed_ms <= now < (config.delisted_ms or now + 1)


def _row(market: Market, row: Rows, now: int) -> list[str]:
    """Of contracts, the first volume counts contracts, the second coins and the third the quote."""
    prices = [decimal(int(row[name])) for name in ("open", "high", "low", "close")]
    volume, quote = int(row["volume"]), decimal(int(row["quote_volume"]))
    second = quote if state.kind_of(market) == state.SPOT else decimal(volume)
    confirmed = "1" if int(row["close_time"]) < now else "0"
    return [str(int(row["open_time"])), *prices, state.counted(market, volume), second, quote, confirmed]


def _data(data: list[Any]) -> str:
    return compact({"code": "0", "msg": "", "data": data})


def _error(code: str, message: str) -> str:
    return compact({"code": code, "msg": message, "data": []})
