"""Upbit: routes, groups of limits, errors. Newest first, and candles in which nothing was traded are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from candle_testkit.sandbox import upbit_state as state
from candle_testkit.sandbox import upbit_wire as wire
from candle_testkit.sandbox.limits import Quota, Verdict
from candle_testkit.sandbox.market import Market, Rows
from candle_testkit.sandbox.serving import Answer, Wire
from candle_testkit.sandbox.upbit_wire import UpbitError
from candle_testkit.sandbox.wire import array_text, compact

UNITS: Final = {"1": "1m", "3": "3m", "5": "5m", "10": "10m", "15": "15m", "30": "30m", "60": "1h", "240": "4h"}
PERIODS: Final = {"seconds": "1s", "days": "1d", "weeks": "1w", "months": "1M", "years": "1y"}
SECONDS_REACH: Final = 92 * 86_400_000
"""Candles of seconds are kept for the last three months."""

_CAUTIONS: Final = (
    "PRICE_FLUCTUATIONS", "TRADING_VOLUME_SOARING", "DEPOSIT_AMOUNT_SOARING", "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)  # fmt: skip
_MARKETS: Final = "/v1/market/all"
_INSTRUMENTS: Final = "/v1/orderbook/instruments"
_CONVERTED: Final = "converted"
_TOO_MANY: Final = "Too many API requests."


class Upbit(Wire):
    """Answers every request under ``/v1``."""

    newest_first = True

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        paths = [
            _MARKETS,
            _INSTRUMENTS,
            *self._state(),
            "/v1/candles/minutes/{unit}",
            *(f"/v1/candles/{name}" for name in PERIODS),
        ]
        return [web.get(path, self.handle, allow_head=False) for path in paths]

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer; every request weighs 1."""
        try:
            if request.path == _MARKETS:
                return Answer(self._markets(request, now)), 1
            if request.path == _INSTRUMENTS:
                return Answer(self._instruments(request, now)), 1
            if tell := self._state().get(request.path):
                return Answer(tell(request, now)), 1
            return self._candles(request, now), 1
        except UpbitError as error:
            return Answer(error.body, status=error.status), 1

    def quota(self, request: web.Request) -> Quota:
        """A counter for each group; whoever names an origin has another one, and a small one."""
        if "Origin" in request.headers:
            return Quota("origin", 1, 10_000)
        group = request.path.split("/")[2]
        return Quota("crix-trades" if group == "trades" else group, self.exchange.config.limits.group, 1_000)

    def refusal(self, verdict: Verdict) -> Answer:
        """429 in the configured form; 418 says how long it lasts."""
        if verdict.status == 418:
            error = UpbitError(
                f"{_TOO_MANY} This address is blocked for {verdict.retry_after} seconds.", 418, "too_many_requests"
            )
            return Answer(error.body, status=418)
        if self.exchange.config.limits.refusal == "text":
            return Answer(_TOO_MANY, status=429)
        return Answer(UpbitError(_TOO_MANY, 429, "too_many_requests").body, status=429)

    def failure(self, status: int) -> str:
        """An error in the exchange's own form."""
        return UpbitError("server_error", status).body

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """What is left in this second; `min` counts nothing any more."""
        left = max((quota.amount or 10) - verdict.used, 0)
        return {"Remaining-Req": f"group={quota.name}; min={6 if quota.name == 'origin' else 600}; sec={left}"}

    def candles_text(self, answer: Answer) -> str:
        """Rows as the route of their timeframe answers them."""
        market, rows = self.exchange.markets[answer.symbol or ""], answer.rows
        assert rows is not None
        minutes = next((int(unit) for unit, timeframe in UNITS.items() if timeframe == answer.timeframe), None)
        more = {} if answer.timeframe not in ("1w", "1M", "1y") else wire.first_days(rows)
        now = self.exchange.clock.now()
        if answer.timeframe == "1d" and len(rows):
            earlier = market.page("1d", None, int(rows["open_time"][0]) - 1, 1, now)
            more = wire.days_fields(rows, earlier, converted=answer.form == _CONVERTED)
        return wire.candles_text(rows, market.config.symbol, market.synth.shape.key, now, minutes, more)

    # ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _markets(self, request: web.Request, now: int) -> str:
        detailed = wire.flag(request.query, "is_details", "isDetails")
        return array_text(_market_text(market, detailed) for market in self._listed(now).values())

    def _instruments(self, request: web.Request, now: int) -> str:
        listed = self._listed(now)
        names = wire.required(request.query, "markets").split(",")
        if any(name not in listed for name in names):
            raise wire.code_not_found()
        told = [listed[name].config for name in names]
        return compact([
            {"market": one.symbol, "quote_currency": one.quote, "tick_size": one.tick, "supported_levels": ["0"]}
            for one in told
        ])  # fmt: skip

    def _state(self) -> dict[str, Callable[[web.Request, int], str]]:
        """The routes that tell of this moment."""
        return {
            "/v1/ticker": self._tickers, "/v1/ticker/all": self._all_tickers, "/v1/orderbook": self._books,
            "/v1/trades/ticks": self._ticks,
        }  # fmt: skip

    def _tickers(self, request: web.Request, now: int) -> str:
        names = wire.required(request.query, "markets").split(",")
        return array_text(state.ticker_text(market, now) for market in state.chosen(names, self._listed(now)))

    def _all_tickers(self, request: web.Request, now: int) -> str:
        quotes = wire.required(request.query, "quote_currencies").split(",")
        listed = self._listed(now).values()
        return array_text(state.ticker_text(market, now) for market in listed if market.config.quote in quotes)

    def _books(self, request: web.Request, now: int) -> str:
        names = wire.required(request.query, "markets").split(",")
        chosen = state.chosen(names, self._listed(now))
        return array_text(state.book_text(market, now, request.query) for market in chosen)

    def _ticks(self, request: web.Request, now: int) -> str:
        (market,) = state.chosen([wire.required(request.query, "market")], self._listed(now))
        return state.ticks_text(market, self.exchange.deals[market.config.symbol], now, request.query)

    def _candles(self, request: web.Request, now: int) -> Answer:
        query = request.query
        period = request.path.split("/")[3]
        timeframe = PERIODS.get(period) or UNITS.get(request.match_info["unit"])
        if timeframe is None:
            raise UpbitError(wire.BAD_UNIT)
        market = self._listed(now).get(wire.required(query, "market"))
        if market is None:
            raise wire.code_not_found()
        count, before = wire.count(query), wire.before(query, now)
        converted = timeframe == "1d" and bool(query.get("converting_price_unit"))
        if converted and (query["converting_price_unit"] != "KRW" or market.config.quote != "KRW"):
            raise UpbitError(wire.INVALID)
        reach = now - SECONDS_REACH if timeframe == "1s" else 0
        rows = market.page(timeframe, None, before - 1, count, now, reach=reach)
        span = _span(rows, before, full=len(rows) == count)
        answer = Answer("", rows, market.config.symbol, timeframe, span, form=_CONVERTED if converted else "")
        answer.text = self.candles_text(answer)
        return answer

    def _listed(self, now: int) -> dict[str, Market]:
        """The markets that trade now; of the others nothing is said."""
        return {
            name: market
            for name, market in self.exchange.markets.items()
            if market.config.listed_ms <= now < (market.config.delisted_ms or now + 1)
        }


def _span(rows: Rows, before: int, *, full: bool) -> tuple[int, int]:
    """What a true answer tells about, both ends inclusive: from its oldest row, or ever, to where it counts from."""
    return (int(rows["open_time"][0]) if full and len(rows) else 0), before - 1


def _market_text(market: Market, detailed: bool) -> str:
    config = market.config
    told = {"market": config.symbol, "korean_name": f"{config.base} 코인", "english_name": f"{config.base} Coin"}
    if not detailed:
        return compact(told)
    event = {"warning": config.status != "TRADING", "caution": dict.fromkeys(_CAUTIONS, False)}
    return compact({**told, "market_event": event})
