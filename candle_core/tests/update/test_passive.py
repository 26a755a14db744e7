"""Registered symbols, from where they stand to the last closed candle."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from candle_core import blocking
from candle_hookspecs import (
    BadRequestError,
    MalformedAnswerError,
    MarketGoneError,
    MarketStatus,
    RateLimitedError,
    Symbol,
    SymbolQuery,
    TransientError,
    UpdateProgress,
    to_ms,
)

NOW = to_ms("2023-11-01T12:00:30")
MINUTE, DAY = 60_000, 86_400_000
LATEST = NOW // MINUTE * MINUTE  # the candle that is still open
NAME: dict[str, Any] = {"exchange": "FAIR", "tradetype": "SPOT"}


def symbol(base: str, timeframe: str = "1m", exchange: str = "FAIR") -> Symbol:
    return Symbol("CRYPTO", exchange, "SPOT", base, "USDT", timeframe)


@pytest.fixture(autouse=True)
def noon(clock: Any) -> None:
    clock.ms = NOW


async def fill(candles: Any, exchange: str = "FAIR") -> None:
    """Everything that is listed, up to now."""
    result = await candles.active_update("CRYPTO", exchange, "SPOT", timeframes=["1m"], status=None)
    assert not result.failed_symbols, result


async def test_one_request_for_a_candle_that_has_closed_and_none_before(opened: Any, exchange: Any, clock: Any) -> None:
    exchange.list("BTC", "ETH", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, witness):
        await fill(candles)
        for moment, rows in ((NOW + 1_000, 0), (LATEST + MINUTE + 2_000, 0), (LATEST + MINUTE + 3_000, 1)):
            exchange.requests.clear()
            witness.queries.clear()
            clock.ms = moment  # settle is 2 s, and an answer may be dated 1 s late
            result = await candles.passive_update()
            assert (result.total_rows, result.requests, len(exchange.requests)) == (2 * rows, 2 * rows, 2 * rows)
            assert len(result.success_symbols if rows else result.skipped_symbols) == 2
            assert len(witness.queries) == 1
        assert witness.lookups == [], "no symbol's coverage is asked for by itself"


async def test_only_those_that_match(opened: Any, exchange: Any, clock: Any) -> None:
    exchange.list("BTC", "ETH", life=(LATEST - 5 * MINUTE, 2**53))
    exchange.list("ADA", exchange="WIDE", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, _):
        fair, wide = exchange.markets[:2], exchange.markets[2:]
        exchange.markets = fair
        await fill(candles)
        exchange.markets = wide
        await fill(candles, "WIDE")
        for wanted, found in (
            ({"base": "eth"}, [symbol("ETH")]),
            ({"exchange": "WIDE"}, [symbol("ADA", exchange="WIDE")]),
            ({"archetype": "CRYPTO", "exchange": "BINANCE"}, []),
            ({"timeframe": "1h"}, []),
            ({"quote": "USDT", "tradetype": "spot"}, [symbol("BTC"), symbol("ETH"), symbol("ADA", exchange="WIDE")]),
        ):
            clock.ms += MINUTE
            result = await candles.passive_update(**wanted)
            assert result.success_symbols == found, wanted


async def test_holes_are_mended_if_that_is_wanted(opened: Any, exchange: Any) -> None:
    exchange.list("BTC")
    async with opened() as (candles, _):
        for start, end in (("2023-11-01T10:00", "2023-11-01T10:10"), ("2023-11-01T11:00", "2023-11-01T11:50")):
            await candles.collect_candles_only("BTC/USDT", "1m", start=start, end=end, **NAME)
        exchange.requests.clear()
        tail = await candles.passive_update(mend=False)
        assert (tail.total_rows, tail.requests) == (10, 1)
        whole = await candles.passive_update()
        assert (whole.total_rows, whole.requests) == (50, 1), "nothing before the first that was stored"
        batch = await candles.load(symbol("BTC"))
        assert (batch.first, len(batch)) == (to_ms("2023-11-01T10:00"), 120)
        await candles.forget(symbol("BTC"), start="2023-11-01T10:30", end="2023-11-01T10:40", candles=True)
        mended = await candles.passive_update()
    assert (mended.total_rows, mended.requests) == (10, 1)


async def test_what_was_registered_and_never_had_is_collected_from_its_beginning(opened: Any, exchange: Any) -> None:
    exchange.list("BTC", life=(LATEST - 150 * MINUTE, 2**53))
    exchange.errors["BTC"] = BadRequestError("not now")
    async with opened() as (candles, _):
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.errors.clear()
        result = await candles.passive_update()
    assert (result.success_symbols, result.total_rows) == ([symbol("BTC")], 150)


async def test_the_shortest_work_goes_first(opened: Any, exchange: Any) -> None:
    async with opened() as (candles, _):
        for number, base in enumerate("CAB"):
            first = LATEST - (500 - 100 * number) * MINUTE
            exchange.list(base, life=(first, 2**53), listed=first)
        exchange.errors = dict.fromkeys("CAB", BadRequestError("not now"))
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.errors.clear()
        exchange.requests.clear()
        await candles.passive_update()
    assert list(dict.fromkeys(exchange.asked())) == ["B", "A", "C"]


async def test_no_more_requests_at_once_than_pay(opened: Any, exchange: Any) -> None:
    bases = [f"M{number}" for number in range(9)]
    exchange.list(*bases, exchange="WIDE", life=(LATEST - 300 * MINUTE, 2**53), listed=LATEST - 300 * MINUTE)
    async with opened() as (candles, _):
        await fill(candles, "WIDE")
    assert exchange.widest == 4, "side by side, also where one symbol alone is left"
    assert set(exchange.asked()[-8:]) == {exchange.asked()[-1]}


# ── markets that no longer trade ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_market_that_is_closed_is_asked_once_a_day(opened: Any, exchange: Any, clock: Any) -> None:
    life = (LATEST - 300 * MINUTE, LATEST - 60 * MINUTE)
    exchange.list("OLD", status=MarketStatus.CLOSED, life=life)
    async with opened() as (candles, _):
        await fill(candles)
        days = []
        for _hour in range(72):
            clock.ms += 3_600_000
            exchange.requests.clear()
            result = await candles.passive_update()
            days.append(len(exchange.requests))
            assert [*result.success_symbols, *result.skipped_symbols] == [symbol("OLD")]
    asked = [hour for hour, requests in enumerate(days) if requests]
    assert len(asked) in (2, 3)
    assert all(later - earlier >= 24 for earlier, later in pairwise(asked))


async def test_what_an_interrupted_run_left_of_a_closed_market_is_asked_at_once(opened: Any, exchange: Any) -> None:
    life = (LATEST - 5 * DAY, LATEST - 3 * DAY)
    exchange.list("OLD", status=MarketStatus.CLOSED, life=life, listed=life[0])
    async with opened() as (candles, _):
        begun = {"start": "2023-10-27T12:00", "end": "2023-10-27T13:40"}
        await candles.collect_candles_only("OLD/USDT", "1m", **begun, **NAME)
        result = await candles.passive_update()
    assert result.total_rows == 2 * 1440 - 100


async def test_a_market_that_is_gone_is_asked_once_a_day_until_it_returns(
    opened: Any, exchange: Any, clock: Any
) -> None:
    exchange.list("BTC", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, _):
        await fill(candles)
    exchange.errors["BTC"] = MarketGoneError("no such market")
    outcomes: list[tuple[int, int, int]] = []
    for hours in (1, 1, 22, 1, 23, 1):
        clock.ms += hours * 3_600_000
        if len(outcomes) == 4:
            exchange.errors.clear()
        async with opened() as (candles, _):  # each run in a manager of its own: nothing is kept in memory
            result = await candles.passive_update()
        outcomes.append((len(result.success_symbols), len(result.failed_symbols), len(result.skipped_symbols)))
    assert outcomes == [(0, 1, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    clock.ms += MINUTE
    async with opened() as (candles, _):
        again = await candles.passive_update()
        assert again.total_rows == 10 + 1, "asked as often as any other again, and for the minutes that were in doubt"
        (record,) = await candles.symbols(SymbolQuery())
        assert dict(record.market.extra) == {}
        assert len(await candles.load(symbol("BTC"))) == 5 + 49 * 60 + 1


# ── partial success ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_symbols_failure_is_its_own(opened: Any, exchange: Any, clock: Any) -> None:
    exchange.list(*"ABCDEF", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, _):
        await fill(candles)
        clock.ms += MINUTE
        exchange.errors = {
            "B": BadRequestError("refused"), "C": MalformedAnswerError("garbled"), "E": ValueError("a bug"),
        }  # fmt: skip
        result = await candles.passive_update()
    assert result.success_symbols == [symbol("A"), symbol("D"), symbol("F")]
    assert [failed for failed, _ in result.failed_symbols] == [symbol("B"), symbol("C"), symbol("E")]
    causes = [cause for _, cause in result.failed_symbols]
    assert [word in cause for word, cause in zip(("refused", "garbled", "a bug"), causes, strict=True)] == [True] * 3


@pytest.mark.parametrize("how", ["ban", "silence", "clock", "plugin"])
async def test_a_whole_exchange_fails_with_its_cause_and_the_others_go_on(
    opened: Any, exchange: Any, clock: Any, how: str
) -> None:
    exchange.list(*"ABCDEFGH", life=(LATEST - 5 * MINUTE, 2**53))
    fair = exchange.markets
    exchange.markets = []
    exchange.list("X", exchange="WIDE", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, _):
        await fill(candles, "WIDE")
        exchange.markets = fair
        await fill(candles)
    clock.ms += MINUTE
    exchange.requests.clear()
    tables: dict[str, Any] = {}

    def fall_silent(_: UpdateProgress) -> None:
        exchange.silent = TransientError("nobody is there at all")

    if how == "ban":
        exchange.errors = dict.fromkeys("ABCDEFGH", RateLimitedError("banned", retry_after=7200, banned=True))
    if how == "silence":
        exchange.errors = dict.fromkeys("ABCDEFGH", TransientError("nobody is there"))
    if how == "clock":
        tables = {"providers": {"fair": {"nonsense": 1}}}
    if how == "plugin":
        tables = {"providers": {"fair": {"plugin": "nowhere"}}}
    async with opened(**tables) as (candles, _):
        result = await candles.passive_update(progress_callback=fall_silent if how == "silence" else None)
    assert result.success_symbols == [symbol("X", exchange="WIDE")]
    assert [failed for failed, _ in result.failed_symbols] == [symbol(base) for base in "ABCDEFGH"]
    words = {"ban": "banned", "silence": "nobody is there", "clock": "nonsense", "plugin": "nowhere"}[how]
    assert all(words in cause for _, cause in result.failed_symbols), result.failed_symbols
    asked = [base for base in exchange.asked() if base != "X"]
    assert len(asked) == {"ban": 1, "silence": 3 * 5, "clock": 0, "plugin": 0}[how]


async def test_three_silent_markets_are_not_the_whole_exchange(opened: Any, exchange: Any, clock: Any) -> None:
    exchange.list(*"ABCDEFGH", life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, _):
        await fill(candles)
        clock.ms += MINUTE
        exchange.errors = dict.fromkeys("ABC", TransientError("no answer"))
        result = await candles.passive_update()
    assert [failed.base for failed, _ in result.failed_symbols] == list("ABC")
    assert [one.base for one in result.success_symbols] == list("DEFGH")


async def test_a_run_that_is_cancelled_keeps_what_came(opened: Any, exchange: Any) -> None:
    exchange.list(*"ABCDEFGH", life=(LATEST - 150 * MINUTE, 2**53), listed=LATEST - 150 * MINUTE)

    def stop(progress: UpdateProgress) -> None:
        if progress.done_symbols == 3:
            run.cancel()

    async with opened() as (candles, witness):
        run = asyncio.create_task(
            candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], progress_callback=stop)
        )
        with pytest.raises(asyncio.CancelledError):
            await run
        kept = sum(save.rows for save in witness.saves)
        assert kept >= 3 * 150
        rest = await candles.passive_update()
    assert rest.total_rows == 8 * 150 - kept


def test_the_calls_of_the_page_without_await(exchange: Any, clock: Any, tmp_path: Any) -> None:
    exchange.list("BTC", life=(LATEST - DAY, 2**53))
    config = {"storage": {"path": str(tmp_path / "candles.sqlite3")}, "defaults": {"timeframes": ["1m", "1h"]}}
    with blocking.open(config, clock=clock) as plugin:
        result = plugin.active_update("CRYPTO", "FAIR", "SPOT")
        assert (len(result.success_symbols), len(result.failed_symbols), result.total_rows) == (2, 0, 1440 + 24)
        clock.ms += MINUTE
        result = plugin.passive_update(archetype="CRYPTO", exchange="FAIR")
        assert (result.success_symbols, result.total_rows) == ([symbol("BTC")], 1)
        clock.ms += MINUTE
        assert plugin.passive_update().total_rows == 1
