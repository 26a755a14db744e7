"""What an answer is said to be empty of was asked for: ccxt cuts some questions short, and tells nobody."""

import functools
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
from aiohttp import web

import candle_core
from candle_ccxt.calls import calling
from candle_ccxt.loading import known
from candle_ccxt.markets import parse_all
from candle_ccxt.paging import Bounded, Heard
from candle_ccxt.provider import CcxtProvider
from candle_core import Candles
from candle_hookspecs import CandleBatch, ConfigError, FetchRequest, Span, to_ms
from candle_testkit.context import make_context
from providers.ccxt.tests.servers import served
from providers.ccxt.tests.test_markets import structure
from providers.ccxt.tests.wires import WIRES

END, BEGINNING, LATEST = (to_ms(day) for day in ("2024-03-11", "2015-01-01", "2030-01-01"))
BY_DAYS: Final = {"bitbank", "ndax"}
"""Who is asked in days, and by the words of a calendar."""
_LIMIT: Final = re.compile(r"(?:limit|size|count|pageSize)\W{1,4}(\d{1,5})\b", re.IGNORECASE)


class Asked(Exception):
    """Instead of an answer."""


def moments(question: str) -> list[int]:
    """The times that it names, in whatever unit."""
    units = {10: 1000, 13: 1, 16: 1 / 1000, 19: 1 / 1_000_000}
    found = [int(int(one) * units[len(one)]) for one in re.findall(r"(?<!\d)\d+(?!\d)", question) if len(one) in units]
    found += [
        to_ms(datetime.fromisoformat(f"{one}Z")) for one in re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", question)
    ]
    return [one for one in found if BEGINNING // 2 < one < LATEST]


async def question_of(exchange: Any, symbol: str, timeframe: str, ask: Any) -> str:
    """What ccxt would send; empty if it cannot."""
    from ccxt.base.errors import BaseError

    asked: list[str] = []

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        asked.append(unquote(f"{url} {body or ''}"))
        raise Asked

    exchange.fetch = fetch
    parameters = {} if ask.until is None else {"until": ask.until}
    try:
        with calling():
            await exchange.fetch_ohlcv(symbol, timeframe, ask.since, ask.limit, parameters)
    except Asked:
        return asked[0]
    except (BaseError, ArithmeticError):  # a key is wanted, or something that a market here has not
        return ""
    raise AssertionError(f"{exchange.id} asked for nothing")


async def test_nothing_is_taken_for_empty_that_was_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssl.create_default_context", functools.cache(ssl.create_default_context))
    seen, short = set(), []
    for name in set(known()) - BY_DAYS:
        try:
            provider = CcxtProvider(CcxtProvider.Settings(), make_context(tmp_path, name))
        except ConfigError:  # it has no candles
            continue
        exchange = provider._site.ccxt
        for kind, symbol in (("spot", "BTC/USDT"), ("swap", "BTC/USDT:USDT")):
            if not exchange.has.get(kind):
                continue
            flags = {"spot": kind == "spot", "swap": kind == "swap", "future": False, "option": False}
            contract = {"contract": True, "linear": True, "inverse": False, "contractSize": 1.0}
            more = {"baseId": "BTC", "quoteId": "USDT", **(contract if kind == "swap" else {"contract": False})}
            exchange.set_markets([structure(symbol, **flags, **more)])
            (market,) = parse_all(exchange.markets.values(), name.upper(), 4)
            for timeframe in provider.capabilities.timeframes:
                step = int(exchange.parse_timeframe(timeframe)) * 1000
                end = END // step * step
                slots = min(provider.capabilities.page_limit, (end - BEGINNING) // step)
                request = FetchRequest(
                    markets=(market,), timeframe=timeframe, span=Span(end - slots * step, end), limit=slots,
                    anchor=provider.capabilities.anchors[0],
                )  # fmt: skip
                if not isinstance(provider.way(market), Bounded):
                    continue
                ask = provider.ask_for(request)
                question = await question_of(exchange, symbol, timeframe, ask)
                told = provider.way(market).read(request, ask, Heard(CandleBatch.empty(), LATEST, 0), step).asserted
                assert told is not None
                named = moments(question)
                if question and not named:
                    short.append((name, symbol, timeframe, question))
                limits = [int(one) for one in _LIMIT.findall(question)]
                if len(named) > 1 and not min(named) <= told.start < told.end - step <= max(named):
                    short.append((name, symbol, timeframe, question))
                if len(named) == 1 and limits and min(limits) * step < told.end - told.start:
                    short.append((name, symbol, timeframe, question))
                seen |= {name} if named else set()
    assert short == []
    assert len(seen) > 50


@asynccontextmanager
async def asking(name: str, listing: Mapping[str, Any], klines: Callable[[web.Request], Any]) -> AsyncIterator[Candles]:
    """The library, and an exchange whose listing is known and whose candles a function makes."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(listing[request.path] if request.path in listing else klines(request))

    async with served(handle) as url:
        table = {"plugin": "ccxt", "rest_url": url, "tradetypes": ["SPOT"], "timeout": 60}
        async with candle_core.open({"storage": {"backend": "memory"}, "providers": {name: table}}) as candles:
            yield candles


async def collected(candles: Candles, name: str, market: str, timeframe: str, start: int, end: int) -> list[int]:
    summary = await candles.collect_candles_only(market, timeframe, exchange=name, start=start, end=end)
    stored = await candles.load(summary.symbol, start=start, end=end)
    times: list[int] = stored.columns()["open_time"].tolist()
    return times


async def test_a_market_that_begins_late_in_a_page_is_found() -> None:
    """MEXC is asked for 500 minutes, whatever number ccxt is given: those behind were taken for empty."""
    begins = END - 300 * 60_000

    def klines(request: web.Request) -> Any:
        first, last = int(request.query["startTime"]), int(request.query["endTime"])
        times = [at for at in range(begins, END, 60_000) if first <= at <= last][: int(request.query["limit"])]
        return [[at, "1", "2", "0.5", "1", "3", at + 59_999, "1"] for at in times]

    listing = {**WIRES["mexc"].answers, "/api/v3/time": {"serverTime": 0}}
    async with asking("mexc", listing, klines) as candles:
        found = await collected(candles, "MEXC", "BTC/USDT", "1m", END - 998 * 60_000, END)
    assert found == list(range(begins, END, 60_000))


@pytest.mark.parametrize(("timeframe", "days", "hours", "every"), [("1m", 1, 0, 1), ("1m", 2, 6, 7), ("1h", 19, 0, 1)])
async def test_an_exchange_that_tells_days_is_asked_for_each(timeframe: str, days: int, hours: int, every: int) -> None:
    """Bitbank: of several days all but one were taken for empty."""
    pair = {
        "name": "btc_jpy", "base_asset": "btc", "quote_asset": "jpy", "unit_amount": "0.0001", "price_digits": 0,
        "amount_digits": 4, "is_enabled": True,
    }  # fmt: skip
    step = {"1m": 60_000, "1h": 3_600_000}[timeframe]
    asked = []

    def klines(request: web.Request) -> Any:
        day = request.path.rpartition("/")[2]
        asked.append(day)
        midnight = to_ms(f"{day[:4]}-{day[4:6]}-{day[6:]}")
        times = [at for at in range(midnight, midnight + 86_400_000, step) if at % (every * step) == 0]
        rows = [["1", "2", "0.5", "1", "3", at] for at in times]
        return {"success": 1, "data": {"candlestick": [{"type": timeframe, "ohlcv": rows}], "timestamp": 0}}

    end = END + hours * 3_600_000
    start = END - days * 86_400_000
    async with asking("bitbank", {"/spot/pairs": {"success": 1, "data": {"pairs": [pair]}}}, klines) as candles:
        found = await collected(candles, "BITBANK", "BTC/JPY", timeframe, start, end)
    assert found == [at for at in range(start, end, step) if at % (every * step) == 0]
    assert len(set(asked)) == days + bool(hours)
