"""Tickers, order books and trades: split, united, remembered, shared, and what one market's failure does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import (
    LargeOrderbookRequest,
    LargeTickerRequest,
    LargeTickerResponse,
    LargeTradeRequest,
    MarketDataCoordinator,
)
from candle_hookspecs import (
    Anchor,
    BadInputError,
    BrokenPluginError,
    Kind,
    MalformedAnswerError,
    MarketGoneError,
    MemoryLimitError,
    Priority,
    ProviderError,
    TransientError,
    UnknownMarketError,
)

CONFIG = {"storage": {"backend": "memory"}}
SECOND = 1_000
TEN = [f"{base}/X" for base in "ABCDEFGHIJ"]


@asynccontextmanager
async def coordinated(clock: Any, **options: Any) -> AsyncIterator[MarketDataCoordinator]:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        yield MarketDataCoordinator(candles, **options)


def tickers(symbols: Any = TEN, **options: Any) -> LargeTickerRequest:
    return LargeTickerRequest(exchange="BAZAAR", tradetype="SPOT", symbols=symbols, **options)


def books(symbols: Any = TEN, **options: Any) -> LargeOrderbookRequest:
    return LargeOrderbookRequest(exchange="BAZAAR", symbols=symbols, **options)


def trades(symbols: Any = ("A/X",), **options: Any) -> LargeTradeRequest:
    return LargeTradeRequest(exchange="BAZAAR", symbols=symbols, **options)


def named(provider: Any) -> list[str]:
    """Which markets each call named."""
    return ["".join(market.base for market in request.markets) for request in provider.sent]


async def until_sent(provider: Any, calls: int) -> None:
    while len(provider.sent) < calls:  # noqa: ASYNC110 - in this process, a few turns of the loop
        await asyncio.sleep(0)


# ── split and united ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_tickers_are_asked_for_as_many_at_once_as_a_call_may_name(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_ticker_data(tickers())
    (provider,) = bazaar.instances
    assert sorted(named(provider)) == ["ABC", "DEF", "GHI", "J"]
    assert {name: ticker.last for name, ticker in response.tickers.items()} == {
        f"{base}/X": Decimal(ord(base)) for base in "ABCDEFGHIJ"
    }
    assert response.complete
    report = response.report
    assert (report.symbols, report.rows, report.requests, report.size) == (10, 10, 4, 40)
    assert (report.retries, report.cache_hits, report.joined, report.failed) == (0, 0, 0, 0)
    assert len(report.request_seconds) == 4
    assert provider.listings == 1, "a hundred markets cost no hundred listings"
    assert provider.most_under_way == 3


@pytest.mark.parametrize("most", [1, 2, 4])
async def test_no_more_calls_are_under_way_than_allowed(clock: Any, bazaar: Any, most: int) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(max_concurrency=most))
    assert bazaar.instances[0].most_under_way == most


async def test_books_have_the_best_price_first_and_the_depth_asked_for(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_orderbook_data(books(["A/X", "BX"], depth=3))
    book = response.orderbooks["BX"]
    assert [int(level.price) for level in book.bids] == [90, 89, 88]
    assert [int(level.price) for level in book.asks] == [100, 101, 102]
    assert bazaar.instances[0].sent[0].limit == 3


async def test_one_market_under_two_names_is_counted_as_two_wishes(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock, ttl={Kind.TICKERS: 60.0}) as coordinator:
        await coordinator.get_ticker_data(tickers("A/X"))
        again = await coordinator.get_ticker_data(tickers(["a/x", "AX"]))
        counted = (await coordinator.candles.statistics()).of("BAZAAR", "tickers")
    assert (again.report.requests, again.report.cache_hits) == (0, 2)
    assert (counted.hits, counted.misses) == (2, 1)


async def test_one_market_under_two_names_is_asked_for_once(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_ticker_data(tickers(["A/X", "AX", "ax"]))
    assert named(bazaar.instances[0]) == ["A"]
    assert len(response.tickers) == 3


@pytest.mark.parametrize("count", [1, 5, 6, 23])
async def test_the_newest_trades_over_as_many_pages_as_they_need(clock: Any, bazaar: Any, count: int) -> None:
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_trade_data(trades(count=count))
    now = clock.ms // SECOND
    assert [int(trade.id) for trade in response.trades["A/X"]] == list(range(now - count + 1, now + 1))
    assert response.report.rows == count
    assert response.report.time_range is not None
    assert response.report.time_range[0].timestamp() == now - count + 1


async def test_a_range_of_trades_is_whole(clock: Any, bazaar: Any) -> None:
    start, end = 1_600_000_000, 1_600_000_040
    span = {"start": start * SECOND, "end": end * SECOND}
    async with coordinated(clock) as coordinator:
        whole = await coordinator.get_trade_data(trades(["A/X", "B/X"], **span))
        first = await coordinator.get_trade_data(trades(start=start * SECOND, count=7))
        last = await coordinator.get_trade_data(trades(end=end * SECOND, count=7))
    for found in whole.trades.values():
        assert [int(trade.id) for trade in found] == list(range(start, end))
    assert [int(trade.id) for trade in first.trades["A/X"]] == list(range(start, start + 7))
    assert [int(trade.id) for trade in last.trades["A/X"]] == list(range(end - 7, end))


async def test_the_oldest_trades_of_a_range_where_only_the_newest_can_be_counted(
    clock: Any, bazaar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = replace(bazaar.Bazaar.capabilities, anchors=(Anchor.END,))
    monkeypatch.setattr(bazaar.Bazaar, "capabilities", able)
    now = clock.ms // SECOND
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_trade_data(trades(start=(now - 19) * SECOND, count=7))
    assert [int(trade.id) for trade in response.trades["A/X"]] == list(range(now - 19, now - 12))
    assert {request.anchor for request in bazaar.instances[0].sent} == {Anchor.END}


@pytest.mark.parametrize("end", [None, "2100-01-01"])
async def test_trades_from_a_moment_on_reach_to_now(clock: Any, bazaar: Any, end: str | None) -> None:
    now = clock.ms // SECOND
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_trade_data(trades(start=(now - 11) * SECOND, end=end))
    (provider,) = bazaar.instances
    assert {request.span.end for request in provider.sent} == {clock.ms + 1}, "no day to come is asked for"
    assert [int(trade.id) for trade in response.trades["A/X"]] == list(range(now - 11, now + 1))


async def test_more_trades_than_may_be_held_are_that_markets_failure(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_trade_data(trades(start="2020-01-01", end="2020-01-02", max_trades=50))
    assert isinstance(response.failures["A/X"], MemoryLimitError)
    assert len(bazaar.instances[0].sent) < 20, "it ends as soon as it is known"


# ── remembered ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_remembered_costs_nothing(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock, ttl={Kind.TICKERS: 60, Kind.ORDERBOOKS: 60, Kind.TRADES: 60}) as coordinator:
        await coordinator.get_ticker_data(tickers(["A/X", "B/X"]))
        await coordinator.get_orderbook_data(books(["A/X", "B/X"], depth=5))
        await coordinator.get_trade_data(trades(count=3))
        provider = bazaar.instances[0]
        provider.sent.clear()
        more = await coordinator.get_ticker_data(tickers(["A/X", "B/X", "C/X"]))
        assert (named(provider), more.report.cache_hits) == (["C"], 2)
        await coordinator.get_orderbook_data(books(["B/X"], depth=5))
        again = await coordinator.get_trade_data(trades(count=3))
        assert (len(provider.sent), again.report.cache_hits, again.report.requests) == (1, 1, 0)
        await coordinator.get_orderbook_data(books(["B/X"], depth=6))
        assert len(provider.sent) == 2, "another depth is another question"
        anew = await coordinator.get_ticker_data(tickers(["A/X"], max_age=0))
        assert (anew.report.cache_hits, anew.report.requests) == (0, 1)


async def test_what_has_expired_is_asked_for_again(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock, ttl={Kind.TICKERS: 0.05}) as coordinator:
        await coordinator.get_ticker_data(tickers(["A/X"]))
        await asyncio.sleep(0.1)
        await coordinator.get_ticker_data(tickers(["A/X"], max_age=60))
        await asyncio.sleep(0.1)
        kept = await coordinator.get_ticker_data(tickers(["A/X"], max_age=60))
        default = await coordinator.get_ticker_data(tickers(["A/X"]))
    assert kept.report.cache_hits == 1, "one who is content with a minute keeps it for a minute"
    assert default.report.cache_hits == 0, "which makes it no newer for the others"
    assert named(bazaar.instances[0]) == ["A", "A", "A"]


async def test_a_failure_is_not_remembered(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["B/X"]))
        bazaar.instances[0].gone.add("A")
        assert not (await coordinator.get_ticker_data(tickers(["A/X"]))).complete
        bazaar.instances[0].gone.clear()
        assert (await coordinator.get_ticker_data(tickers(["A/X"]))).complete


# ── shared ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def together(coordinator: MarketDataCoordinator, *requests: LargeTickerRequest) -> list[LargeTickerResponse]:
    return await asyncio.gather(*(coordinator.get_ticker_data(request) for request in requests))


async def test_simultaneous_requests_become_one(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        responses = await together(coordinator, *(tickers() for _ in range(20)))
    provider = bazaar.instances[0]
    assert (len(provider.sent), provider.listings) == (4, 1)
    assert all(response.tickers == responses[0].tickers and response.complete for response in responses)
    assert sorted(response.report.joined for response in responses) == [0] + [10] * 19
    assert sum(response.report.requests for response in responses) == 4


async def test_overlapping_requests_share_what_they_can(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        first, second = await together(coordinator, tickers(TEN[:6]), tickers(TEN[3:9]))
    assert sorted(named(bazaar.instances[0])) == ["ABC", "DEF", "GHI"]
    assert set(first.tickers) == set(TEN[:6])
    assert set(second.tickers) == set(TEN[3:9])
    assert second.report.joined == 3


async def test_one_who_gives_up_does_not_end_it_for_the_others(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"]))
        provider = bazaar.instances[0]
        provider.gate.clear()
        hasty, patient = (asyncio.create_task(coordinator.get_ticker_data(tickers(["A/X"]))) for _ in range(2))
        await until_sent(provider, 2)
        hasty.cancel()
        await asyncio.sleep(0)
        provider.gate.set()
        assert (await patient).complete
        assert hasty.cancelled()
        assert len(provider.sent) == 2


async def test_a_call_that_nobody_waits_for_is_ended(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"]))
        provider = bazaar.instances[0]
        provider.gate.clear()
        waiting = [asyncio.create_task(coordinator.get_ticker_data(tickers(["A/X"]))) for _ in range(2)]
        await until_sent(provider, 2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        provider.gate.set()
        assert (await coordinator.get_ticker_data(tickers(["A/X"]))).report.requests == 1, "not what was ended"


async def test_a_more_urgent_request_does_not_wait_for_a_less_urgent_call(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        low, critical, normal = await together(
            coordinator,
            tickers(["A/X"], priority=Priority.LOW),
            tickers(["A/X"], priority=Priority.CRITICAL),
            tickers(["A/X"], priority=Priority.NORMAL),
        )
    assert [request.priority for request in bazaar.instances[0].sent] == [Priority.LOW, Priority.CRITICAL]
    assert [one.report.requests for one in (low, critical, normal)] == [1, 1, 0]


# ── partial success ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_market_that_is_gone_fails_alone(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"], max_age=0))
        bazaar.instances[0].gone.add("B")
        response = await coordinator.get_ticker_data(tickers(TEN[:6]))
    assert set(response.tickers) == set(TEN[:6]) - {"B/X"}
    assert isinstance(response.failures["B/X"], MarketGoneError)
    assert (response.report.failed, response.report.rows) == (1, 5)
    # ABC is refused, then A | BC, then B | C; DEF.
    assert sorted(named(bazaar.instances[0])[1:]) == ["A", "ABC", "B", "BC", "C", "DEF"]


async def test_unknown_and_left_out_markets_are_named(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"]))
        bazaar.instances[0].left_out.add("A")
        response = await coordinator.get_ticker_data(tickers(["A/X", "NO/SUCH", "C/X"]))
    assert set(response.tickers) == {"C/X"}
    assert isinstance(response.failures["NO/SUCH"], UnknownMarketError)
    assert type(response.failures["A/X"]) is ProviderError
    assert "'A/X'" in str(response.failures["A/X"])


async def test_a_broken_line_is_tried_again_and_counted(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"]))
        provider = bazaar.instances[0]
        provider.failing = {"A": 2, "D": 99}
        response = await coordinator.get_ticker_data(tickers(TEN[:6]))
    assert set(response.tickers) == {"A/X", "B/X", "C/X"}
    assert {type(error) for error in response.failures.values()} == {TransientError}
    assert (response.report.requests, response.report.retries) == (3 + 5, 2 + 4)


async def test_a_crossed_book_is_asked_for_again_alone(clock: Any, bazaar: Any) -> None:
    async with coordinated(clock) as coordinator:
        await coordinator.get_ticker_data(tickers(["J/X"]))
        provider = bazaar.instances[0]
        provider.sent.clear()
        provider.crossed = {"B": 1, "C": 99}
        response = await coordinator.get_orderbook_data(books(["A/X", "B/X", "C/X"]))
    assert set(response.orderbooks) == {"A/X", "B/X"}
    assert isinstance(response.failures["C/X"], MalformedAnswerError)
    assert "crossed: 200 bid, 100 asked" in str(response.failures["C/X"])
    assert named(provider) == ["ABC", "B", *["C"] * 5]


async def test_a_ticker_that_cannot_be_is_asked_for_again_alone(clock: Any, bazaar: Any, monkeypatch: Any) -> None:
    answer = bazaar.Bazaar.answer
    lasts = {"B": iter([Decimal("NaN"), Decimal(7)]), "C": iter([None] * 6)}

    def wrong(self: Any, request: Any) -> Any:
        page = answer(self, request)
        told = [replace(one, last=next(lasts.get(one.market.base, iter([one.last])))) for one in page.tickers]
        return replace(page, tickers=told)

    monkeypatch.setattr(bazaar.Bazaar, "answer", wrong)
    async with coordinated(clock) as coordinator:
        response = await coordinator.get_ticker_data(tickers(["A/X", "B/X", "C/X"]))
    assert {name: one.last for name, one in response.tickers.items()} == {"A/X": Decimal(65), "B/X": Decimal(7)}
    assert "'last' of the ticker of 'C/X' is None" in str(response.failures["C/X"])
    assert named(bazaar.instances[0]) == ["ABC", "B", *["C"] * 5]


async def test_trades_that_leave_what_was_asked_already_end(clock: Any, bazaar: Any, monkeypatch: Any) -> None:
    answer = bazaar.Bazaar.answer
    monkeypatch.setattr(bazaar.Bazaar, "answer", lambda self, request: replace(answer(self, request), rest=(request,)))
    async with coordinated(clock) as coordinator:
        response = await asyncio.wait_for(coordinator.get_trade_data(trades(count=3)), 120)
    assert isinstance(response.failures["A/X"], BrokenPluginError)
    assert len(bazaar.instances[0].sent) == 1


# ── what cannot be asked ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (tickers, {"symbols": []}, r"symbols=\[\] names no markets"),
        (tickers, {"symbols": ["A/X", ""]}, "names no markets"),
        (tickers, {"max_age": -1}, "max_age=-1"),
        (tickers, {"max_age": float("nan")}, "max_age=nan"),
        (tickers, {"max_concurrency": 0}, "max_concurrency=0"),
        (tickers, {"symbols": ["A/X", 7]}, "names no markets"),
        (tickers, {"symbols": None}, "names no markets"),
        (tickers, {"symbols": 7}, "symbols=7 names no markets"),
        (LargeTickerRequest, {"exchange": None, "symbols": "A/X"}, "exchange=None"),
        (LargeTickerRequest, {"exchange": 7, "symbols": "A/X"}, "exchange=7"),
        (LargeTickerRequest, {"exchange": ["BAZAAR"], "symbols": "A/X"}, r"exchange=\['BAZAAR'\]"),
        (LargeTickerRequest, {"exchange": "BAZAAR", "tradetype": 7, "symbols": "A/X"}, "tradetype=7"),
        (tickers, {"max_age": "60"}, "max_age='60'"),
        (tickers, {"max_concurrency": "3"}, "max_concurrency='3'"),
        (tickers, {"max_concurrency": 1.5}, "max_concurrency=1.5"),
        (tickers, {"priority": 9}, r"priority=9 .*Priority\.HIGH"),
        (books, {"depth": 0}, "depth=0"),
        (trades, {}, "needs a start or a count"),
        (trades, {"start": 2, "end": 1}, "does not come after"),
        (trades, {"count": 0}, "count of 0"),
        (trades, {"count": 11, "max_trades": 10}, "max_trades=10"),
    ],
)
def test_an_impossible_request_is_refused_at_once(make: Any, options: Any, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        make(**options)


def test_a_trade_type_of_none_is_none_said_as_everywhere_else() -> None:
    none: Any = None
    assert LargeTickerRequest(exchange="bazaar", tradetype=none, symbols="A/X").tradetype == ""


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrency": 0}, {"ttl": {Kind.CANDLES: 1}}, {"ttl": {Kind.TICKERS: "2"}},
        {"ttl": {Kind.TRADES: float("nan")}}, {"max_bytes": 0},
    ],
)  # fmt: skip
async def test_an_impossible_coordinator_is_refused(clock: Any, options: Any) -> None:
    with pytest.raises(BadInputError):
        async with coordinated(clock, **options):
            pass


async def test_a_kind_that_the_exchange_does_not_have(clock: Any, exchange: Any) -> None:
    async with coordinated(clock) as coordinator:
        with pytest.raises(BadInputError, match="'FAKE' has no tickers; it has candles"):
            await coordinator.get_ticker_data(LargeTickerRequest(exchange="fake", symbols="BTC/USDT"))
