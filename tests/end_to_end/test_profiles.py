"""Profiles on the wire: each costs what it promises, loses, doubles and reorders nothing, and stores nothing open."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import candle_core
from candle_core.coordinator import (
    BacktestProgress,
    ChartView,
    LargeCandleRequest,
    ManyRequest,
    MarketDataCoordinator,
    backtest,
    collect_many,
    screen,
)
from candle_hookspecs import CandleBatch, Span, Ticker, UnknownMarketError, to_ms
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from tests.end_to_end.world import MINUTE, ms

NOW = "2024-06-01T08:00:30"
PRICES = ("open_time", "open", "high", "low", "close", "volume")
EXCHANGES = ("BINANCE", "UPBIT")
PAGE = {"BINANCE": 1000, "UPBIT": 200}


def market(exchange: str, coin: str, **options: Any) -> MarketConfig:
    """A coin against the exchange's own quote currency; densely traded if nothing else is said."""
    said = {"listed": "2023-01-01", "trades": 2_000_000}
    if exchange == "UPBIT":
        scale = {"tick": "1000", "step": "0.00000001", "price": "42000000", "turnover": "50000000"}
        return MarketConfig(f"KRW-{coin}", coin, "KRW", exchange="UPBIT", **{**scale, **said, **options})
    scale = {"price": "30000", "turnover": "300000000"}
    return MarketConfig(f"{coin}USDT", coin, "USDT", **{**scale, **said, **options})


class SandboxTime:
    """The sandbox's clock as this machine's; who waits for a limit moves both, else it would never be lifted."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._clock = sandbox.clock

    def now(self) -> int:
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(math.ceil(seconds * 1000))
        await asyncio.sleep(0)


@dataclass
class Stand:
    """A sandbox of one exchange, and a database beside it."""

    sandbox: Sandbox
    exchange: str
    names: list[str]
    path: Path

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[MarketDataCoordinator]:
        name = self.exchange.lower()
        tables = {"storage": {"path": str(self.path)}, "providers": {name: {"rest_url": self.sandbox.url}}}
        async with candle_core.open(tables, clock=SandboxTime(self.sandbox)) as candles:
            yield MarketDataCoordinator(candles, **options)

    def request(self, symbols: Any = None, timeframe: str = "1m", **options: Any) -> LargeCandleRequest:
        names = self.names if symbols is None else symbols
        return LargeCandleRequest(exchange=self.exchange, symbols=names, timeframe=timeframe, **options)

    def cost(self) -> int:
        """Requests for candles since the last time."""
        sent = [one for one in self.sandbox.ledger.requests() if "klines" in one.path or "candles" in one.path]
        self.sandbox.ledger.clear()
        return len(sent)

    def truth(self, name: str, start: int, end: int, timeframe: str = "1m") -> dict[str, list[float]]:
        """Closed candles, by the sandbox's ledger."""
        columns = self.sandbox.ledger.candles(name, timeframe, start, end)
        return {column: columns[column].tolist() for column in PRICES}

    async def stored(self, coordinator: MarketDataCoordinator, name: str, timeframe: str = "1m") -> CandleBatch:
        batch = await coordinator.candles.load(name, timeframe, exchange=self.exchange, tradetype="SPOT")
        assert isinstance(batch, CandleBatch)
        return batch


MakeStand: TypeAlias = Callable[..., Stand]


@pytest.fixture
def make_stand(tmp_path: Path) -> Iterator[MakeStand]:
    with ExitStack() as running:

        def make(exchange: str, *coins: MarketConfig, **options: Any) -> Stand:
            listed = list(coins) or [market(exchange, f"C{number}") for number in range(3)]
            said = {"clock": NOW, "speed": 0, "limits": Limits(weight=None, group=None), **options}
            sandbox = running.enter_context(Sandbox(SandboxConfig(markets=listed, **said)))
            return Stand(sandbox, exchange, [one.symbol for one in listed], tmp_path / "candles.sqlite3")

        yield make


def columns(batch: CandleBatch) -> dict[str, list[float]]:
    return {name: getattr(batch, name).tolist() for name in PRICES}


# ── screening ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_screen_costs_a_page_each_then_the_increment_then_nothing(make_stand: MakeStand, exchange: str) -> None:
    stand = make_stand(exchange)
    costs = []
    async with stand.open() as coordinator:
        for minutes in (0, 0, 7):
            stand.sandbox.clock.advance(minutes * MINUTE)
            async with aclosing(screen(coordinator, stand.request(count=150))) as found:
                seen = {one.symbol: one.candles async for one in found}
            costs.append(stand.cost())
            end = stand.sandbox.clock.now() // MINUTE * MINUTE
            for name in stand.names:
                assert columns(seen[name]) == stand.truth(name, end - 150 * MINUTE, end)
    assert costs == [3, 0, 3]


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_screen_of_a_thin_market_finds_as_many_candles_as_were_asked_for(
    make_stand: MakeStand, exchange: str
) -> None:
    stand = make_stand(exchange, market(exchange, "DENSE"), market(exchange, "THIN", trades=40))
    dense, thin = stand.names
    async with stand.open() as coordinator, aclosing(screen(coordinator, stand.request(count=100))) as found:
        seen = {one.symbol: one async for one in found}
    end = ms("2024-06-01T08:00:00")
    traded = stand.sandbox.ledger.candles(thin, "1m", ms("2024-05-01"), end)
    real = traded["open_time"][traded["trades"] > 0] if exchange == "UPBIT" else traded["open_time"]
    assert seen[thin].candles.open_time.tolist() == real[-100:].tolist()
    assert (len(seen[dense].candles), seen[dense].requests) == (100, 1)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_screen_ends_a_market_as_soon_as_it_has_seen_enough(make_stand: MakeStand, exchange: str) -> None:
    stand, page = make_stand(exchange, market(exchange, "C0"), market(exchange, "C1")), PAGE[exchange]
    first, second = stand.names
    lengths: dict[float, list[int]] = {}

    def enough(batch: CandleBatch) -> bool:
        """Of the first market at once, of the second in its third page."""
        seen = lengths.setdefault(float(batch.close[-1]), [])
        seen.append(len(batch))
        return len(seen) >= (1 if batch.close[-1] == newest[first] else 3)

    end = ms("2024-06-01T08:00:00")
    newest = {name: stand.truth(name, end - MINUTE, end)["close"][0] for name in stand.names}
    assert newest[first] != newest[second]
    async with stand.open() as coordinator:
        wanted = stand.request(count=10 * page)
        seen = {one.symbol: one async for one in screen(coordinator, wanted, enough=enough)}
    assert stand.cost() == 1 + 3, "the plain request costs ten for each"
    for name, pages in ((first, 1), (second, 3)):
        assert columns(seen[name].candles) == stand.truth(name, end - pages * page * MINUTE, end)
        assert lengths[newest[name]] == [page * number for number in range(1, pages + 1)]


@pytest.mark.parametrize(("exchange", "calls"), [("BINANCE", 2), ("UPBIT", 1)])
async def test_a_prefilter_spares_the_candles_of_those_it_turns_down(
    make_stand: MakeStand, exchange: str, calls: int
) -> None:
    coins = [market(exchange, f"C{number:02}", turnover=str(1_000_000 * (number + 1))) for number in range(24)]
    stand = make_stand(exchange, *coins)
    told: dict[str, Decimal] = {}

    def busy(ticker: Ticker) -> bool:
        told[ticker.market.native_id] = ticker.volume or Decimal(0)
        return ticker.market.native_id in stand.names[-5:]

    async with stand.open() as coordinator:
        request = stand.request([*stand.names, "NO-SUCH"], count=50)
        found = {one.symbol: one async for one in screen(coordinator, request, prefilter=busy)}
        sent = stand.sandbox.ledger.requests()
        assert sum("ticker" in one.path for one in sent) == calls, "24 markets, 20 to a call or 100"
        assert stand.cost() == 5, "and not 24"
        assert told == {name: stand.sandbox.ledger.ticker(name)["volume"] * Decimal("1e-8") for name in stand.names}
        assert isinstance(found.pop("NO-SUCH").error, UnknownMarketError)
        assert set(found) == set(stand.names[-5:])
        everything = {one.symbol: one.candles async for one in screen(coordinator, stand.request(count=50))}
        nothing = [one async for one in screen(coordinator, stand.request(count=50), prefilter=lambda _: False)]
    assert all(one.candles == everything[name] for name, one in found.items())
    assert nothing == []


# ── backtest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("chunk", "timeframe"), [("week", "5m"), ("month", "1h")])
@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_backtest_loses_doubles_and_reorders_nothing(
    make_stand: MakeStand, exchange: str, chunk: str, timeframe: str
) -> None:
    stand = make_stand(exchange, market(exchange, "C0"), market(exchange, "C1", trades=300))
    span = {"start": "2024-03-05T10:00", "end": "2024-05-02T03:00"}
    told: list[BacktestProgress] = []
    async with stand.open() as coordinator:
        async with aclosing(
            backtest(coordinator, stand.request(timeframe=timeframe, max_concurrency=8, **span), chunk,
                     progress_callback=told.append)
        ) as chunks:  # fmt: skip
            parts = [response async for response in chunks]
        assert stand.cost() > 0
        for name in stand.names:
            batches = [part.candles[name] for part in parts]
            times = np.concatenate([batch.open_time for batch in batches])
            assert (np.diff(times) > 0).all()
            truth = stand.truth(name, ms(span["start"]), ms(span["end"]), timeframe)
            assert columns(CandleBatch.concat(batches)) == truth
            stored = await stand.stored(coordinator, name, timeframe)  # Upbit counts back, perhaps beyond the start
            assert columns(stored.between(Span(ms(span["start"]), ms(span["end"])))) == truth
        assert [one.done for one in told] == list(range(1, len(parts) + 1))
        assert {one.total for one in told} == {len(parts)}
        assert [one.estimated_remaining_seconds > 0 for one in told] == [True] * (len(parts) - 1) + [False]
        assert len(parts) == {"week": 9, "month": 3}[chunk]
        plain = await coordinator.get_candle_data(stand.request(timeframe=timeframe, **span))
    assert stand.cost() == 0, "what the chunks have proven leaves no slot between them"
    assert plain.continuous


@pytest.mark.parametrize("chunk", ["week", "month"])
@pytest.mark.parametrize(("timeframe", "start"), [("1d", "2021-06-01"), ("1h", "2024-01-15T05:00")])
@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_backtest_costs_no_request_more_than_the_plain_request(
    make_stand: MakeStand, exchange: str, timeframe: str, start: str, chunk: str
) -> None:
    """Three years of days, of which a month is far less than a page; and hours, of which none is a number of pages."""
    coins = (market(exchange, f"C{number}", listed="2020-01-01") for number in range(2))
    span = {"start": start, "end": "2024-06-01"}
    stand = make_stand(exchange, *coins)
    async with stand.open() as coordinator:
        parts = [part async for part in backtest(coordinator, stand.request(timeframe=timeframe, **span), chunk)]
    slots = (ms(span["end"]) - ms(start)) // {"1d": 1440 * MINUTE, "1h": 60 * MINUTE}[timeframe]
    pages = 2 * math.ceil(slots / PAGE[exchange])
    assert stand.cost() == sum(part.report.requests for part in parts) == pages
    assert all(part.continuous for part in parts)
    for name in stand.names:
        united = CandleBatch.concat([part.candles[name] for part in parts])
        assert columns(united) == stand.truth(name, ms(start), ms(span["end"]), timeframe)
    assert sum(report.filled for part in parts for report in part.slots.values()) == 2 * slots
    stand.path = stand.path.with_name("plain.sqlite3")
    async with stand.open() as coordinator:
        await coordinator.get_candle_data(stand.request(timeframe=timeframe, **span))
    assert stand.cost() == pages


async def test_a_backtest_that_was_interrupted_goes_on_where_it_was(make_stand: MakeStand) -> None:
    stand = make_stand("BINANCE", market("BINANCE", "C0"))
    request = stand.request(start="2024-03-01", end="2024-06-01", max_concurrency=4)
    async with stand.open() as coordinator, aclosing(backtest(coordinator, request, "week")) as chunks:
        async for _ in chunks:
            break
    first = stand.cost()
    assert first < 100, "it was left early"
    async with stand.open() as coordinator, aclosing(backtest(coordinator, request, "week")) as chunks:
        parts = [response.candles[stand.names[0]] async for response in chunks]
    assert columns(CandleBatch.concat(parts)) == stand.truth(stand.names[0], ms("2024-03-01"), ms("2024-06-01"))
    # 92 days are 133 pages; each of 14 weeks may have one that is not full, and four were asked twice.
    assert first + stand.cost() <= 133 + 14 + 4


# ── chart ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_a_chart_asks_for_the_increment_alone(make_stand: MakeStand, exchange: str) -> None:
    stand = make_stand(exchange, market(exchange, "C0"))
    (name,) = stand.names
    costs = []
    async with stand.open() as coordinator:
        view = ChartView(coordinator, stand.request(count=PAGE[exchange]))
        for minutes in (0, 0, 1, 3, 0):
            stand.sandbox.clock.advance(minutes * MINUTE)
            look = (await view.look())[name]
            asked = [
                one.rows for one in stand.sandbox.ledger.requests() if "klines" in one.path or "minutes" in one.path
            ]
            costs.append((len(asked), len(look.added)))
            assert sum(rows or 0 for rows in asked) <= len(look.added) + 2
            stand.sandbox.ledger.clear()
            end = stand.sandbox.clock.now() // MINUTE * MINUTE
            assert columns(look.candles) == stand.truth(name, end - PAGE[exchange] * MINUTE, end)
    assert costs == [(1, PAGE[exchange]), (0, 0), (1, 1), (1, 3), (0, 0)]


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_forming_candle_comes_with_the_increment(make_stand: MakeStand, exchange: str) -> None:
    stand = make_stand(exchange)
    costs = []
    async with stand.open() as coordinator:
        view = ChartView(coordinator, stand.request(count=30), forming=True)
        for minutes in (0, 1, 0, 5, 1):
            stand.sandbox.clock.advance(minutes * MINUTE)
            looks = await view.look()
            costs.append(stand.cost())
            end = stand.sandbox.clock.now() // MINUTE * MINUTE
            for name in stand.names:
                assert columns(looks[name].candles) == stand.truth(name, end - 30 * MINUTE, end)
                row = stand.sandbox.ledger.candles(name, "1m", end, end + MINUTE, include_open=True)
                forming = looks[name].forming
                assert forming is not None
                assert (to_ms(forming.open_time), forming.close) == (end, row["close"][0])
                assert (await stand.stored(coordinator, name)).last == end - MINUTE, "what is open is not stored"
        plain = await coordinator.get_candle_data(stand.request(count=30))
    assert costs == [3, 3, 3, 3, 3], "a call for each of three markets, whether any candle has closed or not"
    assert (plain.report.requests, plain.continuous) == (0, True)


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_forming_candle_is_asked_for_alone_where_a_page_has_no_room(
    make_stand: MakeStand, exchange: str
) -> None:
    stand = make_stand(exchange, market(exchange, "C0"))
    costs = []
    async with stand.open() as coordinator:
        view = ChartView(coordinator, stand.request(count=PAGE[exchange]), forming=True)
        for minutes in (0, 1):
            stand.sandbox.clock.advance(minutes * MINUTE)
            assert (await view.look())[stand.names[0]].forming is not None
            costs.append(stand.cost())
    assert costs == [2, 1]


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_forming_candle_is_the_exchanges_and_never_stored(make_stand: MakeStand, exchange: str) -> None:
    stand = make_stand(exchange, market(exchange, "C0"))
    (name,) = stand.names
    async with stand.open() as coordinator:
        view = ChartView(coordinator, stand.request(count=30), forming=True)
        for step in (0, 17_000, 10_000, 4_000, 1_000, 29_000, 59_999, 1):
            stand.sandbox.clock.advance(step)
            look = (await view.look())[name]
            now = stand.sandbox.clock.now()
            opened = now // MINUTE * MINUTE
            row = stand.sandbox.ledger.candles(name, "1m", opened, opened + MINUTE, include_open=True)
            if len(row["open_time"]):
                assert look.forming is not None
                assert (look.forming.close, look.forming.volume) == (row["close"][0], row["volume"][0])
                assert look.forming.open_time.timestamp() * 1000 == opened > look.candles.last
            else:
                assert look.forming is None
            if before := stand.truth(name, opened - MINUTE, opened)["open_time"]:
                shown = [
                    look.candles.last,
                    *([round(look.closing.open_time.timestamp() * 1000)] if look.closing else []),
                ]
                assert shown[-1] == before[-1], "no candle is lost between closed and final"
                assert len(set(shown)) == len(shown)
            assert (await stand.stored(coordinator, name)).last < opened
            assert columns(look.candles) == stand.truth(name, look.candles.first, look.candles.last + 1)


# ── many symbols ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_many_symbols_in_several_timeframes(make_stand: MakeStand, exchange: str) -> None:
    stand = make_stand(exchange, *(market(exchange, f"C{number}") for number in range(6)))
    hours = Span(ms("2024-06-01T05:00"), ms("2024-06-01T08:00"))
    wanted = ManyRequest(
        exchange=exchange, symbols=[*stand.names, "NO-SUCH"], timeframes=["1m", "1h"], start="2024-06-01T05:00"
    )
    async with stand.open() as coordinator:
        result = await collect_many(coordinator, wanted)
        assert stand.cost() == result.update.requests == 12, "a request for each market in each timeframe"
        assert (list(result.unknown), result.update.failed_symbols) == (["NO-SUCH"], [])
        for name in stand.names:
            for timeframe in ("1m", "1h"):
                batch = (await stand.stored(coordinator, name, timeframe)).between(hours)
                assert columns(batch) == stand.truth(name, hours.start, hours.end, timeframe)
        await collect_many(coordinator, wanted)
        assert stand.cost() == 0
