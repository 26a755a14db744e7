"""What goes wrong is a typed error that says what to do; nothing is half-written, and the next run goes on."""

import asyncio
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import candle_core
from candle_hookspecs import (
    BadInputError,
    BadSpanError,
    CandleError,
    CollectionConfig,
    ConfigError,
    MalformedAnswerError,
    MemoryLimitError,
    MissingPluginError,
    RateLimitedError,
    StorageError,
    TransientError,
    UnknownMarketError,
    UnknownSymbolError,
    UnknownTimeframeError,
)
from candle_testkit.sandbox import Limits
from tests.end_to_end.clocks import FastClock, PatientClock
from tests.end_to_end.conftest import MakeWorld
from tests.end_to_end.world import World, after, bitcoin, tables

START = "2024-01-01"
NOW = "2024-06-01T00:00:30"
ATTEMPTS = 5
ALWAYS = 10_000


def at(minute: float) -> str:
    return after(START, minute)


def fast_world(make_world: MakeWorld, factor: float = 20, **options: Any) -> World:
    """The kernel's waits and the exchange's clock both run fast."""
    return make_world(bitcoin(), at=NOW, speed=factor, clock=FastClock(NOW, factor), **options)


def patient_world(make_world: MakeWorld, patch: pytest.MonkeyPatch, **options: Any) -> World:
    """Nothing happens too late, however slow this machine is."""
    world = make_world(bitcoin(), at=NOW, **options)
    world.clock = PatientClock(world.sandbox, patch)
    return world


# ── what the caller got wrong ────────────────────────────────────────────────────────────────────────────────────────

BAD_RANGES: dict[str, dict[str, Any]] = {
    "end before start": {"start": at(10), "end": START},
    "end at start": {"start": START, "end": START},
    "no bounds": {},
    "only an end": {"end": START},
    "three of three": {"start": START, "end": at(10), "count": 10},
    "count of nothing": {"start": START, "count": 0},
    "negative count": {"count": -5},
    "no zone": {"start": datetime(2024, 1, 1), "end": at(10)},  # noqa: DTZ001 - the mistake that is meant
    "no time": {"start": "yesterday", "end": at(10)},
}


@pytest.mark.parametrize("given", BAD_RANGES.values(), ids=BAD_RANGES)
async def test_a_range_that_cannot_be(make_world: MakeWorld, given: dict[str, Any]) -> None:
    world = make_world()
    with pytest.raises(BadSpanError):
        await world.collect(**given)
    assert world.asked() == []
    assert world.counts() == (0, 0)


async def test_an_unknown_market(make_world: MakeWorld) -> None:
    world = make_world()
    for name in ("BTC/USDX", "NOSUCH", "BTC/USDT:USDT"):
        with pytest.raises(UnknownMarketError, match=name):
            await world.collect(START, at(10), symbol=name)
    assert world.asked() == []
    assert world.sandbox.ledger.count() <= 9
    assert world.counts() == (0, 0)


@pytest.mark.parametrize("timeframe", ["7m", "2h30m", "1x", "", "1H ", "m1"])
async def test_an_unknown_timeframe(make_world: MakeWorld, timeframe: str) -> None:
    world = make_world()
    with pytest.raises(UnknownTimeframeError):
        await world.collect(START, at(10), timeframe=timeframe)
    assert world.sandbox.ledger.count() == 0
    assert world.counts() == (0, 0)


async def test_no_exchange_and_no_default(make_world: MakeWorld) -> None:
    world = make_world()
    bare = tables(world.sandbox.url, world.path) | {"defaults": {}}
    async with candle_core.open(bare) as candles:
        with pytest.raises(ConfigError, match=r"exchange.*\[defaults\]"):
            await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=at(10))
        with pytest.raises(BadInputError, match="timeframe"):
            await candles.collect_candles_only("BTC/USDT", exchange="BINANCE", tradetype="SPOT", count=1)
    assert world.sandbox.ledger.count() == 0


async def test_a_missing_plugin(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        with pytest.raises(MissingPluginError, match="pip install"):
            await candles.collect_candles_only("BTC/USDT", "1m", exchange="NOWHERE", start=START, end=at(10))
    without = tables(world.sandbox.url, world.path) | {"storage": {"backend": "papyrus"}}
    async with candle_core.open(without) as candles:
        with pytest.raises(MissingPluginError, match="papyrus"):
            await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=at(10))


async def test_a_typo_in_the_file_is_shown_with_its_line(make_world: MakeWorld, tmp_path: Path) -> None:
    file = tmp_path / "candle.toml"
    file.write_text('[defaults]\nexchange = "BINANCE"\n\n[providers.binance]\nrest_ulr = "http://localhost"\n')
    with pytest.raises(ConfigError, match=r"rest_url") as caught:
        async with candle_core.open(file) as candles:
            await candles.collect_candles_only("BTC/USDT", "1m", tradetype="SPOT", start=START, end=at(10))
    assert "5" in str(caught.value)
    assert "rest_ulr" in str(caught.value)


async def test_loading_what_was_never_collected(make_world: MakeWorld) -> None:
    world = make_world()
    async with world.open() as candles:
        with pytest.raises(UnknownSymbolError, match="candle collect"):
            await candles.load("BTC/USDT", "1m")
    assert world.sandbox.ledger.count() == 0


async def test_more_candles_than_the_caller_allows(make_world: MakeWorld) -> None:
    world = make_world()
    strict = CollectionConfig(max_memory_objects=1_000, fallback_to_streaming=False)
    async with world.open() as candles:
        with pytest.raises(MemoryLimitError, match="1001"):
            await candles.get_candles("BTC/USDT", "1m", start=START, end=at(1_001), config=strict)
        assert world.asked() == []
        assert len(await candles.get_candles("BTC/USDT", "1m", start=START, end=at(1_000), config=strict)) == 1_000


# ── what the exchange gets wrong ─────────────────────────────────────────────────────────────────────────────────────

FAULTS: dict[str, tuple[str, dict[str, Any], type[CandleError]]] = {
    "a web page": ("html", {}, MalformedAnswerError),
    "an internal error": ("status", {"status": 500}, TransientError),
    "a bad gateway": ("status", {"status": 502}, TransientError),
    "a cut connection": ("reset", {}, TransientError),
    "half an answer": ("truncated", {}, MalformedAnswerError),
    "another shape": ("wrong_shape", {}, MalformedAnswerError),
    "no numbers": ("nan", {}, MalformedAnswerError),
    "rows out of order": ("reordered", {}, MalformedAnswerError),
}
ANYWHERE = {"a web page", "an internal error", "a bad gateway", "a cut connection", "half an answer"}


@pytest.mark.parametrize("fault", sorted(ANYWHERE))
async def test_an_exchange_that_is_out_of_order_altogether(make_world: MakeWorld, fault: str) -> None:
    world = fast_world(make_world)
    kind, options, error = FAULTS[fault]
    world.sandbox.faults.script(kind, ALWAYS, path="*", **options)
    with pytest.raises(error):
        await world.collect(START, at(2_990))
    assert world.sandbox.ledger.count() <= ATTEMPTS
    assert world.counts() == (0, 0)
    world.sandbox.faults.clear()
    assert (await world.collect(START, at(2_990))).complete
    world.assert_complete(START, at(2_990))


@pytest.mark.parametrize("fault", FAULTS)
async def test_history_that_cannot_be_had(make_world: MakeWorld, fault: str) -> None:
    world = fast_world(make_world)
    await world.collect(START, at(990))
    before, world_before = world.counts(), world.stored()
    kind, options, error = FAULTS[fault]
    world.sandbox.faults.script(kind, ALWAYS, **options)
    world.forget()
    with pytest.raises(error):
        await world.collect(START, at(3_990))
    assert 1 <= len(world.asked()) <= ATTEMPTS
    assert world.counts() == before
    assert all((world.stored()[name] == column).all() for name, column in world_before.items())
    world.sandbox.faults.clear()
    assert (await world.collect(START, at(3_990))).complete
    world.assert_complete(START, at(3_990))


async def test_a_page_in_the_middle_that_cannot_be_had(make_world: MakeWorld) -> None:
    """What came before it stays, and is not asked for again."""
    world = fast_world(make_world)
    world.sandbox.faults.script("status", ALWAYS, at=at(7_500))
    with pytest.raises(TransientError):
        await world.collect(START, at(14_990))
    rows = world.counts()[0]
    assert 5_000 <= rows < 14_990
    world.assert_honest()
    world.sandbox.faults.clear()
    world.forget()
    summary = await world.collect(START, at(14_990))
    assert sum(request.rows or 0 for request in world.asked()) <= 14_990 - rows + 15
    assert summary.db_records_count == 14_990
    world.assert_complete(START, at(14_990))


async def test_a_port_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with (
        asyncio.timeout(120),
        candle_core.open(tables(url, tmp_path / "c.sqlite3"), clock=FastClock(NOW, 20)) as it,
    ):
        with pytest.raises(TransientError, match=r"127\.0\.0\.1") as caught:
            await it.collect_candles_only("BTC/USDT", "1m", start=START, end=at(10))
    assert caught.value.exit_code == 3


async def test_a_server_that_never_answers_is_given_up(make_world: MakeWorld) -> None:
    world = fast_world(make_world)
    await world.collect(START, at(10))
    world.sandbox.faults.script("slow", ALWAYS, seconds=600)
    hasty = tables(world.sandbox.url, world.path)
    hasty["providers"]["binance"]["timeout"] = 0.1
    world.forget()
    async with asyncio.timeout(120), candle_core.open(hasty, clock=world.clock) as candles:
        with pytest.raises(TransientError, match=r"0\.1 s"):
            await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=at(500))
    world.assert_honest()


# ── limits and bans ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_long_ban_is_reported_at_once_and_remembered(
    make_world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    await world.collect(START, at(990))
    before = world.counts()
    world.forget()
    world.sandbox.faults.script("banned", retry_after=7_200, persist=True)
    async with asyncio.timeout(120):
        with pytest.raises(RateLimitedError) as caught:
            await world.collect(START, at(9_990))
    assert caught.value.banned
    assert caught.value.retry_after == 7_200
    assert caught.value.exit_code == 3
    assert len(world.asked()) == 1
    assert world.counts() == before
    with pytest.raises(RateLimitedError):
        await world.collect(START, at(9_990))
    assert len(world.asked()) == 1, "another manager, as another process would be, knows of the ban"
    world.sandbox.forgive()
    monkeypatch.setenv("CANDLE_CACHE_DIR", str(tmp_path / "another-machine"))
    assert (await world.collect(START, at(9_990))).complete
    world.assert_complete(START, at(9_990))


async def test_a_long_ban_is_reported_to_everybody_who_waits(make_world: MakeWorld) -> None:
    """One window meets the ban; the same manager's other collections must not hang for two hours."""
    world = make_world()
    world.sandbox.faults.script("banned", retry_after=7_200, persist=True)
    async with asyncio.timeout(120), world.open() as candles:
        both = await asyncio.gather(
            *(
                candles.collect_candles_only("BTC/USDT", timeframe, start=START, end=at(9_990))
                for timeframe in ("1m", "5m")
            ),
            return_exceptions=True,
        )
        assert [type(error) for error in both] == [RateLimitedError, RateLimitedError]
        with pytest.raises(RateLimitedError):
            await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=at(100))
    assert len(world.asked()) <= 3


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("banned", 418)])
async def test_nobody_asks_during_a_pause(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, kind: str, status: int
) -> None:
    world = patient_world(make_world, monkeypatch)
    world.sandbox.faults.script(kind, at=at(12_500), retry_after=5, persist=True)
    summary = await world.collect(START, at(29_990))
    assert summary.complete
    refused = [request for request in world.asked() if request.status == status]
    assert 1 <= len(refused) <= 10, "only what was under way already may be refused"
    pause = refused[0].at, refused[0].at + 5_000
    assert [request for request in world.asked() if pause[0] < request.at < pause[1]] == []
    assert [request for request in world.asked() if pause[1] <= request.at <= pause[1] + 1_000], "then it goes on"
    assert {request.status for request in world.asked()} == {200, status}
    world.assert_complete(START, at(29_990))


async def test_an_exchange_that_allows_less_than_is_documented(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 weight a minute where 6,000 are documented: its listing says so, and it is kept to; complete, never banned."""
    world = patient_world(make_world, monkeypatch, limits=Limits(weight=60))
    summary = await world.collect(START, at(79_990))
    assert summary.complete
    statuses = [request.status for request in world.sandbox.ledger.requests()]
    assert statuses.count(429) <= 1
    assert 418 not in statuses
    world.assert_complete(START, at(79_990))


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bad_day_ends_complete_and_equal_to_a_good_one(make_world: MakeWorld, seed: int) -> None:
    world = fast_world(make_world)
    rates = {
        "reset": 0.05, "status": 0.05, "truncated": 0.02, "html": 0.02, "wrong_shape": 0.01, "rate_limited": 0.02,
        "reordered": 0.01, "other_range": 0.01, "duplicates": 0.02,
    }  # fmt: skip
    world.sandbox.faults.rates(rates, seed)
    end = at(59_990)
    # Five failures in a row for one page end a run, about once in two hundred: then the next one goes on.
    for _ in range(3):
        try:
            summary = await world.collect(START, end)
        except TransientError:
            world.assert_honest()
        else:
            break
    else:
        pytest.fail("three runs in a row were ended by faults")
    assert summary.complete
    assert len({request.fault for request in world.asked()}) >= 5
    assert len(world.asked()) <= 60 * 1.5 + 2
    world.assert_complete(START, end)
    world.sandbox.faults.clear()
    again = await world.collect(START, end, refetch=True)
    assert (again.saved.revised, again.saved.inserted) == (0, 0)


# ── what the database gets wrong ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [b"this is not a database\n" * 500, b"SQLite format 3\x00" + b"\xff" * 8_000])
async def test_a_file_that_is_no_database_is_left_alone(make_world: MakeWorld, content: bytes) -> None:
    world = make_world()
    world.path.write_bytes(content)
    with pytest.raises(StorageError, match=str(world.path.name)):
        await world.collect(START, at(10))
    assert world.path.read_bytes() == content
    assert world.asked() == []


async def test_a_folder_that_is_not_there(make_world: MakeWorld) -> None:
    world = make_world()
    world.path = world.path.parent / "nowhere" / "c.sqlite3"
    with pytest.raises(StorageError, match="nowhere"):
        await world.collect(START, at(10))
    assert world.asked() == []
