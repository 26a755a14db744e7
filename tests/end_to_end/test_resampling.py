"""Candles of a timeframe that is not stored: value for value what pandas makes of the sandbox's ledger.

Sums are compared exactly, too: the stored floats, added in time order as numpy and pandas add them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import candle_core
from candle_hookspecs import BadInputError, CandleBatch, Candles, UnknownSymbolError
from candle_testkit.sandbox import Limits, MarketConfig, OffGrid, Sandbox, SandboxConfig
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import MINUTE, VALUES, World, after, bitcoin, ms, tables

START = "2024-02-27T22:00"
DAYS = 1_440
HOW = {
    "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "quote_volume": "sum",
    "trades": "sum", "taker_buy_volume": "sum",
}  # fmt: skip
NATIVE = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")


def at(minute: float) -> str:
    return after(START, minute)


def moment(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def ledger(world: World, start: str, end: str, timeframe: str = "1m", symbol: str = "BTCUSDT") -> pd.DataFrame:
    """What the exchange has, indexed by open time."""
    columns = world.truth(start, end, timeframe=timeframe, symbol=symbol)
    frame = pd.DataFrame({name: columns[name] for name in VALUES[1:]})
    frame.index = pd.DatetimeIndex(pd.to_datetime(columns["open_time"], unit="ms", utc=True), name="open_time")
    return frame


def folded(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
    """By pandas; slots without a candle are left out."""
    options: Any = {"closed": "left", "label": "left"} | ({} if rule[0].isalpha() else {"origin": "epoch"})
    made = frame.resample(rule, **options).agg(HOW)
    return made[frame["close"].resample(rule, **options).count() > 0]


def inside(made: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    return made[(made.index >= moment(start)) & (made.index < moment(end))]


def assert_same(batch: CandleBatch, wanted: pd.DataFrame) -> None:
    """The very same floats."""
    assert batch.open_time.tolist() == pd.DatetimeIndex(wanted.index).as_unit("ms").asi8.tolist()
    for name in HOW if len(wanted) else ():
        assert batch.columns()[name].tolist() == wanted[name].tolist(), name


async def load(world: World, timeframe: str, **options: Any) -> CandleBatch:
    async with world.open() as candles:
        return await candles.load("BTC/USDT", timeframe, **options)


# ── what pandas makes of the ledger ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("timeframe", "rule"), [("2m", "2min"), ("7m", "7min"), ("45m", "45min"), ("1h", "1h"), ("1d", "24h")]
)
async def test_minutes_over_a_leap_day_with_holes_and_rows_off_the_grid(
    make_world: MakeWorld, timeframe: str, rule: str
) -> None:
    holes = [(at(n * 200 + 20), at(n * 200 + 20 + n)) for n in range(1, 20)]
    strays = [OffGrid("1m", at(n), 31_000, extra=bool(n % 2)) for n in (13, 14, 999, 1_000, 2_503)]
    world = make_world(bitcoin(holes=holes, off_grid=strays))
    await world.collect(START, at(3 * DAYS))
    world.forget()
    wanted = folded(ledger(world, "2024-02-27", "2024-03-05"), rule)
    opens = pd.DatetimeIndex(wanted.index)
    whole = (opens >= moment(at(0))) & (opens + pd.Timedelta(rule) <= moment(at(3 * DAYS)))
    stored = world.counts()
    assert_same(await load(world, timeframe), wanted[whole])
    assert world.asked() == []
    assert world.counts() == stored, "nothing that is made is stored"


@pytest.mark.parametrize(("timeframe", "rule"), [("1w", "W-MON"), ("1M", "MS"), ("3M", "QS"), ("1y", "YS")])
async def test_days_to_weeks_months_and_years_of_the_calendar(make_world: MakeWorld, timeframe: str, rule: str) -> None:
    world = make_world(bitcoin("2021-11-17"), at="2024-06-12T00:00:30")
    await world.collect("2021-01-01", None, timeframe="1d")
    days = ledger(world, "2021-01-01", "2024-06-12", "1d")
    wanted = folded(days, rule)
    running = {"1w": "2024-06-10", "1M": "2024-06-01", "3M": "2024-04-01", "1y": "2024-01-01"}[timeframe]
    made = await load(world, timeframe)
    assert_same(made, wanted[wanted.index < moment(running)])
    if timeframe in NATIVE:  # the exchange's own: the same prices, sums to the last digit of a float
        own = ledger(world, "2021-01-01", running, timeframe)
        assert own.index[1:].equals(made.to_pandas().index[1:])
        for name in HOW:
            np.testing.assert_allclose(made.columns()[name][1:], own[name][1:], rtol=1e-14 if "volume" in name else 0)


async def test_weeks_are_not_made_into_months(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect("2023-06-01", "2024-05-01", timeframe="1w")
    with pytest.raises(UnknownSymbolError, match="candle collect BINANCE SPOT BTC/USDT 1M --count 1000") as raised:
        await load(world, "1M")
    assert "nor a finer" not in str(raised.value), "the exchange has months of its own"
    with pytest.raises(UnknownSymbolError, match=r"'BTC/USDT' 7M .* nor a finer timeframe .* BTC/USDT 1M --count"):
        await load(world, "7M")
    with pytest.raises(UnknownSymbolError, match=r"7s .* BTC/USDT 1s --count"):
        await load(world, "7s")
    assert len(await load(world, "2w")) > 20


# ── only from proof ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_slot_is_left_out_while_a_part_of_it_is_missing(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(at(0), at(100))
    await world.collect(at(151), at(600))
    hours = await load(world, "1h")
    wanted = folded(ledger(world, at(0), at(600)), "1h")
    assert_same(hours, wanted.drop(pd.to_datetime([at(60), at(120)], utc=True)))
    await world.collect(at(0), at(600))
    assert_same(await load(world, "1h"), wanted)


async def test_proof_taken_back_leaves_what_is_filled(make_world: MakeWorld) -> None:
    hole = (at(130), at(133))
    world = make_world(bitcoin(holes=[hole]))
    await world.collect(at(0), at(300))
    async with world.open() as candles:
        await candles.forget("BTC/USDT", "1m")
    wanted = folded(ledger(world, at(0), at(300)), "1h")
    assert_same(await load(world, "1h"), wanted.drop(pd.to_datetime([at(120)], utc=True)))


async def test_the_last_slot_waits_for_its_end(make_world: MakeWorld) -> None:
    world = make_world(at="2024-06-01T00:16:30")
    async with world.open() as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start="2024-05-31T23:00")
        made = await candles.load("BTC/USDT", "5m")
    assert made.last == ms("2024-06-01T00:10")


async def test_a_market_begins_in_the_middle_of_a_slot(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed=at(100)))
    await world.collect(at(0), at(600))
    assert_same(await load(world, "1h", end=at(600)), folded(ledger(world, at(0), at(600)), "1h"))


# ── from which ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_candle_is_made_of_the_coarsest_that_knows_all_of_it(make_world: MakeWorld) -> None:
    """Told apart by the last digits of their sums."""
    world = make_world()
    await world.collect(at(0), at(12 * 60), timeframe="1h")
    await world.collect(at(7 * 60), at(30 * 60), timeframe="1m")
    hours = folded(ledger(world, at(0), at(12 * 60), "1h"), "2h")
    minutes = folded(ledger(world, at(0), at(30 * 60)), "2h")
    assert hours["volume"][4:].tolist() != minutes["volume"][4:6].tolist()
    assert_same(await load(world, "2h"), pd.concat([hours, minutes[6:]]))


async def test_what_is_stored_in_a_timeframe_is_read_as_it_is(make_world: MakeWorld) -> None:
    world = make_world()
    await world.collect(at(0), at(600))
    await world.collect(at(120), at(240), timeframe="1h")
    assert_same(await load(world, "1h"), ledger(world, at(120), at(240), "1h"))


# ── ranges, columns ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ranges_and_counts_are_those_of_coarse_candles(make_world: MakeWorld) -> None:
    hole = (at(500), at(900))
    world = make_world(bitcoin(holes=[hole]))
    await world.collect(at(0), at(2_000))
    async with world.open() as candles:
        whole = await candles.load("BTC/USDT", "7m")
        assert len(whole) > 200

        async def part(**options: Any) -> CandleBatch:
            return await candles.load("BTC/USDT", "7m", **options)

        assert await part(count=5) == whole[-5:]
        assert await part(count=9_999) == whole
        assert await part(count=150) == whole[-150:]
        assert await part(start=START, count=100) == whole[:100]
        for minute in (30, 498, 503, 897, 905):
            edge = ms(at(minute))
            assert await part(start=edge) == whole[whole.open_time >= edge]
            assert await part(end=edge) == whole[whole.open_time < edge]
            assert await part(end=edge, count=3) == whole[whole.open_time < edge][-3:]
            assert await part(start=edge, count=3) == whole[whole.open_time >= edge][:3]
        assert len(await part(start=at(510), end=at(880))) == 0
        assert len(await part(start="2030-01-01")) == len(await part(end="2010-01-01", count=4)) == 0
        bare = await part(columns=["trades"])
        assert (bare.quote_volume, bare.taker_buy_volume) == (None, None)
        assert whole.trades is not None
        assert bare.trades is not None
        assert bare.trades.tolist() == whole.trades.tolist()


async def test_in_small_windows_the_same(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(bitcoin(holes=[(at(500), at(900))]))
    await world.collect(at(0), at(2_000))
    for fill in ("none", "flat"):
        whole = await load(world, "7m", fill=fill)
        newest = await load(world, "7m", fill=fill, count=180)
        with monkeypatch.context() as patch:
            patch.setattr("candle_core.resample.series.CHUNK_ROWS", 70)
            assert await load(world, "7m", fill=fill) == whole
            assert await load(world, "7m", fill=fill, count=180) == newest == whole[-180:]


# ── flat candles ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("timeframe", "rule"), [("1m", "1min"), ("7m", "7min"), ("1h", "1h")])
async def test_proven_empties_are_filled_flat(make_world: MakeWorld, timeframe: str, rule: str) -> None:
    holes = [(at(100), at(101)), (at(200), at(450)), (at(1_000), at(1_700))]
    world = make_world(bitcoin(holes=holes))
    await world.collect(at(0), at(2_040))
    made = await load(world, timeframe, fill="flat")
    plain = folded(ledger(world, at(0), at(2_040)), rule)
    opens = pd.DatetimeIndex(plain.index)
    plain = plain[(opens >= moment(START)) & (opens + pd.Timedelta(rule) <= moment(at(2_040)))]
    wanted = plain.reindex(pd.date_range(plain.index[0], plain.index[-1], freq=rule))
    close = wanted["close"].ffill()
    for name in ("open", "high", "low", "close"):
        wanted[name] = wanted[name].fillna(close)
    wanted = wanted.fillna(0)
    assert len(wanted) > len(plain)
    assert_same(made, wanted)
    async with world.open() as candles:
        for start, end in ((at(300), at(400)), (at(1_699), at(1_705)), (at(250), None)):
            some = await candles.load("BTC/USDT", timeframe, start=start, end=end, fill="flat")
            assert_same(some, inside(wanted, start, end or at(9_999)))
        assert_same(await candles.load("BTC/USDT", timeframe, end=at(1_650), count=3, fill="flat"),
                    inside(wanted, at(0), at(1_650))[-3:])  # fmt: skip
        with pytest.raises(BadInputError, match="'flatt'"):
            await candles.load("BTC/USDT", timeframe, fill="flatt")


async def test_what_is_missing_is_never_filled_and_no_price_is_carried_over_it(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(listed=at(10), holes=[(at(50), at(60)), (at(390), at(410)), (at(418), at(430))]))
    await world.collect(at(0), at(70))
    await world.collect(at(400), at(440))
    made = await load(world, "1m", fill="flat")
    minutes = (made.open_time - ms(START)) // MINUTE
    stored = (world.stored()["open_time"] - ms(START)) // MINUTE
    first, second = stored[stored < 200], stored[stored > 200]
    assert (first[0], second[0]) == (10, 410)
    assert minutes.tolist() == [*range(10, first[-1] + 1), *range(410, second[-1] + 1)]
    assert made.volume[40:50].tolist() == [0.0] * 10
    assert set(made.close[40:50].tolist()) == {made.close[39]}


# ── as it was known ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("compacted", [False, True])
async def test_as_it_was_known_then(make_world: MakeWorld, compacted: bool) -> None:
    """Facts that were united bear the earliest of their moments, so they alone do not tell what was known."""
    world = make_world(bitcoin(holes=[(at(40), at(45))]), at="2024-06-01T00:00:30")
    await world.collect(at(0), at(150))
    world.sandbox.clock.set(ms("2024-06-02T00:00:30"))
    await world.collect(at(0), at(600))
    async with world.open() as candles:
        if compacted:
            await candles.maintain(["compact"])
        then = await candles.load("BTC/USDT", "1h", as_of="2024-06-01T12:00")
        flat = await candles.load("BTC/USDT", "1m", as_of="2024-06-01T12:00", fill="flat", end=at(150))
        now = await candles.load("BTC/USDT", "1h", as_of="2024-06-02T12:00", end=at(600))
    hours = folded(ledger(world, at(0), at(600)), "1h")
    assert_same(then, hours[:2])
    assert_same(now, hours)
    assert flat.open_time.tolist() == [ms(START) + n * MINUTE for n in range(150)]


# ── several symbols ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def two(make_world: MakeWorld) -> World:
    """Bitcoin, and an ether that was listed later and has a hole."""
    ether = MarketConfig("ETHUSDT", "ETH", "USDT", price="2000", listed=at(60), holes=[(at(90), at(100))])
    world = make_world(bitcoin(), ether)
    for symbol in ("BTC/USDT", "ETH/USDT"):
        await world.collect(at(0), at(300), symbol=symbol)
    return world


async def _both(candles: Candles, **options: Any) -> Any:
    return await candles.load_many(["BTC/USDT", "ETHUSDT"], "5m", **options)


async def test_several_symbols_long_and_wide(two: World) -> None:
    async with two.open() as candles:
        frame = await _both(candles, end=at(300))
    truth = {
        "BTC/USDT": folded(ledger(two, at(0), at(300)), "5min"),
        "ETHUSDT": folded(ledger(two, at(0), at(300), symbol="ETHUSDT"), "5min"),
    }
    assert list(frame.batches) == list(truth)
    long = frame.to_pandas()
    wide = frame.to_pandas("wide")
    assert list(long.columns[:3]) == ["symbol", "open", "high"]
    assert wide.columns.names == ["column", "symbol"]
    assert list(wide.columns[:3]) == [("open", "BTC/USDT"), ("open", "ETHUSDT"), ("high", "BTC/USDT")]
    for name, wanted in truth.items():
        assert_same(frame[name], wanted)
        assert long[long["symbol"] == name]["volume"].tolist() == wanted["volume"].tolist()
        assert wide["volume"][name].dropna().tolist() == wanted["volume"].tolist()
        assert wide["trades"][name].dropna().tolist() == wanted["trades"].tolist()
    assert len(wide) == 60
    assert wide["close"]["ETHUSDT"].isna().sum() == 12 + 2
    for made in (frame.to_polars(), frame.to_arrow().to_pandas()):
        assert made["symbol"].to_list() == long["symbol"].tolist()
        assert list(made.columns[:3]) == ["symbol", "open_time", "open"]
        assert made["close"].to_list() == long["close"].tolist()
    polars, arrow = frame.to_polars("wide"), frame.to_arrow("wide")
    assert polars.columns == arrow.column_names
    assert polars.columns[:3] == ["open_time", "BTC/USDT_open", "ETHUSDT_open"]
    ether = polars["ETHUSDT_close"]
    assert ether.null_count() == arrow["ETHUSDT_close"].null_count == 14
    assert ether.drop_nulls().to_list() == truth["ETHUSDT"]["close"].tolist()
    assert arrow["ETHUSDT_trades"].drop_null().to_pylist() == truth["ETHUSDT"]["trades"].tolist()


async def test_the_arguments_hold_for_every_symbol(two: World) -> None:
    async with two.open() as candles:
        newest = await _both(candles, count=3, columns=[])
        assert [len(batch) for batch in newest.batches.values()] == [3, 3]
        assert newest["ETHUSDT"].trades is None
        filled = await _both(candles, start=at(85), end=at(105), fill="flat")
        assert len(filled) == 8
        with pytest.raises(UnknownSymbolError, match="BTC/MOON"):
            await candles.load_many(["BTC/USDT", "BTC/MOON"], "5m")
        mistaken: tuple[Any, ...] = ("BTC/USDT", [])
        for wrong in mistaken:
            with pytest.raises(BadInputError, match="no list of symbols"):
                await candles.load_many(wrong, "5m")
        with pytest.raises(BadInputError, match="'tall' is no shape"):
            newest.to_pandas("tall")


def test_without_await(make_world: MakeWorld) -> None:
    world = make_world()
    with candle_core.blocking.open(tables(world.sandbox.url, world.path)) as candles:
        candles.collect_candles_only("BTC/USDT", "1m", start=START, end=at(300))
        frame = candles.load_many(["BTC/USDT"], "7m", end=at(300))
        assert frame["BTC/USDT"] == candles.load("BTC/USDT", "7m", end=at(300))
    assert len(frame) == 42


@pytest.mark.parametrize("trades", [1, 500])
async def test_where_most_minutes_are_empty_hours_and_days_are_the_exchanges_own(tmp_path: Path, trades: int) -> None:
    """Upbit leaves out what did not trade: the answer itself proves what lies between its rows."""
    market = MarketConfig(
        "KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", trades, listed="2023-01-01", exchange="UPBIT"
    )
    with Sandbox(
        SandboxConfig(markets=(market,), clock="2024-03-10T12:34:30", speed=0, limits=Limits(group=None))
    ) as sandbox:
        settings = {
            "defaults": {"exchange": "UPBIT", "tradetype": "SPOT"},
            "storage": {"path": str(tmp_path / "candles.sqlite3")},
            "providers": {"upbit": {"rest_url": sandbox.url}},
        }
        first, last = "2024-02-26", "2024-03-04"
        async with candle_core.open(settings) as candles:
            await candles.collect_candles_only("LONE/KRW", "1m", start=first, end=last)
            for timeframe in ("1h", "4h", "1d"):
                made = await candles.load("LONE/KRW", timeframe, start=first, end=last)
                own = sandbox.ledger.candles("KRW-LONE", timeframe, ms(first), ms(last))
                assert made.open_time.tolist() == own["open_time"].tolist()
                for name in ("high", "low", "close"):
                    assert made.columns()[name].tolist() == own[name].tolist()
                np.testing.assert_allclose(made.volume, own["volume"], rtol=1e-14)
                assert made.trades is None
            flat = await candles.load("LONE/KRW", "1h", start="2024-02-27", end=last, fill="flat")
            assert len(flat) == 6 * 24
