"""Again and again, by a clock that jumps to whenever somebody wants to wake up."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from candle_core.clock import LONGEST_NAP
from candle_core.update.every import Turn, update_every
from candle_hookspecs import (
    AuthenticationError,
    BadInputError,
    MissingPluginError,
    StorageFullError,
    TransientError,
    to_ms,
)

NOW = to_ms("2023-11-01T12:00:30")
MINUTE = 60_000
LAG = 3_000  # the exchange settles in two seconds, and its clock is trusted to a second


class EnoughError(Exception):
    """So many turns were wanted."""


class Teller:
    """Notes turns, and ends it all after so many."""

    def __init__(self, turns: int) -> None:
        self.turns: list[Turn] = []
        self.wanted = turns

    def __call__(self, turn: Turn) -> None:
        self.turns.append(turn)
        if len(self.turns) == self.wanted:
            raise EnoughError


@pytest.fixture(autouse=True)
def noon(clock: Any) -> None:
    clock.ms = NOW


def listed(state: Any, *bases: str, exchange: str = "FAIR") -> None:
    """Markets with four closed candles."""
    first = to_ms("2023-11-01T11:56")
    state.list(*bases, exchange=exchange, life=(first, 2**53), listed=first)


async def kept(candles: Any, turns: int, run: Callable[[str], Any], every: str = "1m") -> Any:
    tell = Teller(turns)
    with pytest.raises(EnoughError):
        await update_every(candles.kernel, every, ["FAIR"], run, tell)
    return tell.turns


async def test_at_once_and_then_at_every_close_and_settle(opened: Any, exchange: Any, clock: Any) -> None:
    listed(exchange, "BTC", "ETH")
    began: list[int] = []
    async with opened() as (candles, _):
        await candles.active_update("CRYPTO", "FAIR", "SPOT", timeframes=["1m"])
        exchange.requests.clear()

        async def run(name: str) -> Any:
            began.append(clock.now())
            return await candles.passive_update(exchange=name)

        turns = await kept(candles, 4, run)
    noon = to_ms("2023-11-01T12:00")
    assert began == [NOW, *(noon + minute * MINUTE + LAG for minute in (1, 2, 3))]
    assert [len(turn.result.success_symbols) for turn in turns] == [0, 2, 2, 2]
    assert [turn.result.total_rows for turn in turns] == [0, 2, 2, 2]
    assert [turn.missed for turn in turns] == [0] * 4
    assert sorted(exchange.asked()) == 3 * ["BTC"] + 3 * ["ETH"]
    assert turns[-1].following == noon + 4 * MINUTE + LAG


async def test_beats_that_a_long_run_misses_are_left_out(opened: Any, exchange: Any, clock: Any) -> None:
    listed(exchange, "BTC")
    began: list[int] = []
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            began.append(clock.now())
            result = await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"])
            if len(began) == 2:
                clock.ms += 130_000
            return result

        turns = await kept(candles, 3, run)
    assert [turn.missed for turn in turns] == [0, 2, 0]
    noon = to_ms("2023-11-01T12:00")
    assert began == [NOW, noon + 1 * MINUTE + LAG, noon + 4 * MINUTE + LAG]
    assert turns[-1].result.total_rows == 3, "what the missed ones would have brought"


async def test_an_exchange_that_is_down_is_asked_again(opened: Any, exchange: Any) -> None:
    listed(exchange, "BTC")
    exchange.unlisted = TransientError("nobody there")
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"])

        tell = Teller(3)

        def watch(turn: Turn) -> None:
            if len(tell.turns) == 1:
                exchange.unlisted = None
            tell(turn)

        with pytest.raises(EnoughError):
            await update_every(candles.kernel, "1m", ["FAIR"], run, watch)
    results: list[Any] = [turn.result for turn in tell.turns]
    down, again, up = results
    assert [str(down), str(again)] == ["nobody there", "nobody there"]
    assert up.total_rows == 4 + 2


async def test_one_that_is_down_holds_up_no_other(opened: Any, exchange: Any) -> None:
    listed(exchange, "BTC", exchange="WIDE")
    exchange.list("ETH", life=(0, 2**53))
    told = asyncio.Event()
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            if name == "FAIR":
                # Each of its naps lets the clock jump; unbridled it would jump ahead of the other by years.
                await told.wait()
                told.clear()
                raise AuthenticationError("no key")
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"], base="BTC")

        tell, refused = Teller(3), []

        def watch(turn: Turn) -> None:
            if turn.exchange == "FAIR":
                refused.append(turn.result)
            else:
                tell(turn)
                told.set()

        with pytest.raises(EnoughError):
            await update_every(candles.kernel, "1m", ["FAIR", "WIDE"], run, watch)
    assert len(refused) > 1
    assert {type(one) for one in refused} == {AuthenticationError}
    wide: list[Any] = [turn.result for turn in tell.turns]
    first, *rest = (one.total_rows for one in wide)
    assert first >= 4
    assert all(rest), "while the clock jumps to the other's beats, several candles may close"


async def test_a_database_that_is_full_ends_it(opened: Any, exchange: Any) -> None:
    listed(exchange, "BTC")
    async with opened() as (candles, witness):
        witness.full_after = 2

        async def run(name: str) -> Any:
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"])

        tell = Teller(9)
        with pytest.raises(StorageFullError, match="no room"):
            await update_every(candles.kernel, "1m", ["FAIR"], run, tell)
    assert len(tell.turns) == 2


async def test_what_can_never_be_ends_it(opened: Any, exchange: Any) -> None:
    listed(exchange, "BTC")
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            return await candles.active_update("CRYPTO", name, "NONE")

        with pytest.raises(BadInputError, match="NONE"):
            await update_every(candles.kernel, "1m", ["FAIR"], run, Teller(9))
        with pytest.raises(MissingPluginError):
            await update_every(candles.kernel, "1m", ["NOWHERE"], run, Teller(9))


async def test_no_nap_is_long_and_none_too_short(opened: Any, exchange: Any, clock: Any) -> None:
    """A machine that was suspended notices soon; a timeframe that the exchange lacks has the usual grid."""
    listed(exchange, "BTC")
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1h"])

        clock.slept.clear()
        turns = await kept(candles, 2, run, every="7m")
    assert turns[0].following == to_ms("2023-11-01T12:06:03"), "multiples of seven minutes since 1970"
    assert max(clock.slept) == LONGEST_NAP
    assert sum(clock.slept) == pytest.approx((turns[0].following - NOW) / 1000)


@pytest.mark.parametrize("hours", [-8, -3, 3, 8])
async def test_a_machine_whose_clock_is_set_meanwhile(
    opened: Any, exchange: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Every minute comes in its turn by the exchange's clock, and nothing is asked for that is yet to be."""
    listed(exchange, "BTC")
    began: list[int] = []
    sleep = clock.sleep

    async def set_meanwhile(seconds: float) -> None:
        await sleep(seconds)
        if len(began) == 2 and not exchange.ahead:
            clock.ms += hours * 3_600_000
            exchange.ahead -= hours * 3_600_000

    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            began.append(clock.now() + exchange.ahead)
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"])

        monkeypatch.setattr(clock, "sleep", set_meanwhile)
        turns = await kept(candles, 6, run)
    noon = to_ms("2023-11-01T12:00")
    assert began == [NOW, *(noon + minute * MINUTE + LAG for minute in range(1, 6))]
    assert [turn.result.total_rows for turn in turns] == [4, 1, 1, 1, 1, 1]
    assert all(request.span.end <= at for request, at in zip(exchange.requests[1:], began[1:], strict=True))


async def test_a_laptop_that_slept_asks_what_time_it_is(opened: Any, exchange: Any, clock: Any) -> None:
    """Its own clock may have stood still meanwhile, or run on, and been set since: nobody knows."""
    listed(exchange, "BTC")
    async with opened() as (candles, _):

        async def run(name: str) -> Any:
            if len(began) == 2:
                clock.ms += 8 * 3_600_000
            began.append(clock.now())
            return await candles.active_update("CRYPTO", name, "SPOT", timeframes=["1m"])

        began: list[int] = []
        turns = await kept(candles, 4, run)
    assert [turn.result.total_rows for turn in turns] == [4, 1, 8 * 60 + 1, 1]
    assert exchange.greeted == 2
