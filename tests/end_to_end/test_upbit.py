"""The second exchange, by the same kernel: newest first, the far end open, no candle where nothing was traded."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import candle_core
from candle_hookspecs import CandleBatch, Clock, CollectionSummary, MarketGoneError
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig
from tests.end_to_end.clocks import PatientClock
from tests.end_to_end.world import ms, united

NOW = "2024-03-10T12:34:30.500"
PAGE = 200
COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "quote_volume")


def bitcoin(listed: str = "2022-12-15T10:00", trades: int = 400_000, **options: Any) -> MarketConfig:
    return MarketConfig(
        "KRW-BTC", "BTC", "KRW", "1000", "0.00000001", "42000000", "50000000", trades, listed=listed, exchange="UPBIT",
        **options,
    )  # fmt: skip


def lone(listed: str = "2020-01-01", **options: Any) -> MarketConfig:
    """One trade a day, at any second of it."""
    return MarketConfig(
        "KRW-LONE", "LONE", "KRW", "1", "0.0001", "100", "10000", 1, listed=listed, exchange="UPBIT", **options
    )


@dataclass
class UpbitWorld:
    """A sandbox with one market, and the database that is filled from it."""

    sandbox: Sandbox
    market: MarketConfig
    path: Path
    clock: Clock | None = None

    async def collect(self, timeframe: str, start: str, end: str) -> CollectionSummary:
        tables = {
            "defaults": {"exchange": "UPBIT", "tradetype": "SPOT"},
            "storage": {"path": str(self.path)},
            "providers": {"upbit": {"rest_url": self.sandbox.url}},
        }
        async with candle_core.open(tables, clock=self.clock) as candles:
            return await candles.collect_candles_only(self.market.symbol, timeframe, start=start, end=end)

    def asked(self) -> list[int]:
        """Rows of each answer of candles so far."""
        found = [one for one in self.sandbox.ledger.requests() if one.path.startswith("/v1/candles/")]
        return [one.rows or 0 for one in found]

    def truth(self, timeframe: str, start: str, end: str) -> CandleBatch:
        columns = self.sandbox.ledger.candles(self.market.symbol, timeframe, ms(start), ms(end))
        return CandleBatch.from_columns({name: columns[name] for name in COLUMNS})

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement, values).fetchall()

    def stored(self, timeframe: str, start: str, end: str) -> CandleBatch:
        """By plain SQL."""
        rows = self.query(
            f"SELECT {', '.join(COLUMNS)}, trades, taker_buy_volume FROM v_candles WHERE exchange = 'UPBIT'"
            " AND timeframe = ? AND open_time >= ? AND open_time < ? ORDER BY open_time",
            timeframe, ms(start), ms(end),
        )  # fmt: skip
        assert all(row[-2:] == (None, None) for row in rows), "Upbit counts neither trades nor takers"
        table = np.array([row[:-2] for row in rows], object).reshape(-1, len(COLUMNS))
        return CandleBatch.from_columns(dict(zip(COLUMNS, table.T.tolist(), strict=True)))

    def proven(self, *states: str) -> list[tuple[int, int]]:
        marks = ", ".join("?" * len(states))
        return united(self.query(f"SELECT span_start, span_end FROM coverage WHERE state IN ({marks})", *states))

    def assert_exact(self, timeframe: str, start: str, end: str) -> None:
        """Stored is what traded, to the last bit, and all of the range is known."""
        assert self.stored(timeframe, start, end) == self.truth(timeframe, start, end)
        known = self.proven("answered", "not-listed")
        assert any(low <= ms(start) and ms(end) <= high for low, high in known), known


MakeUpbit: TypeAlias = Callable[..., UpbitWorld]


@pytest.fixture
def upbit(tmp_path: Path) -> Iterator[MakeUpbit]:
    with ExitStack() as running:

        def make(market: MarketConfig, at: str = NOW, **options: Any) -> UpbitWorld:
            # Against a clock that stands still no second ever ends; the limits have tests of their own.
            values: dict[str, Any] = {"limits": Limits(group=None), **options}
            config = SandboxConfig(markets=[market], clock=at, speed=0, **values)
            return UpbitWorld(running.enter_context(Sandbox(config)), market, tmp_path / "candles.sqlite3")

        yield make


async def test_one_trade_a_day_for_a_year_costs_by_its_trades(upbit: MakeUpbit) -> None:
    world = upbit(lone())
    summary = await world.collect("1m", "2023-01-01", "2024-01-01")
    world.assert_exact("1m", "2023-01-01", "2024-01-01")
    assert len(world.stored("1m", "2023-01-01", "2024-01-01")) == 365
    assert summary.complete
    assert summary.overlap_analysis_results["wanted"] == 525_600
    assert len(world.asked()) <= 365 / PAGE + 2
    again = await world.collect("1m", "2023-01-01", "2024-01-01")
    assert again.api_calls_made == 0, "what is not there was proven not to be there"


@pytest.mark.parametrize("trades", [500, 2_000, 400_000], ids=["thin", "half", "dense"])
async def test_whatever_the_density_requests_follow_the_bars(upbit: MakeUpbit, trades: int) -> None:
    world = upbit(bitcoin(trades=trades))
    await world.collect("1m", "2024-01-01", "2024-01-04")
    world.assert_exact("1m", "2024-01-01", "2024-01-04")
    bars = len(world.truth("1m", "2024-01-01", "2024-01-04"))
    # While several are under way each may reach into what the next one was sent for.
    assert len(world.asked()) <= 2 * bars / PAGE + 8
    ((early,),) = world.query("SELECT count(*) FROM v_candles WHERE open_time % 60000 != 0")
    assert early == 0


@pytest.mark.parametrize("market", [lone("2023-11-20T05:06:07"), bitcoin("2023-12-30T05:06:07")], ids=["thin", "dense"])
async def test_a_listing_inside_the_range(upbit: MakeUpbit, market: MarketConfig) -> None:
    world = upbit(market)
    await world.collect("1m", "2022-01-01", "2024-01-01")
    world.assert_exact("1m", "2022-01-01", "2024-01-01")
    first = world.truth("1m", "2022-01-01", "2024-01-01").first
    assert world.proven("not-listed") == [(0, first)]
    bars = len(world.truth("1m", "2022-01-01", "2024-01-01"))
    assert len(world.asked()) <= 2 * bars / PAGE + 8, "the two years before cost nothing"
    assert (await world.collect("1m", "2021-01-01", "2023-01-01")).api_calls_made == 0


async def test_what_is_wanted_may_begin_before_there_were_computers(upbit: MakeUpbit) -> None:
    world = upbit(lone(listed="2023-06-01"))
    summary = await world.collect("1w", "0001-01-08", "2024-03-04")
    assert summary.complete
    assert world.stored("1w", "1960-01-04", "2024-03-04") == world.truth("1w", "2023-05-29", "2024-03-04")
    assert len(world.asked()) <= 4


async def test_a_quiet_end_is_believed_after_a_minute_and_not_before(upbit: MakeUpbit) -> None:
    quiet = [("2024-03-10T12:20", "2024-03-10T13:00")]
    world = upbit(bitcoin(quiet=quiet))
    summary = await world.collect("1m", "2024-03-10T12:00", "2024-03-10T12:40")
    # It is 12:34:30; a bar that is not there is believed 70 s after its close: up to the one that closed at 12:33.
    assert [end.isoformat() for _, end in summary.pending] == ["2024-03-10T12:34:00+00:00"]
    assert world.proven("answered")[-1][1] == ms("2024-03-10T12:33:00")
    world.sandbox.clock.advance(60_000)
    await world.collect("1m", "2024-03-10T12:00", "2024-03-10T12:40")
    assert world.proven("answered")[-1][1] == ms("2024-03-10T12:34:00")


async def test_a_delisted_market_is_gone_and_its_rows_stay(upbit: MakeUpbit) -> None:
    world = upbit(bitcoin(delisted="2024-03-10T13:00"))
    await world.collect("1m", "2024-03-01", "2024-03-01T06:00")
    before = world.stored("1m", "2024-03-01", "2024-03-02")
    assert len(before) > 300
    world.sandbox.clock.set("2024-03-10T13:00:01")
    with pytest.raises(MarketGoneError, match="Code not found"):
        await world.collect("1m", "2024-03-01", "2024-03-02")
    assert world.stored("1m", "2024-03-01", "2024-03-02") == before


@pytest.mark.parametrize(
    ("timeframe", "start"),
    [("10m", "2024-02-20"), ("4h", "2024-01-01"), ("1d", "2023-06-01"), ("1w", "2022-01-03"), ("1M", "2022-01-01"),
     ("1y", "2020-01-01")],
)  # fmt: skip
async def test_openings_are_utc_in_every_timeframe(upbit: MakeUpbit, timeframe: str, start: str) -> None:
    world = upbit(bitcoin())
    end = {"1w": "2024-03-04", "1M": "2024-03-01", "1y": "2024-01-01"}.get(timeframe, "2024-03-01")
    summary = await world.collect(timeframe, start, end)
    assert summary.complete
    assert world.stored(timeframe, start, end) == world.truth(timeframe, start, end)
    times = world.stored(timeframe, start, end).open_time.astype("datetime64[ms]")
    units = {"1y": "Y", "1M": "M", "1d": "D"}
    if timeframe in units:
        np.testing.assert_array_equal(
            times, times.astype(f"datetime64[{units[timeframe]}]"), "Korean midnight is 15:00"
        )


async def test_seconds_of_long_ago_are_out_of_reach_in_one_answer(upbit: MakeUpbit) -> None:
    world = upbit(bitcoin())
    summary = await world.collect("1s", "2023-01-01", "2023-11-01")
    assert world.stored("1s", "2023-01-01", "2023-11-01").open_time.size == 0
    assert world.proven("out-of-reach") == [(0, ms("2023-11-01"))]
    assert world.proven("answered", "not-listed") == [], "out of reach is not empty"
    assert len(world.asked()) <= 3
    assert summary.complete
    assert (await world.collect("1s", "2023-01-01", "2023-11-01")).api_calls_made == 0


async def test_faults_change_nothing(upbit: MakeUpbit) -> None:
    world = upbit(bitcoin(trades=3_000))
    world.sandbox.faults.rates(
        {"reset": 0.05, "status": 0.05, "truncated": 0.05, "html": 0.03, "wrong_shape": 0.02, "reordered": 0.03,
         "other_range": 0.03},  # no lying emptiness: told twice in a row it is believed, by design
        seed=5,
    )  # fmt: skip
    await world.collect("1m", "2024-01-01", "2024-01-08")
    world.sandbox.faults.clear()
    assert any(one.fault for one in world.sandbox.ledger.requests())
    world.assert_exact("1m", "2024-01-01", "2024-01-08")


async def test_two_exchanges_in_one_sandbox_and_one_database(tmp_path: Path) -> None:
    binance = MarketConfig("BTCUSDT", "BTC", "USDT", price="30000", turnover="300000000", listed="2023-06-01")
    with Sandbox(SandboxConfig(markets=[binance, bitcoin()], clock=NOW, speed=0)) as sandbox:
        tables = {
            "storage": {"path": str(tmp_path / "candles.sqlite3")},
            "providers": {name: {"rest_url": sandbox.url} for name in ("binance", "upbit")},
        }
        async with candle_core.open(tables) as candles:
            for exchange, name in (("BINANCE", "BTC/USDT"), ("UPBIT", "BTC/KRW")):
                await candles.collect_candles_only(
                    name, "1m", exchange=exchange, tradetype="SPOT", start="2024-03-01", end="2024-03-01T05:00"
                )
        paths = {one.path: one.limit for one in sandbox.ledger.requests()}
    assert paths["/api/v3/klines"] == "weight"
    assert paths["/v1/candles/minutes/1"] == "candles"
    with closing(sqlite3.connect(tmp_path / "candles.sqlite3")) as connection:
        counts = connection.execute("SELECT exchange, count(*) FROM v_candles GROUP BY exchange").fetchall()
    assert dict(counts)["BINANCE"] == 300
    assert 290 < dict(counts)["UPBIT"] <= 500


async def test_seconds_of_a_thin_market_cost_by_its_trades_too(upbit: MakeUpbit) -> None:
    world = upbit(lone())
    await world.collect("1s", "2023-06-01", "2024-03-10")
    # What came from before the 89 days that are promised counts as well; nothing else is claimed of that time.
    (first, last), *more = world.proven("answered")
    assert (more, last) == ([], ms("2024-03-10"))
    assert ms(NOW) - 92 * 86_400_000 <= first < ms(NOW) - 89 * 86_400_000
    assert world.proven("out-of-reach") == [(0, first)]
    start = "2023-12-12"
    assert world.stored("1s", start, "2024-03-10") == world.truth("1s", start, "2024-03-10")
    assert len(world.asked()) <= 6


@pytest.mark.parametrize("refusal", ["json", "text"])
async def test_a_refusal_in_either_form_is_waited_for(upbit: MakeUpbit, refusal: str) -> None:
    world = upbit(bitcoin(), limits=Limits(group=None, refusal=refusal))
    world.sandbox.faults.script("rate_limited")
    world.sandbox.faults.script("rate_limited", path="/v1/market/all")
    await world.collect("1m", "2024-01-01", "2024-01-01T02:00")
    world.assert_exact("1m", "2024-01-01", "2024-01-01T02:00")
    statuses = [(one.limit, one.status) for one in world.sandbox.ledger.requests()]
    assert statuses.count(("candles", 429)) == statuses.count(("market", 429)) == 1


async def test_the_limit_of_a_group_is_used_and_kept(upbit: MakeUpbit, monkeypatch: pytest.MonkeyPatch) -> None:
    world = upbit(bitcoin(trades=2_000_000), limits=Limits())
    world.clock = PatientClock(world.sandbox, monkeypatch)
    await world.collect("1m", "2024-01-01", "2024-01-06")
    world.assert_exact("1m", "2024-01-01", "2024-01-06")
    sent = [one for one in world.sandbox.ledger.requests() if one.limit == "candles"]
    assert {one.status for one in sent} == {200}
    assert len(sent) >= 36
    assert (sent[-1].at - sent[0].at) / 1000 < len(sent) / 10 * 1.1
