"""Kraken: the newest 720 candles, whatever is asked for; trades on from a moment.

Forms of requests and answers: https://docs.kraken.com/api, "Spot REST", and the comments of ccxt's class for it.
Errors come with status 200.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from candle_testkit.sandbox import kraken_state as state
from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.faults import KRAKEN_CANDLES, Fault
from candle_testkit.sandbox.limits import Quota, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.serving import Answer, Wire
from candle_testkit.sandbox.strike import strike_text
from candle_testkit.sandbox.wire import compact, decimal

INTERVALS: Final = {
    "1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "240": "4h", "1440": "1d", "10080": "1w",
}  # fmt: skip
NEWEST: Final = 720

_PAIRS: Final = "/0/public/AssetPairs"
_ASSETS: Final = "/0/public/Assets"
_TIME: Final = "/0/public/Time"
_TICKER: Final = "/0/public/Ticker"
_DEPTH: Final = "/0/public/Depth"
_TRADES: Final = "/0/public/Trades"
_PATHS: Final = (_PAIRS, _ASSETS, _TIME, KRAKEN_CANDLES, _TICKER, _DEPTH, _TRADES)
_OLD_NAMES: Final = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
"""Assets of the first years, with a letter for coins or for money before their name."""
_WHOLE: Final = ("truncated",)


class Kraken(Wire):
    """Answers every request under ``/0/public``."""

    newest_first = False

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [web.get(path, self.handle, allow_head=False) for path in _PATHS]

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer; every request weighs 1."""
        if request.path == _PAIRS:
            return Answer(_result({name: _pair(market, now) for name, market in self.exchange.markets.items()})), 1
        if request.path == _ASSETS:
            return Answer(_result(self._assets())), 1
        if request.path == _TIME:
            return Answer(_result({"unixtime": now // 1000})), 1
        if request.path == KRAKEN_CANDLES:
            return self._candles(request.query, now), 1
        return self._present(request.path, request.query, now), 1

    def quota(self, request: web.Request) -> Quota:
        """Counted and never refused."""
        return Quota("kraken", None, 1_000)

    def candles_text(self, answer: Answer) -> str:
        """Rows in seconds, under the pair's name."""
        rows = answer.rows
        assert rows is not None
        last = int(rows["open_time"][-2]) // 1000 if len(rows) > 1 else 0
        return _result({answer.symbol: [_row(row) for row in rows], "last": last})

    def strike_text(self, fault: Fault, text: str) -> str:
        """A fault concerns the rows inside; a cut, all of it."""
        if fault.kind in _WHOLE:
            return strike_text(fault, text)
        told = json.loads(text)
        pair = next(iter(told["result"]))
        told["result"][pair] = json.loads(strike_text(fault, json.dumps(told["result"][pair])))
        return compact(told)

    def refusal(self, verdict: Verdict) -> Answer:
        """An error like any other, but a ban."""
        return Answer(_error("EGeneral:Too many requests"), status=200 if verdict.status == 429 else verdict.status)

    def failure(self, status: int) -> str:
        """An error in the exchange's own form."""
        return _error("EGeneral:Internal error")

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """Nothing of limits."""
        return {}

    def _candles(self, query: Mapping[str, str], now: int) -> Answer:
        market, timeframe = self.exchange.markets.get(query.get("pair", "")), INTERVALS.get(query.get("interval", "1"))
        if market is None or market.config.listed_ms > now:
            return Answer(_error("EQuery:Unknown asset pair"))
        since = query.get("since", "0")
        if timeframe is None or not since.lstrip("-").isdecimal():
            return Answer(_error("EGeneral:Invalid arguments"))
        rows = market.page(timeframe, None, None, NEWEST, now)
        # Those not later than `since` are left out; the last one, still open, is there in any case.
        kept = rows[(rows["open_time"] > int(since) * 1000) | (rows["open_time"] == rows["open_time"][-1:])]
        span = (int(kept["open_time"][0]) if len(kept) else 0), now
        answer = Answer("", kept, market.config.symbol, timeframe, span)
        answer.text = self.candles_text(answer)
        return answer

    def _present(self, path: str, query: Mapping[str, str], now: int) -> Answer:
        """Tickers, a book or trades. Without a name all tickers; an unknown one spoils the answer for the others."""
        listed = {name: one for name, one in self.exchange.markets.items() if one.config.listed_ms <= now}
        names = query["pair"].split(",") if "pair" in query else list(listed)
        if not all(name in listed for name in names) or (path != _TICKER and "pair" not in query):
            return Answer(_error("EQuery:Unknown asset pair"))
        if path == _TICKER:
            return Answer(_result({name: state.ticker(listed[name], now) for name in names}))
        try:
            if path == _DEPTH:
                levels = state.whole(query, "count", state.BOOK_LEVELS)
                return Answer(_result({names[0]: state.depth(listed[names[0]], now, levels or state.BOOK_LEVELS)}))
            since, count = state.whole(query, "since", None), state.whole(query, "count", state.MOST_TRADES)
        except ValueError:
            return Answer(_error("EGeneral:Invalid arguments"))
        deals = self.exchange.deals[names[0]]
        text = state.trades_text(names[0], deals, now, since, count or state.MOST_TRADES)
        return Answer('{"error":[],"result":' + text + "}")

    def _assets(self) -> dict[str, Any]:
        markets = self.exchange.markets.values()
        names = sorted({name for market in markets for name in (market.config.base, market.config.quote)})
        return {
            _native(name): {"aclass": "currency", "altname": _short(name), "decimals": 10, "display_decimals": 5,
                            "status": "enabled"}
            for name in names
        }  # fmt: skip


def _native(asset: str) -> str:
    return _OLD_NAMES.get(asset, asset)


def _short(asset: str) -> str:
    return "XBT" if asset == "BTC" else asset


def _pair(market: Market, now: int) -> dict[str, Any]:
    config = market.config
    base, quote = _short(config.base), _short(config.quote)
    return {
        "altname": base + quote, "wsname": f"{base}/{quote}", "aclass_base": "currency", "base": _native(config.base),
        "aclass_quote": "currency", "quote": _native(config.quote), "lot": "unit",
        "pair_decimals": _places(config.tick_units), "lot_decimals": _places(config.step_units), "lot_multiplier": 1,
        "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": config.step,
        "costmin": "0.5", "tick_size": config.tick,
        "status": "online" if config.status_at(now) == "TRADING" else "cancel_only",
    }  # fmt: skip


def _places(units: int) -> int:
    """Decimals of a step in units of 1e-8."""
    return 8 - (len(str(units)) - len(str(units).rstrip("0")))


def _row(row: Rows) -> list[Any]:
    volume, quote = int(row["volume"]), int(row["quote_volume"])
    mean = quote * UNITS // volume if volume else int(row["close"])
    prices = [decimal(int(row[name])) for name in ("open", "high", "low", "close")]
    return [int(row["open_time"]) // 1000, *prices, decimal(mean), decimal(volume), int(row["trades"])]


def _result(result: Any) -> str:
    return compact({"error": [], "result": result})


def _error(text: str) -> str:
    return compact({"error": [text]})
