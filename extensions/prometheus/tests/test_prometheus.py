"""What Prometheus would scrape, over real HTTP, against what the exchange saw."""

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

import candle_core
from candle_hookspecs import ConfigError
from candle_prometheus.endpoint import Endpoint
from candle_prometheus.extension import PrometheusSettings
from candle_prometheus.metrics import Metrics
from candle_testkit.sandbox import MarketConfig, Sandbox, SandboxConfig

KLINES = "/api/v3/klines"
START, MIDDLE, END = "2024-01-01", "2024-01-08", "2024-01-15"
CANDLES = {"exchange": "BINANCE", "kind": "candles", "source": "rest"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    bitcoin = MarketConfig("BTCUSDT", "BTC", "USDT", price="30000", turnover="300000000", listed="2023-06-01")
    with Sandbox(SandboxConfig(markets=(bitcoin,), clock="2024-06-01T00:00:30", speed=0)) as running:
        yield running


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def tables(sandbox: Sandbox, folder: Path, port: int) -> dict[str, Any]:
    return {
        "defaults": {"exchange": "BINANCE", "tradetype": "SPOT"},
        "storage": {"path": str(folder / "candles.sqlite3")},
        "providers": {"binance": {"rest_url": sandbox.url}},
        "extensions": {"prometheus": {"port": port}},
    }


class Scrape:
    """One answer of the endpoint."""

    def __init__(self, port: int) -> None:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=120) as answer:
            self.type = answer.headers["Content-Type"]
            self.text = answer.read().decode()
        self.samples = [sample for family in text_string_to_metric_families(self.text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name with these labels."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )


async def scrape(port: int) -> Scrape:
    return await asyncio.to_thread(Scrape, port)


async def test_what_is_scraped_is_what_the_ledger_holds(sandbox: Sandbox, tmp_path: Path, port: int) -> None:
    seen: list[float] = []

    async def watch(done: asyncio.Event) -> None:
        while not done.is_set():
            seen.append((await scrape(port)).value("candle_requests_total"))
            await asyncio.sleep(0.01)

    async with candle_core.open(tables(sandbox, tmp_path, port)) as candles:
        done = asyncio.Event()
        watching = asyncio.create_task(watch(done))
        await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=MIDDLE)
        middle, asked_by_then = await scrape(port), sandbox.ledger.count(KLINES)
        summary = await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END)
        done.set()
        await watching
        last = await scrape(port)
    asked = sandbox.ledger.requests(KLINES)
    assert seen == sorted(seen)
    assert 0 < middle.value("candle_requests_total", **CANDLES) == asked_by_then < len(asked)
    assert last.type.startswith("text/plain")
    assert last.value("candle_requests_total", **CANDLES) == len(asked)
    assert last.value("candle_rows_total", **CANDLES) == sum(request.rows or 0 for request in asked)
    assert last.value("candle_spent_total", **CANDLES, limit="weight") == sum(request.weight for request in asked)
    assert last.value("candle_request_seconds_count", **CANDLES) == len(asked)
    assert last.value("candle_request_seconds_bucket", **CANDLES, le="+Inf") == len(asked)
    assert 0 < last.value("candle_request_seconds_sum", **CANDLES) < 60
    assert last.value("candle_bytes_total", **CANDLES) > 50 * summary.db_records_count
    assert last.value("candle_saved_rows_total", exchange="BINANCE") == summary.db_records_count == 14 * 1440
    assert last.value("candle_events_total", event="collection.finished") == 2
    assert last.value("candle_request_errors_total") == 0
    assert "BTC" not in last.text, "no label names a symbol"


async def test_what_goes_wrong_is_counted_by_its_kind(sandbox: Sandbox, tmp_path: Path, port: int) -> None:
    sandbox.faults.script("status", at="2024-01-02", status=503)
    sandbox.faults.script("rate_limited", at="2024-01-04", retry_after=1)
    async with candle_core.open(tables(sandbox, tmp_path, port)) as candles:
        await candles.collect_candles_only("BTC/USDT", "1m", start=START, end=END)
        last = await scrape(port)
        own = (await candles.statistics()).of("BINANCE")
    kind = {"exchange": "BINANCE", "kind": "candles"}
    asked = sandbox.ledger.requests(KLINES)
    assert last.value("candle_requests_total", **CANDLES) == len(asked) == own.calls
    assert last.value("candle_request_errors_total", **CANDLES, error="TransientError") == 1
    assert last.value("candle_request_errors_total", **CANDLES, error="RateLimitedError") == 1
    assert last.value("candle_retries_total", **kind, cause="TransientError") == 1
    assert last.value("candle_pauses_total", **kind) == sum(request.status == 429 for request in asked) == 1
    assert last.value("candle_pause_seconds_total", **kind) == 1
    assert last.value("candle_request_seconds_count", **CANDLES) == len(asked) - 2


async def test_it_is_there_from_the_opening_to_the_close(sandbox: Sandbox, tmp_path: Path, port: int) -> None:
    for _ in range(2):
        async with candle_core.open(tables(sandbox, tmp_path, port)):
            assert (await scrape(port)).value("candle_events_total", event="manager.opened") == 1
        with pytest.raises(URLError):
            Scrape(port)
    assert not [thread for thread in threading.enumerate() if thread.name == "candle-prometheus"]


async def test_a_port_in_use_is_told_and_stops_nothing(
    sandbox: Sandbox, tmp_path: Path, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with (
            candle_core.open(tables(sandbox, tmp_path, port)),
            candle_core.open(tables(sandbox, tmp_path, port)) as second,
        ):
            summary = await second.collect_candles_only("BTC/USDT", "1m", start=START, count=10)
            assert (await scrape(port)).value("candle_requests_total") == 0, "it is the first one's"
    assert summary.complete
    (record,) = caplog.records
    assert re.search(f"127.0.0.1:{port}.*in use.*another port", record.getMessage())


def test_the_error_names_the_place_and_the_remedy(port: int) -> None:
    registry = Metrics().registry
    endpoint = Endpoint(registry, "127.0.0.1", port)
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*in use; .*give this one another port"):
        Endpoint(registry, "127.0.0.1", port)
    endpoint.close()
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0: "):
        Endpoint(registry, "192.0.2.1", 0)  # a documentation address, nobody's: RFC 5737


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_any_free_port(host: str) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    endpoint = Endpoint(Metrics().registry, host, 0)
    try:
        with urlopen(endpoint.url, timeout=120) as answer:
            assert answer.status == 200
    finally:
        endpoint.close()


@pytest.mark.parametrize("wrong", [{"port": -1}, {"port": 65_536}, {"prot": 9464}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PrometheusSettings(**wrong)


async def test_hits_of_a_cache_are_counted_here_and_in_the_statistics(
    sandbox: Sandbox, tmp_path: Path, port: int
) -> None:
    from candle_core.coordinator import LargeTickerRequest, MarketDataCoordinator

    async with candle_core.open(tables(sandbox, tmp_path, port)) as candles:
        coordinator = MarketDataCoordinator(candles)
        for _ in range(3):
            await coordinator.get_ticker_data(LargeTickerRequest(exchange="BINANCE", symbols=("BTC/USDT",)))
        last, own = await scrape(port), (await candles.statistics()).of("BINANCE", "tickers")
    kind = {"exchange": "BINANCE", "kind": "tickers"}
    names = ("candle_cache_hits_total", "candle_cache_misses_total", "candle_requests_total")
    assert [last.value(name, **kind) for name in names] == [2, 1, 1]
    assert (own.hits, own.misses, own.hit_rate, own.calls, own.rows) == (2, 1, 2 / 3, 1, 1)


async def test_look_ups_of_listings_are_counted_here_and_in_the_statistics(
    sandbox: Sandbox, tmp_path: Path, port: int
) -> None:
    async with candle_core.open(tables(sandbox, tmp_path, port)) as candles:
        for _ in range(3):
            await candles.warm_up(["binance"])
        await candles.collect_candles_only("BTC/USDT", "1m", start=START, count=10)
        last, own = await scrape(port), (await candles.statistics()).of("BINANCE", "markets")
    kind = {"exchange": "BINANCE", "kind": "markets"}
    counted = [last.value(f"candle_cache_{name}_total", **kind) for name in ("hits", "misses")]
    assert counted == [own.hits, own.misses]
    assert counted == [3, 1], "the first warm-up asks; two more and a name find what it was told"
