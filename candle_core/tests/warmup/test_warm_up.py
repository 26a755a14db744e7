"""A warm-up: who is meant, once each; side by side; one failing alone; nothing asked twice."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

import candle_core
from candle_core.warmup.choice import chosen
from candle_hookspecs import (
    AuthenticationError,
    BadInputError,
    ConfigError,
    Event,
    ExtensionCapabilities,
    WarmupProgress,
    WarmupResult,
    hookimpl,
)

MEMORY = {"storage": {"backend": "memory"}}
TOWNS: dict[str, Any] = {"providers": {"town": {}, "harbour": {}, "village": {}}}


def accounts(*places: tuple[str, str, bool]) -> dict[str, Any]:
    """``[[accounts]]``, without keys."""
    return {"accounts": [{"name": name, "exchange": place, "active": active} for name, place, active in places]}


FIVE = accounts(
    ("mine", "town", True), ("yours", "TOWN", True), ("old", "harbour", False), ("his", "Town", True),
    ("hers", "town", True), ("ours", "village", True), ("theirs", "town", True),
)  # fmt: skip


class Listener:
    """An extension that hears of events."""

    capabilities = ExtensionCapabilities(contract=1)

    def __init__(self) -> None:
        self.heard: list[Event] = []

    @hookimpl
    def candle_event(self, event: Event) -> None:
        self.heard.append(event)


def asked(town: Any) -> dict[str, list[str]]:
    """What each exchange was asked."""
    return {name: one.asked for name, one in town.instances.items()}


# ── which exchanges ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tables", "named", "expected"),
    [
        (FIVE | TOWNS, ["Harbour", "TOWN", "harbour"], {"harbour": 0, "town": 5}),
        (FIVE | TOWNS, "harbour", {"harbour": 0}),
        (FIVE | TOWNS, [], {"town": 5, "village": 1}),
        (accounts(("old", "harbour", False)) | TOWNS, [], {"town": 0, "harbour": 0, "village": 0}),
        ({"defaults": {"exchange": "TOWN"}} | TOWNS, [], {"town": 0, "harbour": 0, "village": 0}),
        ({"defaults": {"exchange": "TOWN"}}, [], {"town": 0}),
    ],
)
def test_who_is_meant(tables: dict[str, Any], named: list[str] | str, expected: dict[str, int]) -> None:
    from candle_core.config import load_config

    found = chosen(load_config(MEMORY | tables), named)
    assert {exchange: len(names) for exchange, names in found.items()} == expected


@pytest.mark.parametrize("name", ["", "  ", " town", 5, None])
def test_what_is_no_name(name: Any) -> None:
    from candle_core.config import load_config

    with pytest.raises(BadInputError, match=f"{name!r} is no name of an exchange"):
        chosen(load_config(MEMORY | TOWNS), ["town", name])


@pytest.mark.parametrize("names", [None, 5])
def test_what_are_no_names(names: Any) -> None:
    from candle_core.config import load_config

    with pytest.raises(BadInputError, match=f"{names!r} are no names of exchanges"):
        chosen(load_config(MEMORY | TOWNS), names)


async def test_nobody_is_meant(clock: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        with pytest.raises(ConfigError, match=r"name one, or write \[\[accounts\]\]"):
            await candles.warm_up()


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), None, "5"])
async def test_a_timeout_that_lets_nobody_answer(clock: Any, town: Any, seconds: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        with pytest.raises(BadInputError, match="lets no exchange answer"):
            await candles.warm_up(["town"], timeout=seconds)


# ── what is asked, and what comes of it ──────────────────────────────────────────────────────────────────────────────


async def test_many_accounts_of_one_exchange_are_one_call(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | FIVE, clock=clock) as candles:
        result = await candles.warm_up()
    assert asked(town) == {"town": ["warmup"], "village": ["warmup"]}, "and none of an account that is not active"
    assert [(one.exchange, one.accounts) for one in result.exchanges] == [
        ("town", ("mine", "yours", "his", "hers", "theirs")),
        ("village", ("ours",)),
    ]


async def test_a_warm_up_leaves_everything_ready(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        result = await candles.warm_up(["town"])
        (one,) = result.exchanges
        assert (result.success, result.total_markets, result.refreshed) == (True, 1001, ("town",))
        assert (one.markets, one.cached, one.age, one.clock_offset, one.error) == (1001, False, 0.0, 250, None)
        provider = candles.kernel.provider("town")
        assert provider.clock.offset == 250
        assert provider.sessions == (), "its calendar is known: it has none"
        for key, field in (("market:info:town", "markets"), ("precision:cache:town", "native_ids")):
            packed = json.loads(await candles.kernel.cache.get(key) or b"null")
            assert packed["stored_at"] == "2023-11-14T22:13:20.000Z"
            assert len(packed["value"][field]) in (1000, 1001)


async def test_a_second_one_asks_nothing_until_it_is_not_believed_any_more(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS | {"cache": {"ttl": 3_600}}, clock=clock) as candles:
        await candles.warm_up()
        clock.ms += 3_599_000
        again = await candles.warm_up()
        assert set(map(tuple, asked(town).values())) == {("warmup",)}
        assert [(one.cached, one.age, one.markets) for one in again.exchanges] == [(True, 3_599.0, 1001)] * 3
        assert again.success
        await candles.warm_up(["town"], force=True)
        assert asked(town)["town"] == ["warmup"] * 2
        clock.ms += 1_000
        await candles.warm_up()
        assert {name: len(calls) for name, calls in asked(town).items()} == {"town": 2, "harbour": 2, "village": 2}


async def test_one_that_runs_as_often_as_a_listing_is_believed_asks_each_time(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS | {"cache": {"ttl": 3_600}}, clock=clock) as candles:
        for late in (0, 400, 0, 300):  # milliseconds; no schedule is kept to the last one
            clock.ms += late
            await candles.warm_up(["town"])
            clock.ms += 3_600_000 - late
        assert asked(town)["town"] == ["warmup"] * 4


async def test_precision_is_kept_though_another_program_dropped_it(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        await candles.warm_up(["town"])
        await candles.kernel.cache.delete("precision:cache:town")
        await candles.warm_up(["town"])
        assert await candles.kernel.cache.get("precision:cache:town") is not None
    assert asked(town) == {"town": ["warmup"]}


async def test_exchanges_are_asked_side_by_side(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        meeting = asyncio.Barrier(len(TOWNS["providers"]))
        for name in TOWNS["providers"]:
            candles.kernel.provider(name)
            town.instances[name].meeting = meeting  # none answers before all were asked
        assert (await candles.warm_up()).success


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def three(clock: Any, town: Any, leap: Callable[[float], None]) -> Callable[..., Any]:
    """A warm-up of three exchanges, one that refuses, one that dawdles, and one that is well."""

    async def run(candles: Any, callback: Callable[[WarmupProgress], object] = lambda _: None) -> WarmupResult:
        def tell(progress: WarmupProgress) -> None:
            callback(progress)
            if progress.done == 2:  # time passes for the one who dawdles, and for nobody else
                leap(600)

        for name in TOWNS["providers"]:
            candles.kernel.provider(name)
        town.instances["harbour"].error = AuthenticationError("Invalid API key")
        town.instances["village"].seconds = 660.0
        result: WarmupResult = await candles.warm_up(timeout=600, progress_callback=tell)
        return result

    return run


async def test_each_fails_alone(clock: Any, town: Any, three: Callable[..., Any]) -> None:
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        result = await three(candles)
    assert not result.success
    assert result.refreshed == ("town",)
    document = result.as_dict()
    assert json.loads(json.dumps(document)) == document
    assert list(document) == [
        "success", "refreshed_exchanges", "total_markets", "execution_time", "exchange_details",
    ]  # fmt: skip
    assert (document["success"], document["refreshed_exchanges"], document["total_markets"]) == (False, ["town"], 1001)
    took = [document["execution_time"], *(one.pop("execution_time") for one in document["exchange_details"].values())]
    assert all(seconds >= 0 for seconds in took)
    assert document["exchange_details"] == {
        "town": {
            "success": True, "market_count": 1001, "cached": False, "age_seconds": 0.0, "clock_offset_ms": 250,
            "accounts": [],
        },
        "harbour": {
            "success": False, "market_count": 0, "cached": False, "age_seconds": None, "clock_offset_ms": None,
            "accounts": [], "error": "Invalid API key", "error_type": "AuthenticationError",
        },
        "village": {
            "success": False, "market_count": 0, "cached": False, "age_seconds": None, "clock_offset_ms": None,
            "accounts": [], "error": "'village' did not answer within 600 s", "error_type": "TransientError",
        },
    }  # fmt: skip


async def test_what_was_kept_goes_on_to_answer(clock: Any, town: Any, three: Callable[..., Any]) -> None:
    async with candle_core.open(MEMORY | TOWNS | {"cache": {"ttl": 60.0}}, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        await candles.warm_up()
        clock.ms += 90_000
        result = await three(candles)
        assert [(one.exchange, one.success, one.stale, one.age, one.markets) for one in result.exchanges] == [
            ("town", True, False, 0.0, 1001),
            ("harbour", False, True, 90.0, 1001),
            ("village", False, True, 90.0, 1001),
        ]
        assert result.total_markets == 1001, "of those that did not fail"
        assert [one.as_dict().get("stale") for one in result.exchanges] == [None, True, True]
        listing = await candles.kernel.directory.listing("harbour")
        assert (len(listing.markets), listing.fresh) == (1001, False)
        assert isinstance(listing.error, AuthenticationError)


async def test_who_has_just_failed_is_given_its_pause_unless_told_otherwise(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS | {"cache": {"ttl": 60.0}}, clock=clock) as candles:
        await candles.warm_up(["town"])
        clock.ms += 90_000
        town.instances["town"].error = AuthenticationError("Invalid API key")
        results = [await candles.warm_up(["town"]) for _ in range(3)]
        assert asked(town)["town"] == ["warmup"] * 2
        assert [result.exchanges[0].stale for result in results] == [True] * 3
        await candles.warm_up(["town"], force=True)
        assert asked(town)["town"] == ["warmup"] * 3


async def test_an_exchange_without_a_plugin_fails_alone(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        result = await candles.warm_up(["town", "twon"])
    good, bad = result.exchanges
    assert (good.success, bad.success) == (True, False)
    assert (type(bad.error).__name__, bad.exchange) == ("MissingPluginError", "twon")
    assert "did you mean 'town'?" in str(bad.error)


async def test_a_defect_of_a_plugin_is_that_exchanges_failure(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        candles.kernel.provider("harbour")
        town.instances["harbour"].error = KeyError("base")
        result = await candles.warm_up()
    assert [type(one.error).__name__ for one in result.exchanges] == ["NoneType", "BrokenPluginError", "NoneType"]


async def test_giving_up_ends_all_of_it(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        for name in TOWNS["providers"]:
            candles.kernel.provider(name)
            town.instances[name].seconds = 3_600.0
        warming = asyncio.create_task(candles.warm_up())
        async with asyncio.timeout(120):
            while list(asked(town).values()) != [["warmup"]] * 3:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0)
        warming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await warming
        assert [task for task in asyncio.all_tasks() if "keeper" in str(task.get_coro()).lower()] == []
        town.instances["town"].seconds = 0.0
        assert (await candles.warm_up(["town"])).success, "and nothing stands in the way of another"


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_log_says_how_it_goes(
    clock: Any, town: Any, three: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "candle.warmup")
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        await three(candles)
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "candle.warmup"]
    assert lines[0] == ("INFO", "warm-up begins: 3 exchanges")
    assert ("ERROR", "harbour failed: AuthenticationError: Invalid API key") in lines
    assert ("ERROR", "village failed: TransientError: 'village' did not answer within 600 s") in lines
    assert [level for level, text in lines if text.startswith("town is warmed up: 1001 markets in ")] == ["INFO"]
    assert lines[-2] == ("WARNING", "some exchanges failed; warmed up: 1/3")
    assert lines[-1][0] == "INFO"
    assert lines[-1][1].startswith("warm-up ends: ")
    assert lines[-1][1].endswith(" s, 1001 markets in all")


async def test_progress_is_told_as_each_ends(clock: Any, town: Any, three: Callable[..., Any]) -> None:
    told: list[WarmupProgress] = []
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        await three(candles, told.append)
    assert [(one.done, one.total) for one in told] == [(1, 3), (2, 3), (3, 3)]
    assert {one.exchange.exchange: one.exchange.success for one in told} == {
        "town": True, "harbour": False, "village": False,
    }  # fmt: skip
    assert told[-1].exchange.exchange == "village"


async def test_an_error_of_the_callback_is_its_own(clock: Any, town: Any) -> None:
    def refuse(_: WarmupProgress) -> None:
        raise ZeroDivisionError

    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        with pytest.raises(ZeroDivisionError):
            await candles.warm_up(progress_callback=refuse)


async def test_extensions_hear_of_it(clock: Any, town: Any, three: Callable[..., Any]) -> None:
    listener = Listener()
    async with candle_core.open(MEMORY | TOWNS, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        candles.kernel.dispatch.add_everywhere("listener", listener)
        await three(candles)
    (event,) = [event for event in listener.heard if event.name == "warmup.finished"]
    data = dict(event.data)
    assert data.pop("seconds") > 0  # type: ignore[operator]
    assert data == {
        "exchanges": 3, "failed": 2, "markets": 1001, "causes": "harbour: AuthenticationError, village: TransientError",
    }  # fmt: skip
