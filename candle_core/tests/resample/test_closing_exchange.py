"""An exchange that closes, from its calendar to the frame: sessions in New York around the change to summer time."""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import candle_core
from candle_hookspecs import CandleBatch, Candles, UnknownSymbolError, UnknownTimeframeError

from .rows import HOW, assert_same

EXCHANGE = '''
"""A stock exchange in this process: hours of New York, one share, a 4:1 split in the middle of a week."""

import numpy as np
import pandas as pd

from candle_hookspecs import (
    Action, ActionKind, Anchor, CandleBatch, Market, Page, ProviderCapabilities, Session, Settings, Span, hookimpl,
)

HOURS = {"30m": 1_800_000, "1h": 3_600_000}
SPLIT = pd.Timestamp("2024-03-13 09:30", tz="America/New_York")


def sessions():
    days = [day for day in pd.bdate_range("2024-01-02", "2024-07-31") if str(day.date()) != "2024-03-29"]
    closes = {"2024-05-24": "13:00"}
    for day in days:
        close = closes.get(str(day.date()), "16:00")
        edges = [pd.Timestamp(f"{day.date()} {clock}", tz="America/New_York") for clock in ("09:30", close)]
        yield Session(Span(*(int(edge.timestamp() * 1000) for edge in edges)))


SESSIONS = list(sessions())


def opens(timeframe):
    if timeframe == "1d":
        return np.array([one.span.start for one in SESSIONS])
    return np.array([at for one in SESSIONS for at in range(one.span.start, one.span.end, HOURS[timeframe])])


def rows(timeframe):
    """Half hours are the truth; what is longer is theirs, loop by loop."""
    halves = opens("30m")
    chance = np.random.default_rng(5)
    price = 100 + np.cumsum(chance.integers(-50, 51, len(halves) + 1)) / 100
    split = int(SPLIT.timestamp() * 1000)
    price, volume = price / np.where(np.append(halves, halves[-1]) >= split, 4, 1), chance.integers(1, 999, len(halves))
    found = []
    starts = opens(timeframe)
    for start, end in zip(starts, [*starts[1:], halves[-1] + 1]):
        inside = [n for n, at in enumerate(halves) if start <= at < end]
        highs = [max(price[n], price[n + 1] if halves[n] + HOURS["30m"] != split else price[n]) for n in inside]
        found.append((start, price[inside[0]], max(highs), min(price[n] for n in inside), price[inside[-1]] + 0.01,
                      float(sum(volume[n] for n in inside))))
    names = ("open_time", "open", "high", "low", "close", "volume")
    return dict(zip(names, map(np.array, zip(*found))))


class StockExchange:
    Settings = Settings
    capabilities = ProviderCapabilities(
        contract=1, archetype="STOCK", tradetypes=("STOCK",), timeframes=("30m", "1h", "1d"), page_limit=500,
        anchors=(Anchor.START, Anchor.END), settle=0, doubt=0,
    )

    def __init__(self, settings, context):
        self.context = context

    @hookimpl
    def candle_markets(self, query):
        return [
            Market(archetype="STOCK", exchange=self.context.name.upper(), tradetype="STOCK", base="ACME", quote="USD",
                   native_id="ACME", ccxt_symbol="ACME", listed=SESSIONS[0].span.start)
        ]

    @hookimpl
    def candle_calendar(self, span):
        return SESSIONS

    @hookimpl
    def candle_fetch(self, request):
        now, columns = self.context.clock.now(), rows(request.timeframe)
        whole = CandleBatch.from_columns(columns).between(Span(0, now))
        batch = whole.between(request.span)
        batch = batch[: request.limit] if request.anchor is Anchor.START else batch[-request.limit :]
        page = Page.of(request, batch, answered_at=now)
        split = Action(int(SPLIT.timestamp() * 1000), ActionKind.SPLIT, 4.0)
        return Page(**{name: getattr(page, name) for name in page.__slots__} | {"actions": (split,)})
'''
NEW_YORK = "America/New_York"


@pytest.fixture
def stocks(install: Callable[..., None]) -> Any:
    install("candle-acme", "[candle.providers]\nacme = acme_exchange:StockExchange\n", acme_exchange=EXCHANGE)
    return importlib.import_module("acme_exchange")


@asynccontextmanager
async def collected(clock: Any, path: Path, now: str, *timeframes: str) -> AsyncIterator[Candles]:
    clock.ms = int(pd.Timestamp(now, tz=NEW_YORK).timestamp() * 1000)
    tables = {
        "defaults": {"exchange": "ACME", "tradetype": "STOCK"}, "storage": {"path": str(path / "candles.sqlite3")},
        "providers": {"acme": {}},
    }  # fmt: skip
    async with candle_core.open(tables, clock=clock) as candles:
        for timeframe in timeframes:
            await candles.collect_candles_only("ACME", timeframe, start="2024-01-02")
        yield candles


def truth(stocks: Any, timeframe: str) -> pd.DataFrame:
    frame = CandleBatch.from_columns(stocks.rows(timeframe)).to_pandas()
    frame = frame[frame.index < pd.Timestamp("2024-06-29", tz="UTC")]
    return frame.assign(quote_volume=np.nan, trades=0, taker_buy_volume=np.nan)


def by_local_calendar(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
    local = pd.DatetimeIndex(frame.index).tz_convert(NEW_YORK).tz_localize(None)
    grouped = frame.assign(at=frame.index, local=local).groupby(
        pd.Grouper(key="local", freq=rule, closed="left", label="left")
    )
    return grouped.agg({"at": "first"} | HOW).dropna(subset="at").set_index("at")


def same(batch: CandleBatch, wanted: pd.DataFrame) -> None:
    assert_same(batch, wanted, columns=("open", "high", "low", "close", "volume"))


async def test_weeks_and_months_of_sessions(clock: Any, tmp_path: Path, stocks: Any) -> None:
    async with collected(clock, tmp_path, "2024-06-28 17:00", "1d") as candles:
        weeks, months = [await candles.load("ACME", timeframe) for timeframe in ("1w", "1M")]
        same(weeks, by_local_calendar(truth(stocks, "1d"), "W-MON"))
        same(months, by_local_calendar(truth(stocks, "1d"), "MS"))  # June ends with a Friday that has closed
        assert await candles.load("ACME", "1w", count=5) == weeks[-5:]
        with pytest.raises(UnknownTimeframeError, match="'2d'"):
            await candles.load("ACME", "2d")
        with pytest.raises(UnknownSymbolError, match=r"4h .* ACME 1h --count 1000"):
            await candles.load("ACME", "4h")


async def test_days_from_hours_of_hours_from_halves(clock: Any, tmp_path: Path, stocks: Any) -> None:
    async with collected(clock, tmp_path, "2024-06-28 17:00", "30m") as candles:
        for timeframe in ("1h", "1d"):
            made = await candles.load("ACME", timeframe)
            wanted = truth(stocks, timeframe)
            assert made.open_time.tolist() == wanted.index.as_unit("ms").asi8.tolist()  # type: ignore[attr-defined]
            for name in ("open", "high", "low", "close", "volume"):
                assert getattr(made, name).tolist() == wanted[name].tolist()


@pytest.mark.parametrize(
    ("now", "weeks"), [("2024-06-07 15:59", 22), ("2024-06-07 16:00:01", 23), ("2024-06-10 09:00", 23)]
)
async def test_a_week_is_there_when_friday_has_closed(
    clock: Any, tmp_path: Path, stocks: Any, now: str, weeks: int
) -> None:
    async with collected(clock, tmp_path, now, "1d") as candles:
        assert len(await candles.load("ACME", "1w")) == weeks


async def test_a_split_within_a_week_is_taken_out_before_the_week_is_made(
    clock: Any, tmp_path: Path, stocks: Any
) -> None:
    days = truth(stocks, "1d")
    shares = np.where(days.index < stocks.SPLIT, 4.0, 1.0)
    for name in ("open", "high", "low", "close"):
        days[name] = days[name] * (1 / shares)
    days["volume"] = days["volume"] * shares
    async with collected(clock, tmp_path, "2024-06-28 17:00", "1d") as candles:
        weeks = await candles.load("ACME", "1w", adjust="splits")
        raw = await candles.load("ACME", "1w")
        same(weeks, by_local_calendar(days, "W-MON"))
        assert (weeks.high / weeks.low).max() < 1.5 < (raw.high / raw.low).max()
        assert await candles.load("ACME", "1w", adjust="splits", count=20) == weeks[-20:]
