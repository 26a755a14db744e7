"""What `Page.of_trades` gives and leaves, against an exchange that counts trades by time alone."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candle_hookspecs import (
    Anchor,
    BadRequestError,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    Page,
    Span,
    Trade,
)

MARKET = Market(
    archetype="CRYPTO", exchange="EXAMPLE", tradetype="SPOT", base="BTC", quote="USDT", native_id="BTCUSDT",
    ccxt_symbol="BTC/USDT",
)  # fmt: skip
NOW = 100
ONE = Decimal(1)


def trades_at(moments: list[int]) -> list[Trade]:
    return [Trade(market=MARKET, id=str(n), at=at, price=ONE, amount=ONE) for n, at in enumerate(moments)]


def wish(span: Span | None, anchor: Anchor, limit: int) -> FetchRequest:
    return FetchRequest(kind=Kind.TRADES, markets=(MARKET,), span=span, anchor=anchor, limit=limit)


def answer(history: list[Trade], request: FetchRequest, size: int, *, bounded: bool) -> Page:
    """An honest exchange, whether it stops at the far end of the span or not."""
    span = request.span or Span(0, NOW)
    if request.span is not None and request.anchor is Anchor.START:
        came = [one for one in history if one.at >= span.start and not (bounded and one.at >= span.end)][:size]
    else:
        came = [one for one in history if one.at < span.end and not (bounded and one.at < span.start)][-size:]
    return Page.of_trades(request, came[::-1], asked=size, answered_at=NOW)


@given(
    st.lists(st.integers(0, 60), max_size=60).map(sorted), st.integers(0, 60), st.integers(1, 60), st.booleans(),
    st.sampled_from(Anchor), st.integers(0, 30), st.integers(1, 7), st.booleans(),
)  # fmt: skip
def test_nothing_is_lost_and_nothing_comes_twice(
    moments: list[int], start: int, length: int, spanned: bool, anchor: Anchor, limit: int, size: int, bounded: bool
) -> None:
    history = trades_at(moments)
    span = Span(start, start + length) if spanned else None
    request = wish(span, anchor, limit)
    inside = [one for one in history if span is None or one.at in span]
    counts_on = spanned and anchor is Anchor.START
    wanted = (inside[:limit] if counts_on else inside[-limit:]) if limit else inside
    found: list[Trade] = []
    calls = [request]
    try:
        while calls:
            page = answer(history, calls.pop(), size, bounded=bounded)
            assert [one.at for one in page.trades] == sorted(one.at for one in page.trades)
            found.extend(page.trades)
            calls.extend(page.rest)
    except BadRequestError:
        assert max(moments.count(moment) for moment in moments) >= size, "only a moment that fills a page stops it"
    else:
        assert sorted(one.at for one in found) == [one.at for one in wanted]
        assert len({one.id for one in found}) == len(found), "those of one moment are not mixed up"


@pytest.mark.parametrize(
    ("anchor", "moments"), [(Anchor.START, [9, 15]), (Anchor.END, [15, 20])], ids=["before", "behind"]
)
def test_trades_on_the_wrong_side_are_malformed(anchor: Anchor, moments: list[int]) -> None:
    with pytest.raises(MalformedAnswerError, match="BTC/USDT"):
        Page.of_trades(wish(Span(10, 20), anchor, 0), trades_at(moments), asked=10, answered_at=NOW)


def test_a_moment_that_fills_a_page_cannot_be_passed() -> None:
    with pytest.raises(BadRequestError, match=r"2 trades came of 1970-01-01T00:00:00\.012Z alone"):
        Page.of_trades(wish(Span(10, 20), Anchor.START, 0), trades_at([12, 12]), asked=2, answered_at=NOW)
