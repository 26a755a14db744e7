"""A warm-up on the wire: one listing for each exchange whatever the accounts, nothing twice, and each failing alone."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import candle_core
from candle_core import blocking
from candle_core.coordinator import LargeTickerRequest, MarketDataCoordinator
from candle_hookspecs import MarketQuery
from candle_testkit.sandbox import Limits, MarketConfig, Sandbox, SandboxConfig

NOW = "2024-06-01T00:00:30"
EACH = 1_500
LISTINGS = {"/api/v3/exchangeInfo": "binance", "/v1/market/all": "upbit", "/0/public/AssetPairs": "kraken"}
SCALE: dict[str, Any] = {"tick": "0.01", "step": "0.001", "price": "100", "listed": "2020-01-01"}
DOWN = "http://127.0.0.1:9"


def markets(each: int) -> list[MarketConfig]:
    """So many of each of the three exchanges; one of Binance's is BTC/USDT."""
    bases = ["BTC", *(f"C{number}" for number in range(1, each))]
    return [
        *(MarketConfig(f"{base}USDT", base, "USDT", exchange="BINANCE", **SCALE) for base in bases),
        *(MarketConfig(f"KRW-{base}", base, "KRW", exchange="UPBIT", **SCALE) for base in bases),
        *(MarketConfig(f"K{number}USD", f"K{number}", "USD", exchange="KRAKEN", **SCALE) for number in range(each)),
    ]


MakeSandbox: TypeAlias = Callable[..., Sandbox]


@pytest.fixture
def make_sandbox() -> Iterator[MakeSandbox]:
    with ExitStack() as running:

        def make(each: int = 5) -> Sandbox:
            limits = Limits(weight=None, group=None)
            return running.enter_context(
                Sandbox(SandboxConfig(markets=markets(each), clock=NOW, speed=0, limits=limits))
            )

        yield make


def tables(folder: Path, urls: Mapping[str, str], accounts: int = 0) -> dict[str, Any]:
    """A configuration with the exchanges at these addresses, so many accounts at each, and a cache that is a file."""
    providers: dict[str, Any] = {name: {"rest_url": url} for name, url in urls.items()}
    if "kraken" in providers:
        providers["kraken"]["plugin"] = "ccxt"
    people = [{"name": f"{name} {number}", "exchange": name} for name in urls for number in range(accounts)]
    return {
        "storage": {"path": str(folder / "candles.sqlite3")},
        "cache": {"backend": "file"},
        "providers": providers,
        "accounts": people,
    }


def everywhere(sandbox: Sandbox) -> dict[str, str]:
    """The three exchanges of one sandbox."""
    return dict.fromkeys(LISTINGS.values(), sandbox.url)


def listings(sandbox: Sandbox) -> dict[str, int]:
    """How often each exchange listed its markets."""
    return dict(Counter(LISTINGS[one.path] for one in sandbox.ledger.requests() if one.path in LISTINGS))


@pytest.mark.parametrize("accounts", [1, 5])
async def test_4500_markets_cost_one_listing_each_and_then_nothing(
    make_sandbox: MakeSandbox, tmp_path: Path, accounts: int
) -> None:
    sandbox = make_sandbox(EACH)
    async with candle_core.open(tables(tmp_path, everywhere(sandbox), accounts)) as candles:
        assert isinstance(candles, candle_core.Candles)
        result = await candles.warm_up()
        assert (result.success, result.total_markets) == (True, 3 * EACH)
        assert {one.exchange: len(one.accounts) for one in result.exchanges} == dict.fromkeys(
            LISTINGS.values(), accounts
        )
        assert listings(sandbox) == {"binance": 1, "upbit": 1, "kraken": 1}
        offsets = [one.clock_offset for one in result.exchanges]
        assert all(offset is not None and offset < -60_000_000_000 for offset in offsets), "it lives years ago"
        sandbox.ledger.clear()
        again = await candles.warm_up()
        assert [one.cached for one in again.exchanges] == [True] * 3
        directory = candles.kernel.directory
        for number in range(1, 1 + 500):
            for exchange, name in (
                ("BINANCE", f"C{number}/USDT"),
                ("UPBIT", f"krw-c{number}"),
                ("KRAKEN", f"K{number}/USD"),
            ):
                (market,) = await directory.find(exchange, "SPOT", name)
                assert market.exchange == exchange
                assert market.answers_to(name)
        assert sandbox.ledger.count() == 0
        found = [(await candles.statistics()).of(name, "markets") for name in LISTINGS.values()]
        hits, misses = sum(one.hits for one in found), sum(one.misses for one in found)
        assert (hits, misses) == (1_503, 3), "the first warm-up missed, the second and every name hit"
        assert hits / (hits + misses) >= 0.99


async def test_what_is_kept_is_what_the_exchange_lists(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = make_sandbox()
    async with candle_core.open(tables(tmp_path, everywhere(sandbox))) as candles:
        await candles.warm_up()
    async with candle_core.open(tables(tmp_path, everywhere(sandbox))) as candles:
        assert isinstance(candles, candle_core.Candles)
        sandbox.ledger.clear()
        kept = {name: await candles.kernel.directory.listing(name) for name in LISTINGS.values()}
        assert sandbox.ledger.count() == 0
        for name, listing in kept.items():
            listed = await candles.kernel.provider(name).hooks.markets(MarketQuery())
            assert list(listing.markets) == list(listed), "equal, to the last digit"
            packed = json.loads(await candles.kernel.cache.get(f"precision:cache:{name}") or b"null")
            assert packed["value"]["markets"].keys() == {market.ccxt_symbol for market in listed}


def test_another_process_asks_nothing(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = make_sandbox()
    file = tmp_path / "candle.toml"
    file.write_text(
        '[cache]\nbackend = "file"\n'
        + "".join(f'[providers.{name}]\nrest_url = "{url}"\n' for name, url in everywhere(sandbox).items())
        + 'plugin = "ccxt"\n'
    )
    script = (
        "from candle_core.blocking import ExchangeService\n"
        f"with ExchangeService({str(file)!r}) as service:\n"
        "    print(service.warm_up_all_market_precision_cache()['total_markets'])\n"
    )
    for expected in ({"binance": 1, "upbit": 1, "kraken": 1}, {}):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("15\n", "")
        assert listings(sandbox) == expected
        sandbox.ledger.clear()


# ── what it saves ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("exchange", "name", "cold"),
    [
        ("binance", "BTC/USDT", ["/api/v3/exchangeInfo", "/api/v3/klines"]),
        ("upbit", "KRW-BTC", ["/v1/market/all", "/v1/candles/minutes/1"]),
        ("kraken", "K1/USD", ["/0/public/Assets", "/0/public/AssetPairs", "/0/public/Time", "/0/public/OHLC"]),
    ],
)
async def test_the_first_page_costs_that_page_alone(
    make_sandbox: MakeSandbox, tmp_path: Path, exchange: str, name: str, cold: list[str]
) -> None:
    sandbox = make_sandbox()
    asked = {}
    for case in ("cold", "warm"):
        folder = tmp_path / case
        folder.mkdir()
        async with candle_core.open(tables(folder, everywhere(sandbox)) | {"cache": {"backend": "memory"}}) as candles:
            if case == "warm":
                assert (await candles.warm_up([exchange])).success
            sandbox.ledger.clear()
            summary = await candles.collect_candles_only(
                name, "1m", exchange=exchange, tradetype="SPOT", start="2024-05-31T20:00", end="2024-05-31T23:00"
            )
            assert summary.complete
            asked[case] = sorted(one.path for one in sandbox.ledger.requests())
    assert asked["cold"] == sorted(cold)
    assert asked["warm"] == cold[-1:]


async def test_first_pages_that_must_list_markets_on_their_way_do_not_wait_for_one_another(
    make_sandbox: MakeSandbox, tmp_path: Path
) -> None:
    """ccxt lists them for itself, inside a request for a page, which has taken all that Kraken's limit allows."""
    sandbox = make_sandbox()
    configured = tables(tmp_path, {"kraken": sandbox.url})
    async with candle_core.open(configured) as candles:
        assert (await candles.warm_up()).success
    sandbox.ledger.clear()
    async with candle_core.open(configured) as candles, asyncio.timeout(120):
        summaries = await asyncio.gather(*(
            candles.collect_candles_only(f"K{number}/USD", "1m", exchange="KRAKEN", tradetype="SPOT", count=5)
            for number in range(3)
        ))  # fmt: skip
    assert all(summary.complete for summary in summaries)
    paths = [one.path for one in sandbox.ledger.requests()]
    assert paths.count("/0/public/AssetPairs") == 1
    assert paths.count("/0/public/OHLC") == 3
    assert paths.index("/0/public/AssetPairs") < paths.index("/0/public/OHLC")


async def test_precision_and_tickers_need_no_listing_after_it(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = make_sandbox()
    async with candle_core.open(tables(tmp_path, everywhere(sandbox))) as candles:
        assert isinstance(candles, candle_core.Candles)
        await candles.warm_up()
        sandbox.ledger.clear()
        precision = await candles.precision("BTC/USDT", exchange="BINANCE", tradetype="SPOT")
        assert str(precision.price("100.019")) == "100.02"
        assert sandbox.ledger.count() == 0
        request = LargeTickerRequest(exchange="BINANCE", tradetype="SPOT", symbols=("BTC/USDT", "C1/USDT"))
        response = await MarketDataCoordinator(candles).get_ticker_data(request)
        assert sorted(response.tickers) == ["BTC/USDT", "C1/USDT"]
        assert listings(sandbox) == {}


async def test_a_market_that_was_listed_since_is_found(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    old, new = make_sandbox(4), make_sandbox(5)
    async with candle_core.open(tables(tmp_path, {"binance": old.url})) as candles:
        await candles.warm_up()
    async with candle_core.open(tables(tmp_path, {"binance": new.url})) as candles:
        options: dict[str, Any] = {"exchange": "BINANCE", "tradetype": "SPOT", "count": 10}
        assert (await candles.collect_candles_only("C3/USDT", "1m", **options)).complete
        assert new.ledger.count("/api/v3/exchangeInfo") == 0
        assert (await candles.collect_candles_only("C4/USDT", "1m", **options)).complete
        assert new.ledger.count("/api/v3/exchangeInfo", symbol="C4USDT") == 1


# ── one down, one refusing, one slow ─────────────────────────────────────────────────────────────────────────────────


async def test_each_fails_alone_and_what_it_listed_before_goes_on_to_answer(
    make_sandbox: MakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candle_core.retry.FIRST_DELAY", 0.001)
    sandbox = make_sandbox()
    addresses = everywhere(sandbox) | {"second": sandbox.url}

    def configured(**changed: str) -> dict[str, Any]:
        found = tables(tmp_path, addresses | changed)
        found["providers"]["second"]["plugin"] = "binance"
        return found

    async with candle_core.open(configured()) as candles:
        assert (await candles.warm_up()).success
    sandbox.faults.script("status", 99, path="/v1/market/all", status=401)
    sandbox.faults.script("slow", 99, path="/0/public/AssetPairs", seconds=600.0)
    async with candle_core.open(configured(second=DOWN)) as candles:
        assert isinstance(candles, candle_core.Candles)
        result = await candles.warm_up(force=True, timeout=8.0)
        found = result.as_dict()
        assert (found["success"], found["refreshed_exchanges"]) == (False, ["binance"])
        details = found["exchange_details"]
        assert {name: one.get("error_type") for name, one in details.items()} == {
            "binance": None, "upbit": "AuthenticationError", "kraken": "TransientError", "second": "TransientError",
        }  # fmt: skip
        for name, words in (("upbit", "401"), ("kraken", "did not answer within 8 s"), ("second", "127.0.0.1:9")):
            assert words in details[name]["error"]
            assert (details[name]["stale"], details[name]["cached"], details[name]["market_count"]) == (True, True, 5)
        sandbox.ledger.clear()
        for exchange, name in (("UPBIT", "KRW-BTC"), ("KRAKEN", "K1/USD"), ("SECOND", "BTCUSDT")):
            (market,) = await candles.kernel.directory.find(exchange, "SPOT", name)
            assert market.answers_to(name)
        assert sandbox.ledger.count() == 0, "what is kept answers"


def test_the_admin_page_shows_what_the_dict_says(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    """The example of the requirements, as its user would type it."""
    sandbox = make_sandbox()
    told: list[tuple[Any, ...]] = []
    with blocking.ExchangeService(tables(tmp_path, {"binance": sandbox.url, "upbit": DOWN}, 2)) as exchange_service:
        result = exchange_service.refresh_api_based_market_info()
        if not result["success"]:
            for exchange, details in result["exchange_details"].items():
                if not details["success"]:
                    told.append((exchange, details.get("error", "Unknown error")))
        told.append((len(result["refreshed_exchanges"]), result["total_markets"], f"{result['execution_time']:.2f}"))
    assert told[0][0] == "upbit"
    assert "127.0.0.1:9" in told[0][1]
    assert told[1][:2] == (1, 5)
