"""Candles from trades, against fractions added one by one."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.resample import candles_from_trades
from candle_hookspecs import BadInputError, Market, Span, Trade

from .rows import DAY, MINUTE

BTC = Market(
    archetype="CRYPTO", exchange="BINANCE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
decimals = st.decimals("0.00000001", "99999999", places=8, allow_nan=False)


@st.composite
def many(draw: st.DrawFn) -> list[Trade]:
    """In the order of their numbers, which is that of time."""
    times = sorted(draw(st.lists(st.integers(0, 30 * MINUTE), max_size=60)))
    first = draw(st.sampled_from([0, 95, 10**19]))
    return [
        Trade(
            market=BTC, id=str(first + number), at=at, price=draw(decimals), amount=draw(decimals),
            taker_is_buyer=draw(st.sampled_from([True, False, None])),
        )
        for number, at in enumerate(times)
    ]  # fmt: skip


def nearest(values: list[Fraction]) -> float:
    return float(sum(values, Fraction(0)))


@given(many(), st.randoms(use_true_random=False), st.sampled_from([1, 5, 7]))
def test_against_fractions(trades: list[Trade], chance: Random, minutes: int) -> None:
    slots: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        slots[trade.at // (minutes * MINUTE)].append(trade)
    given = [*trades, *chance.choices(trades, k=3)] if trades else []
    chance.shuffle(given)
    made = candles_from_trades(given, f"{minutes}m")
    assert made.open_time.tolist() == [slot * minutes * MINUTE for slot in slots]
    sided = any(trade.taker_is_buyer is not None for trade in trades)
    assert (made.taker_buy_volume is None) is not sided
    for row, inside in enumerate(slots.values()):
        prices = [float(trade.price) for trade in inside]
        assert (made.open[row], made.close[row]) == (prices[0], prices[-1])
        assert (made.high[row], made.low[row]) == (max(prices), min(prices))
        assert made.volume[row] == nearest([Fraction(trade.amount) for trade in inside])
        assert made.quote_volume is not None
        assert made.quote_volume[row] == nearest([Fraction(one.price) * Fraction(one.amount) for one in inside])
        assert made.trades is not None
        assert made.trades[row] == len(inside)
        if made.taker_buy_volume is not None:
            bought = nearest([Fraction(trade.amount) for trade in inside if trade.taker_is_buyer])
            known = all(trade.taker_is_buyer is not None for trade in inside)
            np.testing.assert_equal(made.taker_buy_volume[row], bought if known else np.nan)


def trade(at: int, name: str, price: str = "1", **more: object) -> Trade:
    return replace(Trade(market=BTC, id=name, at=at, price=Decimal(price), amount=Decimal(1)), **more)  # type: ignore[arg-type]


def test_numbers_are_ordered_as_numbers_and_other_names_as_text() -> None:
    numbers = candles_from_trades([trade(5, "10", "3"), trade(5, "9", "2")], "1m")
    assert (numbers.open.tolist(), numbers.close.tolist()) == ([2], [3])
    names = candles_from_trades([trade(5, "b10", "2"), trade(5, "b9", "3")], "1m")
    assert (names.open.tolist(), names.close.tolist()) == ([2], [3])
    unnamed = candles_from_trades([trade(5, ""), trade(5, "")], "1m")
    assert unnamed.volume.tolist() == [2]


def test_only_slots_whose_trades_are_all_there() -> None:
    trades = [trade(minute * MINUTE, str(minute)) for minute in range(10)]
    made = candles_from_trades(trades, "3m", span=Span(MINUTE, 9 * MINUTE))
    assert made.open_time.tolist() == [3 * MINUTE, 6 * MINUTE]
    assert len(candles_from_trades(trades, "1h", span=Span(0, 30 * MINUTE))) == 0
    assert candles_from_trades(trades, "1w", anchor=0).open_time.tolist() == [0]
    assert candles_from_trades(trades, "1w").open_time.tolist() == [-3 * DAY]


def test_what_makes_no_candles() -> None:
    assert len(candles_from_trades([], "1m")) == 0
    other = replace(BTC, native_id="ETHUSDT", base="ETH")
    with pytest.raises(BadInputError, match="BTCUSDT, BINANCE SPOT ETHUSDT"):
        candles_from_trades([trade(1, "1"), trade(2, "2", market=other)], "1m")
