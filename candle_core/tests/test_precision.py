"""Rounding and checking of orders: against ccxt, against brute force over integers, and by integer arithmetic."""

import decimal
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from ccxt.base import decimal_to_precision as theirs
from hypothesis import assume, example, given
from hypothesis import strategies as st

import candle_core
from candle_core import blocking
from candle_core.precision import ROUNDINGS, Precision, as_decimal, plain
from candle_hookspecs import (
    PRICE_TICKS,
    BadInputError,
    ConfigError,
    Market,
    MarketQuery,
    Registration,
    TickTable,
    UnknownMarketError,
    to_ms,
)

KRW = (
    "@2025-07-30T15:00:00Z 1000000:1000 500000:500 100000:100 50000:50 10000:10 5000:5 1000:1 100:1 10:0.1 1:0.01"
    " 0.1:0.001 0.01:0.0001; @2024-01-28T15:00:00Z 1000:1 0:0.1"
).replace(" 0.01:0.0001;", " 0:0.0001;")
CONFIG = {"storage": {"backend": "memory"}, "defaults": {"exchange": "FAKE", "tradetype": "SPOT"}}


def precision(**options: Any) -> Precision:
    named = {"exchange": "BINANCE", "native_id": "BTCUSDT", "ccxt_symbol": "BTC/USDT", "base": "BTC", "quote": "USDT"}
    return Precision.of(Market(archetype="CRYPTO", tradetype="SPOT", **named | options))


def banded(text: str = KRW, **options: Any) -> Precision:
    return precision(extra={PRICE_TICKS: text}, **options)


@contextmanager
def ccxt_context() -> Iterator[None]:
    """What ccxt changes of the context goes no further, and it has room."""
    with decimal.localcontext(prec=2000):
        yield


# ── one tick, against ccxt ───────────────────────────────────────────────────────────────────────────────────────────

ticks = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.sampled_from([1, 2, 5, 25, 3, 10, 125]),
    st.integers(0, 8),
)
prices = st.decimals(0, 10**9, places=10)


@given(prices, ticks)
def test_a_single_tick_as_ccxt_rounds(value: Decimal, tick: Decimal) -> None:
    mine = precision(price_tick=tick, amount_step=tick)
    with ccxt_context():
        nearest = theirs.decimal_to_precision(f"{value:f}", theirs.ROUND, f"{tick:f}", theirs.TICK_SIZE)
        below = theirs.decimal_to_precision(f"{value:f}", theirs.TRUNCATE, f"{tick:f}", theirs.TICK_SIZE)
    assert mine.price(value) == Decimal(nearest)
    assert mine.amount(value) == Decimal(below)


# ── one tick, by arithmetic of fractions ─────────────────────────────────────────────────────────────────────────────

any_number = st.decimals("0", "1e30", allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places, decimal.Context(prec=2000)),
    st.integers(0, 10**60),
    st.integers(-30, 60),
)
any_tick = st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 999), st.integers(-6, 30))


def by_fractions(steps: Fraction, rounding: str) -> int:
    """A number of steps made whole."""
    low = math.floor(steps)
    beyond = steps - low - Fraction(1, 2)
    if steps == low:
        return low
    up = {
        decimal.ROUND_UP: True, decimal.ROUND_CEILING: True, decimal.ROUND_DOWN: False, decimal.ROUND_FLOOR: False,
        decimal.ROUND_HALF_UP: beyond >= 0, decimal.ROUND_HALF_DOWN: beyond > 0,
        decimal.ROUND_HALF_EVEN: beyond > 0 or (beyond == 0 and low % 2 == 1), decimal.ROUND_05UP: low % 5 == 0,
    }  # fmt: skip
    return low + up[rounding]


@given(any_number, any_tick, st.sampled_from(ROUNDINGS))
@example(Decimal(10**48 + 1).scaleb(-18, decimal.Context(prec=99)), Decimal("2e-18"), decimal.ROUND_HALF_EVEN)
@example(Decimal("0.5"), Decimal(1), decimal.ROUND_HALF_EVEN)
@example(Decimal("1.5"), Decimal(1), decimal.ROUND_HALF_EVEN)
def test_a_single_tick_exactly(value: Decimal, tick: Decimal, rounding: str) -> None:
    found = precision(price_tick=tick).price(value, rounding)
    assert Fraction(found) == by_fractions(Fraction(value) / Fraction(tick), rounding) * Fraction(tick)


@given(any_number, any_number)
def test_what_an_order_is_worth_exactly(price: Decimal, amount: Decimal) -> None:
    assert Fraction(precision().notional(price, amount)) == Fraction(price) * Fraction(amount)


@given(any_number, any_tick, st.integers(1, 5), st.sampled_from(ROUNDINGS))
def test_the_context_of_the_caller_changes_nothing(value: Decimal, tick: Decimal, prec: int, rounding: str) -> None:
    mine = precision(price_tick=tick, amount_step=tick, min_notional=Decimal(1), min_price=tick)
    before = mine.price(value), mine.amount(value), mine.notional(value, value), mine.check(value, value)
    traps = [decimal.Inexact, decimal.Rounded, decimal.FloatOperation, decimal.Clamped, decimal.Subnormal]
    with decimal.localcontext(decimal.Context(prec=prec, rounding=rounding, Emax=9, Emin=-9, traps=traps)) as context:
        after = mine.price(value), mine.amount(value), mine.notional(value, value), mine.check(value, value)
        assert as_decimal(0.1) == Decimal("0.1")
        assert context.prec == prec
    assert tuple(map(str, after)) == tuple(map(str, before))


# ── bands, by brute force ────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def small_tables(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Bands of whole numbers, many of them with edges that are on nobody's grid."""
    starts = sorted(draw(st.lists(st.integers(1, 60), max_size=4, unique=True)), reverse=True)
    return [(start, draw(st.integers(1, 12))) for start in (*starts, 0)]


def on_grid(price: int, table: list[tuple[int, int]]) -> bool:
    return price % next(tick for start, tick in table if price >= start) == 0


@given(small_tables(), st.integers(0, 400))
@example([(20, 7), (0, 3)], 79)  # 19.75: 18 is the last of threes, 21 the first of sevens
@example([(20, 7), (0, 4)], 76)  # 20 is the next of fours, and the first of sevens is 21
@example([(10, 12), (9, 4), (0, 2)], 38)  # the middle band has no price at all
def test_bands_by_looking_at_every_price(table: list[tuple[int, int]], quarters: int) -> None:
    mine = banded(" ".join(f"{start}:{tick}" for start, tick in table))
    value = Decimal(quarters) / 4
    grid = [price for price in range(200) if on_grid(price, table)]
    below, above = max(one for one in grid if one <= value), min(one for one in grid if one >= value)
    assert mine.price(value, decimal.ROUND_DOWN) == below
    assert mine.price(value, decimal.ROUND_UP) == above
    nearest = above if 2 * value >= below + above else below
    assert mine.price(value) == nearest
    assert mine.price(value, decimal.ROUND_HALF_DOWN) == (below if 2 * value <= below + above else above)
    assert bool(mine.check(value)) == (value not in grid or value == 0)


@given(st.decimals(0, 3_000_000, places=8), st.sampled_from(ROUNDINGS))
def test_a_rounded_price_is_never_refused(value: Decimal, rounding: str) -> None:
    mine = banded()
    rounded = mine.price(value, rounding)
    assume(rounded)
    assert mine.check(rounded) == ()
    assert mine.price(rounded, rounding) == rounded


@pytest.mark.parametrize(
    ("value", "rounding", "expected"),
    [
        ("999750", decimal.ROUND_HALF_UP, "1000000"), ("999749", decimal.ROUND_HALF_UP, "999500"),
        ("999999.99", decimal.ROUND_UP, "1000000"), ("999999.99", decimal.ROUND_DOWN, "999500"),
        ("1000499", decimal.ROUND_HALF_UP, "1000000"), ("1000500", decimal.ROUND_HALF_UP, "1001000"),
        ("9.999", decimal.ROUND_HALF_UP, "10"), ("0.00005", decimal.ROUND_HALF_UP, "0.0001"),
    ],
)  # fmt: skip
def test_over_the_edge_of_a_band(value: str, rounding: str, expected: str) -> None:
    assert banded().price(value, rounding) == Decimal(expected)


def test_half_even_over_an_edge_goes_by_the_step_below() -> None:
    mine = banded("16:20 0:3")  # 15 is five steps of 3, and 20 is one of 20
    assert mine.price("17.5", decimal.ROUND_HALF_EVEN) == 20
    assert banded("19:20 0:3").price("19", decimal.ROUND_HALF_EVEN) == 18, "six steps of 3"


def test_by_the_ticks_of_a_day() -> None:
    mine = banded()
    days = [None, "2026-01-01", "2025-07-30T15:00Z", "2025-07-30T14:59:59Z", to_ms("2024-06-01"), "2024-01-28"]
    assert [str(mine.price("7777.77", at=day)) for day in days] == ["7780", "7780", "7780", "7778", "7778", "7777.77"]
    assert [mine.tick(7777, day) for day in days] == [5, 5, 5, 1, 1, None]
    assert mine.check("7777", at="2024-06-01") == ()
    assert mine.check("7777.77", at="2024-01-28") == (), "nothing is known of that day"
    assert len(mine.check("7777")) == 1


# ── what is a number ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "0.1"), (np.float64(0.1), "0.1"), (1e23, "1e23"), (5e-324, "5e-324"), (-0.0, "0"), (0, "0"), (7, "7"),
        (np.int64(7), "7"), (10**30, "1e30"), (" 1.50 ", "1.5"), ("1e-18", "1e-18"), (Decimal("1.10"), "1.1"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
    ],
)  # fmt: skip
def test_numbers_are_taken_as_they_are_written(value: Any, expected: str) -> None:
    found = precision().price(value)
    assert found == Decimal(expected)
    assert not found.is_signed()


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, "NaN", "sNaN", "Infinity", "", "a", "1,000", Decimal("NaN"), Decimal("sNaN"), -1,
     "-0.1", -1e-300, True, b"1", 1j, [1], "1e400", "1e-401", 10**401, Decimal("1e999999"), "1e-99999"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_number_is_refused(value: Any) -> None:
    mine = precision(price_tick=Decimal("0.01"), amount_step=Decimal("0.01"))
    for refuse in (mine.price, mine.amount, mine.check, mine.tick, lambda one: mine.notional(1, one)):
        with pytest.raises(BadInputError, match=r"the (price|amount) "):
            refuse(value)


def test_what_is_not_known_leaves_a_value_alone() -> None:
    mine = precision()
    assert [str(mine.price("97123.456789")), str(mine.amount("1.230"))] == ["97123.456789", "1.230"]
    assert (mine.tick(1), mine.bands(), mine.check("1e-30", "1e-30")) == (None, None, ())


@pytest.mark.parametrize("rounding", ["ROUND_NEAREST", "", "up"])
def test_no_such_rounding(rounding: str) -> None:
    for mine in (precision(), precision(price_tick=Decimal(1))):
        with pytest.raises(BadInputError, match=f"{rounding!r} is no rounding; there are: ROUND_HALF_UP"):
            mine.price(1, rounding)


@pytest.mark.parametrize(
    "options",
    [{"price_tick": Decimal(0)}, {"price_tick": Decimal(-1)}, {"amount_step": Decimal(0)},
     {"amount_step": Decimal("NaN")}, {"price_tick": Decimal("1e-500")}, {"extra": {PRICE_TICKS: "1:0"}}],
    ids=str,
)  # fmt: skip
def test_a_market_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        precision(**options)


def test_prices_print_without_an_exponent() -> None:
    mine = precision(price_tick=Decimal("1E+3"), amount_step=Decimal("1E-8"))
    assert str(mine.price(97_123_456)) == "97123000"
    assert f"{mine.amount('0.000000019'):f}" == "0.00000001"


@pytest.mark.parametrize(
    ("value", "text"), [("1.50", "1.5"), ("1E+3", "1000"), ("1e-8", "0.00000001"), ("0.00", "0"), ("100", "100")]
)
def test_plain(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(any_number)
def test_plain_loses_nothing(value: Decimal) -> None:
    assert Decimal(plain(value)) == value


# ── what is wrong with an order ──────────────────────────────────────────────────────────────────────────────────────

LIMITED = precision(
    price_tick=Decimal("0.01"), amount_step=Decimal("0.001"), min_price=Decimal("0.05"), max_price=Decimal(1000),
    min_amount=Decimal("0.002"), max_amount=Decimal(100), min_notional=Decimal(5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("price", "amount", "problems"),
    [
        ("10", "0.5", []),
        ("1000", "0.005", []),
        ("0.05", "100", []),
        ("1000", "0.002", ["the order is worth 2 USDT, less than 5 USDT"]),
        ("10.005", "1", ["the price 10.005 USDT is not in steps of 0.01; 10 and 10.01 are"]),
        ("10", "1.0005", ["the amount 1.0005 BTC is not in steps of 0.001; 1 and 1.001 are"]),
        ("0.04", "100", ["the price 0.04 USDT is below the least, 0.05 USDT",
                         "the order is worth 4 USDT, less than 5 USDT"]),
        ("1000.01", "1", ["the price 1000.01 USDT is above the most, 1000 USDT"]),
        ("1000", "0.001", ["the amount 0.001 BTC is below the least, 0.002 BTC",
                           "the order is worth 1 USDT, less than 5 USDT"]),
        ("1", "100.001", ["the amount 100.001 BTC is above the most, 100 BTC"]),
        ("9.99", "0.5", ["the order is worth 4.995 USDT, less than 5 USDT"]),
        ("10", "0.0005", ["the amount 0.0005 BTC is not in steps of 0.001; 0.001 is",
                          "the amount 0.0005 BTC is below the least, 0.002 BTC",
                          "the order is worth 0.005 USDT, less than 5 USDT"]),
        ("10", "0", ["the amount 0 BTC is below the least, 0.002 BTC", "the order is worth 0 USDT, less than 5 USDT"]),
        ("9.999", None, ["the price 9.999 USDT is not in steps of 0.01; 9.99 and 10 are"]),
        (None, "200", ["the amount 200 BTC is above the most, 100 BTC"]),
        (None, None, []),
    ],
)  # fmt: skip
def test_problems_in_words(price: str | None, amount: str | None, problems: list[str]) -> None:
    assert list(LIMITED.check(price, amount)) == problems
    if problems:
        with pytest.raises(BadInputError) as refused:
            LIMITED.require(price, amount)
        assert str(refused.value) == f"'BTC/USDT' of BINANCE SPOT takes no such order: {'; '.join(problems)}"
    else:
        LIMITED.require(price, amount)


def test_nothing_is_no_order_even_where_no_limit_is_known() -> None:
    assert precision().check(0, "0.00") == ("the price is 0", "the amount is 0")


# ── from the database, or from the exchange ──────────────────────────────────────────────────────────────────────────


async def test_an_unknown_market_is_looked_up_and_not_registered(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        mine = await candles.precision("btc/usdt")
        assert (mine.market.ccxt_symbol, mine.market.exchange) == ("BTC/USDT", "FAKE")
        assert await candles.symbols() == []
        with pytest.raises(UnknownMarketError, match="'NO/SUCH'"):
            await candles.precision("NO/SUCH")


async def test_a_registered_market_is_not_asked_for(clock: Any, exchange: Any) -> None:
    async with candle_core.open(CONFIG, clock=clock) as candles:
        (listed,) = await candles.markets("FAKE", query=MarketQuery(name="BTC/USDT"))  # one name is not kept
        stored = Market(
            archetype=listed.archetype, exchange=listed.exchange, tradetype=listed.tradetype, base=listed.base,
            quote=listed.quote, native_id=listed.native_id, ccxt_symbol=listed.ccxt_symbol,
            price_tick=Decimal("0.25"), extra={PRICE_TICKS: "100:0.5 0:0.25"},
        )  # fmt: skip
        await candles.kernel.storage().register([Registration(market=stored, timeframes=("1m", "1h"))])
        for name in ("BTC/USDT", str(stored.symbol("1m")), stored.symbol("1d")):
            mine = await candles.precision(name)
            assert mine.ticks == TickTable.parse("100:0.5 0:0.25"), name
            assert mine.price("101.3") == Decimal("101.5")
        # What the exchange listed a moment ago is newer than the day on which the market was registered.
        await candles.warm_up(["FAKE"])
        for name in ("BTC/USDT", stored.symbol("1d")):
            assert (await candles.precision(name)).market == listed
        listings = (await candles.statistics()).of("FAKE", "markets")
        assert (listings.hits, listings.calls) == (2, 2)


async def test_the_exchange_must_be_known(clock: Any, exchange: Any) -> None:
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        with pytest.raises(ConfigError, match="no exchange for 'BTC/USDT'"):
            await candles.precision("BTC/USDT")


@pytest.mark.parametrize("name", ["", "  "])
async def test_no_name_at_all(clock: Any, exchange: Any, name: str) -> None:
    async with candle_core.open({"storage": {"backend": "memory"}}, clock=clock) as candles:
        with pytest.raises(BadInputError, match=f"{name!r} names no market"):
            await candles.precision(name, exchange="EXCH", tradetype="SPOT")


def test_the_blocking_twin(clock: Any, exchange: Any) -> None:
    with blocking.open(CONFIG, clock=clock) as candles:
        assert candles.precision("BTC/USDT").market.native_id == candles.markets("FAKE")[0].native_id
