"""Tickers: from the digits on the wire to the state of a stock, many by one request, each refusal counted."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from candle_hookspecs import (
    AuthenticationError,
    BadRequestError,
    FetchRequest,
    Kind,
    MalformedAnswerError,
    Market,
    MarketGoneError,
    Page,
    RateLimitedError,
    Span,
    Ticker,
    to_ms,
)
from candle_stocks import markets
from candle_stocks.provider import StocksProvider
from candle_stocks.yahoo.quotes import parse, ticker
from candle_testkit.context import make_context
from candle_testkit.sandbox import StockConfig
from providers.stocks.tests.conftest import MakeStand
from providers.stocks.tests.stand import NOW, STOCKS, Stand

QUOTES = "/v7/finance/quote"
LUNCH = "2024-03-15T16:30:20.500"
"""Noon in New York, on a Friday."""
MANY = [StockConfig(f"C{number:03}", "NMS", volume=2_000_000, listed="2024-01-02") for number in range(250)]


def market(native_id: str, quote: str = "USD") -> Market:
    return markets.market(
        "NASDAQ", native_id, "", quote=quote, code="NMS", kind="EQUITY", listed=None, title=native_id
    )  # fmt: skip


def wish(*found: Market) -> FetchRequest:
    return FetchRequest(kind=Kind.TICKERS, markets=found)


def ask(stand: Stand, *names: str) -> Page:
    return stand.provider.candle_fetch(wish(*map(market, names)))


@pytest.fixture
def noon(make_stand: MakeStand) -> Stand:
    """NASDAQ while it trades, cookie and crumb already fetched."""
    stand = make_stand(clock=LUNCH)
    ask(stand, "AAPL")
    stand.asked()
    stand.gate.spent.clear()
    return stand


# ── the digits ──────────────────────────────────────────────────────────────────────────────────────────────────────


def told(fields: str) -> Ticker | None:
    """The ticker of an answer with these fields."""
    body = f'{{"quoteResponse":{{"result":[{{"symbol":"AAPL",{fields}}}],"error":null}}}}'
    (quote,) = parse(body.encode())
    return ticker(quote, market("AAPL"), at=1, since=0)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("151.49", "151.49"),
        ("70000.0", "70000"),
        ("1.04839997E10", "10483999700"),
        ("7.0E-4", "0.0007"),
        ("0.1", "0.1"),
        ("100", "100"),
        ("124.80750274658203", "124.80750274658203"),
        ("12345678901234567890123456789.0123456789", "12345678901234567890123456789.0123456789"),
    ],
)
def test_a_number_is_the_shortest_decimal_of_its_text(written: str, meant: str) -> None:
    found = told(f'"regularMarketPrice":{written},"regularMarketVolume":{written}')
    assert found is not None
    assert (str(found.last), str(found.volume)) == (meant, meant)


@pytest.mark.parametrize("nothing", ["0", "0.0", "null", "-1.5", "1e99999999", '"Infinity"', '"NaN"'])
def test_what_is_no_price_is_none(nothing: str) -> None:
    found = told(f'"regularMarketPrice":1,"bid":{nothing},"ask":{nothing},"regularMarketOpen":{nothing}')
    assert found is not None
    assert (found.bid, found.ask, found.open, found.high) == (None, None, None, None)
    assert told(f'"regularMarketPrice":{nothing},"bid":1') is None, "a stock without a price has no ticker"


def test_nothing_traded_is_a_volume() -> None:
    found = told('"regularMarketPrice":1,"regularMarketVolume":0')
    assert found is not None
    assert found.volume == Decimal(0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"{}", b'{"quoteResponse":{"result":null,"error":null}}', b'{"quoteResponse":{"result":[{}]}}',
        b'{"quoteResponse":{"result":[{"symbol":"A","bid":true}]}}',
        b'{"quoteResponse":{"result":[{"symbol":"A","bid":NaN}]}}',
        b'{"quoteResponse":{"result":[{"symbol":"A","bid":"dear"}]}}',
        b'{"quoteResponse":{"result":[{"symbol":"A","regularMarketTime":1710000000000}]}}',
    ],
)  # fmt: skip
def test_what_is_no_quote_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError, match="no quotes"):
        parse(body)


# ── the state of a stock ────────────────────────────────────────────────────────────────────────────────────────────


def assert_true(stand: Stand, page: Page, names: Sequence[str]) -> None:
    """One for each, in order, every field as the sandbox's truth has it."""
    assert [one.market.native_id for one in page.tickers] == list(names)
    for one in page.tickers:
        truth = stand.sandbox.stocks.ticker(one.market.native_id)
        fields = {name: getattr(one, name) for name in ("last", "open", "high", "low", "volume", "bid", "ask")}
        units = {name: None if value is None else int(value * 10**8) for name, value in fields.items()}
        assert units == {name: truth[name] or None for name in fields}
        assert (one.at, one.since) == (truth["at"] // 1000 * 1000, truth["opened"])
        assert (one.bid_amount, one.ask_amount, one.quote_volume, one.trades) == (None, None, None, None)


def test_while_it_trades_there_are_bid_and_ask(noon: Stand) -> None:
    page = ask(noon, "AAPL", "THIN", "GE", "BRK-B")
    assert_true(noon, page, ["AAPL", "THIN", "GE", "BRK-B"])
    apple = page.tickers[0]
    assert apple.bid is not None
    assert apple.ask is not None
    assert apple.bid < apple.last < apple.ask
    assert apple.since == to_ms("2024-03-15T13:30")


@pytest.mark.parametrize(
    ("clock", "opened", "at"),
    [
        (NOW, "2024-03-15T13:30", "2024-03-15T20:00"),
        ("2024-03-17T12:00", "2024-03-15T13:30", "2024-03-15T20:00"),
        ("2024-04-01T13:29:59", "2024-03-28T13:30", "2024-03-28T20:00"),
        ("2023-11-24T20:00", "2023-11-24T14:30", "2023-11-24T18:00"),
    ],
    ids=["evening", "weekend", "easter", "half-day"],
)
def test_after_a_session_it_is_told_of(make_stand: MakeStand, clock: str, opened: str, at: str) -> None:
    stand = make_stand(clock=clock)
    page = ask(stand, "AAPL")
    assert_true(stand, page, ["AAPL"])
    (apple,) = page.tickers
    assert (apple.since, apple.at) == (to_ms(opened), to_ms(at))
    assert (apple.bid, apple.ask) == (None, None)
    assert page.answered_at > apple.at


def test_a_split_of_today_changes_no_ticker_of_today(make_stand: MakeStand) -> None:
    stand = make_stand(clock="2024-03-11T15:00")
    assert_true(stand, ask(stand, "FRESH"), ["FRESH"])


def test_a_session_that_the_calendar_lacks_is_not_made_up(make_stand: MakeStand) -> None:
    stand = make_stand(clock=LUNCH, settings={"corrections": [{"day": "2024-03-15", "closed": True}]})
    assert [one.since for one in ask(stand, "AAPL").tickers] == [None]


# ── many at once ────────────────────────────────────────────────────────────────────────────────────────────────────


def calls(stand: Stand, count: int) -> list[FetchRequest]:
    """As the kernel cuts what the provider leaves to it."""
    found, able = [market(one.symbol) for one in MANY[:count]], stand.provider.capabilities
    assert stand.provider.candle_split(wish(*found)) is None
    size = able.most_markets(Kind.TICKERS)
    return [wish(*found[start : start + size]) for start in range(0, count, size)]


@pytest.mark.parametrize(("count", "requests"), [(1, 1), (99, 1), (100, 2), (250, 3)])
def test_stocks_by_the_request(make_stand: MakeStand, count: int, requests: int) -> None:
    stand = make_stand(clock=LUNCH, stocks=MANY)
    ask(stand, "C000")
    stand.asked()
    pages = [stand.provider.candle_fetch(call) for call in calls(stand, count)]
    assert [one.market.native_id for page in pages for one in page.tickers] == [one.symbol for one in MANY[:count]]
    assert stand.sandbox.ledger.count(QUOTES) == stand.asked() == requests


def test_more_than_yahoo_takes_is_not_asked(noon: Stand) -> None:
    with pytest.raises(BadRequestError, match="1 to 99 tickers at once, not 100"):
        ask(noon, *(f"C{number}" for number in range(100)))
    assert noon.asked() == 0


def test_the_first_request_fetches_a_crumb_and_every_one_is_paid_for(make_stand: MakeStand) -> None:
    stand = make_stand(clock=LUNCH)
    assert len(ask(stand, "AAPL").tickers) == 1
    assert [one.path for one in stand.sandbox.ledger.requests()] == ["/", "/v1/test/getcrumb", QUOTES]
    assert len(stand.gate.spent) == 2, "one was paid for by the kernel"
    ask(stand, "AAPL", "GE")
    assert (stand.asked(), len(stand.gate.spent)) == (4, 2)


def test_an_unknown_name_is_left_out(noon: Stand) -> None:
    page = ask(noon, "NOPE", "AAPL", "TWTR", "FB", "GE")
    assert [one.market.native_id for one in page.tickers] == ["AAPL", "GE"]
    assert noon.asked() == 1
    assert ask(noon, "NOPE", "TWTR").tickers == []
    with pytest.raises(MarketGoneError, match="Yahoo knows no price of 'NOPE'"):
        ask(noon, "NOPE")


def test_a_price_in_another_currency_is_left_out_and_said(noon: Stand, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        page = noon.provider.candle_fetch(wish(market("AAPL", "EUR"), market("GE")))
    assert [one.market.native_id for one in page.tickers] == ["GE"]
    assert "'AAPL' in 'USD', not in 'EUR'" in caplog.text


def test_korean_tickers_are_yahoos_whoever_tells_the_candles(make_stand: MakeStand) -> None:
    for naver in (False, True):
        stand = make_stand("krx", naver=naver, clock="2024-03-15T02:34:30.500")
        (samsung, ecopro) = (replace(stand.market(name), exchange="KRX") for name in ("005930", "247540"))
        assert Kind.TICKERS in stand.provider.capabilities.kinds
        assert_true(stand, stand.provider.candle_fetch(wish(samsung, ecopro)), ["005930.KS", "247540.KQ"])
        assert stand.sandbox.ledger.count(QUOTES) == 1


def test_there_are_no_books_and_no_trades(noon: Stand) -> None:
    for kind in (Kind.ORDERBOOKS, Kind.TRADES):
        assert kind not in noon.provider.capabilities.kinds
        with pytest.raises(BadRequestError, match="Yahoo is asked for candles"):
            noon.provider.candle_fetch(FetchRequest(kind=kind, markets=(market("AAPL"),), span=Span(0, 1)))
    assert noon.asked() == 0


# ── refusals, each counted ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_crumb_heals(noon: Stand) -> None:
    noon.provider._yahoo._crumbed()._crumb = "worn out"
    assert len(ask(noon, "AAPL").tickers) == 1
    assert (noon.asked(), len(noon.gate.spent)) == (4, 3), "refused, cookie, crumb, answered"


@pytest.mark.parametrize("known", [False, True])
def test_a_crumb_that_is_refused_costs_few_requests(make_stand: MakeStand, known: bool) -> None:
    stand = make_stand(clock=LUNCH)
    if known:
        ask(stand, "AAPL")
    stand.asked()
    stand.gate.spent.clear()
    stand.sandbox.faults.script("status", path=QUOTES, times=99, status=401)
    with pytest.raises(AuthenticationError, match="Invalid Crumb"):
        ask(stand, "AAPL")
    requests = stand.asked()
    assert requests == (4 if known else 3)
    assert requests == len(stand.gate.spent) + 1, "the first was paid for by the kernel"


@pytest.mark.parametrize("known", [False, True])
def test_a_rate_limit_is_told_at_once_and_pauses_everybody(make_stand: MakeStand, known: bool) -> None:
    stand = make_stand(clock=LUNCH)
    if known:
        ask(stand, "AAPL")
    stand.asked()
    stand.sandbox.faults.script("rate_limited", path="*", times=9)
    with pytest.raises(RateLimitedError, match="Edge: Too Many Requests") as caught:
        ask(stand, "AAPL")
    assert stand.asked() == (1 if known else 2), "a cookie may come with any status"
    assert stand.gate.paused == [caught.value.retry_after]


def test_a_provider_that_is_never_asked_needs_no_exchange(tmp_path: Path) -> None:
    settings: Any = StocksProvider.Settings()
    able = StocksProvider(settings, make_context(tmp_path, "stocks")).capabilities
    assert (able.most_markets(Kind.TICKERS), able.cost(Kind.TICKERS)) == (99, {"requests": 1, "burst": 1})


def test_every_stock_of_the_stand_has_a_ticker(noon: Stand) -> None:
    known = [one for one in STOCKS if one.venue_of.region == "us" and one.delisted is None]
    assert_true(noon, ask(noon, *(one.symbol for one in known)), [one.symbol for one in known])
