"""One answer out of many, whatever the order in which the parts came."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_core.coordinator.aggregate import newest_tickers, sound_ticker, tidy_book, unite_trades
from candle_hookspecs import Level, MalformedAnswerError, Market, OrderBook, Span, Ticker, Trade


def market(base: str = "A") -> Market:
    return Market(
        archetype="CRYPTO", exchange="BAZAAR", tradetype="SPOT", base=base, quote="X", native_id=base + "X",
        ccxt_symbol=base + "/X",
    )  # fmt: skip


def trade(number: int, at: int, name: str = "", **values: object) -> Trade:
    made = Trade(market=market(), id=name or str(number), at=at, price=Decimal(number), amount=Decimal(1))
    return replace(made, **values)  # type: ignore[arg-type]


def levels(*prices: int) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(1)) for price in prices)


def book(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> OrderBook:
    return OrderBook(market=market(), at=0, bids=bids, asks=asks)


WRONG: Any = [*map(Decimal, ("NaN", "sNaN", "Infinity", "-1", "1e99999", "1e-99999")), 1.5, "2", None]
"""No prices, no amounts."""

# ── tickers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 5))))
def test_of_every_market_the_newest_ticker_is_kept(seen: list[tuple[str, int]]) -> None:
    came = [Ticker(market=market(base), at=at, last=Decimal(number)) for number, (base, at) in enumerate(seen)]
    kept = newest_tickers(came)
    assert {one.base for one in kept} == {base for base, _ in seen}
    for one, ticker in kept.items():
        newest = max(at for base, at in seen if base == one.base)
        last = max(number for number, found in enumerate(seen) if found == (one.base, newest))
        assert (ticker.at, int(ticker.last)) == (newest, last), "of two of one moment, the one that came later"


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("name", ["last", "high", "ask_amount", "quote_volume"])
def test_a_ticker_with_what_is_no_number_is_refused(name: str, value: Any) -> None:
    sound = Ticker(market=market(), at=0, last=Decimal(3), high=Decimal(0))
    assert sound_ticker(sound) is sound
    if value is None and name != "last":
        return
    with pytest.raises(MalformedAnswerError, match=f"'{name}' of the ticker of 'A/X' is "):
        sound_ticker(replace(sound, **{name: value}))


# ── order books ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.sets(st.integers(1, 100), max_size=20).flatmap(lambda prices: st.permutations(sorted(prices))),
    st.sets(st.integers(101, 200), max_size=20).flatmap(lambda prices: st.permutations(sorted(prices))),
    st.none() | st.integers(1, 25),
)
def test_a_book_is_sorted_best_first_and_cut(bids: list[int], asks: list[int], depth: int | None) -> None:
    tidy = tidy_book(book(levels(*bids), levels(*asks)), depth)
    assert [int(level.price) for level in tidy.bids] == sorted(bids, reverse=True)[:depth]
    assert [int(level.price) for level in tidy.asks] == sorted(asks)[:depth]


@pytest.mark.parametrize(
    ("bids", "asks", "words"),
    [
        (levels(10, 9), levels(9, 11), "crossed: 10 bid, 9 asked"),
        (levels(10), levels(10), "crossed: 10 bid, 10 asked"),
        (levels(9, 9), levels(10), "a price comes twice"),
        (levels(9), levels(10, 11, 10), "a price comes twice"),
        (levels(9), (Level(Decimal(10), Decimal(0)),), "not above zero"),
        *((levels(9), (Level(value, Decimal(1)),), "a level of the order book of 'A/X'") for value in WRONG),
        *(((Level(Decimal(9), value),), (), "a level of the order book of 'A/X'") for value in WRONG),
    ],
)
def test_a_book_that_cannot_be_is_refused(bids: tuple[Level, ...], asks: tuple[Level, ...], words: str) -> None:
    with pytest.raises(MalformedAnswerError, match=f"(?s){words}.*"):
        tidy_book(book(bids, asks))


# ── trades ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.data(), st.lists(st.integers(0, 5), max_size=30))
def test_however_trades_are_cut_and_repeated_all_are_there_once_and_in_order(
    data: st.DataObject, ats: list[int]
) -> None:
    # Numbers grow with time, as exchanges give them, and have one to three digits.
    true = [trade(number * 7, at) for number, at in enumerate(sorted(ats))]
    pages = data.draw(st.lists(st.lists(st.sampled_from(true)))) if true else []
    whole = data.draw(st.permutations(true))
    cut = data.draw(st.integers(0, len(true)))
    united = unite_trades([*pages, whole[:cut], whole[cut:]], market(), Span(0, 6))
    assert united == tuple(true)
    assert all((one.at, int(one.id)) < (other.at, int(other.id)) for one, other in pairwise(united))


def test_ids_that_are_no_numbers_have_an_order_too() -> None:
    named = [trade(1, 0, "b"), trade(2, 0, "a"), trade(3, 0, "10"), trade(4, 0, "9")]
    assert [one.id for one in unite_trades([named], market())] == ["9", "10", "a", "b"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (trade(1, 0, price=Decimal(2)), "came twice, and not the same"),
        (trade(2, 10), "lies outside"),
        (trade(2, 0, market=market("B")), "a trade of 'B/X' came in the answer for 'A/X'"),
        *((trade(2, 0, price=value), "the trade '2' of 'A/X'") for value in WRONG),
        *((trade(2, 0, amount=value), "the trade '2' of 'A/X'") for value in WRONG),
    ],
)
def test_trades_that_cannot_be_are_refused(other: Trade, words: str) -> None:
    with pytest.raises(MalformedAnswerError, match=words):
        unite_trades([[trade(1, 0)], [other]], market(), Span(0, 10))
