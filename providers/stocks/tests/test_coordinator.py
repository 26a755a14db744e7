"""Tickers of many stocks through the coordinator: what they cost on the wire, and what is said of those that died."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import candle_core
from candle_core.coordinator import LargeTickerRequest, MarketDataCoordinator
from candle_hookspecs import Kind, ProviderError, UnknownMarketError
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig, StockConfig

QUOTES: Final = "/v7/finance/quote"
STOCKS: Final = [
    *(StockConfig(f"C{number:03}", "NMS", volume=2_000_000, listed="2024-01-02") for number in range(100)),
    StockConfig("DIES", "NMS", delisted="2024-03-16"),
    StockConfig("005930.KS", "KSC", "Samsung Electronics Co., Ltd.", "70000", "100", 15_000_000),
]
NAMES: Final = [f"C{number:03}" for number in range(100)]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        SandboxConfig(markets=1, stocks=STOCKS, clock="2024-03-15T16:30:20.500", speed=0, limits=Limits(yahoo=None))
    ) as sandbox:
        yield sandbox


@pytest.fixture
def tables(sandbox: Sandbox, tmp_path: Path) -> dict[str, Any]:
    providers = {exchange: {"chart_url": sandbox.url} for exchange in ("nasdaq", "krx")}
    return {"storage": {"path": str(tmp_path / "candles.sqlite3")}, "providers": providers}


async def test_a_hundred_stocks_are_two_requests(sandbox: Sandbox, tables: dict[str, Any]) -> None:
    request = LargeTickerRequest(exchange="NASDAQ", symbols=NAMES)
    async with candle_core.open(tables) as candles:
        coordinator = MarketDataCoordinator(candles, ttl={Kind.TICKERS: 60.0})
        response = await coordinator.get_ticker_data(request)
        sent = sandbox.ledger.requests(QUOTES)
        again = await coordinator.get_ticker_data(request)
    assert [len(one.params["symbols"].split(",")) for one in sent] in ([99, 1], [1, 99])
    assert (response.report.requests, response.report.rows) == (2, 100)
    assert (again.report.requests, again.report.cache_hits, again.tickers) == (0, 100, response.tickers)
    assert sandbox.ledger.count(QUOTES) == 2
    for name in NAMES:
        truth = sandbox.stocks.ticker(name)
        told = response.tickers[name]
        assert (int(told.last * 10**8), int(told.volume or 0) * 10**8) == (truth["last"], truth["volume"])


async def test_who_died_is_named_and_the_others_are_there(sandbox: Sandbox, tables: dict[str, Any]) -> None:
    async with candle_core.open(tables) as candles:
        coordinator = MarketDataCoordinator(candles)
        before = await coordinator.get_ticker_data(LargeTickerRequest(exchange="NASDAQ", symbols=["DIES"]))
        sandbox.clock.set("2024-03-18T16:00")
        names = ["C001", "DIES", "NOPE", "C002"]
        response = await coordinator.get_ticker_data(LargeTickerRequest(exchange="NASDAQ", symbols=names, max_age=0))
        seoul = await coordinator.get_ticker_data(LargeTickerRequest(exchange="KRX", symbols=["005930"]))
    assert before.complete
    assert set(response.tickers) == {"C001", "C002"}
    assert isinstance(response.failures["NOPE"], UnknownMarketError), "not listed"
    assert isinstance(response.failures["DIES"], ProviderError)
    assert "left 'DIES' out of its answer" in str(response.failures["DIES"])
    assert response.report.requests == 1
    assert seoul.tickers["005930"].market.native_id == "005930.KS"
