"""Many symbols: markets × timeframes in one run, and what fails, fails alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import candle_core
from candle_core.coordinator import ManyRequest, ManyResult, MarketDataCoordinator, collect_many
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    StorageError,
    SymbolQuery,
    UnknownMarketError,
    UnknownTimeframeError,
    UpdateProgress,
    to_ms,
)

NAMES = ("A/X", "B/X", "C/X")
START = "2023-11-14T12:00"
MINUTE = 60_000
# The clock of these tests stands at 2023-11-14T22:13:20: the last closed minute opened at 22:12.
MINUTES = range(to_ms(START), to_ms("2023-11-14T22:13"), MINUTE)


def wanted(symbols: Any = NAMES, **options: Any) -> ManyRequest:
    return ManyRequest(exchange="bazaar", symbols=symbols, timeframes="1m", **(options or {"start": START}))


@asynccontextmanager
async def opened(clock: Any) -> AsyncIterator[candle_core.Candles]:
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        yield candles


async def many(candles: candle_core.Candles, request: ManyRequest, **options: Any) -> ManyResult:
    return await collect_many(MarketDataCoordinator(candles), request, **options)


async def stored(candles: candle_core.Candles, name: str) -> list[int]:
    batch = await candles.load(name, "1m", exchange="BAZAAR", tradetype="SPOT")
    moments: list[int] = batch.open_time.tolist()
    return moments


async def test_everything_up_to_the_last_closed_candle_is_stored(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        result = await many(candles, wanted())
        assert [await stored(candles, name) for name in NAMES] == [list(MINUTES)] * 3
    assert result.complete
    assert len(result.update.success_symbols) == 3
    assert result.update.total_rows == 3 * len(MINUTES)
    provider = bazaar.instances[0]
    assert len(provider.sent) == result.update.requests == 3 * 7, "613 slots, 100 to a page"
    assert provider.listings == 1


async def test_what_is_stored_is_not_asked_again(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        await many(candles, wanted())
        again = await many(candles, wanted(["AX", "a/x", "B/X"]))
        provider = bazaar.instances[0]
        assert (again.update.requests, len(again.update.skipped_symbols)) == (0, 2), "AX and a/x are one market"
        clock.ms += MINUTE
        minute = await many(candles, wanted())
    assert (minute.update.requests, minute.update.total_rows) == (3, 3)
    assert provider.listings == 1


async def test_a_count_goes_back_from_the_last_closed_candle(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        await many(candles, wanted(count=150))
        assert await stored(candles, "A/X") == list(MINUTES)[-150:]
    assert len(bazaar.instances[0].sent) == 3 * 2


async def test_one_fails_alone(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        await many(candles, wanted(count=1))
        bazaar.instances[0].gone.add("B")
        result = await many(candles, wanted((*NAMES, "NO/SUCH")))
        assert await stored(candles, "C/X") == list(MINUTES)
    assert [(str(symbol), "no market" in cause) for symbol, cause in result.update.failed_symbols] == [
        ("CRYPTO-BAZAAR-SPOT-B-X-1m", True)
    ]
    assert isinstance(result.unknown["NO/SUCH"], UnknownMarketError)
    assert len(result.update.success_symbols) == 2
    assert not result.complete


async def test_the_shortest_work_goes_first(clock: Any, bazaar: Any) -> None:
    began: list[str] = []

    def watch(now: UpdateProgress) -> None:
        if now.state == "started":
            began.append(now.symbol.base)

    async with opened(clock) as candles:
        await many(candles, wanted("C/X", start="2023-11-14T12:00"))
        await many(candles, wanted("B/X", start="2023-11-14T10:00"))
        clock.ms += MINUTE
        await many(candles, wanted(start="2023-11-14T10:00"), progress_callback=watch)
    assert began == ["B", "C", "A"], "one minute, two hours and one minute, twelve hours"


async def test_a_database_that_takes_nothing_is_no_partial_success(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        await many(candles, wanted(count=1))

        async def refuse(*_: Any) -> None:
            raise StorageError("the disk is full")

        candles.kernel.writer().save_all = refuse  # type: ignore[method-assign,assignment]
        with pytest.raises(StorageError, match="full"):
            await many(candles, wanted())


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (BadInputError, "leave one out", {"start": START, "count": 5}),
        (BadSpanError, "a start or a count", {"start": None}),
        (BadSpanError, "count of 0", {"count": 0}),
        (BadInputError, "buffer_size=0", {"count": 5, "buffer_size": 0}),
        (BadInputError, "buffer_size='9'", {"count": 5, "buffer_size": "9"}),
    ],
)
def test_an_impossible_request_is_refused(error: type[Exception], match: str, options: Any) -> None:
    with pytest.raises(error, match=match):
        wanted(**options)


def test_timeframes_are_looked_at() -> None:
    nothing: Any
    for nothing in ([], None, [1], 5, ""):
        with pytest.raises(BadInputError, match="timeframes="):
            ManyRequest(exchange="bazaar", symbols=NAMES, timeframes=nothing, count=5)
    with pytest.raises(UnknownTimeframeError, match="'1x'"):
        ManyRequest(exchange="bazaar", symbols=NAMES, timeframes=["1m", "1x"], count=5)


async def test_a_timeframe_that_the_exchange_lacks_is_refused_at_once(clock: Any, bazaar: Any) -> None:
    async with opened(clock) as candles:
        request = ManyRequest(exchange="bazaar", symbols=NAMES, timeframes=["1m", "1h"], count=5)
        with pytest.raises(UnknownTimeframeError, match="'1h'"):
            await many(candles, request)
        assert not await candles.kernel.storage().symbols(SymbolQuery())
    assert bazaar.instances[0].sent == []
