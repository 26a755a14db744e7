"""ccxt's market structures as markets: names that stay apart, exact numbers, what is left out."""

from decimal import Decimal
from typing import Any

import pytest

from candle_ccxt.markets import parse_all
from candle_hookspecs import MalformedAnswerError, Market, MarketStatus

PLACES, SIGNIFICANT, TICKS = 2, 3, 4


def structure(symbol: str = "BTC/USDT", **changes: Any) -> dict[str, Any]:
    """As ccxt's manual describes it, with what is read here."""
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return {
        "id": symbol.replace("/", ""), "symbol": symbol, "base": base, "quote": quote,
        "settle": settle.partition("-")[0] or None,
        "type": "spot" if not settle else "future" if "-" in settle else "swap", "active": True,
        "precision": {"price": None, "amount": None}, "limits": {}, "created": None, "info": {}, **changes,
    }  # fmt: skip


def parsed(*structures: dict[str, Any], mode: int = TICKS) -> list[Market]:
    return parse_all(structures, "ANY", mode)


def test_contracts_of_one_pair_stay_apart() -> None:
    names = ["BTC/USD", "BTC/USD:USD", "BTC/USD:BTC", "BTC/USD:USDC", "BTC/USD:USD-261225", "BTC/USD:BTC-261225",
             "BTC/USD:BTC-270326"]  # fmt: skip
    markets = parsed(*map(structure, names))
    assert [(one.tradetype, one.contract) for one in markets] == [
        ("SPOT", ""), ("SWAP", ""), ("SWAP", "BTC"), ("SWAP", "USDC"), ("FUTURE", "261225"), ("FUTURE", "BTC-261225"),
        ("FUTURE", "BTC-270326"),
    ]  # fmt: skip
    assert [one.ccxt_symbol for one in markets] == names
    assert len({one.symbol("1m") for one in markets}) == len(names)


def test_what_is_no_market_of_ours_is_left_out() -> None:
    assert not parsed(
        structure("BTC/USD:BTC-261225-100000-C", type="option"),
        structure(type="index"),
        structure(symbol="XBTUSD:BTNL", base="BTC", quote="USD", type="spot"),
        structure(symbol="ETH-USD_UM-SWAP", base="", quote="", type="swap"),
    )


@pytest.mark.parametrize(
    ("mode", "value", "step"),
    [
        (TICKS, 1e-8, "0.00000001"), (TICKS, 0.1, "0.1"), (TICKS, 5.0, "5"), (TICKS, 1000, "1000"), (TICKS, 0, None),
        (TICKS, None, None), (PLACES, 8, "0.00000001"), (PLACES, 0, "1"), (PLACES, -2, "100"), (SIGNIFICANT, 5, None),
        (TICKS, -1, None), (TICKS, float("nan"), None), (TICKS, float("inf"), None),
    ],
)  # fmt: skip
def test_steps_are_exact(mode: int, value: float | None, step: str | None) -> None:
    (market,) = parsed(structure(precision={"price": value, "amount": value}), mode=mode)
    assert (market.price_tick, market.amount_step) == ((None if step is None else Decimal(step),) * 2)
    assert step is None or f"{market.price_tick:f}" == step


@pytest.mark.parametrize("told", [0, -1, float("inf"), float("-inf"), float("nan")])
def test_what_bounds_nothing_is_no_bound(told: float) -> None:
    (market,) = parsed(structure(limits={of: {"min": told, "max": told} for of in ("amount", "price", "cost")}))
    assert (market.min_amount, market.max_amount, market.min_price, market.max_price) == (None,) * 4
    assert market.min_notional is None


def test_bounds_are_exact_and_nought_is_none() -> None:
    limits = {
        "amount": {"min": 0.00001, "max": 9000.0}, "price": {"min": 0, "max": None}, "cost": {"min": 5.0},
    }  # fmt: skip
    (market,) = parsed(structure(limits=limits))
    assert (market.min_amount, market.max_amount) == (Decimal("0.00001"), Decimal(9000))
    assert (market.min_price, market.max_price, market.min_notional) == (None, None, Decimal(5))


def test_an_inactive_market_may_come_back_and_a_date_of_creation_proves_nothing() -> None:
    active = [parsed(structure(active=said))[0].status for said in (True, False, None)]
    assert active == [MarketStatus.TRADING, MarketStatus.HALTED, MarketStatus.UNKNOWN]
    (market,) = parsed(structure(created=1_548_133_413_000))
    assert (market.listed, market.extra) == (None, {"created": "1548133413000"})


@pytest.mark.parametrize("changes", [{"id": None}, {"precision": {"price": "fine", "amount": None}}], ids=str)
def test_what_cannot_be_read_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswerError, match="BTC/USDT"):
        parsed(structure(**changes))
