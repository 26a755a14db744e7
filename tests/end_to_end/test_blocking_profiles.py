"""The profiles without ``await``: what they give, what they cost, and that Ctrl-C ends their work."""

import inspect
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from candle_core import blocking, coordinator
from candle_core.coordinator import BacktestProgress, LargeCandleRequest, ManyRequest
from candle_hookspecs import BadInputError, CandleBatch, Ticker, UnknownMarketError
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.processes import finish
from tests.end_to_end.world import World, bitcoin, ms, tables, write_toml

START, END = "2024-05-01", "2024-06-01"


def wanted(timeframe: str = "1h", **options: object) -> LargeCandleRequest:
    return LargeCandleRequest(exchange="BINANCE", symbols="BTC/USDT", timeframe=timeframe, **options)  # type: ignore[arg-type]


def assert_true(batch: CandleBatch, world: World, timeframe: str, start: int, end: int) -> None:
    truth = world.sandbox.ledger.candles("BTCUSDT", timeframe, start, end)
    assert batch.open_time.tolist() == truth["open_time"].tolist()
    assert (batch.close == truth["close"]).all()


def test_the_twins_are_documented_as_what_they_stand_for() -> None:
    for name in ("screen", "backtest", "collect_many"):
        twin, original = getattr(blocking, name), getattr(coordinator, name)
        assert twin.__doc__ == original.__doc__
        assert inspect.signature(twin) == inspect.signature(original)
    assert vars(blocking.ChartView)["look"].__doc__ == coordinator.ChartView.look.__doc__
    assert {"MarketDataCoordinator", "ChartView", "screen", "backtest", "collect_many"} <= set(dir(blocking))


def test_every_profile_in_a_script(make_world: MakeWorld) -> None:
    world = make_world()
    told: list[BacktestProgress] = []
    seen: list[Ticker] = []
    now = ms("2024-06-01T00:00")

    def turn_down(ticker: Ticker) -> bool:
        seen.append(ticker)
        return False

    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        asked = blocking.MarketDataCoordinator(candles)
        parts = list(
            blocking.backtest(asked, wanted(start=START, end=END), chunk="week", progress_callback=told.append)
        )
        assert_true(CandleBatch.concat([part.candles["BTC/USDT"] for part in parts]), world, "1h", ms(START), ms(END))
        assert len(told) == len(parts) == 5
        assert len(world.asked()) == 1, "744 hours are a page"

        world.forget()
        (one,) = blocking.screen(asked, wanted("1m", count=2_000), enough=lambda batch: len(batch) >= 1_000)
        assert (one.symbol, one.requests, len(world.asked())) == ("BTC/USDT", 1, 1)
        assert_true(one.candles, world, "1m", now - 1_000 * 60_000, now)
        assert list(blocking.screen(asked, wanted("1m", count=9), prefilter=turn_down)) == []
        assert [ticker.market.native_id for ticker in seen] == ["BTCUSDT"]

        world.forget()
        view = blocking.ChartView(asked, wanted("5m", count=100), forming=True)
        look = view.look()["BTC/USDT"]
        assert_true(look.candles, world, "5m", now - 100 * 300_000, now)
        assert look.forming is not None
        assert len(view.look()["BTC/USDT"].added) == 0
        assert len(world.asked()) == 2, "once with the others, and once alone"

        many = ManyRequest(exchange="BINANCE", symbols=["BTC/USDT", "NO/SUCH"], timeframes="1d", count=30)
        result = blocking.collect_many(asked, many)
        assert isinstance(result.unknown["NO/SUCH"], UnknownMarketError)
        stored = candles.load("BTC/USDT", "1d")
        assert_true(stored, world, "1d", now - 30 * 86_400_000, now)


def test_errors_arrive_as_they_are(make_world: MakeWorld) -> None:
    world = make_world()
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        asked = blocking.MarketDataCoordinator(candles)
        with pytest.raises(BadInputError, match="both its ends"):
            next(iter(blocking.backtest(asked, wanted(count=5))))
        with pytest.raises(BadInputError, match="no bounds"):
            blocking.ChartView(asked, wanted(end=END, count=5))
        assert len(list(blocking.backtest(asked, wanted(start=START, end=END)))) == 1


def test_what_was_made_of_a_manager_ends_with_it(make_world: MakeWorld) -> None:
    world = make_world()
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        asked = blocking.MarketDataCoordinator(candles)
        view = blocking.ChartView(asked, wanted(count=5))
    for call in (
        view.look,
        lambda: asked.get_candle_data(wanted(count=5)),
        lambda: list(blocking.screen(asked, wanted(count=5))),
    ):
        with pytest.raises(BadInputError, match="is closed"):
            call()


def test_a_loop_that_is_left_ends_the_work(make_world: MakeWorld) -> None:
    world = make_world(bitcoin(), latency_ms=20)
    request = wanted("1m", start="2024-01-01", end=END, max_concurrency=2)
    with blocking.open(tables(world.sandbox.url, world.path)) as candles:
        asked = blocking.MarketDataCoordinator(candles)
        for part in blocking.backtest(asked, request, "week"):
            assert len(part.candles["BTC/USDT"]) == 7 * 1440
            break
        assert_quiet(world)
        assert len(candles.load("BTC/USDT", "1m", start="2024-01-01", end="2024-01-08")) == 7 * 1440


SCRIPT = """
import sys
from candle_core import blocking
from candle_core.coordinator import LargeCandleRequest, ManyRequest

name = sys.argv[2]
plain = dict(exchange="BINANCE", symbols="BTC/USDT", timeframe="1m")
with blocking.open(sys.argv[1]) as candles:
    coordinator = blocking.MarketDataCoordinator(candles)
    try:
        if name == "backtest":
            year = LargeCandleRequest(**plain, start="2023-07-01", end="2024-06-01")
            for part in blocking.backtest(coordinator, year):
                print(part.report.rows, flush=True)
        elif name == "screen":
            list(blocking.screen(coordinator, LargeCandleRequest(**plain, count=400_000)))
        elif name == "chart":
            blocking.ChartView(coordinator, LargeCandleRequest(**plain, count=400_000)).look()
        elif name == "many":
            many = ManyRequest(exchange="BINANCE", symbols="BTC/USDT", timeframes="1m", start="2023-07-01")
            blocking.collect_many(coordinator, many)
        elif name == "stream":
            for batch, _ in candles.stream_candles("BTC/USDT", "1m", start="2023-07-01", end="2024-06-01"):
                pass
        print("not interrupted", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.stdin.readline()
"""


def assert_quiet(world: World) -> None:
    """Nothing is asked any more, but for what was on its way; a busy machine may be slow to hear that."""
    deadline, before = time.monotonic() + 120, -1
    while (asked := len(world.asked())) != before:
        assert time.monotonic() < deadline, "it goes on"
        before = asked
        time.sleep(0.5)


@pytest.mark.parametrize("profile", ["backtest", "screen", "chart", "many", "stream"])
def test_ctrl_c_ends_the_work(make_world: MakeWorld, profile: str) -> None:
    """At once and for good, in a session that goes on; and what was committed stays."""
    world = make_world(bitcoin(), latency_ms=30)
    file = write_toml(world.sandbox.url, world.path)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(file), profile],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while len(world.asked()) < 12 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(line for line in lines if "interrupted" in line) == "interrupted\n"
        assert_quiet(world)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        code, _, err = finish(process)
    finally:
        process.kill()
    assert (code, err) == (0, "")
    world.assert_honest()
    stored = world.stored()["open_time"]
    assert len(stored) < 300 * 1440
    assert (np.diff(stored) > 0).all()
