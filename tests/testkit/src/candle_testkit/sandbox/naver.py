"""Naver: the days of one Korean stock as XML, in the shares of now and whole won, the newest at the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

import numpy as np
from aiohttp import web

from candle_testkit.sandbox.checking import UNITS
from candle_testkit.sandbox.faults import NAVER_DAYS, Fault
from candle_testkit.sandbox.limits import Quota, Verdict
from candle_testkit.sandbox.market import Rows
from candle_testkit.sandbox.serving import Answer, Exchange, Wire
from candle_testkit.sandbox.stocks import Stock
from candle_testkit.sandbox.stocks_ledger import Stocks
from candle_testkit.sandbox.strike import HTML, Pages
from candle_testkit.sandbox.synth import Ints

NAVER: Final = "NAVER"
MOST: Final = 6000
_ENDINGS: Final = (".KS", ".KQ")
_COLUMNS: Final = ("open", "high", "low", "close")
_SEOUL: Final = timezone(timedelta(hours=9))
_DOCUMENT: Final = (
    '<?xml version="1.0" encoding="EUC-KR" ?>\n<protocol>\n<chartdata symbol="{symbol}" name="{name}" count="{count}" '
    'timeframe="day" precision="0" origintime="{origin}" >\n{items}</chartdata>\n</protocol>\n'
)
_ITEM: Final = '<item data="{}" />\n'


@dataclass(kw_only=True)
class DaysAnswer(Answer):
    """Rows in prices as traded; the text is made of them, so that a fault can change them before.

    Attributes:
        idle: opens of sessions without a trade, which are told without prices but the last close.
    """

    stock: Stock
    idle: Ints
    count: int


class Naver(Wire):
    """Answers what FinanceDataReader asks of fchart.stock.naver.com."""

    newest_first = True

    def __init__(self, exchange: Exchange, stocks: Stocks) -> None:
        super().__init__(exchange)
        self._stocks = stocks

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [web.get(NAVER_DAYS, self.handle, allow_head=False)]

    def ask(self, request: web.Request, now: int) -> tuple[Answer, int]:
        """The true answer; every request weighs 1. Nothing is known of an unknown code, or of another timeframe."""
        code, asked = request.query.get("symbol", ""), request.query.get("count", "")
        count = min(int(asked), MOST) if asked.isdecimal() else 0
        stock = self._stock(code, now)
        headers = {"Content-Type": "text/xml;charset=EUC-KR"}
        if stock is None or request.query.get("timeframe") != "day":
            return Answer(_DOCUMENT.format(symbol=code, name="", count=count, origin="", items=""), headers=headers), 1
        first, stop = stock.numbers(stock.opened, now + 1)
        opens = stock.place.sessions.opens[max(first, stop - count) : stop]
        rows = stock.rows("1d", int(opens[0]), now + 1, now) if len(opens) else stock.rows("1d", 0, 0, now)
        answer = DaysAnswer(
            "", rows, stock.config.symbol, "1d", (int(opens[0]), now) if len(opens) else None, headers=headers,
            stock=stock, idle=np.setdiff1d(opens, rows["open_time"]), count=count,
        )  # fmt: skip
        answer.text = self.candles_text(answer)
        return answer, 1

    def quota(self, request: web.Request) -> Quota:
        """Counted and never refused: nothing is known of its limits."""
        return Quota("naver", None, 60_000)

    def refusal(self, verdict: Verdict) -> Answer:
        """A web page."""
        return Answer(HTML.format("429 Too Many Requests"), status=429, html=True)

    def failure(self, status: int) -> str:
        """A web page, too."""
        return HTML.format(f"{status} sandbox")

    def headers(self, verdict: Verdict, quota: Quota) -> dict[str, str]:
        """Nothing is told of limits."""
        return {}

    def pages(self, symbol: str) -> Pages:
        """The stock under Yahoo's ticker."""
        return self._stocks[symbol]

    def candles_text(self, answer: Answer) -> str:
        """The document, in the shares of now."""
        assert isinstance(answer, DaysAnswer)
        assert answer.rows is not None
        stock, now = answer.stock, self.exchange.clock.now()
        items = "".join(_ITEM.format(item) for item in _items(stock, answer.rows, answer.idle, now))
        code, origin = stock.config.symbol.split(".")[0], _day(stock.opened)
        return _DOCUMENT.format(symbol=code, name=stock.config.name, count=answer.count, origin=origin, items=items)

    def strike_text(self, fault: Fault, text: str) -> str:
        """The last row loses a column, or has one of another kind; as an object, all of it is JSON."""
        if fault.kind == "truncated":
            return text[: int(len(text) * fault.options["keep"])]
        if fault.kind not in ("nan", "wrong_shape") or "<item" not in text:
            return text
        if fault.options.get("shape") == "object":
            return '{"rows": []}'
        before, after = text[: text.rindex('data="') + 6], text[text.rindex('" />') :]
        columns = text[len(before) : -len(after)].split("|")
        if fault.kind == "nan":
            columns[fault.options["column"]] = "NaN"
        elif fault.options["shape"] == "short_row":
            columns.pop()
        else:
            columns[4] = "null"
        return before + "|".join(columns) + after

    def _stock(self, code: str, now: int) -> Stock | None:
        known = (self._stocks.known_as(code + ending, now) for ending in _ENDINGS)
        return next((stock for stock in known if stock is not None), None)


def _items(stock: Stock, rows: Rows, idle: Ints, now: int) -> list[str]:
    """``day|open|high|low|close|volume`` of each row, and of the idle days between them."""
    factors = stock.actions.split_factors(np.minimum(rows["close_time"], now), now)
    prices = np.stack([np.rint(rows[name] / UNITS * factors).astype(np.int64) for name in _COLUMNS], axis=-1)
    volumes = np.rint(rows["volume"] / UNITS / factors).astype(np.int64)
    times = rows["open_time"].tolist()
    items = [
        f"{_day(time)}|{'|'.join(map(str, told))}|{volume}"
        for time, told, volume in zip(times, prices.tolist(), volumes.tolist(), strict=True)
    ]
    for opened in idle.tolist():
        place = int(np.searchsorted(np.array(times), opened))
        if 0 < place < len(times):
            last = items[place - 1].split("|")[4]
            times.insert(place, opened)
            items.insert(place, f"{_day(opened)}|0|0|0|{last}|0")
    return items


def _day(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, _SEOUL).strftime("%Y%m%d")
