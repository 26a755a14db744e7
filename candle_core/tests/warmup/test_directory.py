"""The directory: asked once, seen by all, taken apart once, and honest about names that are new."""

import asyncio
import gc
import json
from dataclasses import replace
from typing import Any

import pytest

import candle_core
from candle_core.cache import Keeper, LocalCache
from candle_core.config import load_config
from candle_core.directory import Directory
from candle_core.directory.form import decode
from candle_core.kernel import Kernel
from candle_core.symbols import Catalogue
from candle_hookspecs import (
    AuthenticationError,
    CandleError,
    Kind,
    MarketQuery,
    MissingPluginError,
    ProviderError,
    Registration,
    TransientError,
    UnknownMarketError,
    UnknownSymbolError,
)

MEMORY = {"storage": {"backend": "memory"}}


def kernel_of(clock: Any, shared: LocalCache | None = None, **tables: Any) -> Kernel:
    """One of its own, or one of several processes that share a cache."""
    kernel = Kernel(load_config(MEMORY | tables), clock)
    if shared is not None:
        times = {"ttl": kernel.config.cache.ttl, "keep": kernel.config.cache.keep}
        kernel._keeper = Keeper(shared, clock, count=kernel.looked_up, **times)
        kernel._directory = Directory(kernel.provider, kernel._keeper, clock, times["ttl"], kernel.looked_up)
    return kernel


def rate(kernel: Kernel, exchange: str = "TOWN") -> tuple[int, int]:
    """Hits and misses of listings."""
    (counts,) = [one for one in kernel.statistics.told() if (one.exchange, one.kind) == (exchange, "markets")]
    return counts.hits, counts.misses


async def test_all_who_want_a_listing_cost_one(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    listings = await asyncio.gather(*(kernel.directory.listing("TOWN") for _ in range(5)))
    assert town.instances["town"].asked == ["warmup"], "with the clock, and in one go"
    assert {len(one.markets) for one in listings} == {1001}
    assert sum(one.asked for one in listings) == 1
    assert kernel.provider("town").clock.offset == 250


async def test_a_provider_without_a_warm_up_is_asked_for_its_markets(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    assert len((await kernel.directory.listing("plain")).markets) == 1001
    assert town.instances["plain"].asked == ["all"]


async def test_a_listing_is_taken_apart_once(clock: Any, town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken_apart = []

    def counted(exchange: str, value: bytes) -> Any:
        taken_apart.append(len(value))
        return decode(exchange, value)

    monkeypatch.setattr("candle_core.directory.directory.decode", counted)
    cache = LocalCache()
    await kernel_of(clock, cache).directory.listing("town")
    assert taken_apart == [], "what was just encoded is known"
    kernel = kernel_of(clock, cache)
    for _ in range(20):
        await kernel.directory.listing("town")
        assert await kernel.directory.find("TOWN", "SPOT", "c7x")
        clock.ms += 5_000
    assert len(taken_apart) == 1


async def test_the_cache_is_not_asked_for_every_name(clock: Any, town: Any) -> None:
    asked = []

    class Counting(LocalCache):
        async def get(self, key: str) -> bytes | None:
            asked.append(key)
            return await super().get(key)

    cache = Counting()
    await kernel_of(clock, cache).directory.listing("town")
    kernel = kernel_of(clock, cache)
    asked.clear()
    for number in range(1000):
        (found,) = await kernel.directory.find("TOWN", "SPOT", f"C{number}/X")
        assert found.native_id == f"C{number}X"
    assert asked == ["market:info:town"]
    assert town.instances["town"].asked == ["warmup"]
    hits, misses = rate(kernel)
    assert (hits, misses) == (1000, 0)


async def test_many_who_look_at_once_cost_one_look(clock: Any, town: Any) -> None:
    asked = []

    class Counting(LocalCache):
        async def get(self, key: str) -> bytes | None:
            asked.append(key)
            await asyncio.sleep(0.01)
            return await super().get(key)

    cache = Counting()
    await kernel_of(clock, cache).directory.listing("town")
    kernel = kernel_of(clock, cache)
    asked.clear()
    await asyncio.gather(*(kernel.directory.find("TOWN", "SPOT", f"C{number}/X") for number in range(50)))
    await asyncio.gather(*(kernel.directory.listing("town") for _ in range(50)))
    assert asked == ["market:info:town"]
    assert rate(kernel) == (100, 0)


async def test_a_look_at_what_is_old_keeps_nobody_from_asking(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock, cache={"ttl": 60.0})
    await kernel.directory.listing("town")
    clock.ms += 60_000
    known = await kernel.directory.known("town")
    assert known is not None
    assert not known.fresh
    listing = await kernel.directory.listing("town")
    assert (listing.asked, listing.fresh) == (True, True)


async def test_what_is_believed_stays_so_though_something_newer_was_wanted_in_vain(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.directory.listing("town")
    town.instances["town"].error = AuthenticationError("no key")
    forced = await kernel.directory.listing("town", refresh=True)
    assert (forced.fresh, type(forced.error)) == (True, AuthenticationError)
    listing = await kernel.directory.listing("town")
    assert (listing.fresh, listing.error, listing.asked) == (True, None, False)


async def test_what_another_process_lists_is_seen_soon(clock: Any, town: Any) -> None:
    cache = LocalCache()
    here, there = kernel_of(clock, cache), kernel_of(clock, cache)
    await here.directory.listing("town")
    there.provider("town")
    town.instances["town"].new = ["NEW"]
    clock.ms += 1
    await there.directory.listing("town", refresh=True)
    assert not (await here.directory.listing("town")).find("SPOT", "NEW/X"), "remembered for some seconds"
    clock.ms += 10_000
    listing = await here.directory.listing("town")
    assert listing.find("SPOT", "NEW/X")
    assert not listing.asked


async def test_names_lead_to_markets(clock: Any, town: Any) -> None:
    listing = await kernel_of(clock).directory.listing("town")
    (spot,) = listing.find("SPOT", "c0/x")
    assert (spot.ccxt_symbol, spot.tradetype) == ("C0/X", "SPOT")
    assert [one.tradetype for one in listing.find(None, "c0x")] == ["SPOT", "SWAP"]
    assert [one.ccxt_symbol for one in listing.find("SWAP", "C0X")] == ["C0/X:X"]
    assert listing.find("SPOT", "C0/X:X") == ()


# ── names that a listing lacks ───────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_listing_one_name_costs_no_listing(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    (found,) = await kernel.directory.find("TOWN", "SPOT", "C5/X")
    assert found.base == "C5"
    assert town.instances["town"].asked == ["C5/X"]
    assert await kernel.directory.known("town") is None, "one market is no listing"


async def test_a_name_that_is_new_is_asked_for_before_it_is_called_unknown(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.directory.listing("town")
    provider = town.instances["town"]
    provider.new = ["NEW"]
    for _ in range(3):
        (found,) = await kernel.directory.find("TOWN", "SPOT", "new/x")
        assert found.base == "NEW"
        assert await kernel.directory.find("TOWN", "SPOT", "NEVER/X") == ()
    assert provider.asked == ["warmup", "new/x", "NEVER/X"], "each once"


async def test_the_catalogue_looks_there_too(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.directory.listing("town")
    catalogue = Catalogue(kernel)
    record = await catalogue.resolve(catalogue.query("C9/X", "1m", "TOWN", "SPOT"))
    assert record.market.native_id == "C9X"
    with pytest.raises(UnknownMarketError, match="TOWN lists no SPOT market 'NEVER/X'"):
        await catalogue.resolve(catalogue.query("NEVER/X", "1m", "TOWN", "SPOT"))
    assert town.instances["town"].asked == ["warmup", "NEVER/X"]


async def test_a_symbol_of_a_contract_is_found_though_it_is_no_name(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    catalogue = Catalogue(kernel)
    swap = await catalogue.resolve(catalogue.query("CRYPTO-TOWN-SWAP-C0-X-1m", None, None, None))
    assert swap.market.ccxt_symbol == "C0/X:X"
    for text in ("CRYPTO-TOWN-SWAP-C0-X-1d", "crypto-town-swap-c0-x-1m"):
        assert (await catalogue.market(text, None, None)) == swap.market
    with pytest.raises(UnknownMarketError, match="TOWN lists no SWAP market 'C1/X'"):
        await catalogue.resolve(catalogue.query("CRYPTO-TOWN-SWAP-C1-X-1m", None, None, None))
    assert town.instances["town"].asked == ["warmup"]


async def test_a_contract_that_is_new_is_looked_for_before_it_is_called_unknown(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    catalogue, wanted = Catalogue(kernel), "CRYPTO-TOWN-SWAP-NEW-X-1m"
    await kernel.directory.listing("town")
    provider = town.instances["town"]
    provider.swaps = ["C0", "NEW"]
    clock.ms += 60_000
    for _ in range(2):
        with pytest.raises(UnknownMarketError, match="TOWN lists no SWAP market 'NEVER/X'"):
            await catalogue.resolve(catalogue.query("CRYPTO-TOWN-SWAP-NEVER-X-1m", None, None, None))
    assert (await catalogue.resolve(catalogue.query(wanted, None, None, None))).market.ccxt_symbol == "NEW/X:X"
    assert provider.asked == ["warmup", "warmup"], "no more than once a minute"
    clock.ms += 60_000
    provider.error = TransientError("down")
    with pytest.raises(TransientError, match="down"):
        await catalogue.resolve(catalogue.query("CRYPTO-TOWN-SWAP-NEVER-X-1m", None, None, None))


async def test_a_symbol_of_a_dated_future_is_that_one_alone(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    catalogue, spot = Catalogue(kernel), town.market("town", "C0", "SPOT")
    both = [
        replace(spot, tradetype="FUTURE", contract=day, native_id=f"C0X-{day}", ccxt_symbol=f"C0/X:X-{day}")
        for day in ("261225", "270326")
    ]
    for registered, market in enumerate(both):
        await kernel.storage().register([Registration(market=market, timeframes=("1m",))])
        for other in both[: registered + 1]:
            record = await catalogue.known(catalogue.query(other.symbol("1m"), None, None, None))
            assert record.market == await catalogue.market(other.symbol("1m"), None, None) == other
        for other in both[registered + 1 :]:
            with pytest.raises(UnknownSymbolError, match=f"no 'C0/X {other.contract}' 1m of TOWN FUTURE"):
                await catalogue.known(catalogue.query(other.symbol("1m"), None, None, None))


async def test_a_listing_that_is_not_believed_any_more_is_no_answer_for_a_name(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock, cache={"ttl": 60.0})
    await kernel.directory.listing("town")
    clock.ms += 60_000
    await kernel.directory.find("TOWN", "SPOT", "C5/X")
    assert town.instances["town"].asked == ["warmup", "C5/X"]


async def test_an_old_listing_stands_in_for_an_exchange_that_does_not_answer(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock, cache={"ttl": 60.0})
    await kernel.directory.listing("town")
    clock.ms += 60_000
    town.instances["town"].error = TransientError("the line is cut")
    (found,) = await kernel.directory.find("TOWN", "SPOT", "C5/X")
    assert found.base == "C5"
    with pytest.raises(TransientError, match="the line is cut"):
        await kernel.directory.find("TOWN", "SPOT", "NEVER/X")
    assert rate(kernel) == (0, 3), "an old answer is no hit"


def as_words(found: dict[str, Any]) -> dict[str, str]:
    return {
        name: type(one).__name__ if isinstance(one, CandleError) else one.ccxt_symbol for name, one in found.items()
    }


async def test_many_names_cost_one_listing(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    names = [f"C{number}/X" for number in range(50)] + ["NEVER/X"]
    found = await kernel.directory.find_each("TOWN", "SPOT", names)
    assert list(found) == names
    assert as_words(found) == {name: name for name in names[:-1]} | {"NEVER/X": "UnknownMarketError"}
    assert town.instances["town"].asked == ["warmup"], "a listing of just now is not doubted"


async def test_few_that_are_lacking_are_asked_for_and_many_cost_one_listing(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.directory.listing("town")
    provider = town.instances["town"]
    provider.new = ["N1", "N2", "N3", "N4"]
    found = await kernel.directory.find_each("TOWN", "SPOT", ["C1/X", "N1/X", "NEVER/X"])
    assert as_words(found) == {"C1/X": "C1/X", "N1/X": "N1/X", "NEVER/X": "UnknownMarketError"}
    assert provider.asked == ["warmup", "N1/X", "NEVER/X"]
    names = ["N1/X", "N2/X", "N3/X", "N4/X", "NEVER/X", "NOR/X", "NONE/X"]
    for _ in range(2):
        found = await kernel.directory.find_each("TOWN", "SPOT", names)
        assert [isinstance(one, UnknownMarketError) for one in found.values()] == [False] * 4 + [True] * 3
    assert provider.asked == ["warmup", "N1/X", "NEVER/X", "warmup"]


async def test_a_lacking_name_may_fail_alone(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.directory.listing("town")
    town.instances["town"].error = AuthenticationError("no key")
    found = await kernel.directory.find_each("TOWN", "SPOT", ["C1/X", "N1/X"])
    assert as_words(found) == {"C1/X": "C1/X", "N1/X": "AuthenticationError"}
    many = ["C1/X", *(f"N{number}/X" for number in range(9))]
    found = await kernel.directory.find_each("TOWN", "SPOT", many)
    assert set(as_words(found).values()) == {"C1/X", "AuthenticationError"}


async def test_an_exchange_that_does_not_list_is_every_names_failure(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    kernel.provider("town")
    town.instances["town"].error = AuthenticationError("no key")
    found = await kernel.directory.find_each("TOWN", "SPOT", ["C1/X", "C2/X"])
    assert as_words(found) == {"C1/X": "AuthenticationError", "C2/X": "AuthenticationError"}


# ── what is there and what is not ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", [b'{"version":2}', b'{"version":1,"exchange":"town","markets":[{}]}', b"7"])
async def test_what_is_no_listing_is_asked_for_anew(clock: Any, town: Any, value: bytes) -> None:
    kernel = kernel_of(clock)
    await kernel.keeper.put("market:info:town", value)
    assert await kernel.directory.known("town") is None
    assert (await kernel.directory.find("TOWN", "SPOT", "C1/X"))[0].base == "C1"
    listing = await kernel.directory.listing("town")
    assert (listing.asked, len(listing.markets)) == (True, 1001)
    kept = await kernel.keeper.peek("market:info:town")
    assert kept is not None
    assert json.loads(kept.value)["version"] == 1


async def test_nothing_stands_in_for_an_exchange_if_it_is_no_listing(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    await kernel.keeper.put("market:info:town", b'{"version":2}')
    kernel.provider("town")
    town.instances["town"].error = AuthenticationError("no key")
    with pytest.raises(AuthenticationError):
        await kernel.directory.listing("town")


async def test_what_is_listed_twice_is_one(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    kernel.provider("town")
    town.instances["town"].new = ["C7", "C8", "NEW"]
    assert len((await kernel.directory.listing("town")).markets) == 1002
    assert len(await kernel.directory.find("TOWN", "SPOT", "C7/X")) == 1
    assert len(await kernel.directory.ask(kernel.provider("town"), MarketQuery())) == 1002


async def test_an_exchange_without_markets_is_not_believed(clock: Any, town: Any) -> None:
    kernel = kernel_of(clock)
    kernel.provider("town")
    town.instances["town"].empty = True
    with pytest.raises(ProviderError, match="'town' lists no markets at all"):
        await kernel.directory.listing("town")
    assert await kernel.directory.known("town") is None


async def test_what_was_listed_for_another_reason_is_kept(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        provider = candles.kernel.provider("town")
        await candles.markets("TOWN", "SPOT")
        assert await candles.kernel.directory.known("town") is None, "spot is not all that there is"
        await candles.markets("TOWN", query=MarketQuery(name="C1/X"))
        assert await candles.kernel.directory.known("town") is None
        await candles.markets("TOWN")
        listing = await candles.kernel.directory.listing("town")
        assert (len(listing.markets), listing.asked, listing.fresh) == (1001, False, True)
        assert town.instances[provider.name].asked == ["SPOT", "C1/X", "all"]
        assert await candles.kernel.keeper.peek("precision:cache:town") is not None


async def test_the_markets_of_now_are_asked_for_whatever_is_kept(clock: Any, town: Any) -> None:
    async with candle_core.open(MEMORY, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        await candles.kernel.directory.listing("town")
        town.instances["town"].new = ["NEW"]
        assert len(await candles.markets("TOWN")) == 1002
        assert (await candles.kernel.directory.listing("town")).find("SPOT", "NEW/X"), "and what came is kept"


async def test_the_coordinator_looks_there(clock: Any, town: Any) -> None:
    from candle_core.coordinator import LargeCandleRequest, MarketDataCoordinator

    async with candle_core.open(MEMORY, clock=clock) as candles:
        assert isinstance(candles, candle_core.Candles)
        await candles.warm_up(["town"])
        coordinator = MarketDataCoordinator(candles)
        request = LargeCandleRequest(
            exchange="TOWN", tradetype="SPOT", symbols=("C1/X", "C2/X"), timeframe="1m", count=1
        )
        records = await coordinator.records(request, ("1m",))
        assert sorted(records) == ["C1/X", "C2/X"]
        assert town.instances["town"].asked == ["warmup"]
        assert Kind.CANDLES in candles.kernel.provider("town").capabilities.kinds


async def test_of_what_is_no_exchange_nothing_stays(clock: Any, town: Any) -> None:
    """A server hands on what its users type."""
    async with candle_core.open(MEMORY, clock=clock) as candles:
        before = held()
        for number in range(20):
            with pytest.raises(MissingPluginError):
                await candles.precision("BTC/USDT", exchange=f"NOWHERE{number}", tradetype="SPOT")
        assert held() == before
        assert (await candles.statistics()).entries == ()


def held() -> int:
    """How many locks there are."""
    gc.collect()
    return sum(isinstance(one, asyncio.Lock) for one in gc.get_objects())
