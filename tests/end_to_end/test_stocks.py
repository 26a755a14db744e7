"""Stocks, from the chart to an adjusted series: splits, dividends, DST, holidays, and how Yahoo refuses."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import candle_core
from candle_hookspecs import CandleBatch, Clock, CollectionSummary, MarketGoneError, RateLimitedError
from candle_testkit.sandbox import Dividend, Sandbox, SandboxConfig, Split, StockConfig
from tests.end_to_end.clocks import FastClock
from tests.end_to_end.world import ms

APPLE = StockConfig(
    "AAPL", "NMS", "Apple Inc.", "190", volume=60_000_000, trades=600_000,
    splits=[Split("2023-06-12", "4:1")],
    dividends=[Dividend("2022-08-05", "0.92"), Dividend("2023-05-12", "0.96"), Dividend("2023-08-11", "0.24")],
)  # fmt: skip
MICROSOFT = StockConfig("MSFT", "NMS", "Microsoft Corporation", "400", volume=20_000_000)
META = StockConfig("META", "NMS", "Meta Platforms, Inc.", "450", listed="2012-05-18", former=[("FB", "2022-06-09")])
GONE = StockConfig("ATVI", "NMS", "Activision Blizzard", "90", delisted="2023-10-13")
THIN = StockConfig("THIN", "NMS", "Thin Trading Corp.", "8", volume=2_000, trades=30)
SAMSUNG = StockConfig("005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000, 200_000)

START = "2022-06-01"
STEPS = ("2023-02-15T22:30", "2023-05-01T12:00", "2023-06-09T22:00", "2023-06-13T05:00", "2023-12-01T15:00")
"""Looks at the exchange: before and after both changes of the clocks, on both sides of the split, at any hour."""


@dataclass
class StockWorld:
    """A sandbox with stocks, and the database that is filled from it."""

    sandbox: Sandbox
    folder: Path

    def tables(self, name: str = "candles") -> dict[str, Any]:
        providers = {exchange: {"chart_url": self.sandbox.url} for exchange in ("nasdaq", "krx")}
        return {"storage": {"path": str(self.folder / f"{name}.sqlite3")}, "providers": providers}

    async def collect(
        self, symbol: str, timeframe: str, start: str, *, name: str = "candles", clock: Clock | None = None
    ) -> CollectionSummary:
        exchange = "KRX" if symbol.isdecimal() else "NASDAQ"
        async with candle_core.open(self.tables(name), clock=clock) as candles:
            return await candles.collect_candles_only(symbol, timeframe, exchange=exchange, start=start)

    async def load(self, symbol: str, timeframe: str, adjust: str, *, name: str = "candles") -> CandleBatch:
        exchange = "KRX" if symbol.isdecimal() else "NASDAQ"
        async with candle_core.open(self.tables(name)) as candles:
            return await candles.load(symbol, timeframe, exchange=exchange, adjust=adjust)

    def asked(self) -> int:
        """Requests since the last time."""
        count = self.sandbox.ledger.count()
        self.sandbox.ledger.clear()
        return count


MakeWorld: TypeAlias = Callable[..., StockWorld]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    with ExitStack() as running:

        def make(*stocks: StockConfig, at: str = STEPS[0], **options: Any) -> StockWorld:
            config = SandboxConfig(markets=1, stocks=stocks, clock=at, speed=0, **options)
            return StockWorld(running.enter_context(Sandbox(config)), tmp_path)

        yield make


def assert_same(one: CandleBatch, other: CandleBatch) -> None:
    for column in ("open_time", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column), err_msg=column)


@pytest.mark.parametrize("timeframe", ["1d", "1h"])
async def test_appending_across_a_split_and_dst_reads_as_one_piece(make_world: MakeWorld, timeframe: str) -> None:
    world = make_world(APPLE)
    for moment in STEPS:
        world.sandbox.clock.set(moment)
        summary = await world.collect("AAPL", timeframe, START)
        assert summary.complete, summary
        world.asked()
    whole = await world.collect("AAPL", timeframe, START, name="whole")
    assert whole.complete
    for adjust in ("raw", "splits", "all"):
        pieced = await world.load("AAPL", timeframe, adjust)
        assert_same(pieced, await world.load("AAPL", timeframe, adjust, name="whole"))
        scale = {"raw": "traded", "splits": "split", "all": "full"}[adjust]
        truth = world.sandbox.stocks.candles("AAPL", timeframe, ms(START), pieced.last + 1, scale=scale)
        np.testing.assert_array_equal(pieced.open_time, truth["open_time"])
        for column in ("open", "high", "low", "close", "volume"):
            np.testing.assert_allclose(getattr(pieced, column), truth[column], rtol=1e-9, err_msg=column)
        jumps = np.abs(np.diff(np.log(pieced.close)))
        assert (jumps.max() > 1) == (adjust == "raw"), "only what was traded shows the split"
    assert (await world.collect("AAPL", timeframe, START)).saved.inserted == 0


async def test_what_is_known_is_asked_once_in_any_share(make_world: MakeWorld) -> None:
    world = make_world(APPLE)
    await world.collect("AAPL", "1d", START)
    world.sandbox.clock.set(STEPS[-1])
    world.asked()
    appended = await world.collect("AAPL", "1d", START)
    assert appended.saved.revised == 0, "the split changed nothing that is stored"
    assert world.asked() <= 2, "the clock, and one chart"
    await world.collect("AAPL", "1d", START)
    assert world.asked() <= 2


async def test_minutes_within_reach_come_and_the_rest_is_out_of_it(make_world: MakeWorld) -> None:
    world = make_world(APPLE, at="2023-06-20T12:00")
    summary = await world.collect("AAPL", "1m", "2023-01-03")
    batch = await world.load("AAPL", "1m", "raw")
    truth = world.sandbox.stocks.candles("AAPL", "1m", batch.first, ms("2023-06-20"))
    np.testing.assert_array_equal(batch.open_time, truth["open_time"])
    np.testing.assert_array_equal(batch.close, truth["close"])
    assert batch.first - (ms("2023-06-20T12:00") - 30 * 86_400_000) < 86_400_000 * 4
    async with candle_core.open(world.tables()) as candles:
        report = await candles.slots("AAPL", "1m", exchange="NASDAQ", start="2023-01-03", end="2023-06-17")
    assert report.out_of_reach > 0
    assert report.missing == 0
    assert report.proven_empty < report.filled, "what is out of reach is never proven empty"
    assert summary.complete
    world.asked()
    await world.collect("AAPL", "1m", "2023-01-03")
    assert world.asked() <= 3, "nor asked for again"


async def test_gaps_are_counted_against_sessions(make_world: MakeWorld) -> None:
    world = make_world(SAMSUNG, at="2023-12-01T15:00")
    await world.collect("005930", "1h", "2023-11-06")
    span = ms("2023-11-06"), ms("2023-12-01")
    sessions = world.sandbox.stocks.sessions("005930.KS", *span)
    async with candle_core.open(world.tables()) as candles:
        report = await candles.slots("005930", "1h", exchange="KRX", start="2023-11-06", end="2023-12-01")
    assert report.slots == sum(-(-(one.close - one.open) // 3_600_000) for one in sessions)
    assert (report.missing, report.filled) == (0, report.slots), "on the day of the exam, too, trading begins at ten"


async def test_one_dead_ticker_harms_nobody(make_world: MakeWorld) -> None:
    world = make_world(APPLE, MICROSOFT, META, GONE, THIN, at="2023-10-01T12:00")
    for symbol in ("ATVI", "AAPL"):
        assert (await world.collect(symbol, "1d", "2023-09-01")).complete
    world.sandbox.clock.set("2023-12-01T15:00")
    world.asked()
    with pytest.raises(MarketGoneError, match="No data found"):
        await world.collect("ATVI", "1d", "2023-09-01")
    assert world.asked() == 2, "the clock, and one refusal"
    toml = world.folder / "candle.toml"
    toml.write_text(
        f"[storage]\npath = '{world.folder / 'candles.sqlite3'}'\n"
        f'[providers.nasdaq]\nchart_url = "{world.sandbox.url}"\n'
    )
    words = ["collect", "NASDAQ", "AAPL", "FB", "ATVI", "MSFT", "META", "THIN", "1d", "--start", "2023-09-01"]
    command = [str(Path(sys.executable).with_name("candle")), *words, "--json", "--config", str(toml)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    states = {one["name"]: (one["state"], one.get("error", {}).get("type")) for one in told["symbols"]}
    assert states == {
        "AAPL": ("complete", None), "MSFT": ("complete", None), "META": ("complete", None), "THIN": ("complete", None),
        "FB": ("failed", "UnknownMarketError"), "ATVI": ("failed", "MarketGoneError"),
    }  # fmt: skip


@pytest.mark.parametrize(("refusals", "requests"), [(1, 3), (99, 9)])
async def test_a_rate_limit_is_waited_for_and_not_stormed(make_world: MakeWorld, refusals: int, requests: int) -> None:
    world = make_world(APPLE)
    await world.collect("AAPL", "1d", START)
    world.sandbox.clock.set(STEPS[1])
    world.asked()
    world.sandbox.faults.script("rate_limited", times=refusals)
    clock = FastClock(STEPS[1], 200)  # Yahoo does not say how long, so it is a minute each time
    if refusals == 1:
        assert (await world.collect("AAPL", "1d", START, clock=clock)).complete
    else:
        with pytest.raises(RateLimitedError, match="Too Many Requests"):
            await world.collect("AAPL", "1d", START, clock=clock)
    assert world.asked() == requests, "the clock, the refusals, and after the pause the answer"


async def test_korean_days_come_from_naver_where_the_toml_says_so(make_world: MakeWorld) -> None:
    pytest.importorskip("FinanceDataReader")
    split = StockConfig("005930.KS", "KSC", "Samsung Electronics", "70000", "100", 15_000_000, 200_000,
                        splits=[Split("2023-06-12", "5:1")])  # fmt: skip
    world = make_world(split, at="2023-12-01T15:30")
    tables = world.tables()
    tables["providers"]["krx"] |= {"source": "naver", "naver_url": world.sandbox.url}
    async with candle_core.open(tables) as candles:
        for requests in (4, 0):
            summary = await candles.collect_candles_only("005930", "1d", exchange="KRX", start="2023-01-02")
            assert summary.complete
            assert world.asked() <= requests + 1, "the look-up, the clock, two sources; then nothing but the clock"
        batch = await candles.load("005930", "1d", exchange="KRX")
        report = await candles.slots("005930", "1d", exchange="KRX", start="2023-01-02", end="2023-11-30")
    truth = world.sandbox.stocks.candles("005930.KS", "1d", ms("2023-06-12"), ms("2023-12-02"))
    np.testing.assert_array_equal(batch.open_time, truth["open_time"])
    np.testing.assert_array_equal(batch.close, truth["close"])
    assert (report.missing, report.proven_empty) == (0, 0)
    assert report.out_of_reach > 100, "before the split Naver's prices are rounded in today's shares"


async def test_a_whole_exchange_is_kept_fresh(make_world: MakeWorld) -> None:
    world = make_world(APPLE, MICROSOFT, META, GONE, THIN, SAMSUNG, at="2023-10-11T12:00")
    async with candle_core.open(world.tables()) as candles:
        result = await candles.active_update("STOCK", "NASDAQ", "SPOT", timeframes=["1d"], start="2023-01-03")
    assert [symbol.base for symbol in result.success_symbols] == ["AAPL", "ATVI", "META", "MSFT", "THIN"]
    assert result.requests == 5, "one chart each"
    world.sandbox.clock.set("2023-10-17T12:00")
    world.asked()
    async with candle_core.open(world.tables()) as candles:
        fresh = await candles.passive_update()
    assert [symbol.base for symbol in fresh.success_symbols] == ["AAPL", "META", "MSFT", "THIN"]
    assert [(symbol.base, "may be delisted" in cause) for symbol, cause in fresh.failed_symbols] == [("ATVI", True)]
    assert world.asked() == 1 + 5, "the clock, and one chart each"
    async with candle_core.open(world.tables()) as candles:
        again = await candles.passive_update()
        frame = await candles.load_many(["AAPL", "MSFT"], "1w", exchange="NASDAQ", adjust="all")
    assert (again.requests, len(again.skipped_symbols)) == (0, 5), "no session has ended, and the dead are asked daily"
    assert len(frame["AAPL"]) == len(frame["MSFT"]) > 35
