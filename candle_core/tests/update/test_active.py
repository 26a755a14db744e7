"""What an exchange lists: registered at once, and collected through one buffer."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from candle_core.update import run as running
from candle_hookspecs import (
    IN_FLIGHT,
    BadInputError,
    MarketStatus,
    StorageFullError,
    Symbol,
    SymbolQuery,
    TransientError,
    UnknownTimeframeError,
    UpdateProgress,
    to_ms,
)

NOW = to_ms("2023-11-01T12:00:30")
MINUTE = 60_000
LATEST = NOW // MINUTE * MINUTE  # the candle that is still open


def symbol(base: str, timeframe: str = "1m", quote: str = "USDT", exchange: str = "FAIR") -> Symbol:
    return Symbol("CRYPTO", exchange, "SPOT", base, quote, timeframe)


@pytest.fixture(autouse=True)
def noon(clock: Any) -> None:
    clock.ms = NOW


async def test_the_example_of_the_buffer(opened: Any, exchange: Any) -> None:
    """6 and 5 rows are more than 10: saved and emptied. 4 more are flushed at the end."""
    # Asked in this order: the fewest slots first.
    for base, slots, rows in (("BTC", 6, 6), ("ETH", 7, 5), ("XRP", 8, 4)):
        first = LATEST - slots * MINUTE
        exchange.list(base, listed=first, life=(first, 2**53))
        exchange.holes[base] = [first + (1 + n) * MINUTE for n in range(slots - rows)]
    async with opened() as (candles, witness):
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], buffer_size=10)
        assert [[len(one.batch) for one in save.answers] for save in witness.saves] == [[6, 5], [4]]
        assert [[one.symbol.base for one in save.answers] for save in witness.saves] == [["BTC", "ETH"], ["XRP"]]
        for base, rows in (("BTC", 6), ("ETH", 5), ("XRP", 4)):
            assert len(await candles.load(symbol(base))) == rows
    assert result.success_symbols == [symbol("BTC"), symbol("ETH"), symbol("XRP")]
    assert (result.total_rows, result.requests, result.failed_symbols) == (15, 3, [])


async def test_every_market_in_every_timeframe_is_registered_in_one_call(opened: Any, exchange: Any) -> None:
    exchange.list("BTC", "ETH", life=(to_ms("2023-10-31"), 2**53), listed=to_ms("2023-10-31"))
    async with opened() as (candles, witness):
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1h", "1d"])
        assert len(witness.registrations) == 1
        assert witness.lookups == [], "no symbol's coverage is asked for by itself"
        hours = await candles.load(symbol("ETH", "1h"))
    assert result.success_symbols == [symbol(base, frame) for base in ("BTC", "ETH") for frame in ("1d", "1h")]
    assert result.total_rows == 2 * (36 + 1)
    assert (hours.first, hours.last, len(hours)) == (to_ms("2023-10-31"), to_ms("2023-11-01T11:00"), 36)


async def test_the_timeframes_of_the_configuration_else_days(opened: Any, exchange: Any) -> None:
    exchange.list("BTC", life=(to_ms("2023-10-30"), 2**53))
    async with opened() as (candles, _):
        days = await candles.active_update("crypto", "fair", "spot")
        assert days.success_symbols == [symbol("BTC", "1d")]
        assert days.total_rows == 2
    async with opened(defaults={"timeframes": ["1h", "1d"]}) as (candles, _):
        both = await candles.active_update("CRYPTO", "FAIR", "SPOT")
    assert both.success_symbols == [symbol("BTC", "1h")]
    assert both.skipped_symbols == [symbol("BTC", "1d")], "no further day is closed"


async def test_which_markets(opened: Any, exchange: Any) -> None:
    life = (LATEST - 3 * MINUTE, 2**53)
    exchange.list("ETH", "BTC", "ADA", life=life)
    exchange.list("ETH", quote="KRW", life=life)
    exchange.list("OLD", status=MarketStatus.CLOSED, life=life)

    async def chosen(**wanted: Any) -> list[str]:
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], **wanted)
        both = sorted([*result.success_symbols, *result.skipped_symbols])
        return [f"{one.base}/{one.quote}" for one in both]

    async with opened() as (candles, _):
        assert await chosen(quote="krw") == ["ETH/KRW"]
        assert await chosen(base="eth") == ["ETH/KRW", "ETH/USDT"]
        assert await chosen(count=2) == ["ADA/USDT", "BTC/USDT"], "the first by name"
        assert await chosen(status=MarketStatus.CLOSED) == ["OLD/USDT"]
        assert len(await chosen()) == 4
        assert len(await chosen(status=None)) == 5


@pytest.mark.parametrize(
    ("arguments", "named", "error", "words"),
    [
        (("STOCK", "FAIR", "SPOT"), {}, BadInputError, ["'STOCK'", "archetype", "CRYPTO"]),
        (("CRYPTO", "FAIR", "FUTURE"), {}, BadInputError, ["'FUTURE'", "trade type", "SPOT, SWAP"]),
        (("CRYPTO", "FAIR", "SPOT"), {"timeframes": ["7m"]}, UnknownTimeframeError, ["'7m'", "1m, 1h, 1d"]),
        (("CRYPTO", "FAIR", "SPOT"), {"count": 0}, BadInputError, ["0"]),
        (("CRYPTO", "FAIR", "SPOT"), {"buffer_size": 0}, BadInputError, ["buffer_size", "0"]),
    ],
    ids=["archetype", "tradetype", "timeframe", "count", "buffer"],
)
async def test_what_cannot_be_is_refused_before_anything_is_sent(
    opened: Any, exchange: Any, arguments: Any, named: Any, error: type[Exception], words: list[str]
) -> None:
    exchange.list("BTC")
    async with opened() as (candles, witness):
        with pytest.raises(error) as caught:
            await candles.active_update(*arguments, **named)
        assert witness.registrations == []
    assert exchange.requests == []
    assert [word for word in words if word not in str(caught.value)] == []


async def test_a_second_run_asks_nothing_and_keeps_what_is_known_of_a_market(opened: Any, exchange: Any) -> None:
    first = LATEST - 250 * MINUTE
    exchange.list("BTC", life=(first, 2**53))
    exchange.list("OFF", life=(first, 2**53))
    async with opened() as (candles, witness):
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.requests.clear()
        exchange.markets.pop()
        exchange.list("OFF", status=MarketStatus.CLOSED)
        witness.registrations.clear()
        again = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        records = {one.symbol.base: one.market for one in await candles.symbols(SymbolQuery())}
    assert (again.skipped_symbols, again.requests, exchange.requests) == ([symbol("BTC")], 0, [])
    assert records["BTC"].listed == first, "its candles told, the listing never did"
    assert (records["OFF"].status, records["OFF"].listed) == (MarketStatus.CLOSED, first)
    assert len(witness.registrations) == 1


async def test_the_beginnings_of_new_markets_are_registered_together(opened: Any, exchange: Any) -> None:
    exchange.list(*(f"M{number}" for number in range(20)), life=(LATEST - 5 * MINUTE, 2**53))
    async with opened() as (candles, witness):
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        records = await candles.symbols(SymbolQuery())
    assert [len(one) for one in witness.registrations] == [20, 20]
    assert {one.market.listed for one in records} == {LATEST - 5 * MINUTE}


async def test_from_a_moment_on(opened: Any, exchange: Any) -> None:
    exchange.list("BTC")
    async with opened() as (candles, _):
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], start="2023-11-01T11:50")
        batch = await candles.load(symbol("BTC"))
    assert result.total_rows == 10
    assert batch.first == to_ms("2023-11-01T11:50")


async def test_an_exchange_that_lists_nothing(opened: Any, exchange: Any) -> None:
    exchange.unlisted = TransientError("the listing is not there")
    async with opened() as (candles, _):
        with pytest.raises(TransientError, match="not there"):
            await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.unlisted = None
        exchange.list("BTC", life=(LATEST - 5 * MINUTE, 2**53))
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.unlisted = TransientError("the listing is not there")
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
    ((failed, cause),) = result.failed_symbols
    assert failed == symbol("BTC")
    assert "not there" in cause


async def test_a_full_disk_ends_the_run_and_the_next_goes_on(opened: Any, exchange: Any) -> None:
    exchange.list(*"ABCDEFGH", life=(LATEST - 500 * MINUTE, 2**53), listed=LATEST - 500 * MINUTE)
    async with opened() as (candles, witness):
        witness.full_after = 3
        with pytest.raises(StorageFullError, match="no room"):
            await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], buffer_size=700)
        kept = sum(save.rows for save in witness.saves)
        assert kept >= 3 * 700
        witness.full_after = None
        before = len(exchange.requests)
        result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], buffer_size=700)
        assert result.total_rows == 8 * 500 - kept, "what was durable was so with its proof"
        assert len(exchange.requests) - before == -(-(8 * 500 - kept) // 100)
        for base in "ABCDEFGH":
            assert len(await candles.load(symbol(base))) == 500


async def test_states_of_each_symbol(opened: Any, exchange: Any) -> None:
    exchange.list("BTC", "ETH", life=(LATEST - 150 * MINUTE, 2**53), listed=LATEST - 150 * MINUTE)
    exchange.errors["ETH"] = BadInputError("no")
    seen: list[UpdateProgress] = []
    async with opened() as (candles, _):
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"], progress_callback=seen.append)
    told = [(one.symbol.base, one.state.value, one.symbol_rows) for one in seen]
    assert told == [
        ("BTC", "started", 0), ("BTC", "collecting", 100), ("BTC", "collecting", 150), ("BTC", "done", 150),
        ("ETH", "started", 0), ("ETH", "failed", 0),
    ]  # fmt: skip
    last = seen[-1]
    assert (last.cause, last.total_symbols, last.done_symbols, last.failed_symbols) == ("no", 2, 1, 1)
    assert (last.total_rows, last.requests) == (150, 3)


async def test_runs_that_are_over_before_upkeep_is_due_let_no_facts_pile_up(
    opened: Any, exchange: Any, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cron job's are: each adds a fact of every symbol that touches the one before."""
    monkeypatch.setattr(running, "CROWDED", 5)
    first = clock.ms // 60_000 * 60_000 - 60_000
    exchange.list("BTC", "ETH", life=(first, 2**53), listed=first)
    counts = []
    for _ in range(30):
        clock.ms += 600_000
        async with opened() as (candles, _):
            result = await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
            assert len(result.success_symbols) == 2
        with closing(sqlite3.connect(tmp_path / "candles.sqlite3")) as database:
            counts += database.execute("SELECT count(*) FROM coverage").fetchone()
    in_flight = IN_FLIGHT // 600_000 + 1
    assert max(counts) <= 2 * (in_flight + 1 + 5 + 1)
    assert counts[:10] == list(range(2, 22, 2)), "there is nothing to unite yet"
    assert exchange.asked().count("BTC") == 30, "nothing of what is known was lost"
