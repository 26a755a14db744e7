"""Trades on wires of all shapes that ccxt's exchanges have: none lost, none twice, or an error that says why."""

from collections.abc import Callable, Sequence
from typing import Final

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from candle_ccxt.trades import Ask, Backward, Cursor, Forward, Newest, Told, TradeWay, way_of
from candle_hookspecs import Anchor, BadRequestError, FetchRequest, Kind, Market, Span, Trade, iso

MOST: Final = 5
NOW: Final = 5_000
MARKET: Final = Market(
    archetype="CRYPTO", exchange="ANY", tradetype="SPOT", base="A", quote="B", native_id="AB", ccxt_symbol="A/B"
)
Trades = Sequence[Trade]
Wire = Callable[[Trades, Ask], Trades]


def on_from(truth: Trades, ask: Ask) -> Trades:
    """From `since` on, itself included; without it the newest."""
    return truth[-ask.limit :] if ask.since is None else [one for one in truth if one.at >= ask.since][: ask.limit]


def later_than(truth: Trades, ask: Ask) -> Trades:
    """Kraken's, `since` itself left out, in nanoseconds."""
    if ask.since is None:
        return truth[-ask.limit :]
    return [one for one in truth if one.at * 1_000_000 > int(ask.parameters["since"])][: ask.limit]


def on_from_the_second(truth: Trades, ask: Ask) -> Trades:
    """`since` rounded down, as ccxt does it where the wire has seconds."""
    if ask.since is None:
        return truth[-ask.limit :]
    return [one for one in truth if one.at >= ask.since // 10 * 10][: ask.limit]


def until(truth: Trades, ask: Ask) -> Trades:
    """Binance's: both ends inclusive."""
    last = ask.parameters.get("until", NOW)
    if ask.since is None:
        return [one for one in truth if one.at <= last][-ask.limit :]
    assert last - ask.since <= 3_600_000, "no more than an hour"
    return [one for one in truth if ask.since <= one.at <= last][: ask.limit]


def by_ids(truth: Trades, ask: Ask) -> Trades:
    """OKX's, newest first."""
    after, count = int(ask.parameters.get("after", NOW)), ask.limit
    if ask.parameters.get("type") == "1":
        return [one for one in truth if int(one.id) < after][-count:][::-1]
    return [one for one in truth if one.at < after][-count:][::-1]


def newest(truth: Trades, ask: Ask) -> Trades:
    return truth[-min(ask.limit, MOST) :][::-1]


# What each can do: the anchor from which it counts, and whether a count or a span may be longer than a page.
MEANT: Final = [
    (Forward(MOST), on_from, Anchor.START),
    (Forward(MOST), on_from_the_second, Anchor.START),
    (Forward(MOST, since="since"), later_than, Anchor.START),
    (Backward(MOST), until, Anchor.END),
    (Backward(MOST), until, Anchor.START),
    (Cursor(MOST, newest=2 * MOST), by_ids, Anchor.END),
    (Newest(MOST), newest, Anchor.END),
    (Newest(MOST, known=False), newest, Anchor.END),
]

LET_IN: Final[dict[Wire, int]] = {on_from: 2, on_from_the_second: 20}
"""Milliseconds of which the trades may take up one page, where more come than from the moment on."""

truths = st.lists(st.integers(1, 60), max_size=40).map(
    lambda times: [
        Trade(market=MARKET, id=str(number), at=at, price=1, amount=1)  # type: ignore[arg-type]
        for number, at in enumerate(sorted(times))
    ]
)
spans = (
    st.tuples(st.integers(0, 62), st.integers(0, 62)).filter(lambda two: two[0] < two[1]).map(lambda two: Span(*two))
)


def followed(way: TradeWay, wire: Wire, truth: Trades, wish: FetchRequest) -> list[Trade]:
    """All that the calls of a wish bring."""
    calls, found, number = [way.call(wish)], list[Trade](), 0
    while calls:
        request, number = calls.pop(), number + 1
        assert number < 100, "it does not end"
        ask = way.ask(request)
        page = way.read(request, ask, Told(list(wire(truth, ask)), NOW, 1))
        assert [one.at for one in page.trades] == sorted(one.at for one in page.trades)
        assert request.span is None or all(one.at in request.span for one in page.trades)
        found += page.trades
        calls += page.rest
    assert len({one.id for one in found}) == len(found), "one came twice"
    return found


def crowded(truth: Trades, stretch: int) -> int:
    """Most trades within so many milliseconds: as many as a page holds cannot be told apart from more."""
    return max((sum(0 <= two.at - one.at < stretch for two in truth) for one in truth), default=0)


def wished(span: Span | None, limit: int, anchor: Anchor) -> FetchRequest:
    return FetchRequest(kind=Kind.TRADES, markets=(MARKET,), span=span, limit=limit, anchor=anchor)


@pytest.mark.parametrize(("way", "wire", "anchor"), MEANT, ids=lambda one: getattr(one, "__name__", None))
@given(truth=truths, span=spans, limit=st.integers(0, 12))
def test_a_span_comes_whole_or_not_at_all(
    way: TradeWay, wire: Wire, anchor: Anchor, truth: Trades, span: Span, limit: int
) -> None:
    inside = [one for one in truth if one.at in span]
    counted = inside[:limit] if anchor is Anchor.START else inside[-limit:]
    try:
        found = followed(way, wire, truth, wished(span, limit, anchor))
    except BadRequestError:
        event("refused")
        if isinstance(way, Newest):
            told = truth[-MOST:]
            unknown = not told or told[0].at >= span.start
            assert limit > MOST or (unknown and not (way.known and len(told) < MOST))
            assert limit > MOST or not limit or len([one for one in told if one.at in span]) < limit
        else:
            assert crowded(truth, LET_IN.get(wire, 1)) >= MOST - 1
        return
    moments = sorted(one.at for one in (counted if limit else inside))
    assert sorted(one.at for one in found) == moments


@pytest.mark.parametrize(("way", "wire", "anchor"), MEANT, ids=lambda one: getattr(one, "__name__", None))
@given(truth=truths, limit=st.integers(0, 12))
def test_the_newest_are_the_newest(way: TradeWay, wire: Wire, anchor: Anchor, truth: Trades, limit: int) -> None:
    try:
        found = followed(way, wire, truth, wished(None, limit, anchor))
    except BadRequestError:
        short = isinstance(way, Newest) and not way.known and limit > len(truth)
        assert short or (isinstance(way, Forward | Newest) and limit > MOST) or crowded(truth, 1) >= MOST - 1
        return
    assert sorted(one.at for one in found) == [one.at for one in truth[-(limit or MOST) :]]


def test_who_takes_the_newest_for_all_is_told_from_when_on_they_are() -> None:
    truth = [Trade(market=MARKET, id=str(at), at=at, price=1, amount=1) for at in range(100)]  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match=f'ANY tells its newest 100 trades, from {iso(1)} on, .* all .*"forward"'):
        followed(way_of("anyone", None, None), newest_hundred, truth, wished(Span(0, 50), 0, Anchor.END))
    with pytest.raises(BadRequestError, match="no more can be counted, and none from the start: 3 for trades of A/B"):
        way_of("anyone", None, None).call(wished(Span(0, 50), 3, Anchor.START))


def newest_hundred(truth: Trades, ask: Ask) -> Trades:
    return truth[-ask.limit :]


def test_contracts_of_few_trades_are_asked_for_by_the_hour() -> None:
    """Where the count is from the start; all of a span is had from its end at once."""
    hour, way = 3_600_000, Backward(MOST)
    truth = [Trade(market=MARKET, id=str(at), at=at, price=1, amount=1) for at in (1, 5 * hour)]  # type: ignore[arg-type]
    asked: list[Ask] = []

    def wire(truth: Trades, ask: Ask) -> Trades:
        asked.append(ask)
        return until(truth, ask)

    assert followed(way, wire, truth, wished(Span(0, 10 * hour), 2, Anchor.START)) == truth
    assert [(ask.since, ask.parameters["until"]) for ask in asked] == [
        (number * hour, (number + 1) * hour - 1) for number in range(6)
    ]
    asked.clear()
    assert followed(way, wire, truth, wished(Span(0, 10 * hour), 0, Anchor.START)) == truth
    assert [(ask.since, ask.parameters["until"]) for ask in asked] == [(None, 10 * hour - 1)]


def test_by_ids_a_moment_may_fill_pages() -> None:
    truth = [Trade(market=MARKET, id=str(number), at=7, price=1, amount=1) for number in range(13)]  # type: ignore[arg-type]
    found = followed(Cursor(MOST), by_ids, truth, wished(Span(7, 8), 0, Anchor.END))
    assert sorted(int(one.id) for one in found) == list(range(13))


def test_the_exchanges_own_word_for_how_far_it_looks_back() -> None:
    way, day = Cursor(MOST), 86_400_000
    request = way.call(wished(Span(0, day), 0, Anchor.START))
    with pytest.raises(BadRequestError, match=r"ANY tells trades of 90 days; ask from 1970-01-11T00:00:00Z on"):
        way.read(request, way.ask(request), Told([], 100 * day, 1))


@pytest.mark.parametrize(
    ("exchange", "name", "most", "expected"),
    [
        ("kraken", None, None, Forward(1000, since="since")),
        ("kraken", None, 50, Forward(50, since="since")),
        ("anyone", None, None, Newest(100, known=False)),
        ("anyone", "forward", None, Forward(100)),
        ("anyone", "backward", 700, Backward(700)),
        ("binance", "newest", None, Newest(1000)),
    ],
)
def test_the_table_decides_where_it_says_something(
    exchange: str, name: str | None, most: int | None, expected: TradeWay
) -> None:
    assert way_of(exchange, name, most) == expected
