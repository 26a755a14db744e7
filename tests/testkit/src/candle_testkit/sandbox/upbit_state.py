"""Upbit's tickers, order books and trades as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from multidict import MultiMapping

from candle_testkit.sandbox import upbit_wire as wire
from candle_testkit.sandbox.books import book, past_day
from candle_testkit.sandbox.deals import DealBook
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.upbit_wire import UpbitError
from candle_testkit.sandbox.wire import array_text, decimal

LEVELS: Final = 30
MOST_TRADES: Final = 500
DAYS_BACK: Final = 7
_DAY_MS: Final = 86_400_000
_KST_MS: Final = 9 * 3_600_000
_WITHIN_MS: Final = 10_000
"""A trade's sequential id is its millisecond and, in four digits, which one of that millisecond it is."""


def ticker_text(market: Market, now: int) -> str:
    """One object of ``/v1/ticker``. Opening, high and low are of the last day that traded, volumes of 24 hours too."""
    days = market.page("1d", None, now, 2, now)
    day, past = days[-1], past_day(market, now)
    opened, last = int(day["open_time"]), int(day["close"])
    before = int(days[0]["close"]) if len(days) > 1 else int(day["open"])
    change, stamp = last - before, wire.clock_text(now - 1000)
    kst = wire.clock_text(now - 1000 + _KST_MS)
    fields = {
        "market": f'"{market.config.symbol}"',
        "trade_date": f'"{wire.clock_text(opened)[:10].replace("-", "")}"',
        "trade_time": f'"{stamp[11:].replace(":", "")}"',
        "trade_date_kst": f'"{kst[:10].replace("-", "")}"',
        "trade_time_kst": f'"{kst[11:].replace(":", "")}"',
        "trade_timestamp": str(now - 1000),
        "opening_price": decimal(int(day["open"])),
        "high_price": decimal(int(day["high"])),
        "low_price": decimal(int(day["low"])),
        "trade_price": decimal(last),
        "prev_closing_price": decimal(before),
        "change": '"RISE"' if change > 0 else '"FALL"' if change < 0 else '"EVEN"',
        "change_price": decimal(abs(change)),
        "change_rate": f"{abs(change) / before:.10f}",
        "signed_change_price": decimal(change),
        "signed_change_rate": f"{change / before:.10f}",
        "trade_volume": decimal(market.config.step_units),
        "acc_trade_price": decimal(int(day["quote_volume"])),
        "acc_trade_price_24h": decimal(past["quote_volume"]),
        "acc_trade_volume": decimal(int(day["volume"])),
        "acc_trade_volume_24h": decimal(past["volume"]),
        "timestamp": str(now),
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"


def book_text(market: Market, now: int, query: MultiMapping[str]) -> str:
    """One object of ``/v1/orderbook``: a unit has a level of either side, zero where there is none."""
    count = min(_number(query, "count", LEVELS), LEVELS)
    bids, asks = (side.tolist() for side in book(market, now, count))
    pairs = [
        (asks[place] if place < len(asks) else (0, 0), bids[place] if place < len(bids) else (0, 0))
        for place in range(count)
    ]
    units = [
        f'{{"ask_price":{decimal(ask)},"bid_price":{decimal(bid)},"ask_size":{decimal(offered)},"bid_size":{decimal(wanted)}}}'
        for (ask, offered), (bid, wanted) in pairs
    ]
    total = [decimal(sum(amount for _, amount in side)) for side in (asks, bids)]
    return (
        f'{{"market":"{market.config.symbol}","timestamp":{now},"total_ask_size":{total[0]},"total_bid_size":{total[1]},'
        f'"orderbook_units":{array_text(units)},"level":0}}'
    )


def ticks_text(market: Market, deals: DealBook, now: int, query: MultiMapping[str]) -> str:
    """The body of ``/v1/trades/ticks``: the newest trades of one day of UTC, newest first.

    Raises:
        UpbitError: as the exchange answers.
    """
    count, back = min(_number(query, "count", 1), MOST_TRADES), _number(query, "days_ago", 0)
    if back > DAYS_BACK:
        raise UpbitError(wire.INVALID)
    newest = deals.newest(now, 1, 0)
    today = int(newest["at"][-1]) // _DAY_MS if not back and len(newest) else now // _DAY_MS - back
    start, end = today * _DAY_MS, min((today + 1) * _DAY_MS, now)
    if query.get("to"):
        end = min(end, start + _time_of_day(query["to"]))
    behind = _number(query, "cursor", 0)
    if behind:
        end = min(end, behind // _WITHIN_MS + 1)
    # Those of the cursor's own millisecond may all have to be left out.
    found = deals.newest(end, count + _same_moment(deals, end) if behind else count, start).tolist()
    numbered = [
        (at * _WITHIN_MS + number % _WITHIN_MS, at, price, amount, bought)
        for number, at, price, amount, bought in found
    ]
    if behind:
        numbered = [one for one in numbered if one[0] < behind][-count:]
    days = market.page("1d", None, start - 1, 1, now)
    before = int(days[-1]["close"]) if len(days) else 0
    return array_text(_tick_text(market, before, *one) for one in reversed(numbered))


def chosen(names: Sequence[str], listed: dict[str, Market]) -> list[Market]:
    """The markets of these names; one that is not there spoils the answer for all.

    Raises:
        UpbitError: 404.
    """
    if any(name not in listed for name in names):
        raise wire.code_not_found()
    return [listed[name] for name in names]


def _tick_text(market: Market, before: int, sequence: int, at: int, price: int, amount: int, bought: int) -> str:
    moment = wire.clock_text(at)
    return (
        f'{{"market":"{market.config.symbol}","trade_date_utc":"{moment[:10]}","trade_time_utc":"{moment[11:]}",'
        f'"timestamp":{at},"trade_price":{decimal(price)},"trade_volume":{decimal(amount)},'
        f'"prev_closing_price":{decimal(before)},"change_price":{decimal(price - before)},'
        f'"ask_bid":"{"BID" if bought else "ASK"}","sequential_id":{sequence}}}'
    )


def _same_moment(deals: DealBook, end: int) -> int:
    return len(deals.between(end - 1, end))


def _number(query: MultiMapping[str], name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    if not text.isdecimal():
        raise UpbitError(wire.MISTYPED)
    if int(text) < 1:
        raise UpbitError(wire.INVALID)
    return int(text)


def _time_of_day(text: str) -> int:
    digits = text.replace(":", "")
    if len(digits) != 6 or not digits.isdecimal():
        raise UpbitError(wire.INVALID)
    hours, minutes, seconds = (int(digits[place : place + 2]) for place in (0, 2, 4))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise UpbitError(wire.INVALID)
    return (hours * 3600 + minutes * 60 + seconds) * 1000
