"""Our own reading of a market and ccxt's give the same."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import ccxt
import pytest
from pydantic import AnyHttpUrl

from candle_binance import markets
from candle_binance.provider import BinanceProvider
from candle_hookspecs import MalformedAnswerError, MarketQuery, MarketStatus
from candle_testkit.context import OpenGate, make_context
from candle_testkit.sandbox import Limits, Sandbox, SandboxConfig


@pytest.fixture(scope="module")
def body() -> Iterator[bytes]:
    with (
        Sandbox(SandboxConfig(markets=200, clock="2026-10-01", gzip=False)) as sandbox,
        urlopen(f"{sandbox.url}/api/v3/exchangeInfo") as answer,
    ):
        yield answer.read()


@pytest.fixture
def raw(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = markets.listing(body)[0]
    return found


def test_both_readers_agree_on_every_market(body: bytes) -> None:
    ours = [markets.parse(one, "BINANCE") for one in json.loads(body)["symbols"]]
    assert len(ours) == 200
    assert markets.parse_all(body, "BINANCE") == ours


@pytest.mark.parametrize("asset", ["XBT", "BCHSV", "YOYO", "BCC", "LUNA", "1000SATS", "币安人生", "bnsol"])
def test_both_readers_agree_on_odd_assets(raw: dict[str, Any], asset: str) -> None:
    raw |= {"baseAsset": asset, "symbol": f"{asset}USDT"}
    ours = markets.parse(raw, "BINANCE")
    assert markets.parse_all(json.dumps({"symbols": [raw]}).encode(), "BINANCE") == [ours]
    assert raw["symbol"].upper() in markets.candidates(ours.ccxt_symbol)


def test_renamed_assets_are_those_of_ccxt() -> None:
    theirs = ccxt.binance().commonCurrencies
    assert {asset: code for asset, code in theirs.items() if asset != code} == markets.RENAMED


def test_a_rule_of_zero_is_no_rule(raw: dict[str, Any]) -> None:
    raw["filters"] = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00000000", "maxPrice": "0.00000000", "tickSize": "0.10000000"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000"},
    ]
    for market in (markets.parse(raw, "B"), *markets.parse_all(json.dumps({"symbols": [raw]}).encode(), "B")):
        assert (market.min_price, market.max_price, market.price_tick) == (None, None, Decimal("0.1"))
        assert str(market.price_tick) == "0.1"
        assert (market.amount_step, market.min_notional) == (None, Decimal(10))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("TRADING", "TRADING"), ("HALT", "HALTED"), ("BREAK", "CLOSED"), ("CANCEL_ONLY", "HALTED"), ("NEW", "UNKNOWN")],
)
def test_status(raw: dict[str, Any], status: str, expected: str) -> None:
    market = markets.parse(raw | {"status": status}, "BINANCE")
    assert market.status is MarketStatus(expected)
    assert market.extra == {"status": status}


@pytest.mark.parametrize("key", ["symbol", "status", "baseAsset", "quoteAsset", "filters"])
def test_an_incomplete_market_is_refused_by_both(raw: dict[str, Any], key: str) -> None:
    del raw[key]
    with pytest.raises(MalformedAnswerError, match=key):
        markets.parse(raw, "BINANCE")
    with pytest.raises(MalformedAnswerError, match=key):
        markets.parse_all(json.dumps({"symbols": [raw]}).encode(), "BINANCE")


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"symbols":7}', b'{"symbols":['])
def test_what_is_no_listing_is_refused(answer: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match="exchangeInfo"):
        markets.listing(answer)


@pytest.mark.parametrize("name", ["", "/", "BTC/", "/USDT", "A/B/C", "BTC/USDT:USDT", "BTC USDT", "BTC&limit=1"])
def test_names_that_no_spot_market_has_are_not_asked_for(name: str) -> None:
    assert markets.candidates(name) == []


async def test_the_limit_that_a_listing_states_is_kept_to(tmp_path: Path) -> None:
    gate = OpenGate()
    with Sandbox(SandboxConfig(limits=Limits(weight=1_234))) as sandbox:
        context = make_context(tmp_path, "binance", budget=gate)
        provider = BinanceProvider(BinanceProvider.Settings(rest_url=AnyHttpUrl(sandbox.url)), context)
        try:
            await provider.candle_markets(MarketQuery(name="BTC/USDT"))
        finally:
            await provider.candle_close()
    assert {"weight": 1_234.0} in [dict(one.amounts) for one in gate.observed]
