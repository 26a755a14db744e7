"""`candle markets`, against the sandbox."""

from pathlib import Path

import pytest

from candle_testkit.sandbox import Sandbox

from .conftest import Candle


@pytest.fixture(autouse=True)
def _in_the_folder(config: Path) -> None:
    """Every test here has a candle.toml."""


def test_the_table(candle: Candle, sandbox: Sandbox) -> None:
    outcome = candle("markets", "BINANCE", "SPOT")
    assert outcome.code == 0
    header, *rows = outcome.out.splitlines()
    assert header == "symbol     id        trade type  status   price tick  amount step  min notional"
    now = sandbox.clock.now()
    configs = [market.config for market in sandbox.markets.values()]
    traded = {f"{one.base}/{one.quote}" for one in configs if one.listed_ms <= now and one.exchange == "BINANCE"}
    assert {row.split()[0] for row in rows} == traded
    assert ["SHIB/USDT", "SHIBUSDT", "SPOT", "TRADING", "0.00000001", "1"] in [row.split()[:6] for row in rows]
    assert outcome.err == f"{len(traded)} of {len(traded)} markets\n"


def test_quote_and_status_narrow_it(candle: Candle) -> None:
    outcome = candle("markets", "BINANCE", "SPOT", "--quote", "usdt", "--status", "closed", "--json")
    assert [one["ccxt_symbol"] for one in outcome.document["markets"]] == ["LUNA/USDT"]


def test_the_document(candle: Candle) -> None:
    document = candle("markets", "binance", "spot", "--quote", "BTC", "--json").document
    assert (document["exchange"], document["tradetype"]) == ("BINANCE", "SPOT")
    (ether,) = [one for one in document["markets"] if one["native_id"] == "ETHBTC"]
    assert (ether["price_tick"], ether["amount_step"], ether["status"]) == ("0.00001", "0.001", "TRADING")
    assert {one["quote"] for one in document["markets"]} == {"BTC"}


def test_a_trade_type_may_be_left_out(candle: Candle) -> None:
    document = candle("markets", "BINANCE", "--json").document
    assert document["tradetype"] is None
    assert len(document["markets"]) == 19


def test_nothing_fits(candle: Candle) -> None:
    outcome = candle("markets", "BINANCE", "SPOT", "--quote", "DOGE")
    assert (outcome.code, outcome.err) == (0, "0 of 19 markets\n")
    assert candle("markets", "BINANCE", "SPOT", "--quote", "DOGE", "--json").document["markets"] == []


def test_an_unknown_status(candle: Candle) -> None:
    candle("markets", "BINANCE", "SPOT", "--status", "FOO").failed_with(2, "'--status'", "'FOO'", "'trading'")
