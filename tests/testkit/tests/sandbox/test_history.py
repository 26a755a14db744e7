"""The synthetic history is one story: whatever the timeframe, and wherever it is disturbed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_testkit.sandbox import MarketConfig, OffGrid
from candle_testkit.sandbox.market import Market
from candle_testkit.sandbox.synth import CHILDREN, DAY, LEVEL_MS, SECOND

DAY_MS = 86_400_000
FAR = 4_000_000_000_000
SUMS = ("volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")
MINUTES = {"3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def slot_open(timeframe: str, instant: int) -> int:
    """Opening instant of the slot that holds an instant, by the calendar."""
    moment = datetime.fromtimestamp(instant // 1000, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0)
    if timeframe == "1M":
        return int(midnight.replace(day=1).timestamp() * 1000)
    if timeframe == "1w":
        return int((midnight - timedelta(days=midnight.weekday())).timestamp() * 1000)
    if timeframe == "3d":
        return int(midnight.timestamp() * 1000) // (3 * DAY_MS) * 3 * DAY_MS
    if timeframe == "1d":
        return int(midnight.timestamp() * 1000)
    if timeframe == "1m":
        return instant // 60_000 * 60_000
    size = MINUTES[timeframe] * 60_000
    return instant // size * size


def brute_force(rows: Any, timeframe: str) -> list[dict[str, int]]:
    """Fold finer rows one by one: first, highest, lowest, last, sums."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[slot_open(timeframe, int(row["open_time"]))].append(row)
    return [
        {
            "open_time": opened,
            "open": int(group[0]["open"]),
            "high": max(int(row["high"]) for row in group),
            "low": min(int(row["low"]) for row in group),
            "close": int(group[-1]["close"]),
            **{name: sum(int(row[name]) for row in group) for name in SUMS},
        }
        for opened, group in groups.items()
    ]


def told(rows: Any) -> list[dict[str, int]]:
    names = ("open_time", "open", "high", "low", "close", *SUMS)
    return [{name: int(row[name]) for name in names} for row in rows]


def between(market: Market, timeframe: str, start: int, end: int, now: int = FAR) -> Any:
    rows = [market.page(timeframe, start, end - 1, 100_000, now)]
    return np.concatenate(rows)


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[Market, int]:
    """A market with a listing date, holes and quiet stretches around one instant."""
    centre = draw(st.integers(ms("2018-01-01"), ms("2026-01-01"))) // 1000 * 1000
    near = st.integers(-40 * 3600, 40 * 3600).map(lambda seconds: centre + seconds * 1000)
    length = st.integers(1, 12 * 3600)
    spans = st.lists(st.tuples(near, length).map(lambda s: (s[0], s[0] + s[1] * 1000)), max_size=3)
    listed = draw(st.one_of(st.just(centre - 60 * DAY_MS), near))
    config = MarketConfig(
        "ABCUSDT",
        "ABC",
        "USDT",
        tick=draw(st.sampled_from(["0.01", "0.0001", "1"])),
        step=draw(st.sampled_from(["0.0001", "0.1", "1"])),
        price=draw(st.sampled_from(["5", "300", "30000"])),
        turnover=draw(st.sampled_from(["50000", "10000000", "400000000"])),
        trades=draw(st.sampled_from([20, 3_000, 900_000])),
        listed=listed,
        delisted=draw(st.one_of(st.none(), st.integers(1, 40 * 3600).map(lambda s: listed + s * 1000))),
        holes=draw(spans),
        quiet=draw(spans),
    )
    return Market(config, draw(st.integers(0, 2**32))), centre


@settings(max_examples=60, deadline=None)
@given(disturbed(), st.sampled_from([*MINUTES, "1d", "3d"]))
def test_every_timeframe_is_the_fold_of_its_minutes(case: tuple[Market, int], timeframe: str) -> None:
    market, centre = case
    start = slot_open(timeframe, centre - 12 * 3_600_000)
    end = slot_open(timeframe, centre + 12 * 3_600_000)
    minutes = between(market, "1m", start, end)
    assert told(between(market, timeframe, start, end)) == brute_force(minutes, timeframe)


@settings(max_examples=15, deadline=None)
@given(disturbed())
def test_minutes_are_the_fold_of_their_seconds(case: tuple[Market, int]) -> None:
    market, centre = case
    edges = [market.config.listed_ms, *(edge for span in market.config.hole_spans for edge in span), centre]
    for edge in edges[:3]:
        start = slot_open("1m", edge) - 120_000
        seconds = between(market, "1s", start, start + 300_000)
        assert told(between(market, "1m", start, start + 300_000)) == brute_force(seconds, "1m")


@settings(max_examples=6, deadline=None)
@given(disturbed(), st.sampled_from(["1w", "1M"]))
def test_weeks_and_months_are_the_fold_of_their_days(case: tuple[Market, int], timeframe: str) -> None:
    market, centre = case
    start, end = slot_open(timeframe, centre - 70 * DAY_MS), slot_open(timeframe, centre + 70 * DAY_MS)
    days = between(market, "1d", start, end)
    assert told(between(market, timeframe, start, end)) == brute_force(days, timeframe)


@settings(max_examples=25, deadline=None)
@given(disturbed(), st.sampled_from(["1m", *MINUTES, "1d", "1w", "1M"]), st.integers(0, 7_200_000))
def test_the_unfinished_candle_is_the_fold_of_what_has_happened(
    case: tuple[Market, int], timeframe: str, later: int
) -> None:
    market, centre = case
    now = centre + later
    opened = slot_open(timeframe, now)
    rows = market.page(timeframe, opened, None, 10, now)
    if timeframe in ("1m", "3m", "5m", "15m", "30m", "1h"):
        so_far = brute_force(between(market, "1s", opened, now // 1000 * 1000), timeframe)
    else:
        hours = between(market, "1h", opened, now // 3_600_000 * 3_600_000)
        rest = between(market, "1s", now // 3_600_000 * 3_600_000, now // 1000 * 1000)
        so_far = brute_force([*hours, *rest], timeframe)
    if so_far:
        assert told(rows) == so_far
    else:
        assert len(rows) <= 1
        assert not rows["volume"].any()
    final = between(market, timeframe, opened, opened + 1)
    if len(rows) and len(final):
        assert final["high"][0] >= rows["high"][0]
        assert rows["low"][0] >= final["low"][0]
        assert final["volume"][0] >= rows["volume"][0]
        if rows["trades"][0]:
            assert rows["open"][0] == final["open"][0]


@settings(max_examples=20, deadline=None)
@given(disturbed(), st.sampled_from(["1s", "1m", "1h", "1d"]))
def test_candles_are_plausible(case: tuple[Market, int], timeframe: str) -> None:
    market, centre = case
    rows = market.page(timeframe, centre - 12 * 3_600_000, None, 1000, FAR)
    tick, step = market.config.tick_units, market.config.step_units
    for name in ("open", "high", "low", "close"):
        assert (rows[name] > 0).all()
        assert not (rows[name] % tick).any()
    assert (rows["low"] <= np.minimum(rows["open"], rows["close"])).all()
    assert (rows["high"] >= np.maximum(rows["open"], rows["close"])).all()
    assert not (rows["volume"] % step).any()
    assert ((rows["volume"] > 0) == (rows["trades"] > 0)).all()
    assert (rows["taker_buy_volume"] <= rows["volume"]).all()
    idle = rows[rows["trades"] == 0]
    # Where a quiet stretch begins or ends within a candle, the flat price before and after it may differ.
    for edge in (moment for span in market.config.quiet_spans for moment in span):
        idle = idle[(idle["open_time"] >= edge) | (idle["close_time"] < edge)]
    assert (idle["high"] == idle["low"]).all()
    for row in rows[rows["trades"] > 0][:50]:
        average = int(row["quote_volume"]) * 10**8
        assert int(row["low"]) * int(row["volume"]) <= average <= int(row["high"]) * int(row["volume"])


@pytest.mark.parametrize("level", range(DAY + 1, SECOND + 1))
def test_a_run_of_bars_does_not_depend_on_where_it_is_cut(level: int) -> None:
    synth = Market(MarketConfig("ABCUSDT", "ABC", "USDT"), 3).synth
    first = ms("2024-02-28") // LEVEL_MS[level]
    whole = synth.bars(level, first, first + 3 * CHILDREN[level])
    for cut in (1, CHILDREN[level] - 1, CHILDREN[level] + 7):
        parts = synth.bars(level, first, first + cut), synth.bars(level, first + cut, first + 3 * CHILDREN[level])
        assert (np.concatenate(parts, axis=1) == whole).all()


def test_a_seed_is_a_history_for_good() -> None:
    market = Market(MarketConfig("BTCUSDT", "BTC", "USDT"), 1)
    same, other = Market(market.config, 1), Market(market.config, 2)
    span = ms("2024-01-01"), ms("2024-01-02")
    assert told(between(market, "1h", *span)) == told(between(same, "1h", *span))
    assert told(between(market, "1h", *span)) != told(between(other, "1h", *span))


def test_rows_are_missing_in_holes_and_before_and_after_the_listing() -> None:
    hole = ms("2024-01-05T10:20:30"), ms("2024-01-05T14:05:00")
    market = Market(
        MarketConfig("ABCUSDT", "ABC", "USDT", listed="2024-01-02T03:04:05", delisted="2024-01-08T01:00", holes=[hole]),
        1,
    )
    minutes = [int(t) for t in between(market, "1m", ms("2024-01-01"), ms("2024-01-10"))["open_time"]]
    expected = [
        t
        for t in range(ms("2024-01-02T03:04"), ms("2024-01-08T01:00"), 60_000)
        if not (hole[0] <= t and t + 60_000 <= hole[1])
    ]
    assert minutes == expected
    seconds = between(market, "1s", hole[0] - 2000, hole[1] + 2000)["open_time"]
    assert [int(t) for t in seconds] == [hole[0] - 2000, hole[0] - 1000, hole[1], hole[1] + 1000]


def test_quiet_bars_repeat_the_last_close_across_a_hole() -> None:
    hole, quiet = (ms("2024-01-05T10:00"), ms("2024-01-05T11:00")), (ms("2024-01-05T11:00"), ms("2024-01-05T12:00"))
    market = Market(MarketConfig("ABCUSDT", "ABC", "USDT", holes=[hole], quiet=[quiet]), 1)
    before = between(market, "1m", hole[0] - 60_000, hole[0])
    flat = between(market, "1m", *quiet)
    assert len(flat) == 60
    for name in ("open", "high", "low", "close"):
        assert (flat[name] == before["close"][0]).all()
    assert not any(flat[name].any() for name in SUMS)


def test_off_grid_rows_stand_in_place_of_or_beside_the_rows_of_their_slots() -> None:
    moved, doubled = ms("2018-02-09T09:00"), ms("2018-02-10T09:00")
    plain = Market(MarketConfig("ABCUSDT", "ABC", "USDT"), 1)
    odd = Market(
        MarketConfig(
            "ABCUSDT",
            "ABC",
            "USDT",
            off_grid=[OffGrid("1h", moved, 1_694_789), OffGrid("1h", doubled, 1_694_789, extra=True)],
        ),
        1,
    )
    span = ms("2018-02-09"), ms("2018-02-11")
    straight, bent = between(plain, "1h", *span), between(odd, "1h", *span)
    assert len(bent) == len(straight) + 1
    late = bent[9]
    assert (int(late["open_time"]), int(late["close_time"])) == (moved + 1_694_789, moved + 3_599_999)
    assert late["volume"] == straight[9]["volume"]
    first, second = bent[33], bent[34]
    assert (int(first["open_time"]), int(second["open_time"])) == (doubled, doubled + 1_694_789)
    assert int(first["close_time"]) == doubled + 1_694_788
    assert brute_force([first, second], "1h") == told(straight[33:34])
    assert told(between(odd, "4h", *span)) == told(between(plain, "4h", *span))
    assert int(odd.page("1h", moved + 1, None, 1, FAR)["open_time"][0]) == moved + 1_694_789
