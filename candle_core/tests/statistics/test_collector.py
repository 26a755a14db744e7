"""Calls as they are counted, without any exchange."""

import asyncio
import time
from collections.abc import Mapping

import pytest

from candle_core.statistics import Collector
from candle_core.statistics.counts import Counts, Key
from candle_hookspecs import (
    CallStatistics,
    Kind,
    MalformedAnswerError,
    MarketGoneError,
    RateLimitedError,
    TransientError,
)


def only(collector: Collector) -> CallStatistics:
    (entry,) = collector.told()
    return entry


def test_an_answer() -> None:
    collector = Collector()
    with collector.call("binance", Kind.CANDLES, {"weight": 2}) as call:
        time.sleep(0.02)
        call.answered(1_000, 90_000)
    told = only(collector)
    assert (told.exchange, told.kind, told.calls, told.rows, told.size) == ("BINANCE", "candles", 1, 1_000, 90_000)
    assert (told.spent, told.errors, told.retries, told.pauses, told.hits) == ({"weight": 2}, {}, 0, 0, 0)
    assert told.p50 == told.p99
    assert told.p50 == pytest.approx(told.seconds, rel=0.02)
    assert told.seconds >= 0.02


def test_exchanges_and_kinds_are_counted_apart() -> None:
    collector = Collector()
    for exchange, kind in (("upbit", Kind.TICKERS), ("binance", "markets"), ("binance", Kind.CANDLES)):
        with collector.call(exchange, kind):
            pass
    collector.hit("upbit", Kind.TICKERS)
    collector.hit("upbit", Kind.ORDERBOOKS, 3)
    assert [(entry.exchange, entry.kind, entry.calls, entry.hits) for entry in collector.told()] == [
        ("BINANCE", "candles", 1, 0),
        ("BINANCE", "markets", 1, 0),
        ("UPBIT", "orderbooks", 0, 3),
        ("UPBIT", "tickers", 1, 1),
    ]


def test_how_often_a_cache_had_what_was_wanted() -> None:
    collector = Collector()
    for hit in (False, True, True, True):
        collector.looked_up("market:info:binance", hit)
    collector.looked_up("precision:cache:upbit", False)
    collector.looked_up("supported:exchanges", False)  # nobody's
    collector.hit("upbit", Kind.TICKERS, 1, misses=2)
    told = {(entry.exchange, entry.kind): (entry.hits, entry.misses, entry.hit_rate) for entry in collector.told()}
    assert told == {
        ("BINANCE", "markets"): (3, 1, 0.75),
        ("UPBIT", "precision"): (0, 1, 0),
        ("UPBIT", "tickers"): (1, 2, 1 / 3),
    }
    assert CallStatistics(exchange="X", kind="candles").hit_rate is None


def test_an_error_is_counted_once_by_its_type_and_has_no_latency() -> None:
    collector, error = Collector(), TransientError("reset")
    with pytest.raises(TransientError), collector.call("binance", "candles"):
        raise error
    assert collector.failed(error) == "candles"
    told = only(collector)
    assert (told.calls, told.errors, told.p50, told.retries) == (1, {"TransientError": 1}, None, 0)


def test_an_answer_found_wrong_later_is_an_error_too() -> None:
    collector = Collector()
    with collector.call("binance", "candles") as call:
        call.answered(1)
    collector.failed(MalformedAnswerError("a hole"))
    assert only(collector).errors == {"MalformedAnswerError": 1}


def test_a_pause_counts_for_the_call_that_was_refused_only() -> None:
    collector, refused = Collector(), RateLimitedError("slow", retry_after=1.0)
    with pytest.raises(RateLimitedError), collector.call("binance", "candles"):
        raise refused
    collector.failed(refused)
    collector.failed(RateLimitedError("the gate says so, before anything is sent", retry_after=1.0))
    told = only(collector)
    assert (told.pauses, told.errors) == (1, {"RateLimitedError": 1})


def test_only_what_follows_a_repetition_is_a_retry() -> None:
    collector = Collector()
    for repeats in (True, True, False):
        with collector.call("binance", "candles"):
            pass
        if repeats:
            collector.repeat()
    with collector.call("binance", "candles"):
        pass
    assert (only(collector).calls, only(collector).retries) == (4, 2)


def test_an_error_before_any_call_is_nobodys() -> None:
    collector = Collector()
    assert collector.failed(MarketGoneError("gone")) == ""
    collector.repeat()
    assert collector.told() == ()


async def test_what_a_provider_spends_itself_counts_for_its_call() -> None:
    collector = Collector()

    async def listing() -> None:
        with collector.call("binance", "markets"):
            collector.spend({"weight": 20})
            await asyncio.sleep(0.01)
            await asyncio.to_thread(collector.spend, {"weight": 1, "raw": 1})
        collector.spend({"weight": 1_000})  # the kernel's own, for a call to come

    async def fetch() -> None:
        with collector.call("binance", "candles", {"weight": 2}):
            await asyncio.sleep(0.005)

    await asyncio.gather(listing(), fetch())
    candles, markets = collector.told()
    assert (candles.spent, markets.spent) == ({"weight": 2}, {"weight": 21, "raw": 1})


async def test_collectors_do_not_hear_each_others_calls() -> None:
    mine, other = Collector(), Collector()
    with mine.call("binance", "candles"):
        other.spend({"weight": 1})
        assert other.latest() is None
    assert only(mine).spent == {}


def test_handing_on_loses_nothing_of_calls_under_way() -> None:
    taken: list[dict[Key, Counts]] = []

    def take(news: Mapping[Key, Counts], last: bool) -> bool:
        if len(taken) == 1 and not last:
            return False
        taken.append(dict(news))
        return True

    collector = Collector(take)
    with collector.call("binance", "candles", {"weight": 2}) as call:
        collector.hand_on()
        collector.hand_on()
        call.answered(10)
        collector.hand_on()  # refused
        collector.hit("binance", "candles")
    collector.hand_on(last=True)
    assert [(counts.calls, counts.rows, counts.hits) for news in taken for counts in news.values()] == [
        (1, 0, 0),
        (0, 10, 1),
    ]
    told = only(collector)
    assert (told.calls, told.rows, told.hits, told.spent) == (1, 10, 1, {"weight": 2})
    collector.hand_on(last=True)
    assert len(taken) == 2
