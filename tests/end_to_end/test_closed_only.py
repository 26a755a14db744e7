"""Only closed candles are final, by the exchange's clock; a later answer replaces an earlier one and is counted."""

from pathlib import Path

import numpy as np
import pytest

from candle_hookspecs import (
    Answer,
    CandleBatch,
    Coverage,
    CoverageState,
    Evidence,
    Market,
    Registration,
    SaveReceipt,
    SaveWrite,
    Span,
)
from candle_sqlite import SqliteStorage
from candle_testkit.context import make_context
from tests.end_to_end.clocks import StandingClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import MINUTE, World, after, assert_equal, bitcoin, ms

NOON = "2024-03-01T12:00:00"
HOUR = 3_600_000
OFFSETS = (0, 1, 999, 1_000, 1_999, 2_000, 2_001, 2_999, 3_000, 3_001, 30_000, 57_500, 59_000, 59_999)


@pytest.mark.parametrize("wrong", [-5 * HOUR, 0, 5 * HOUR], ids=["clock behind", "clock right", "clock ahead"])
async def test_the_open_candle_is_never_stored(make_world: MakeWorld, wrong: int) -> None:
    clock = StandingClock(ms(NOON) + wrong)
    # A page of five slots with two rows missing has room for the open candle, and the exchange sends it.
    holes = [(after(NOON, 10 * number - 4), after(NOON, 10 * number - 2)) for number in range(len(OFFSETS))]
    world = make_world(bitcoin(holes=holes), at=NOON, clock=clock)
    for number, offset in enumerate(OFFSETS):
        noon = ms(NOON) + number * 10 * MINUTE
        now = noon + offset
        world.sandbox.clock.set(now)
        clock.moment = now + wrong
        summary = await world.collect(count=5)
        stored = world.stored()["open_time"]
        assert stored[-1] + MINUTE <= now
        assert summary.time_range[1].timestamp() * 1000 <= now
        # Two seconds after its close a candle is due (`settle`); the Date header may hide another one.
        due = noon if offset >= 3_000 else noon - MINUTE
        assert stored[-1] >= due - MINUTE
        assert all(end <= now for _, end in world.proven("answered"))
        world.assert_honest()


@pytest.mark.parametrize("wrong", [-9 * HOUR, 9 * HOUR], ids=["clock behind", "clock ahead"])
async def test_a_range_into_the_future_ends_at_the_exchange_s_present(make_world: MakeWorld, wrong: int) -> None:
    world = make_world(at=after(NOON, 0.5), clock=StandingClock(ms(NOON) + wrong))
    summary = await world.collect(after(NOON, -100), after(NOON, 10_000))
    assert summary.db_records_count == 100
    assert summary.complete
    world.assert_complete(after(NOON, -100), NOON)
    assert all(end <= ms(NOON) for _, end in world.proven("answered"))


async def test_a_range_wholly_in_the_future_is_nothing(make_world: MakeWorld) -> None:
    world = make_world(at=after(NOON, 0.5), clock=StandingClock(ms(NOON)))
    summary = await world.collect(after(NOON, 60), after(NOON, 120))
    assert (summary.db_records_count, summary.api_calls_made) == (0, 0)
    assert world.counts() == (0, 0)


async def test_it_is_stored_once_closed_with_its_final_values(make_world: MakeWorld) -> None:
    world = make_world(at=after(NOON, 0.4), clock=StandingClock(NOON))
    await world.collect(after(NOON, -10))
    assert world.stored()["open_time"][-1] == ms(NOON) - MINUTE
    so_far = world.sandbox.ledger.candles("BTCUSDT", "1m", ms(NOON), ms(NOON) + 1, include_open=True)

    world.sandbox.clock.set(after(NOON, 1.1))
    await world.collect(after(NOON, -10))
    world.assert_complete(after(NOON, -10), after(NOON, 1))
    last = world.stored(NOON)
    assert last["open_time"].tolist() == [ms(NOON)]
    assert last["volume"][0] > so_far["volume"][0]


@pytest.mark.parametrize("timeframe", ["1h", "1d"])
async def test_longer_candles_wait_for_their_close(make_world: MakeWorld, timeframe: str) -> None:
    world = make_world(at="2024-03-01T23:59:58", clock=StandingClock(NOON))
    await world.collect("2024-02-01", timeframe=timeframe)
    last = world.stored(timeframe=timeframe)["open_time"][-1]
    assert last == ms("2024-02-29") if timeframe == "1d" else last == ms("2024-03-01T22:00")
    world.sandbox.clock.set("2024-03-02T00:00:05")
    await world.collect("2024-02-01", timeframe=timeframe)
    world.assert_complete("2024-02-01", "2024-03-02", timeframe=timeframe)


async def test_collecting_every_few_seconds_never_freezes_a_candle(make_world: MakeWorld) -> None:
    """As a bot would that polls: an hour in steps that fall anywhere in the minute."""
    clock = StandingClock(NOON)
    holes = [(after(NOON, minute), after(NOON, minute + 1)) for minute in range(-27, 58, 3)]
    world = make_world(bitcoin(holes=holes), at=NOON, clock=clock)
    async with world.open() as candles:
        for step in range(0, 3_600, 47):
            now = ms(NOON) + step * 1_000 + step * 13 % 1_000
            world.sandbox.clock.set(now)
            clock.moment = now
            await candles.collect_candles_only("BTC/USDT", "1m", start=after(NOON, -30))
            assert world.stored()["open_time"][-1] + MINUTE <= now
    newest = after(NOON, 58)
    assert_equal(world.stored(after(NOON, -30), newest), world.truth(after(NOON, -30), newest))
    world.assert_honest()


# ── revisions ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_later_answer_replaces_an_earlier_one_and_is_counted(make_world: MakeWorld) -> None:
    clock = StandingClock(NOON)
    world = make_world(at=NOON, clock=clock)
    start, stale = after(NOON, -2_500), after(NOON, -1_700)
    world.sandbox.faults.script("stale_open", at=stale)
    first = await world.collect(start, NOON)
    assert first.saved.inserted == first.db_records_count
    before, truth = world.stored(stale, after(stale, 1)), world.truth(stale, after(stale, 1))
    assert before["volume"][0] < truth["volume"][0]

    world.sandbox.clock.advance(10 * MINUTE)
    world.forget()
    unasked = await world.collect(start, after(NOON, -1))
    assert world.asked() == []
    assert unasked.saved == SaveReceipt()
    again = await world.collect(start, after(NOON, -1), refetch=True)
    assert (again.saved.revised, again.saved.inserted, again.saved.outdated) == (1, again.saved.inserted, 0)
    assert_equal(world.stored(stale, after(stale, 1)), truth)
    world.assert_complete(start, after(NOON, -1))
    third = await world.collect(start, after(NOON, -1), refetch=True)
    assert third.saved.revised == 0


# ── straight to the storage ──────────────────────────────────────────────────────────────────────────────────────────

MARKET = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT",
    native_id="BTCUSDT", ccxt_symbol="BTC/USDT",
)  # fmt: skip
SYMBOL = MARKET.symbol("1m")


def answer(price: float, answered_at: int, rank: int = 0) -> Answer:
    """Three candles of one price."""
    times = ms(NOON) + MINUTE * np.arange(3, dtype=np.int64)
    names = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
    flat = {name: np.full(3, price) for name in names}
    batch = CandleBatch.from_columns({"open_time": times, "trades": np.ones(3, np.int64), **flat})
    source = f"binance:{'archive' if rank else 'rest'}"
    span = Span(batch.first, batch.last + 1)
    fact = Coverage(span, CoverageState.ANSWERED, Evidence.ANCHORED, source, answered_at)
    return Answer(
        symbol=SYMBOL, source=source, rank=rank, answered_at=answered_at, batch=batch, coverage=(fact,)
    )  # fmt: skip


def saved(tmp_path: Path, *answers: Answer) -> tuple[list[SaveReceipt], World]:
    """Save answers one after another, in this order."""
    world = World(sandbox=None, path=tmp_path / "candles.sqlite3")  # type: ignore[arg-type]
    storage = SqliteStorage(SqliteStorage.Settings(path=world.path), make_context(tmp_path))
    storage.candle_register([Registration(market=MARKET, timeframes=("1m",))])
    receipts = [storage.candle_save(SaveWrite(answers=(one,))) for one in answers]
    storage.candle_close()
    return receipts, world


def test_an_answer_given_earlier_but_saved_later_does_not_win(tmp_path: Path) -> None:
    receipts, world = saved(tmp_path, answer(2.0, answered_at=2_000), answer(1.0, answered_at=1_000))
    assert (receipts[1].outdated, receipts[1].revised) == (3, 0)
    assert world.stored()["close"].tolist() == [2.0, 2.0, 2.0]


def test_an_answer_given_later_wins(tmp_path: Path) -> None:
    receipts, world = saved(tmp_path, answer(1.0, answered_at=1_000), answer(2.0, answered_at=2_000))
    assert (receipts[0].inserted, receipts[1].revised) == (3, 3)
    assert world.stored()["close"].tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_answers_of_one_moment_the_higher_rank_wins(tmp_path: Path, order: int) -> None:
    pair = [answer(1.0, answered_at=1_000), answer(2.0, answered_at=1_000, rank=5)][::order]
    _, world = saved(tmp_path, *pair)
    assert world.stored()["close"].tolist() == [2.0, 2.0, 2.0]


def test_the_moment_goes_on_though_the_values_stay(tmp_path: Path) -> None:
    """The same values confirmed later are not undone by an answer from in between."""
    _, world = saved(
        tmp_path, answer(2.0, answered_at=1_000), answer(2.0, answered_at=3_000), answer(1.0, answered_at=2_000)
    )
    assert world.stored()["close"].tolist() == [2.0, 2.0, 2.0]
