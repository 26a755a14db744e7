"""What the database knows and how much of it is proven, against slots counted one by one."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import candle_core
from candle_core import blocking
from candle_core.config import load_config
from candle_core.kernel import Kernel
from candle_core.search import search
from candle_hookspecs import (
    REQUIRED_COLUMNS,
    Answer,
    BadInputError,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    ExtensionCapabilities,
    Market,
    MarketStatus,
    Registration,
    SaveWrite,
    Span,
    SymbolQuery,
    SymbolRecord,
    SymbolSummary,
    UnknownTimeframeError,
    hookimpl,
)

MINUTE = 60_000
PIECE = 15_000
"""Facts and rows of these tests begin and end at multiples of it, on the grid or between two slots."""

CLOSED = 40
"""Minutes of 1970 that are closed, by the clock of these tests."""

CONFIG = {"storage": {"backend": "memory"}}


class Standing:
    def now(self) -> int:
        return CLOSED * MINUTE + 30_000

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


def market(base: str = "BTC", quote: str = "USDT", **options: Any) -> Market:
    named = {"exchange": "BINANCE", "native_id": f"{base}{quote}", "ccxt_symbol": f"{base}/{quote}"}
    return Market(archetype="CRYPTO", tradetype="SPOT", base=base, quote=quote, **named | options)


def batch(times: Sequence[int]) -> CandleBatch:
    columns: dict[str, Any] = {name: np.ones(len(times)) for name in REQUIRED_COLUMNS}
    return CandleBatch.from_columns(columns | {"open_time": np.array(times, np.int64)})


def fact(start: int, end: int, state: CoverageState = CoverageState.ANSWERED) -> Coverage:
    """From one minute to another."""
    return Coverage(Span(start * MINUTE, end * MINUTE), state, Evidence.ANCHORED, "binance:rest", 1)


async def summary(
    listed: Market, times: Sequence[int], facts: Sequence[Coverage], timeframe: str = "1m"
) -> SymbolSummary:
    """Of the one symbol, with rows at these moments and with these facts."""
    kernel = Kernel(load_config(CONFIG), Standing())
    (record,) = await kernel.storage().register([Registration(market=listed, timeframes=(timeframe,))])
    answer = Answer(symbol=record.symbol, source="s", answered_at=1, batch=batch(times), coverage=tuple(facts))
    await kernel.storage().save(SaveWrite(answers=(answer,)))
    (found,) = await search(kernel, SymbolQuery(coverage=True))
    await kernel.close()
    return found


# ── the share ────────────────────────────────────────────────────────────────────────────────────────────────────────

pieces = st.integers(-40, 4 * (CLOSED + 5)).map(lambda number: number * PIECE)
facts_of_any_kind = st.builds(
    Coverage,
    span=st.builds(lambda start, length: Span(start, start + length * PIECE), pieces, st.integers(1, 60)),
    state=st.sampled_from(CoverageState),
    evidence=st.just(Evidence.ANCHORED),
    source=st.just("binance:rest"),
    answered_at=st.just(1),
)


@settings(max_examples=200)
@given(
    st.sets(pieces, max_size=4).map(sorted),
    st.lists(facts_of_any_kind, max_size=5),
    st.none() | pieces,
    st.none() | pieces,
)
def test_slots_are_those_that_one_counts(
    times: list[int], facts: list[Coverage], listed: int | None, delisted: int | None
) -> None:
    found = asyncio.run(summary(market(listed=listed, delisted=delisted), times, facts))
    states: dict[int, set[CoverageState]] = {}
    for piece in range(-200 * PIECE, 300 * PIECE, PIECE):
        states[piece] = {fact.state for fact in facts if piece in fact.span}
    answered = [
        piece
        for piece, said in states.items()
        if CoverageState.ANSWERED in said and CoverageState.NOT_LISTED not in said
    ]
    start = min([*answered, *times], default=listed)
    end = CLOSED * MINUTE if delisted is None else min(delisted, CLOSED * MINUTE)
    slots = [] if start is None else [slot for slot in states if start <= slot < end and slot % MINUTE == 0]
    proven = [slot for slot in slots if states[slot] & {CoverageState.ANSWERED, CoverageState.NOT_LISTED}]
    assert (found.slots, found.proven) == (len(slots), len(proven))
    assert found.share == (len(proven) / len(slots) if slots else None)


async def test_what_was_proven_empty_counts_and_what_is_out_of_reach_does_not() -> None:
    reach = fact(30, 40, CoverageState.OUT_OF_REACH)
    found = await summary(market(), [10 * MINUTE], [fact(10, 30), reach])
    assert (found.slots, found.proven, found.rows) == (30, 20, 1)
    assert found.share == pytest.approx(2 / 3)


async def test_a_candle_that_nobody_vouches_for_begins_the_history_and_proves_nothing() -> None:
    found = await summary(market(), [20 * MINUTE], [fact(30, 40)])
    assert (found.slots, found.proven, found.first) == (20, 10, 20 * MINUTE)


async def test_what_came_before_the_market_is_no_part_of_its_history() -> None:
    found = await summary(market(), [], [fact(0, 30, CoverageState.NOT_LISTED), fact(30, 40)])
    assert (found.slots, found.proven, found.share) == (10, 10, 1.0)


async def test_a_market_of_which_nothing_is_known_yet_begins_where_it_was_listed() -> None:
    fresh = await summary(market(listed=10 * MINUTE), [], [])
    assert (fresh.slots, fresh.proven, fresh.share) == (30, 0, 0.0)
    unknown = await summary(market(), [], [])
    assert (unknown.slots, unknown.proven, unknown.share) == (0, 0, None)


async def test_a_market_that_ended_lacks_nothing_behind_its_end() -> None:
    found = await summary(market(delisted=25 * MINUTE), [], [fact(5, 25)])
    assert (found.slots, found.share) == (20, 1.0)


async def test_the_candle_that_is_open_is_not_waited_for() -> None:
    assert (await summary(market(), [], [fact(0, CLOSED)])).share == 1.0
    assert (await summary(market(), [], [fact(0, 60)], "1h")).slots == 0


async def test_of_an_exchange_that_is_not_installed_all_but_the_share_is_told() -> None:
    found = await summary(market(exchange="NOWHERE"), [0], [fact(0, 40)])
    assert (found.first, found.last, found.rows, found.coverage) == (0, 0, 1, (fact(0, 40),))
    assert (found.slots, found.proven, found.share) == (None, None, None)


async def test_so_it_is_of_a_timeframe_that_the_exchange_does_not_have() -> None:
    found = await summary(market(), [0], [fact(0, 35)], "7m")
    assert (found.rows, found.share) == (1, None)


# ── which symbols ────────────────────────────────────────────────────────────────────────────────────────────────────

MARKETS = (
    market(status=MarketStatus.TRADING),
    market("ETH", status=MarketStatus.HALTED),
    market("ETH", "BTC", status=MarketStatus.CLOSED, title="Ether"),
    market("XRP", "KRW", exchange="UPBIT", native_id="KRW-XRP", title="엑스알피(리플)"),
    market("A+B", "USDT", native_id="A+BUSDT"),
)


@pytest.fixture
def candles() -> Iterator[blocking.Candles]:
    """A manager that knows these markets in two timeframes each."""

    async def register(opened: candle_core.Candles) -> None:
        await opened.kernel.storage().register([Registration(market=one, timeframes=("1m", "1d")) for one in MARKETS])

    with blocking.open(CONFIG, clock=Standing()) as opened:
        opened.portal.call(register, opened.asynchronous)
        yield opened


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({}, ["A+B/USDT", "BTC/USDT", "ETH/BTC", "ETH/USDT", "XRP/KRW"]),
        ({"exchange": "upbit"}, ["XRP/KRW"]),
        ({"archetype": "crypto", "tradetype": "spot", "quote": "btc"}, ["ETH/BTC"]),
        ({"base": "eth", "status": "halted"}, ["ETH/USDT"]),
        ({"status": MarketStatus.CLOSED}, ["ETH/BTC"]),
        ({"name": "krw-xrp"}, ["XRP/KRW"]),
        ({"name": "eth"}, []),
        ({"name": "eth*"}, ["ETH/BTC", "ETH/USDT"]),
        ({"name": "*/usdt", "base": "BTC"}, ["BTC/USDT"]),
        ({"name": "???/USDT"}, ["A+B/USDT", "BTC/USDT", "ETH/USDT"]),
        ({"name": "a+b*"}, ["A+B/USDT"]),
        ({"name": "e?her"}, ["ETH/BTC"]),
        ({"name": "*리플*"}, ["XRP/KRW"]),
    ],
    ids=str,
)
def test_conditions(candles: blocking.Candles, conditions: dict[str, Any], names: list[str]) -> None:
    found = candles.symbols(timeframe="1d", **conditions)
    assert [one.market.ccxt_symbol for one in found] == names
    assert {one.symbol.timeframe for one in found} <= {"1d"}


def test_all_of_them(candles: blocking.Candles) -> None:
    found = candles.symbols()
    assert [one.symbol for one in found] == sorted(one.symbol(frame) for one in MARKETS for frame in ("1m", "1d"))
    assert {(one.rows, one.coverage, one.slots, one.share) for one in found} == {(None, None, None, None)}


def test_statistics_come_when_asked_for_and_with_the_coverage(candles: blocking.Candles) -> None:
    assert {(one.rows, one.coverage) for one in candles.symbols(statistics=True)} == {(0, None)}
    assert {(one.rows, one.coverage) for one in candles.symbols(coverage=True)} == {(0, ())}


def test_what_is_said_beside_a_query_comes_in_its_place(candles: blocking.Candles) -> None:
    query = SymbolQuery(exchange="UPBIT", timeframe="1d", statistics=True)
    assert [one.market.base for one in candles.symbols(query)] == ["XRP"]
    (found,) = candles.symbols(query, exchange="BINANCE", base="BTC")
    assert (found.symbol.exchange, found.rows) == ("BINANCE", 0)
    assert candles.symbols(query, statistics=False)[0].rows is None


def test_conditions_that_cannot_be(candles: blocking.Candles) -> None:
    with pytest.raises(BadInputError, match=r"'gone'.*TRADING, HALTED, CLOSED, UNKNOWN"):
        candles.symbols(status="gone")
    with pytest.raises(UnknownTimeframeError, match="'1x'"):
        candles.symbols(timeframe="1x")


class Counting:
    """Hears every question to a database."""

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self) -> None:
        self.asked: list[str] = []

    @hookimpl(wrapper=True)
    def candle_symbols(self, query: SymbolQuery) -> Any:
        self.asked.append("candle_symbols")
        return (yield)

    @hookimpl(wrapper=True)
    def candle_coverage(self, query: Any) -> Any:
        self.asked.append("candle_coverage")
        return (yield)

    @hookimpl(wrapper=True)
    def candle_load(self, read: Any) -> Any:
        self.asked.append("candle_load")
        return (yield)


async def test_one_question_is_enough_for_all() -> None:
    async with candle_core.open(CONFIG, clock=Standing()) as candles:
        storage, counting = candles.kernel.storage(), Counting()
        candles.kernel.dispatch.add_everywhere("counting", counting)
        records: Sequence[SymbolRecord] = await storage.register(
            [Registration(market=market(f"B{number}"), timeframes=("1m", "5m")) for number in range(50)]
        )
        facts = tuple(fact(number, number + 5) for number in (0, 10))
        answers = [Answer(symbol=one.symbol, source="s", answered_at=1, batch=batch([0])) for one in records]
        await storage.save(SaveWrite(answers=tuple(replace(one, coverage=facts) for one in answers)))
        found = await candles.symbols(name="B*", coverage=True)
    assert {(one.symbol.timeframe, one.slots, one.proven) for one in found} == {("1m", 40, 10), ("5m", 8, 2)}
    assert (len(found), counting.asked) == (100, ["candle_symbols"])
